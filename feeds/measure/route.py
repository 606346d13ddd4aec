"""A native route under measurement: our own probes, sockets and books. It turns them into samples."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.books.route_books import RouteBooks
from feeds.clock import MS
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.feed_migration import FeedMigration
from feeds.measure.renewal import Renewal, same_feed
from feeds.measure.route_context import RouteContext
from feeds.measure.route_feed import RouteFeed
from feeds.model import Instrument, Product
from feeds.samples import StatusSample
from feeds.transport.dialling import Dialler
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
        dialler: Dialler,
    ) -> None:
        """``offset`` is shared by the routes of one venue, ``limits`` by all."""
        self.route, self.venue, self.product, self.offset = route, venue, product, offset
        context = RouteContext(
            route=route, venue=venue, product=product, meters=meters, offset=offset, limits=limits, dialler=dialler
        )
        self._context, self._meters = context, meters
        self._sampled_ns = meters.clock.monotonic_ns()
        self._migration = FeedMigration(context, self._sampled_ns)
        self._feed = RouteFeed(context, hosts)
        self._dialler = dialler
        self._renewal: Renewal | None = None

    def start(self) -> None:
        self._feed.rest.probe(())

    def watch(self, instruments: Sequence[Instrument]) -> None:
        self._end_renewal()  # what it was to bring is old
        present = self._feed.instruments
        if present is None:
            self._feed.watch(instruments)
        elif same_feed(present, instruments):
            self._feed.adjust(instruments)
        else:
            self._renewal = Renewal(self._context, self._feed, instruments, self._meters.clock.monotonic_ns())

    def _end_renewal(self) -> None:
        renewal, self._renewal = self._renewal, None
        if renewal is not None:
            renewal.feed.cancel(rest=False)

    def _renew(self, now_ns: int, mono_ns: int, interval_ms: float) -> None:
        """Let the renewed feed take over once it is ready."""
        renewal = self._renewal
        if renewal is None:
            return
        renewal.feed.sample(now_ns, mono_ns, max(interval_ms, 1.0))  # says nothing yet, and leaves no backlog
        if renewal.ready(self._feed, mono_ns):
            self._renewal = None
            self._feed = renewal.take_over(self._feed)

    async def stop(self) -> None:
        if self._renewal is not None:
            await self._renewal.feed.stop()
        await self._feed.stop()

    async def request(self, request: RestRequest) -> Answer:
        return await self._feed.rest.request(request)

    def sample(self) -> None:
        clock = self._meters.clock
        now_ns, mono_ns = clock.time_ns(), clock.monotonic_ns()
        feed = self._migration.follow(self._feed, mono_ns)
        if feed is not self._feed:
            renewal, self._feed = self._renewal, feed
            if renewal is not None and renewal.feed.instruments is not None:
                self.watch(renewal.feed.instruments)
        if (notices := self._migration.notices(mono_ns, whole=self._feed.whole)) is not None:
            self._meters.emit(StatusSample(route=self.route, t_ns=now_ns, mono_ns=mono_ns, notices=notices))
        interval_ms = (mono_ns - self._sampled_ns) / MS
        self._sampled_ns = mono_ns
        self._renew(now_ns, mono_ns, interval_ms)
        if interval_ms > 0:
            self._feed.sample(now_ns, mono_ns, interval_ms)

    def channels(self) -> tuple[ChannelLife, ...]:
        return self._feed.sockets.channels(self._meters.clock.monotonic_ns())

    def carries(self, symbol: str) -> bool:
        return self._feed.sockets.carries(symbol)

    @property
    def notes(self) -> tuple[str, ...]:
        road = self._dialler.notes(self.hosts.rest, self.hosts.ws)
        return (self._migration.note, *road) if self._migration.note else road

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
