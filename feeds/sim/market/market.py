"""The simulated market: the pairs of all routes, which follow common prices, and a venue's view of them."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.model import Product, StatusNotice, venue_of
from feeds.sim.market.clock import Clock
from feeds.sim.market.listing import asset_of
from feeds.sim.market.pair import SimPair
from feeds.sim.market.prices import Prices
from feeds.sim.market.profile import profile_of
from feeds.sim.twin import BookImage, SimInstrument, SimMark, SimTrade, Twin

STALE_S = 0.2
"""A pair without listeners is updated only when its book is asked for and is older than this."""


class Market:
    """All pairs of all twins."""

    def __init__(self, twins: Sequence[Twin], clock: Clock, seed: int) -> None:
        self.clock = clock
        self.prices = Prices(seed, clock.timeline.market)
        self.pairs: dict[str, list[SimPair]] = {}
        self._by_instrument: dict[SimInstrument, SimPair] = {}
        self._stepped_ns: dict[str, int] = {}
        self._clock_ms: dict[str, float] = {}
        for twin in twins:
            for instrument in twin.instruments():
                asset = asset_of(instrument.base, instrument.quote)
                profile = profile_of(twin.name, instrument.product)
                pair = SimPair(instrument, asset, profile, seed, self.prices.mid(asset.pair))
                self.pairs.setdefault(instrument.route, []).append(pair)
                self._by_instrument[instrument] = pair
                self._clock_ms[instrument.route] = profile.clock_ms

    def advance(self) -> None:
        """Moves prices forward to now."""
        clock = self.clock
        self.prices.advance(clock.elapsed_s(), clock.scenario_s(), clock.speed)

    def venue_now_ns(self, route: str) -> int:
        return self.clock.now_ns() + self.clock.venue_offset_ns(route, self._clock_ms[route])

    def pair(self, instrument: SimInstrument) -> SimPair:
        return self._by_instrument[instrument]

    def stepped(self, route: str) -> None:
        """The route's feed has just updated its pairs."""
        self._stepped_ns[route] = self.clock.now_ns()

    def refresh(self, route: str) -> None:
        """Updates the pairs of a route without listeners."""
        now_ns = self.clock.now_ns()
        last_ns = self._stepped_ns.get(route, self.clock.start_ns)
        if now_ns - last_ns < STALE_S * 1e9:
            return
        self._stepped_ns[route] = now_ns
        self.advance()
        venue_ns, t_s = self.venue_now_ns(route), self.clock.scenario_s()
        for pair in self.pairs[route]:
            condition = self.clock.timeline.pair(route, pair.instrument.symbol, t_s)
            dt_s = min((now_ns - last_ns) / 1e9, 1.0)
            pair.step(self.prices.mid(pair.asset.pair), condition, venue_ns, dt_s, venue_ns)


class VenueWorld:
    """The market as one venue's twin sees it. ``by_feed``: books as the feed has delivered them, for websockets."""

    def __init__(self, market: Market, venue: str, by_feed: bool) -> None:
        self._market = market
        self._by_feed = by_feed
        self._routes = [route for route in market.pairs if venue_of(route) == venue]

    def now_ns(self) -> int:
        return self._market.venue_now_ns(self._routes[0])

    def instruments(self, venue: str, product: Product | None = None) -> Sequence[SimInstrument]:
        return [
            pair.instrument
            for route in self._routes
            for pair in self._market.pairs[route]
            if venue_of(route) == venue and product in (None, pair.instrument.product)
        ]

    def find(self, venue: str, venue_id: str, product: Product | None = None) -> SimInstrument | None:
        for instrument in self.instruments(venue, product):
            if instrument.venue_id == venue_id:
                return instrument
        return None

    def book(self, instrument: SimInstrument, levels: int | None = None) -> BookImage:
        pair = self._market.pair(instrument)
        if self._by_feed:
            return pair.feed.image(levels)
        self._market.refresh(instrument.route)
        return pair.image(levels)

    def mark(self, instrument: SimInstrument) -> SimMark:
        pair = self._market.pair(instrument)
        return pair.mark(self._market.prices.mid(pair.asset.pair), self.now_ns())

    def last_trade(self, instrument: SimInstrument) -> SimTrade:
        self._market.refresh(instrument.route)
        return self._market.pair(instrument).last_trade(self.now_ns())

    def no_withdraw(self, venue: str) -> frozenset[str]:
        clock = self._market.clock
        return frozenset().union(
            *(clock.timeline.route(route, clock.scenario_s()).no_withdraw for route in self._routes)
        )

    def notices(self, venue: str) -> Sequence[StatusNotice]:
        clock = self._market.clock
        scenario = clock.timeline.scenario
        ns_at = {second: clock.ns_at(second) for entry in scenario.notice for second in (entry.from_s, entry.to_s)}
        return clock.timeline.notices(venue, clock.scenario_s(), ns_at)
