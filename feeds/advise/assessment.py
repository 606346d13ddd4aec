"""An order priced on every route: who is out, what the others cost, the best split, what is lost without a venue.

Pure: views, order and times in, an ``Assessment`` out. Which of the routes is suggested is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from feeds.advise.concentration import hhi
from feeds.advise.exclusion import exclusion
from feeds.advise.pricing import PricedOrder, market_conditions, price_route
from feeds.advise.route_cost import RouteCost
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.advise.split import Split, best_split, by_venue
from feeds.consensus import reference_mid
from feeds.frame import Cost, Excluded, Order, Without
from feeds.model import State, Verdict, quote_of, venue_of


class Assessment(Struct, frozen=True, kw_only=True, eq=False):
    """Everything about an order that does not depend on which route is suggested."""

    order: Order
    symbol: str
    home: str | None
    costs: tuple[Cost, ...]
    """Usable routes; those that take the whole order first, then cheapest first."""
    whole: tuple[str, ...]
    """Routes that take the whole order, cheapest first."""
    choices: tuple[str, ...]
    """Those of ``whole`` that may be suggested: not a congested one that could be compared with nothing."""
    excluded: tuple[Excluded, ...]
    split: Split
    n_minus_1: tuple[Without, ...]
    hhi: float | None
    """Of the split, by venue."""
    home_verdict: Verdict | None

    def cost_on(self, route: str | None) -> Cost | None:
        """The cost on a route that takes the whole order, else None."""
        if route not in self.whole:
            return None
        return next(cost for cost in self.costs if cost.route == route)


def assess(
    order: Order,
    symbol: str,
    views: Mapping[str, RouteView],
    settings: AdviceSettings,
    now_ns: int,
    *,
    home: str | None = None,
) -> Assessment:
    """Price the order everywhere. ``now_ns`` is only read to say for how long a route has been out."""
    # sorted, so that the order in which routes are given changes nothing
    names = sorted(views)
    why = {name: text for name in names if (text := exclusion(views[name], symbol, settings, now_ns)) is not None}
    usable = {name: views[name] for name in names if name not in why}
    priced, unpriced = _price(usable, order, quote_of(symbol), settings)
    why |= unpriced
    split = best_split(priced, order.notional)
    costs = {each.route: each.cost(order.notional) for each in priced}
    whole = {each.route for each in priced if each.capacity >= order.notional}
    ranked = sorted(costs.values(), key=lambda cost: (cost.route not in whole, cost.total_bps, cost.route))
    fitting = tuple(cost.route for cost in ranked if cost.route in whole)
    alone = len(fitting) == 1 and usable[fitting[0]].verdict.state is State.CONGESTED
    return Assessment(
        order=order,
        symbol=symbol,
        home=home,
        costs=tuple(ranked),
        whole=fitting,
        choices=() if alone else fitting,
        excluded=tuple(Excluded(route=name, why=why[name]) for name in sorted(why)),
        split=split,
        n_minus_1=tuple(_without(priced, split, settings.domains)),
        hhi=hhi(by_venue(split).values()),
        home_verdict=views[home].verdict if home is not None and home in views else None,
    )


def _price(
    usable: Mapping[str, RouteView], order: Order, currency: str, settings: AdviceSettings
) -> tuple[list[RouteCost], dict[str, str]]:
    """(routes with their cost, why the others cannot be priced)."""
    priced_order = PricedOrder(
        side=order.side,
        notional=order.notional,
        currency=currency,
        reference=reference_mid(_mids(usable.values(), currency)),
        conditions=market_conditions(usable.values(), settings),
    )
    priced: list[RouteCost] = []
    why: dict[str, str] = {}
    for name, view in usable.items():
        found = price_route(name, view, priced_order, settings)
        if found is None:
            why[name] = "nothing on that side of its book can be priced"
        elif not found.allowed(found.lots_for(order.notional)):
            why[name] = "less than its smallest order would be filled"
        else:
            priced.append(found)
    return priced, why


def _mids(views: Iterable[RouteView], currency: str) -> Iterator[float]:
    """Of the books in the order's currency."""
    for view in views:
        if view.instrument is not None and view.instrument.quote == currency and view.ladder is not None:
            mid = view.ladder.mid
            if mid is not None:
                yield mid


def _without(priced: Sequence[RouteCost], split: Split, domains: Mapping[str, tuple[str, ...]]) -> Iterator[Without]:
    """N-1: the same order with each venue, then each failure domain, taken away."""
    venues = sorted({venue_of(each.route) for each in priced})
    touched = by_venue(split)
    groups: list[tuple[str, tuple[str, ...]]] = [(venue, (venue,)) for venue in venues]
    groups += [(name, members) for name, members in domains.items() if not set(members).isdisjoint(venues)]
    for name, members in groups:
        rest = split
        if not touched.keys().isdisjoint(members):
            rest = best_split((each for each in priced if venue_of(each.route) not in members), split.requested)
        yield Without(without=name, cost_bps=rest.cost_bps, unallocated=rest.unallocated)
