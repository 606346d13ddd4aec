"""One websocket of a route, for as long as the route is watched: the only reconnect loop there is.

A connection that is lost is dialled again with jittered, growing delays, forgiven by data and not by the handshake,
within the venue's connection limits. One that must end soon (the venue's lifetime, an announced disconnect) gets its
successor first: it is opened beside it, and takes over when its channels have data, so that nobody sees a gap.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from feeds.clock import SECOND, Clock
from feeds.model import Channel, Event, Fault, Instrument
from feeds.samples import LinkSample
from feeds.transport.backoff import Backoff
from feeds.transport.connection import Connection, Emit, StreamTiming
from feeds.transport.handover import Handover
from feeds.transport.http import HttpError
from feeds.transport.rate_limit import ConnectLimits
from feeds.transport.stream_stats import StreamStats
from feeds.transport.subscriptions import ChannelLife, Key
from feeds.transport.tcp_info import TcpInfo
from feeds.transport.websocket import DialError, dial, plain
from feeds.venues.base import Answer, RestRequest, SocketPlan, Venue, VenueError

log = logging.getLogger(__name__)

_ABOUT_US: frozenset[Fault] = frozenset({Fault.OUR_LIMIT, Fault.GEO_BLOCK, Fault.REFUSED})
_CLOSED_LATE = 0.98
"""A venue that ends a connection after this share of its published lifetime keeps an appointment."""


class Sink(Protocol):
    """Who uses a stream's events. Called within the socket's callback: no waiting, and nothing slow."""

    def events(self, stream: Stream, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        """Events of one message. The socket became readable at ``wall_ns`` on our wall clock, to compare with the
        venue's time stamps, and at ``mono_ns`` on the monotonic clock, to take intervals from.

        Messages of one burst have the same times. Own lag is in ``StreamStats``.
        """

    def link(self, sample: LinkSample) -> None:
        """The stream's connection changed.

        ``connected`` without ``planned``: a new connection, whose books begin anew. ``connected`` and ``planned``: a
        successor took over without a gap, books go on (its snapshots, where the venue sends any, follow as events).
        Not ``connected``: lost, or a dial failed (``fault``, ``http_status`` and ``text`` say why).
        """


class Stream:
    """One websocket of a route, always being connected or kept so."""

    def __init__(
        self,
        route: str,
        venue: Venue,
        plan: SocketPlan,
        instruments: Sequence[Instrument],
        base_url: str,
        sink: Sink,
        clock: Clock,
        *,
        limits: ConnectLimits | None = None,
        ask: Callable[[RestRequest], Awaitable[Answer]] | None = None,
        timing: StreamTiming | None = None,
        tls: ssl.SSLContext | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """``base_url``: the user's endpoint or the venue's ws base. ``ask``: answers ``plan.handshake``
        (``Requester.request``). ``limits`` is shared by all streams of the process.
        """
        self.route, self.plan, self.label = route, plan, plan.label
        self.stats: StreamStats = StreamStats()
        self._venue, self._instruments, self._base = venue, tuple(instruments), base_url
        self._facts = venue.products[plan.product]
        self._sink, self._clock, self._ask, self._tls = sink, clock, ask, tls
        self._limits = limits or ConnectLimits()
        self._timing = timing or StreamTiming()
        self._rng = rng or random.Random()
        self._backoff = self._new_backoff()
        self._refusals = Backoff(base_s=self._timing.refused_s, cap_s=self._timing.refused_cap_s, rng=self._rng)
        self._emit: Emit = functools.partial(sink.events, self)
        self._line: Connection | None = None
        self._heard_before: Mapping[Key, int] = {}
        self._stopping: asyncio.Future[None] | None = None
        self._stopped = False
        self._closing: set[asyncio.Task[None]] = set()
        self._lives = 0
        self._last_link: LinkSample | None = None

    # what the collector reads

    @property
    def connected(self) -> bool:
        return self._line is not None and not self._line.lost.done()

    @property
    def keepalive_ok(self) -> bool | None:
        """The newest pings of this connection were answered in time; None: not known yet, or not connected."""
        return None if self._line is None else self._line.keepalive_ok

    def tcp_info(self) -> TcpInfo | None:
        """The kernel's figures of the present connection."""
        return None if self._line is None else self._line.tcp_info()

    def silences(self, now_ns: int) -> tuple[ChannelLife, ...]:
        """Every subscription of the present connection; ``now_ns`` is the *monotonic* clock. Empty while there is none.

        ``ChannelLife.late`` and ``never_data`` say what is worth noticing.
        """
        return () if self._line is None else self._line.channels.silences(now_ns)

    def resubscribe(self, channel: Channel, symbol: str) -> None:
        """Ask for a fresh snapshot of one channel; nothing happens while there is no connection."""
        if self._line is not None:
            self._line.resubscribe(channel, symbol)

    def sample(self) -> LinkSample:
        """The connection as it is now: the kernel's figures, or by whose fault there is none."""
        info, connected, last = self.tcp_info(), self.connected, self._last_link
        down = last if not connected and last is not None and not last.connected else None
        return LinkSample(
            route=self.route,
            t_ns=self._clock.time_ns(),
            label=self.label,
            connected=connected,
            ws_ms=self.stats.ws_ms[-1] if self.stats.ws_ms else None,
            tcp_rtt_ms=None if info is None else info.srtt_ms,
            retransmits=None if info is None else info.retransmits,
            fault=None if down is None else down.fault,
            http_status=None if down is None else down.http_status,
        )

    # life

    async def run(self) -> None:
        """Until ``stop`` or cancellation."""
        self._stopping = asyncio.get_running_loop().create_future()
        try:
            while not self._stopped:
                try:
                    wait_s = await self._live()
                except Exception:  # our own fault, counted as ours; the stream goes on trying
                    self.stats.handler_errors += 1
                    log.exception("%s %s: the reconnect loop failed by our own fault", self.route, self.label)
                    wait_s = self._backoff.delay_s()
                finally:
                    self._retire_line()
                await self._pause(wait_s)
        finally:
            if self._closing:
                await asyncio.gather(*self._closing, return_exceptions=True)

    def stop(self) -> None:
        """End ``run`` soon, with a goodbye to the venue."""
        self._stopped = True
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)

    async def _live(self) -> float:
        """One connection, with its successors, until it is lost. Returns how long to wait before the next."""
        try:
            line = await self._open(self.stats, self._emit)
        except DialError as error:
            return self._failed(error)
        if line is None:
            return 0.0
        self._adopt(line, planned=False)
        while await self._until(line.lost, line.cut) is line.cut:
            successor = await self._succeed(line)
            if successor is None:
                break
            line = successor
        if self._stopped:
            return 0.0
        return self._lost(line)

    async def _open(
        self, stats: StreamStats, emit: Emit, on_data: Callable[[Connection], None] | None = None
    ) -> Connection | None:
        """A new connection, subscribed. None when told to stop meanwhile. Raises DialError."""
        url = await self._url()
        limit = self._limits.of(url, self._facts.connects)
        while (wait_s := limit.wait_s(1, self._now_s())) > 0:
            await self._pause(wait_s)
            if self._stopped:
                return None
        limit.take(1, self._now_s())
        line = Connection(
            self._venue.session(self.plan, self._instruments),
            self._facts,
            self.plan.subscriptions,
            self._clock,
            self._timing,
            stats,
            emit,
            before=self._heard_before,
            jitter=self._rng.random(),
        )
        if on_data is not None:
            line.on_data = functools.partial(on_data, line)
        wire = await dial(
            url,
            line,
            now_s=self._clock.time_ns() / SECOND,
            headers=self.plan.headers,
            tls=self._tls,
            timeout_s=self._timing.open_timeout_s,
            close_timeout_s=self._timing.close_s,
        )
        if (lifetime_s := self._facts.lifetime_s) is not None:
            # A margin of a twentieth to a tenth of the life, at most ten to twenty minutes, differs between streams.
            margin_s = min(lifetime_s * 0.05, 600.0) * self._rng.uniform(1.0, 2.0)
            line.cut_ns = self._clock.monotonic_ns() + int((lifetime_s - margin_s) * SECOND)
        line.opened(wire)
        return line

    async def _url(self) -> str:
        answer: Answer | None = None
        if self.plan.handshake is not None:
            if self._ask is None:
                raise DialError("this socket needs a token, and nobody is there to ask for it")
            try:
                answer = await self._ask(self.plan.handshake)
            except HttpError as error:
                raise DialError(f"token: {error}") from error
        try:
            return self._venue.dial_url(self.plan, self._base, answer)
        except VenueError as error:
            raise DialError(
                f"token: {plain(str(error))}", http_status=None if answer is None else answer.status
            ) from error

    def _adopt(self, line: Connection, *, planned: bool) -> None:
        """From now on this is the stream's connection."""
        self._line = line
        if planned:
            self.stats.handovers += 1
        elif self._lives:
            self.stats.reconnects += 1
        self._lives += 1
        self._tell(connected=True, planned=planned)

    async def _succeed(self, old: Connection) -> Connection | None:
        """Open a successor and let it take over. None when the old one was lost, or we were stopped, before that."""
        backoff = self._new_backoff()
        while not self._stopped and not old.lost.done():
            heir = Handover(old, self._emit)
            try:
                line = await self._open(StreamStats(), heir.hold, heir.check)
            except DialError as error:
                log.info("%s %s: no successor yet: %s", self.route, self.label, error)
                old.emit = self._emit
                await self._until(old.lost, timeout_s=backoff.delay_s())
                continue
            if line is None:
                return None
            await self._until(heir.ready, line.lost, old.lost, timeout_s=self._timing.handover_s)
            usable = not line.lost.done() and (line.first_data_ns is not None or old.lost.done())
            if usable and not self._stopped:
                self._heard_before = old.channels.last()
                seamless = not old.lost.done()
                if not seamless:
                    self._lost(old)
                heir.take_over(line, self.stats, self._clock)
                self._adopt(line, planned=seamless)
                heir.flush(line, self._clock)
                self._say_goodbye(old)
                return line
            self._say_goodbye(line)
            old.emit = self._emit
            if not self._stopped:
                await self._until(old.lost, timeout_s=backoff.delay_s())
        return None

    def _lost(self, line: Connection) -> float:
        """The connection is gone; returns the wait before the next."""
        wire = line.wire
        closed = None if wire is None else wire.protocol.close_rcvd
        now_ns = self._clock.monotonic_ns()
        lifetime_s = self._facts.lifetime_s
        aged = lifetime_s is not None and now_ns - line.opened_ns >= _CLOSED_LATE * lifetime_s * SECOND
        self._tell(
            connected=False,
            planned=line.by_appointment or aged,
            code=None if closed is None else int(closed.code),
            text=line.dead_text or (plain(closed.reason) if closed is not None else self._broken(line)),
            fault=None if closed is None else self._venue.read_close(int(closed.code)),
        )
        if line.first_data_ns is not None and now_ns - line.first_data_ns >= self._timing.steady_s * SECOND:
            self._backoff.forgive()
            self._refusals.forgive()
        return self._backoff.delay_s()

    def _broken(self, line: Connection) -> str:
        wire = line.wire
        error = None if wire is None else (wire.protocol.parser_exc or wire.connection_exc)
        return "cut without a goodbye" if error is None else plain(f"{type(error).__name__}: {error}")

    def _failed(self, error: DialError) -> float:
        """A dial led to nothing; returns the wait before the next."""
        self.stats.refused += 1
        self._tell(connected=False, text=str(error), fault=error.fault, http_status=error.http_status)
        if error.fault in _ABOUT_US:
            return max(self._refusals.delay_s(), error.retry_after_s or 0.0)
        return max(self._backoff.delay_s(), error.retry_after_s or 0.0)

    def _retire_line(self) -> None:
        """Whatever ended the loop's turn: no connection is left behind."""
        if self._line is not None:
            self._heard_before = self._line.channels.last()
            self._say_goodbye(self._line)
            self._line = None

    def _say_goodbye(self, line: Connection) -> None:
        line.silence()
        if line.lost.done():
            return
        task = asyncio.get_running_loop().create_task(line.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _tell(
        self,
        *,
        connected: bool,
        planned: bool = False,
        code: int | None = None,
        text: str = "",
        fault: Fault | None = None,
        http_status: int | None = None,
    ) -> None:
        self._last_link = sample = LinkSample(
            route=self.route,
            t_ns=self._clock.time_ns(),
            label=self.label,
            connected=connected,
            planned=planned,
            code=code,
            text=text,
            fault=fault,
            http_status=http_status,
        )
        try:
            self._sink.link(sample)
        except Exception:  # our own fault, counted as ours
            self.stats.handler_errors += 1
            log.exception("%s %s: our own handler failed on a link change", self.route, self.label)

    async def _until(
        self, *futures: asyncio.Future[None], timeout_s: float | None = None
    ) -> asyncio.Future[None] | None:
        """The first of these that is done, in the order given; None at the timeout or when told to stop."""
        assert self._stopping is not None
        await asyncio.wait({self._stopping, *futures}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if self._stopped:
            return None
        return next((f for f in futures if f.done()), None)

    async def _pause(self, wait_s: float) -> None:
        if wait_s > 0:
            await self._until(timeout_s=wait_s)

    def _new_backoff(self) -> Backoff:
        return Backoff(base_s=self._timing.backoff_s, cap_s=self._timing.backoff_cap_s, rng=self._rng)

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / SECOND
