"""One route being measured: its probes, its sockets, its books. Owns their tasks and turns them into samples."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feeds.books.route_books import Origin, RouteBooks, median_ms
from feeds.clock import MS, Clock
from feeds.measure.book_samples import book_sample
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.feed_migration import FeedChange
from feeds.measure.probes import Prober
from feeds.measure.snapshots import Snapshots
from feeds.model import Channel, Event, Instrument, Product
from feeds.quantiles import percentile
from feeds.samples import BookSample, FeedSample, LinkSample, Sample, StatusSample
from feeds.transport.rate_limit import ConnectLimits
from feeds.transport.requester import Requester
from feeds.transport.stream import Stream
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.base import Answer, RestRequest, SocketPlan, Venue

log = logging.getLogger(__name__)

DISAGREE_BPS = 5.0
DISAGREE_SPREADS = 3.0
WIDE_BPS = 105.0
"""A book known less far than this cannot show its widest band."""
NARROW_BPS = 15.0
WIDEN_NS = 300_000_000_000
WIDEN_NARROW_NS = 60_000_000_000
"""Between snapshots that only widen the known range; they are dear."""
FRESH_NS = 1_000_000_000
"""A quote, a trade and a book this close in time must agree."""


class Hosts(Struct, frozen=True):
    rest: str
    ws: str
    """Base URL without the path that the venue's plan appends."""


class Meters(Struct, frozen=True):
    """What one route's measuring reports to."""

    clock: Clock
    emit: Callable[[Sample], None]
    say: Callable[[str, str | None, str], None]
    """(code, route, text) for the journal."""


class RouteMonitor:
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
        self.route, self.venue, self.product, self.hosts = route, venue, product, hosts
        self.facts = venue.products[product]
        self.board: RouteBooks | None = None
        self.streams: list[Stream] = []
        self.offset = offset
        self._feed = FeedChange(venue, product, meters.clock.monotonic_ns())
        self.notes: list[str] = [self._feed.note] if self._feed.note else []
        self.market_note = ""
        self.listed: frozenset[str] | None = None
        """Symbols the route lists; None until it is known."""
        self.ever_synced: set[str] = set()
        self.stand_ins: dict[str, str] = {}
        """Watched symbol -> what the route lists instead, in another dollar currency."""
        self._meters, self._limits, self._tls = meters, limits, tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._probing: asyncio.Task[None] | None = None
        self._requester = Requester(venue, product, hosts.rest, meters.clock, tls=tls)
        self._snapshots: Snapshots | None = None
        self._sampled_ns = meters.clock.monotonic_ns()
        self._messages = 0
        self._book_updates = 0
        self._trades = 0
        self._versions: dict[str, tuple[int, int]] = {}
        self._disagreeing: dict[str, int] = {}
        self._widened_ns: dict[str, int] = {}

    # life

    def start(self) -> None:
        """Begin to probe: the line to the venue is measured before its instruments are known."""
        self._probe(())

    def watch(self, instruments: Sequence[Instrument]) -> None:
        """Open the sockets for these instruments. Called once, and by ourselves when the venue changes its feed."""
        self._probe(instruments)
        self.board = RouteBooks(
            self.route,
            self.venue,
            self.product,
            instruments,
            resync=self._resync,
            notice=self._notice,
            trouble=self._trouble,
        )
        self._snapshots = Snapshots(
            self.venue, self.product, self.board, self._requester, self._meters.clock, self.task, self._trouble
        )
        for plan in self.venue.plan(self.product, instruments):
            stream = self._stream(plan, instruments)
            self.streams.append(stream)
            self.task(stream.run())

    async def stop(self) -> None:
        tasks = [*self._tasks, *([self._probing] if self._probing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._requester.close()

    def task(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s: a task of ours has died", self.route, exc_info=task.exception())
            self._meters.say("self", self.route, f"a task of ours has died: {task.exception()!r}")

    def _probe(self, instruments: Sequence[Instrument]) -> None:
        if self._probing is not None:
            self._probing.cancel()
        prober = Prober(
            self.route,
            self.venue,
            self.product,
            self.hosts.rest,
            instruments,
            self._meters.emit,
            self._meters.clock,
            budget=self._requester.budget,
            offset=self.offset,
            tls=self._tls,
        )
        self._probing = asyncio.create_task(prober.run())

    def _follow_feed(self) -> None:
        """Where a venue ends one feed for another on an announced day, the route begins anew on the other."""
        ended = self._feed.note
        if not self._feed.due(self._meters.clock.monotonic_ns()):
            return
        note = self._feed.note
        self.notes = [*filter(None, (note,)), *(n for n in self.notes if n != ended)]
        self._meters.say("status", self.route, note)
        before, self.facts = self.facts, self.venue.products[self.product]
        self.hosts = Hosts(  # where they are the published ones
            rest=self.facts.rest if self.hosts.rest == before.rest else self.hosts.rest,
            ws=self.facts.ws if self.hosts.ws == before.ws else self.hosts.ws,
        )
        self._requester.close()
        self._requester = Requester(self.venue, self.product, self.hosts.rest, self._meters.clock, tls=self._tls)
        if self.board is None:
            self._probe(())
            return
        for task in self._tasks:
            task.cancel()
        self.streams = []
        self._messages = self._book_updates = self._trades = 0
        self._versions, self._disagreeing, self._widened_ns = {}, {}, {}
        self.watch(tuple(self.board.instruments.values()))

    def _stream(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Stream:
        assert self.board is not None
        return Stream(
            self.route,
            self.venue,
            plan,
            instruments,
            self.hosts.ws,
            _Sink(self, self.board, plan),
            self._meters.clock,
            limits=self._limits,
            ask=self._requester.request,
            tls=self._tls,
        )

    async def request(self, request: RestRequest) -> Answer:
        """Within the route's budget. Raises HttpError."""
        return await self._requester.request(request)

    # what the streams report

    def link(self, sample: LinkSample, plan: SocketPlan) -> None:
        self._meters.emit(sample)
        if sample.planned or not sample.connected:
            self._meters.say("reconnect", self.route, _link_words(sample))
        if self.board is not None and not sample.connected:  # a successor that takes over is ``connected`` at once
            books = [s.symbol for s in plan.subscriptions if s.channel is Channel.BOOK and s.symbol is not None]
            self.board.disconnected(books)

    def _resync(self, symbol: str, origin: Origin) -> None:
        assert self.board is not None and self._snapshots is not None
        if self.board.rest_snapshot:
            self._snapshots.want(symbol)
        elif isinstance(origin, Stream):
            self.board.resyncs += 1
            origin.resubscribe(Channel.BOOK, symbol)

    def _notice(self, text: str, within_s: float | None) -> None:
        self._meters.say("status", self.route, text)

    def _trouble(self, code: str, text: str) -> None:
        self._meters.say(code, self.route, text)

    # samples

    def sample(self) -> None:
        """Emit what has been measured since the last call; called about once a second."""
        self._follow_feed()
        clock = self._meters.clock
        now_ns, mono_ns = clock.time_ns(), clock.monotonic_ns()
        whole = self.board is not None and any(pair.book.synced for pair in self.board.pairs.values())
        if (notices := self._feed.notices(mono_ns, whole=whole)) is not None:
            self._meters.emit(StatusSample(route=self.route, t_ns=now_ns, notices=notices))
        interval_ms = (mono_ns - self._sampled_ns) / MS
        self._sampled_ns = mono_ns
        if self.board is None or interval_ms <= 0:
            return
        for index, stream in enumerate(self.streams):
            now = stream.sample()
            if index == 0:  # books belong to the route, not to one of its sockets; a resync is a gap's other end
                now = msgspec.structs.replace(now, gaps=self.board.gaps)
            round_trips: list[float | None] = [*stream.stats.take_ws_ms()]
            for ws_ms in round_trips or [None]:
                self._meters.emit(msgspec.structs.replace(now, ws_ms=ws_ms))
            for sent_ns, rtt_ns, server_ns in stream.stats.take_clocks():
                self.offset.add(sent_ns=sent_ns, rtt_ns=rtt_ns, server_ns=server_ns, now_mono_ns=mono_ns)
        self._meters.emit(self._feed_sample(self.board, now_ns, interval_ms))
        for symbol in self.board.pairs:
            self._meters.emit(self._book_sample(self.board, symbol, now_ns))
            if self.board.rest_snapshot:
                self._keep_wide(self.board, symbol, mono_ns)

    def _feed_sample(self, board: RouteBooks, now_ns: int, interval_ms: float) -> FeedSample:
        clock = self._meters.clock
        messages = sum(s.stats.messages for s in self.streams)
        bursts, ages, lags = board.bursts.take()
        corrected = self.offset.ages_ms(ages)
        lives = self._lives()
        own = sorted(lag / MS for s in self.streams for lag in s.stats.take_own_lag_ns())
        keepalives = [s.keepalive_ok for s in self.streams if s.keepalive_ok is not None]
        last_any = [s.stats.last_any_ns for s in self.streams if s.stats.last_any_ns is not None]
        sample = FeedSample(
            route=self.route,
            t_ns=now_ns,
            interval_ms=interval_ms,
            messages=messages - self._messages,
            bursts=bursts,
            age_p50_ms=percentile(corrected, 0.5),
            age_max_ms=corrected[-1] if corrected else None,
            engine_lag_ms=median_ms(lags),
            own_lag_ms=percentile(own, 0.99),
            silence_ms=max(0.0, (clock.monotonic_ns() - max(last_any)) / MS) if last_any else None,
            channel_silence_ms={life.key: life.silence_ms for life in lives if not life.refused},
            quiet_limit_ms={life.key: life.limit_ms for life in lives if life.limit_ms is not None},
            book_updates=board.book_updates - self._book_updates,
            trades=board.trades - self._trades,
            frozen_books=self._frozen(board, now_ns),
            offset_err_ms=self.offset.error_ms,
            keepalive_ok=all(keepalives) if keepalives else None,
            never_data=tuple(life.key for life in lives if life.never_data),
        )
        self._messages, self._book_updates, self._trades = messages, board.book_updates, board.trades
        return sample

    def _lives(self) -> list[ChannelLife]:
        mono_ns = self._meters.clock.monotonic_ns()
        return [life for stream in self.streams for life in stream.silences(mono_ns)]

    def _keep_wide(self, board: RouteBooks, symbol: str, mono_ns: int) -> None:
        """The price walks out of the range that the last snapshot made known: ask for another in time."""
        pair = board.pairs[symbol]
        reach = pair.book.ladder().reach_bps if pair.book.synced else None
        if reach is None or min(reach) >= WIDE_BPS or self._snapshots is None:
            return
        every_ns = WIDEN_NARROW_NS if min(reach) < NARROW_BPS else WIDEN_NS
        if mono_ns - self._widened_ns.get(symbol, -every_ns) >= every_ns:
            self._widened_ns[symbol] = mono_ns
            self._snapshots.widen(symbol)

    def _frozen(self, board: RouteBooks, now_ns: int) -> int:
        """Books that have not changed for two limits of their channel while their trades went on."""
        limit_ns = 2e9 * self.facts.quiet_s.get(Channel.BOOK, math.inf)
        frozen = 0
        for symbol, pair in board.pairs.items():
            version, trades = self._versions.get(symbol, (-1, 0))
            if pair.book.version != version:
                self._versions[symbol] = (pair.book.version, pair.trades)
            elif pair.book.synced and pair.trades - trades >= 3 and pair.book.changed_ns is not None:
                frozen += now_ns - pair.book.changed_ns > limit_ns
        return frozen

    def _book_sample(self, board: RouteBooks, symbol: str, now_ns: int) -> BookSample:
        book = board.pairs[symbol].book
        if book.synced:
            self.ever_synced.add(symbol)
        ladder = book.ladder()
        disagrees = self._disagrees(symbol, ladder.mid, ladder.spread_bps, now_ns)
        return book_sample(self.route, book, now_ns, disagrees=disagrees)

    def _disagrees(self, symbol: str, mid: float | None, spread_bps: float | None, now_ns: int) -> bool:
        """The venue's own quote channel contradicts its book, both fresh, three samples in a row."""
        assert self.board is not None
        pair = self.board.pairs[symbol]
        quote, book = pair.quote, pair.book
        against = False
        if (
            mid is not None
            and spread_bps is not None
            and quote is not None
            and quote.bid is not None
            and quote.ask is not None
            and book.received_ns is not None
            and now_ns - pair.quote_ns < FRESH_NS
            and now_ns - book.received_ns < FRESH_NS
        ):
            off_bps = abs((quote.bid + quote.ask) / 2 / mid - 1) * 10_000
            against = off_bps > max(DISAGREE_BPS, DISAGREE_SPREADS * spread_bps)
        self._disagreeing[symbol] = self._disagreeing.get(symbol, 0) + 1 if against else 0
        return self._disagreeing[symbol] >= 3

    # for frames

    def channels(self) -> tuple[ChannelLife, ...]:
        return tuple(self._lives())

    def actual(self, symbol: str) -> str:
        """The route's own symbol for a watched one."""
        return self.stand_ins.get(symbol, symbol)

    @property
    def sockets(self) -> int:
        """How many there are to be."""
        return len(self.streams)

    @property
    def sockets_up(self) -> int:
        return sum(stream.connected for stream in self.streams)

    @property
    def reconnects(self) -> int:
        return sum(stream.stats.reconnects for stream in self.streams)

    @property
    def garbled(self) -> int:
        return sum(stream.stats.garbled for stream in self.streams)

    @property
    def unknown(self) -> int:
        return sum(stream.stats.unknown for stream in self.streams)

    def carries(self, symbol: str) -> bool:
        """The socket that this symbol's book comes by is connected."""
        return any(
            stream.connected
            for stream in self.streams
            if any(s.channel is Channel.BOOK and s.symbol == symbol for s in stream.plan.subscriptions)
        )


def _link_words(sample: LinkSample) -> str:
    if sample.connected:
        return f"{sample.label} socket renewed before its end, no gap"
    what = "closed by appointment" if sample.planned else "lost" if sample.fault is None else "refused"
    code = f" ({sample.code})" if sample.code is not None else ""
    why = f": {sample.text}" if sample.text else ""
    return f"{sample.label} socket {what}{code}{why}; dialling again"


class _Sink:
    """Joins a stream to its route: events to the board, life to the route."""

    def __init__(self, watch: RouteMonitor, board: RouteBooks, plan: SocketPlan) -> None:
        self._watch, self._plan = watch, plan
        self._board = board

    def events(self, stream: Stream, events: Sequence[Event], readable_ns: int, start_ns: int) -> None:
        self._board.events(stream, events, readable_ns, start_ns)

    def link(self, sample: LinkSample) -> None:
        self._watch.link(sample, self._plan)
