"""Builds measured routes: over our own sockets or through ccxt.pro, at the published hosts or at given ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from feeds.ccxt_pro.route import CcxtProRoute
from feeds.clock import Clock
from feeds.collector.event_log import EventLog
from feeds.collector.simulated import Simulation
from feeds.config.load import Config, Endpoint
from feeds.config.watchlists import Watchlist
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters, MonitoredRoute
from feeds.measure.route import RouteMonitor
from feeds.model import product_in, venue_of
from feeds.samples import Sample
from feeds.transport.dialling import Dialler
from feeds.transport.proxies import read_proxies
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.generic import generic
from feeds.venues.registry import VENUES

PUBLISHED = Endpoint()


class RouteBuilder:
    """Keeps what must outlive a watchlist: clock offsets, and how often each host was dialled."""

    def __init__(self, configuration: Config, simulation: Simulation | None, *, clock: Clock, events: EventLog) -> None:
        self.offsets: dict[str, OffsetEstimator] = {}
        """By route, of every route that was ever built."""
        self._endpoints: Mapping[str, Endpoint] = (
            simulation.endpoints if simulation is not None else configuration.endpoints
        )
        self._simulated = simulation is not None
        self._clock, self._events = clock, events
        self._limits = ConnectLimits()
        self._written_proxies, self._proxies = configuration.proxies, read_proxies(configuration.proxies)

    def build(self, route: str, observe: Callable[[Sample], None]) -> MonitoredRoute:
        """``observe`` gets the route's samples."""
        given = self._endpoints.get(route, PUBLISHED)
        meters = Meters(self._clock, observe, self._events.log)
        offset = self.offsets.setdefault(route, OffsetEstimator())
        product = product_in(route)
        if venue_of(route) not in VENUES:
            hosts = Hosts(rest=given.rest or "", ws=given.ws or "")
            other = generic(venue_of(route))
            return CcxtProRoute(route, other, product, hosts, meters, offset=offset, proxies=self._written_proxies)
        venue = VENUES[venue_of(route)]
        facts = venue.products[product]
        return RouteMonitor(
            route,
            venue,
            product,
            Hosts(
                rest=given.rest if given.rest is not None else facts.rest,
                ws=given.ws if given.ws is not None else facts.ws,
            ),
            meters,
            offset=offset,
            limits=self._limits,
            dialler=Dialler(self._clock, venue=venue.name, proxies=self._proxies),
        )

    def within_reach(self, watchlist: Watchlist) -> Watchlist:
        """In a simulation nothing real may be asked: leaves out what is not simulated, with an event each."""
        if not self._simulated:
            return watchlist
        reached = tuple(r for r in watchlist.routes if venue_of(r) in VENUES or r in self._endpoints)
        for route in watchlist.routes:
            if route not in reached:
                self._events.log("watchlist", route, "left out: nobody simulates this exchange")
        home = watchlist.home if watchlist.home in reached else None
        return msgspec.structs.replace(watchlist, routes=reached, home=home)
