"""One watchlist being measured: everything that starts when it is chosen and stops when another one is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import msgspec

from feeds.books.ladder import Ladder
from feeds.books.route_books import PairState
from feeds.clock import Clock
from feeds.collector import basis_books
from feeds.collector.event_log import EventLog
from feeds.collector.listing import RouteListing
from feeds.collector.transfer_news import TransferNews
from feeds.config import paths
from feeds.config.watchlists import Watchlist, pairs_of
from feeds.frame import Order
from feeds.instruments.loader import InstrumentLoader
from feeds.measure.contract import MonitoredRoute
from feeds.measure.transfers import RailsWatch
from feeds.measure.venue_status import StatusWatch
from feeds.model import Instrument, Side, StatusNotice, quote_of, venue_of
from feeds.samples import Sample, StatusSample

BookView: TypeAlias = tuple[PairState, Ladder]
"""A pair, and what was derived from its book at one moment."""


class WatchSession:
    """Owns the routes, their listings, the loading of instruments and the questions about status and transfers.

    Others read its attributes; only its own methods change them.
    """

    def __init__(
        self,
        watchlist: Watchlist,
        routes: Mapping[str, MonitoredRoute],
        *,
        observe: Callable[[Sample], None],
        clock: Clock,
        events: EventLog,
        cache_label: str | None,
    ) -> None:
        """``cache_label`` names the simulator's listings in the cache; None for those of real venues."""
        self.watchlist = watchlist
        self.order = Order(side=watchlist.side, notional=watchlist.notionals[0])
        self.routes = routes
        self.listings = {
            route: RouteListing([symbol for _, symbol in pairs_of((route,), watchlist.symbols)]) for route in routes
        }
        self.transfers = TransferNews(events)
        self._observe, self._clock = observe, clock
        self._basis_needed = basis_books.needed(watchlist.symbols, routes.values())
        self._loader = InstrumentLoader(
            routes=tuple(routes),
            cache_dir=paths.cache_dir(),
            label=cache_label,
            rest={name: route.hosts.rest for name, route in routes.items() if route.hosts.rest != route.facts.rest},
            ready=self._instruments_known,
            log_event=lambda text: events.log("markets", None, text),
        )
        self._pollers = self._pollers_of(routes)

    def _pollers_of(self, routes: Mapping[str, MonitoredRoute]) -> list[StatusWatch | RailsWatch]:
        symbols = self.watchlist.symbols
        coins = tuple(dict.fromkeys(coin for s in symbols for coin in (s.partition("/")[0], quote_of(s))))
        pollers: list[StatusWatch | RailsWatch] = []
        for venue in dict.fromkeys(venue_of(name) for name in routes):
            own = [route for name, route in routes.items() if venue_of(name) == venue]
            pollers.append(StatusWatch(venue, own, self._clock, self._notices))
            pollers += [RailsWatch(route, coins, self.transfers.update) for route in own if route.product == "spot"]
        return pollers

    def start(self) -> None:
        for route in self.routes.values():
            route.start()
        self._loader.start()
        for poller in self._pollers:
            poller.start()

    async def stop(self) -> None:
        await self._loader.stop()
        await asyncio.gather(*(p.stop() for p in self._pollers), *(r.stop() for r in self.routes.values()))

    # what the user may change while it runs

    def use_home(self, route: str) -> None:
        self.watchlist = msgspec.structs.replace(self.watchlist, home=route)

    def use_order(self, side: Side, notional: float) -> None:
        self.order = Order(side=side, notional=notional)

    # what others read

    def pair(self, route: str, symbol: str) -> PairState | None:
        """The state of a watched symbol on a route; None while its instrument is not known."""
        books = self.routes[route].books
        return books.pairs.get(self.listings[route].actual(symbol)) if books is not None else None

    def books(self) -> Iterator[tuple[tuple[str, str], BookView]]:
        """By (route, watched symbol), one at a time: deriving ladders is most of what a frame costs."""
        for route, symbol in self.watchlist.pairs:
            pair = self.pair(route, symbol)
            if pair is not None:
                yield (route, symbol), (pair, pair.book.ladder())

    # news from what it owns

    def _instruments_known(self, route: str, listed: Mapping[str, Instrument], note: str) -> None:
        """The instruments of a route are known, or the note about them has changed."""
        listing, measured = self.listings[route], self.routes[route]
        if not listing.update(listed, note):
            return
        symbols = list(listing.chosen)
        if measured.product == "spot" and self._basis_needed:
            symbols += basis_books.pairs_to_watch(self.routes.values(), listed)
        instruments = self._loader.of(route, list(dict.fromkeys(symbols)))
        if instruments:
            measured.watch(instruments)

    def _notices(self, route: str, notices: tuple[StatusNotice, ...]) -> None:
        now_ns, mono_ns = self._clock.time_ns(), self._clock.monotonic_ns()
        self._observe(StatusSample(route=route, t_ns=now_ns, mono_ns=mono_ns, notices=notices))
