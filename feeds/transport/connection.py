"""One websocket from open to close: what it receives, what it sends and when, and whether it is still alive.

Everything happens in two kinds of synchronous callback, a burst of bytes and a timer. Nothing here awaits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from feeds.clock import MS, SECOND, Clock
from feeds.model import Ack, Channel, Event, Garbled, Heartbeat, Notice, Pong, Refusal, Reply, Unknown
from feeds.transport.pings import Pings
from feeds.transport.rate_limit import WindowLimit
from feeds.transport.stream_stats import StreamStats
from feeds.transport.subscriptions import Channels, Key
from feeds.transport.tcp_info import TcpInfo, tcp_info
from feeds.transport.websocket import WebSocket
from feeds.venues.base import Payload, ProductFacts, Session, Subscription

log = logging.getLogger(__name__)

Emit: TypeAlias = Callable[[Sequence[Event], int, int], None]
"""Events of one message, and when the socket became readable: on our wall clock and on the monotonic one, ns."""

MAX_OUTBOX = 1024
_PING_WINDOW_S = 10.0
"""Send limits over longer windows than this count requests and not pings (OKX: 480 subscribe, login... an hour)."""


class StreamTiming(Struct, frozen=True, kw_only=True):
    """Delays and timeouts of a stream, in seconds."""

    backoff_s: float = 0.5
    """First delay before dialling again; doubles."""
    backoff_cap_s: float = 30.0
    refused_s: float = 30.0
    """First delay after a refusal that is about us (429, 418, 403, 451)."""
    refused_cap_s: float = 900.0
    steady_s: float = 5.0
    """A connection that lasted this long after its first data forgives earlier failures."""
    open_timeout_s: float = 10.0
    pong_timeout_s: float = 10.0
    idle_s: float = 60.0
    """Without any byte for this long a socket is dead, where the venue's facts do not say."""
    handover_s: float = 20.0
    """How long a successor may take until all steady channels have data."""
    close_s: float = 2.0
    notice_spread_s: float = 2.0
    """After an announced disconnect a successor is opened within this time, each stream at a random moment of it."""
    notice_settle_s: float = 10.0
    """A connection younger than this does not react to an announced disconnect at once."""


class Connection:
    """The ``Receiver`` of one ``WebSocket``, with the session's protocol state.

    Times in ns, monotonic, unless a name says otherwise.
    """

    def __init__(
        self,
        session: Session,
        facts: ProductFacts,
        subscriptions: Sequence[Subscription],
        clock: Clock,
        timing: StreamTiming,
        stats: StreamStats,
        emit: Emit,
        *,
        before: Mapping[Key, int] | None = None,
        jitter: float = 0.5,
    ) -> None:
        """``stats`` and ``emit`` may be replaced while it lives (a successor takes over). ``jitter``: 0 to 1."""
        self._mono = self.now_ns = clock.monotonic_ns
        self._wall = clock.time_ns
        self.stats, self.emit = stats, emit
        self.on_data: Callable[[], None] | None = None
        """Called after each burst that held data."""
        self._jitter = jitter
        self._session, self._facts, self._timing = session, facts, timing
        self._receive = session.receive
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.lost: asyncio.Future[None] = loop.create_future()
        """Done when the TCP connection is gone."""
        self.cut: asyncio.Future[None] = loop.create_future()
        """Done when it is time to open a successor."""
        self.cut_ns: int | None = None
        self.by_appointment = False
        """The venue announced that it will end this connection."""
        self.dead_text = ""
        """Why we ended it, where we did."""
        self.socket: WebSocket | None = None
        self.opened_ns = self._mono()
        self.first_data_ns: int | None = None
        self.channels = Channels(subscriptions, facts.quiet_s, self.opened_ns, before)
        self._last_data_ns = self.channels.last_data_ns
        self._last_any_ns = self.opened_ns
        self._readable_ns = self.opened_ns
        self._readable_wall_ns = 0
        self._count = 0
        self._fresh = False
        self._ws_pings = Pings(timeout_s=timing.pong_timeout_s)
        self._app_pings = Pings(timeout_s=timing.pong_timeout_s)
        self._pongs_lost = 0
        self._ws_due_ns = self._app_due_ns = self.opened_ns
        self._sends = WindowLimit(max(1.0, facts.sends.weight), facts.sends.window_s)
        self._outbox: deque[Payload] = deque()
        self._timer: asyncio.TimerHandle | None = None

    # what the socket calls

    def burst_begins(self) -> int:
        self._readable_ns = readable_ns = self._mono()
        self._readable_wall_ns = self._wall()
        return readable_ns

    def message(self, raw: bytes, binary: bool) -> None:
        self._count += 1
        try:
            # Any: all event classes in ``_last_data_ns`` have a symbol, which a type checker cannot see.
            events: Sequence[Any] = self._receive(raw, self._readable_ns)
            for event in events:
                by_symbol = self._last_data_ns.get(type(event))
                if by_symbol is None:
                    self._control(event)
                    continue
                symbol = event.symbol
                if symbol in by_symbol:
                    by_symbol[symbol] = self._readable_ns
                elif None in by_symbol:
                    by_symbol[None] = self._readable_ns
                self._fresh = True
            self.emit(events, self._readable_wall_ns, self._readable_ns)
        except Exception:  # our own fault, counted as ours; the next message goes on
            self.bug("a message")
        if binary:
            self.stats.binary += 1

    def pong(self, payload: bytes) -> None:
        if len(payload) == 8:
            self._answered(self._ws_pings, int.from_bytes(payload))

    def burst_ends(self, size: int) -> int:
        stats = self.stats
        stats.bytes += size
        stats.last_any_ns = self._last_any_ns = self._readable_ns
        if not self._count:
            return self._mono()
        stats.bursts += size > 0  # further turns belong to the same read
        stats.messages += self._count
        self._count = 0
        if self._fresh:
            self._fresh = False
            stats.last_data_ns = self._readable_ns
            if self.first_data_ns is None:
                self.first_data_ns = self._readable_ns
            if self.on_data is not None:
                self.on_data()
        ended_ns = self._mono()
        stats.own_lag_ns.append(ended_ns - self._readable_ns)
        return ended_ns

    def held_back(self, waited_ns: int) -> None:
        self.stats.held_back_ns += waited_ns

    def ended(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self.lost.done():
            self.lost.set_result(None)

    # what the stream calls

    def opened(self, socket: WebSocket) -> None:
        """The handshake is done: subscribe, and keep alive from now on."""
        self.socket = socket
        self.opened_ns = self._last_any_ns = now_ns = self._mono()
        # The first pings wait a little: the handshake's own bytes would be in their round trip.
        self._ws_due_ns = now_ns + SECOND
        self._app_due_ns = now_ns + int((self._facts.app_ping_s or 0) * SECOND / 2)
        try:
            self._outbox.extend(self._session.subscribe())
        except Exception:  # as above: a bug of ours must not look like the venue closing
            self.bug("subscribe")
        self._tick()

    def resubscribe(self, channel: Channel, symbol: str) -> None:
        """Ask for a fresh snapshot of one channel, as soon as the send limit lets us."""
        if self.socket is None or len(self._outbox) >= MAX_OUTBOX:
            return
        try:
            self._outbox.extend(self._session.resubscribe(channel, symbol))
        except Exception:  # as above
            self.bug("resubscribe")
        self.stats.resubscribed += 1
        self._wake()

    @property
    def sending(self) -> bool:
        """Requests of ours still wait for the venue's send limit."""
        return bool(self._outbox)

    def tcp_info(self) -> TcpInfo | None:
        """The kernel's figures of this connection; None through a proxy, which is where they would end."""
        if self.socket is None or self.socket.proxied:
            return None
        return tcp_info(self.socket.transport.get_extra_info("socket"))

    @property
    def keepalive_ok(self) -> bool | None:
        """The newest pings whose fate is known were answered in time; None: none yet."""
        known = [p.ok for p in (self._ws_pings, self._app_pings) if p.ok is not None]
        # One kind answered is life: some venues ignore the other.
        return any(known) if known else None

    def drop(self, why: str) -> None:
        """End the connection at once."""
        self.dead_text = self.dead_text or why
        if self.socket is not None:
            self.socket.transport.abort()

    def mute(self) -> None:
        """Hand over nothing more: a successor has taken its place."""
        self.on_data = None
        self.stats = StreamStats()
        self.emit = _drop
        if self.socket is not None:
            self.socket.mute()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        """Close with a websocket close frame, within the close timeout."""
        if self.socket is not None:
            await self.socket.close()

    # keeping alive

    def _tick(self) -> None:
        self._timer = None
        if self.lost.done() or self.socket is None:
            return
        try:
            due_ns = self.tick(self._mono())
        except Exception:  # as above; the timer must never stop
            self.bug("the timer")
            due_ns = self._mono() + SECOND
        if not self.lost.done():
            if self._timer is not None:
                self._timer.cancel()
            wait_s = max(0.001, (due_ns - self._mono()) / SECOND)
            self._timer = self._loop.call_later(wait_s, self._tick)

    def _wake(self) -> None:
        """Something is due earlier than the timer knows: run it once, after the present burst."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = self._loop.call_later(0, self._tick)

    def tick(self, now_ns: int) -> int:
        """Do what is due. Returns when to be called again, at the latest."""
        facts, timing = self._facts, self._timing
        self._note_lost_pongs(now_ns)
        idle_s = facts.idle_cut_s or timing.idle_s
        if now_ns - self._last_any_ns > idle_s * SECOND:
            self.drop(f"nothing received for {idle_s:g} s")
            return now_ns + SECOND
        if self.cut_ns is not None and now_ns >= self.cut_ns and not self.cut.done():
            self.cut.set_result(None)
        if facts.ws_ping_s is not None and now_ns >= self._ws_due_ns:
            self._ws_due_ns = now_ns + int(facts.ws_ping_s * SECOND)
            self._ping_ws(now_ns)
        if facts.app_ping_s is not None and now_ns >= self._app_due_ns:
            self._app_due_ns = now_ns + int(facts.app_ping_s * SECOND)
            self._ping_app(now_ns)
        for channel, symbol in self.channels.overdue(now_ns):
            log.info("asking again for %s %s: acknowledged but silent", channel.value, symbol)
            self.resubscribe(channel, symbol)
        due_ns = min(now_ns + SECOND, self._drain(now_ns))
        if facts.ws_ping_s is not None:
            due_ns = min(due_ns, self._ws_due_ns)
        if facts.app_ping_s is not None:
            due_ns = min(due_ns, self._app_due_ns)
        return due_ns if self.cut_ns is None or self.cut.done() else min(due_ns, self.cut_ns)

    def _drain(self, now_ns: int) -> int:
        """Send what waits, as far as the venue's limit allows. Returns when to continue."""
        now_s = now_ns / SECOND
        while self._outbox and self.socket is not None:
            if (wait_s := self._sends.wait_s(1, now_s)) > 0:
                return now_ns + int(wait_s * SECOND) + 1
            self._sends.take(1, now_s)
            if not self.socket.send_now(self._outbox.popleft()):
                self._outbox.clear()
        return now_ns + SECOND

    def _ping_ws(self, now_ns: int) -> None:
        assert self.socket is not None
        token = self._ws_pings.send(now_ns)
        self._count_ping(now_ns)
        self.socket.ping_now(token.to_bytes(8))

    def _ping_app(self, now_ns: int) -> None:
        assert self.socket is not None
        token = self._app_pings.send(now_ns)
        payload = self._session.ping(token)
        if payload is None:
            self._app_pings.answer(token, now_ns)
            return
        self._count_ping(now_ns)
        self.socket.send_now(payload)

    def _count_ping(self, now_ns: int) -> None:
        if self._facts.sends.window_s <= _PING_WINDOW_S:
            self._sends.take(1, now_ns / SECOND)

    def _answered(self, pings: Pings, token: int | None, server_ns: int | None = None) -> None:
        rtt_ms = pings.answer(token, self._readable_ns)
        if rtt_ms is not None:
            self.stats.ws_ms.append(rtt_ms)
            if server_ns is not None:
                rtt_ns = int(rtt_ms * MS)
                self.stats.clocks.append((self._readable_wall_ns - rtt_ns, rtt_ns, server_ns))

    def _note_lost_pongs(self, now_ns: int) -> None:
        self._ws_pings.expire(now_ns)
        self._app_pings.expire(now_ns)
        lost = self._ws_pings.lost + self._app_pings.lost
        self.stats.pongs_lost += lost - self._pongs_lost
        self._pongs_lost = lost

    # what is not data

    def _control(self, event: Event) -> None:
        match event:
            case Garbled():
                self.stats.garbled += 1
            case Unknown():
                self.stats.unknown += 1
            case Reply():
                self._reply(event.payload)
            case Pong():
                self._answered(self._app_pings, event.token, event.server_out_ns)
            case Ack():
                self.channels.acked(event)
            case Refusal():
                self.channels.refused(event)
            case Heartbeat():
                self.channels.beat(event, self._readable_ns)
            case Notice(reconnect_within_s=float() | int() as within_s):
                self._leave_within(within_s)
            case _:
                pass

    def _reply(self, payload: Payload) -> None:
        if self.socket is not None:
            self.socket.send_now(payload)
            self._count_ping(self._readable_ns)
        elif len(self._outbox) < MAX_OUTBOX:
            self._outbox.append(payload)  # the message came in the same packet as the handshake

    def _leave_within(self, within_s: float) -> None:
        # NaN, or a notice about a past moment, means now.
        within_s = within_s if within_s > 0 else 0.0
        self.by_appointment = True
        within_s, timing = min(within_s, 86_400.0), self._timing
        if self._readable_ns - self.opened_ns >= timing.notice_settle_s * SECOND:
            # Soon: a successor beside it costs nothing. The jitter keeps our connections from doing it all at once.
            wait_s = self._jitter * min(timing.notice_spread_s, 0.4 * within_s)
        else:
            # The venue tells new connections too: leaving at once each time would be a reconnect storm of ours.
            wait_s = max((0.1 + 0.4 * self._jitter) * within_s, (0.5 + 0.5 * self._jitter) * timing.notice_settle_s)
        cut_ns = self._readable_ns + int(wait_s * SECOND)
        self.cut_ns = cut_ns if self.cut_ns is None else min(self.cut_ns, cut_ns)
        self._wake()

    def bug(self, where: str) -> None:
        """Count and log the exception being handled: a bug of ours, never the venue's fault."""
        self.stats.handler_errors += 1
        # The first ones are worth a traceback; logging all of a flood would be a second failure.
        if self.stats.handler_errors <= 10 or self.stats.handler_errors % 1000 == 0:
            log.exception("our own handler failed on %s (%d so far)", where, self.stats.handler_errors)


def _drop(events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
    """Takes the events of a connection that was replaced, and drops them."""
