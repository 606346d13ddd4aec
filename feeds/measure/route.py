"""A native route under measurement: our own probes, sockets and books. It turns them into samples."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from feeds.books.route_books import RouteBooks
from feeds.clock import MS
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.feed_migration import FeedMigration
from feeds.measure.route_context import RouteContext
from feeds.measure.route_feed import RouteFeed
from feeds.model import Instrument, Product
from feeds.samples import StatusSample
from feeds.transport.rate_limit import ConnectLimits
from feeds.transport.stream import Stream
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.base import Answer, ProductFacts, RestRequest, Venue


class RouteMonitor:
    """Fulfils ``feeds.measure.contract.MonitoredRoute``."""

    def __init__(
        self,
        route: str,
        venue: Venue,
        product: Product,
        hosts: Hosts,
        meters: Meters,
        *,
        offset: OffsetEstimator,
        limits: ConnectLimits,
        tls: ssl.SSLContext,
    ) -> None:
        """``offset`` is shared by the routes of one venue, ``limits`` by all."""
        self.route, self.venue, self.product, self.offset = route, venue, product, offset
        context = RouteContext(
            route=route, venue=venue, product=product, meters=meters, offset=offset, limits=limits, tls=tls
        )
        self._meters = meters
        self._sampled_ns = meters.clock.monotonic_ns()
        self._migration = FeedMigration(context, self._sampled_ns)
        self._feed = RouteFeed(context, hosts)

    def start(self) -> None:
        self._feed.rest.probe(())

    def watch(self, instruments: Sequence[Instrument]) -> None:
        self._feed.watch(instruments)

    async def stop(self) -> None:
        await self._feed.stop()

    async def request(self, request: RestRequest) -> Answer:
        return await self._feed.rest.request(request)

    def sample(self) -> None:
        clock = self._meters.clock
        now_ns, mono_ns = clock.time_ns(), clock.monotonic_ns()
        self._feed = self._migration.follow(self._feed, mono_ns)
        if (notices := self._migration.notices(mono_ns, whole=self._feed.whole)) is not None:
            self._meters.emit(StatusSample(route=self.route, t_ns=now_ns, mono_ns=mono_ns, notices=notices))
        interval_ms = (mono_ns - self._sampled_ns) / MS
        self._sampled_ns = mono_ns
        if interval_ms > 0:
            self._feed.sample(now_ns, mono_ns, interval_ms)

    def channels(self) -> tuple[ChannelLife, ...]:
        return self._feed.sockets.channels(self._meters.clock.monotonic_ns())

    def carries(self, symbol: str) -> bool:
        return self._feed.sockets.carries(symbol)

    @property
    def notes(self) -> tuple[str, ...]:
        return (self._migration.note,) if self._migration.note else ()

    @property
    def facts(self) -> ProductFacts:
        return self._feed.facts

    @property
    def hosts(self) -> Hosts:
        return self._feed.hosts

    @property
    def books(self) -> RouteBooks | None:
        return self._feed.books

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The route's sockets, for benchmarks and tests."""
        return tuple(self._feed.sockets.streams)

    @property
    def sockets(self) -> int:
        return len(self._feed.sockets.streams)

    @property
    def sockets_up(self) -> int:
        return self._feed.sockets.up

    @property
    def reconnects(self) -> int:
        return self._feed.sockets.reconnects

    @property
    def garbled(self) -> int:
        return self._feed.sockets.garbled

    @property
    def unknown(self) -> int:
        return self._feed.sockets.unknown
