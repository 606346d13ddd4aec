"""What a config file is checked against: the routes there are, what they list, the screen's actions and themes."""

from __future__ import annotations

from collections.abc import Callable, Collection

from msgspec import Struct

from feeds.model import route_of


class Known(Struct, frozen=True, kw_only=True):
    """What a document is checked against. None means that nothing is known, so anything well-formed passes."""

    routes: tuple[str, ...]
    by_name: tuple[str, ...] = ()
    """Routes of exchanges that are watched through ccxt.pro. No pattern matches them: they must be named in full."""
    listed: Callable[[str], Collection[str] | None] = lambda route: None
    """Symbols a route lists, as far as the market cache knows."""
    actions: Collection[str] | None = None
    """Ids of the screen's actions."""
    themes: Collection[str] | None = None

    @property
    def all_routes(self) -> tuple[str, ...]:
        return (*self.routes, *self.by_name)


def known_routes() -> tuple[str, ...]:
    """Every route there is a venue for, in the registry's order."""
    from feeds.venues.registry import VENUES  # not at the top: callers that pass their own routes need no venue modules

    return tuple(route_of(name, product) for name, venue in VENUES.items() for product in venue.products)


def routes_by_name() -> tuple[str, ...]:
    """Every route that ccxt.pro can watch and we have no venue of our own for; in the order of their names."""
    from feeds.venues.generic import generic_routes
    from feeds.venues.registry import VENUES

    return generic_routes(VENUES)


def everything_known() -> Known:
    """All routes; nothing about listings, actions and themes. What a document is checked against by default."""
    return Known(routes=known_routes(), by_name=routes_by_name())
