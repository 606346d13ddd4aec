"""One connected client: what is sent to it, in order, now or later."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from feeds.model import Product
from feeds.sim.serving.frames import close_frame, payload_frame
from feeds.sim.twin import ABNORMAL, Close, Out, TwinSession

BUFFER_LIMIT = 4 << 20
"""A slow client is cut when this many bytes wait for it, in its socket's buffer or held back."""
CLOSE_WAIT_S = 2.0


class Client:
    """Sends frames to one websocket, always in order: at once, after a delay, or when the network is back."""

    def __init__(self, route: str, product: Product, session: TwinSession, transport: asyncio.Transport) -> None:
        self.route = route
        """The route whose port it connected to. The network faults of that route apply to it."""
        self.product: Product = product
        self.session = session
        self.closing = False
        """True: nothing more is sent."""
        self.close_sent = False
        """True: we sent a close frame and wait for the client's."""
        self.pings_unanswered = 0
        self.last_ping_s = 0.0
        self.last_tick_s = 0.0
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pending: deque[tuple[float, bytes | Close]] = deque()
        self._pending_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._held = False

    def send(self, outs: Sequence[Out], delay_s: float = 0.0) -> None:
        """Sends the frames of one answer after a delay."""
        due_s = self._loop.time() + delay_s
        for out in outs:
            self._put(due_s, out if isinstance(out, Close) else payload_frame(out))

    def send_bytes(self, data: bytes) -> None:
        """Sends encoded frames at once, or behind the frames that still wait."""
        if self._pending or self._held:
            self._put(self._pending[-1][0] if self._pending else self._loop.time(), data)
        else:
            self._write(data)

    def send_control(self, data: bytes, delay_s: float) -> None:
        """A control frame, which may overtake data (RFC 6455, 5.4)."""
        if self._held:
            self._put(self._loop.time(), data)
        else:
            self._loop.call_later(delay_s, self._write, data)

    def hold(self, held: bool) -> None:
        """While held, nothing is sent; afterwards all of it is sent."""
        self._held = held
        if not held:
            self._flush()

    def abort(self) -> None:
        self.closing = True
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._transport.abort()

    def _put(self, due_s: float, data: bytes | Close) -> None:
        if self.closing:
            return
        if self._pending:
            due_s = max(due_s, self._pending[-1][0])
        self._pending.append((due_s, data))
        self._pending_bytes += 0 if isinstance(data, Close) else len(data)
        if self._pending_bytes > BUFFER_LIMIT:
            self.abort()
        elif not self._held and self._timer is None:
            self._timer = self._loop.call_at(due_s, self._flush)

    def _flush(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        # call_at may fire within the clock's resolution before its time
        while self._pending and not self._held and self._pending[0][0] <= now_s + 1e-3:
            _, data = self._pending.popleft()
            if isinstance(data, Close):
                self._pending.clear()
                self._close(data)
                return
            self._pending_bytes -= len(data)
            self._write(data)
        if self._pending and not self._held:
            self._timer = self._loop.call_at(self._pending[0][0], self._flush)

    def _write(self, data: bytes) -> None:
        if self.closing or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > BUFFER_LIMIT:
            self.abort()
        else:
            self._transport.write(data)

    def _close(self, close: Close) -> None:
        if close.code == ABNORMAL:
            self.abort()
            return
        self._write(close_frame(close.code, close.reason))
        self.closing = self.close_sent = True
        self._loop.call_later(CLOSE_WAIT_S, self._transport.abort)

    def answer_close(self, code: int | None) -> None:
        """The client's close frame came: it gets one back, unless it is itself the answer to ours."""
        if not self.close_sent:
            self._write(close_frame(code or 1000, ""))
