"""A route of any other exchange, measured through ccxt.pro in a child process.

What cannot be known this way stays None: the engine's time, the kernel's and the websocket's round trip, the phases of
a REST call. While our own child is not running, nothing is said about the venue at all: that is our fault.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from feeds.books.route_books import RouteBooks
from feeds.ccxt_pro import process
from feeds.ccxt_pro.feed import CcxtFeed
from feeds.ccxt_pro.messages import BookNow, ChildMessage, Job, Lost, Probed, Refused, TradeNow
from feeds.ccxt_pro.probe_samples import probe_sample
from feeds.ccxt_pro.process import Pipe
from feeds.ccxt_pro.supervisor import Supervisor
from feeds.clock import MS
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.model import Instrument, Product
from feeds.transport.backoff import Backoff
from feeds.transport.http import HttpError, Timing
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.base import Answer, RestRequest
from feeds.venues.generic import GenericVenue


class CcxtProRoute:
    """Fulfils ``feeds.measure.contract.MonitoredRoute``."""

    def __init__(
        self,
        route: str,
        venue: GenericVenue,
        product: Product,
        hosts: Hosts,
        meters: Meters,
        *,
        offset: OffsetEstimator,
        proxies: Mapping[str, str] | None = None,
        begin: Callable[[], Awaitable[Pipe]] = process.start,
        silent_s: float = process.SILENT_S,
        backoff: Backoff | None = None,
    ) -> None:
        """Empty ``hosts`` are ccxt's own. ``proxies``: the user's table.

        ``begin``, ``silent_s`` and ``backoff`` are those of ``Supervisor``.
        """
        self.route, self.venue, self.product, self.hosts = route, venue, product, hosts
        self.facts = venue.products[product]
        self.offset = offset
        self._meters = meters
        self._feed: CcxtFeed | None = None
        self._sampled_ns = meters.clock.monotonic_ns()
        self._child = Supervisor(
            Job(
                ccxt_id=venue.ccxt_id,
                product=product,
                rest=hosts.rest,
                ws=hosts.ws,
                venue=venue.name,
                proxies=dict(proxies or {}),
            ),
            meters.clock,
            on_follow=self._following,
            on_message=self._take,
            on_lost=self._child_lost,
            begin=begin,
            silent_s=silent_s,
            backoff=backoff,
        )
        self.notes = (
            f"Watched through ccxt.pro ({venue.ccxt_id}): engine time, kernel and websocket round trips and the phases "
            "of a request cannot be known, and the fee is of ccxt's table unless you give yours.",
        )

    def start(self) -> None:
        self._child.start()

    def watch(self, instruments: Sequence[Instrument]) -> None:
        present = self._feed
        if present is not None and present.serves(instruments):
            present.books.adjust(instruments)
            return
        self._feed = CcxtFeed(self.route, self.venue, self.product, instruments, self._meters, self.offset)
        self._child.follow([i.symbol for i in instruments])

    async def stop(self) -> None:
        await self._child.stop()

    async def request(self, request: RestRequest) -> Answer:
        """Nothing of a generic venue is asked outside ccxt. Raises HttpError."""
        raise HttpError("connect", f"{self.route} is asked through ccxt only", Timing())

    def sample(self) -> None:
        """Nothing is emitted while our own child is not running, or does not get on."""
        clock = self._meters.clock
        now_ns, mono_ns = clock.time_ns(), clock.monotonic_ns()
        interval_ms = (mono_ns - self._sampled_ns) / MS
        self._sampled_ns = mono_ns
        feed = self._feed
        if feed is None or feed.connection.connected is None or interval_ms <= 0 or not self._child.beats(mono_ns):
            return
        feed.sample(now_ns, mono_ns, interval_ms, self._child.lag_ms)

    # what the child reports

    def _following(self) -> None:
        if self._feed is not None:
            self._feed.begin()

    def _child_lost(self, why: Exception | None) -> None:
        if why is not None:
            self._meters.log_event("self", self.route, f"our process for ccxt is lost: {why}; starting another")
        if self._feed is not None:
            self._feed.child_lost()

    def _take(self, message: ChildMessage) -> None:
        if isinstance(message, Probed):
            now_ns = self._meters.clock.monotonic_ns()
            self._meters.emit(probe_sample(self.route, message, self.offset, now_ns))
            return
        feed = self._feed
        if feed is None:  # nothing was asked for yet
            return
        match message:
            case BookNow():
                if feed.book(message):
                    self._child.forgive()
            case TradeNow():
                feed.trade(message)
            case Lost():
                feed.lost(message)
            case Refused():
                feed.refused(message)

    # for rows

    def channels(self) -> tuple[ChannelLife, ...]:
        return () if self._feed is None else self._feed.channels(self._meters.clock.monotonic_ns())

    def carries(self, symbol: str) -> bool:
        return self._feed is not None and self._child.running and self._feed.carries(symbol)

    @property
    def books(self) -> RouteBooks | None:
        return None if self._feed is None else self._feed.books

    @property
    def sockets(self) -> int:
        """ccxt's connection as a whole."""
        return 1

    @property
    def sockets_up(self) -> int:
        return int(self._feed is not None and self._child.running and self._feed.connection.connected is True)

    @property
    def reconnects(self) -> int:
        return 0 if self._feed is None else self._feed.connection.reconnects

    @property
    def garbled(self) -> int:
        return self._child.garbled

    @property
    def unknown(self) -> int:
        return 0 if self._feed is None else self._feed.unknown
