"""One websocket of a route, for as long as the route is watched: the only reconnect loop there is.

A connection that is lost is dialled again with jittered, growing delays, within the venue's connection limits. Data
resets the delays; a handshake does not. One that must end soon (the venue's lifetime, an announced disconnect) gets its
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
"""A close after this share of the venue's published lifetime counts as planned."""


class StreamListener(Protocol):
    """Receives a stream's events. Called within the socket's callback: it must not wait, nor do anything slow."""

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
    """One websocket of a route: connected, or being connected."""

    def __init__(
        self,
        route: str,
        venue: Venue,
        plan: SocketPlan,
        instruments: Sequence[Instrument],
        base_url: str,
        listener: StreamListener,
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
        self._listener, self._clock, self._ask, self._tls = listener, clock, ask, tls
        self._limits = limits or ConnectLimits()
        self._timing = timing or StreamTiming()
        self._rng = rng or random.Random()
        self._backoff = self._new_backoff()
        self._refusals = Backoff(base_s=self._timing.refused_s, cap_s=self._timing.refused_cap_s, rng=self._rng)
        self._emit_events: Emit = functools.partial(listener.events, self)
        self._connection: Connection | None = None
        self._last_data_ns: Mapping[Key, int] = {}
        self._stopping: asyncio.Future[None] | None = None
        self._stopped = False
        self._closing: set[asyncio.Task[None]] = set()
        self._lives = 0
        self._last_link: LinkSample | None = None

    # what the collector reads

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._connection.lost.done()

    @property
    def keepalive_ok(self) -> bool | None:
        """The newest pings of this connection were answered in time; None: not known yet, or not connected."""
        return None if self._connection is None else self._connection.keepalive_ok

    def tcp_info(self) -> TcpInfo | None:
        """The kernel's figures of the present connection."""
        return None if self._connection is None else self._connection.tcp_info()

    def silences(self, now_ns: int) -> tuple[ChannelLife, ...]:
        """Every subscription of the present connection; ``now_ns`` is the *monotonic* clock. Empty while there is none.

        ``ChannelLife.late`` and ``never_data`` say what is worth noticing.
        """
        return () if self._connection is None else self._connection.channels.silences(now_ns)

    def resubscribe(self, channel: Channel, symbol: str) -> None:
        """Ask for a fresh snapshot of one channel; nothing happens while there is no connection."""
        if self._connection is not None:
            self._connection.resubscribe(channel, symbol)

    def sample(self) -> LinkSample:
        """The connection as it is now: the kernel's figures, or by whose fault there is none."""
        info, connected, last = self.tcp_info(), self.connected, self._last_link
        down = last if not connected and last is not None and not last.connected else None
        return LinkSample(
            route=self.route,
            t_ns=self._clock.time_ns(),
            mono_ns=self._clock.monotonic_ns(),
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
                except Exception:  # a bug of ours, counted as that; the stream goes on trying
                    self.stats.handler_errors += 1
                    log.exception("%s %s: the reconnect loop failed by our own fault", self.route, self.label)
                    wait_s = self._backoff.delay_s()
                finally:
                    self._retire_connection()
                await self._pause(wait_s)
        finally:
            if self._closing:
                await asyncio.gather(*self._closing, return_exceptions=True)

    def stop(self) -> None:
        """End ``run`` soon, with a websocket close."""
        self._stopped = True
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(None)

    async def _live(self) -> float:
        """One connection and its successors, until the last is lost. Returns the wait before the next, in seconds."""
        try:
            connection = await self._open(self.stats, self._emit_events)
        except DialError as error:
            return self._failed(error)
        if connection is None:
            return 0.0
        self._adopt(connection, planned=False)
        while await self._until(connection.lost, connection.cut) is connection.cut:
            successor = await self._replace(connection)
            if successor is None:
                break
            connection = successor
        if self._stopped:
            return 0.0
        return self._lost(connection)

    async def _open(
        self, stats: StreamStats, emit: Emit, on_data: Callable[[Connection], None] | None = None
    ) -> Connection | None:
        """A new connection, subscribed. None when ``stop`` was called meanwhile. Raises DialError."""
        url = await self._url()
        limit = self._limits.of(url, self._facts.connects)
        while (wait_s := limit.wait_s(1, self._now_s())) > 0:
            await self._pause(wait_s)
            if self._stopped:
                return None
        limit.take(1, self._now_s())
        connection = Connection(
            self._venue.session(self.plan, self._instruments),
            self._facts,
            self.plan.subscriptions,
            self._clock,
            self._timing,
            stats,
            emit,
            before=self._last_data_ns,
            jitter=self._rng.random(),
        )
        if on_data is not None:
            connection.on_data = functools.partial(on_data, connection)
        socket = await dial(
            url,
            connection,
            now_s=self._clock.time_ns() / SECOND,
            headers=self.plan.headers,
            tls=self._tls,
            timeout_s=self._timing.open_timeout_s,
            close_timeout_s=self._timing.close_s,
        )
        if (lifetime_s := self._facts.lifetime_s) is not None:
            # A margin of a twentieth to a tenth of the life, at most ten to twenty minutes, differs between streams.
            margin_s = min(lifetime_s * 0.05, 600.0) * self._rng.uniform(1.0, 2.0)
            connection.cut_ns = self._clock.monotonic_ns() + int((lifetime_s - margin_s) * SECOND)
        connection.opened(socket)
        return connection

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

    def _adopt(self, connection: Connection, *, planned: bool) -> None:
        """Make this the stream's connection."""
        self._connection = connection
        if planned:
            self.stats.handovers += 1
        elif self._lives:
            self.stats.reconnects += 1
        self._lives += 1
        self._emit_link(connected=True, planned=planned)

    async def _replace(self, old: Connection) -> Connection | None:
        """Open a successor and let it take over. None when the old one was lost, or ``stop`` called, before that."""
        backoff = self._new_backoff()
        while not self._stopped and not old.lost.done():
            handover = Handover(old, self._emit_events)
            try:
                connection = await self._open(StreamStats(), handover.from_new, handover.check)
            except DialError as error:
                log.info("%s %s: no successor yet: %s", self.route, self.label, error)
                old.emit = self._emit_events
                await self._until(old.lost, timeout_s=backoff.delay_s())
                continue
            if connection is None:
                return None
            await self._until(handover.ready, connection.lost, old.lost, timeout_s=self._timing.handover_s)
            usable = not connection.lost.done() and (connection.first_data_ns is not None or old.lost.done())
            if usable and not self._stopped:
                self._last_data_ns = old.channels.last()
                seamless = not old.lost.done()
                if not seamless:
                    self._lost(old)
                handover.take_over(connection, self.stats, self._clock)
                self._adopt(connection, planned=seamless)
                handover.flush(connection, self._clock)
                self._close_later(old)
                return connection
            self._close_later(connection)
            old.emit = self._emit_events
            if not self._stopped:
                await self._until(old.lost, timeout_s=backoff.delay_s())
        return None

    def _lost(self, connection: Connection) -> float:
        """The connection is lost. Returns the wait before the next, in seconds."""
        socket = connection.socket
        closed = None if socket is None else socket.protocol.close_rcvd
        now_ns = self._clock.monotonic_ns()
        lifetime_s = self._facts.lifetime_s
        aged = lifetime_s is not None and now_ns - connection.opened_ns >= _CLOSED_LATE * lifetime_s * SECOND
        self._emit_link(
            connected=False,
            planned=connection.by_appointment or aged,
            code=None if closed is None else int(closed.code),
            text=connection.dead_text or (plain(closed.reason) if closed is not None else self._broken(connection)),
            fault=None if closed is None else self._venue.read_close(int(closed.code)),
        )
        if connection.first_data_ns is not None and now_ns - connection.first_data_ns >= self._timing.steady_s * SECOND:
            self._backoff.forgive()
            self._refusals.forgive()
        return self._backoff.delay_s()

    def _broken(self, connection: Connection) -> str:
        socket = connection.socket
        error = None if socket is None else (socket.protocol.parser_exc or socket.connection_exc)
        return "cut without a goodbye" if error is None else plain(f"{type(error).__name__}: {error}")

    def _failed(self, error: DialError) -> float:
        """A dial failed. Returns the wait before the next, in seconds."""
        self.stats.refused += 1
        self._emit_link(connected=False, text=str(error), fault=error.fault, http_status=error.http_status)
        if error.fault in _ABOUT_US:
            return max(self._refusals.delay_s(), error.retry_after_s or 0.0)
        return max(self._backoff.delay_s(), error.retry_after_s or 0.0)

    def _retire_connection(self) -> None:
        """Leave no connection open, whatever ended this turn of the loop."""
        if self._connection is not None:
            self._last_data_ns = self._connection.channels.last()
            self._close_later(self._connection)
            self._connection = None

    def _close_later(self, connection: Connection) -> None:
        connection.mute()
        if connection.lost.done():
            return
        task = asyncio.get_running_loop().create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _emit_link(
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
            mono_ns=self._clock.monotonic_ns(),
            label=self.label,
            connected=connected,
            planned=planned,
            code=code,
            text=text,
            fault=fault,
            http_status=http_status,
        )
        try:
            self._listener.link(sample)
        except Exception:  # a bug of ours, counted as that
            self.stats.handler_errors += 1
            log.exception("%s %s: our own handler failed on a link change", self.route, self.label)

    async def _until(
        self, *futures: asyncio.Future[None], timeout_s: float | None = None
    ) -> asyncio.Future[None] | None:
        """The first of these that is done, in the order given; None at the timeout or after ``stop``."""
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
