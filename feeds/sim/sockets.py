"""Sockets of the simulated venues: listeners that can refuse or go deaf, websocket frames, and one client's way out.

A data frame is encoded once and its bytes are written to every client that wants it; server frames are not masked
(RFC 6455, 5.1), so they are the same for all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from feeds.model import Product
from feeds.sim.twin import Close, Out, Payload, TwinSession

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
BUFFER_LIMIT = 4 << 20
"""Bytes waiting for a slow client, in its socket's buffer or held back, before it is cut as a venue would."""
CLOSE_WAIT_S = 2.0
ABNORMAL = 1006
"""Never sent (RFC 6455, 7.4.1): stands for dropping the line."""


def frame(opcode: int, body: bytes) -> bytes:
    """One final, unmasked websocket frame."""
    length = len(body)
    if length < 126:
        return struct.pack("!BB", 0x80 | opcode, length) + body
    if length < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, length) + body
    return struct.pack("!BBQ", 0x80 | opcode, 127, length) + body


def payload_frame(payload: Payload) -> bytes:
    if isinstance(payload, str):
        return frame(TEXT, payload.encode())
    return frame(BINARY, payload)


def close_frame(code: int, reason: str) -> bytes:
    # a control frame carries at most 125 bytes
    return frame(CLOSE, struct.pack("!H", code) + reason.encode()[:123])


class Client:
    """What goes out to one websocket: at once, after a while, or when the road is open again; always in order."""

    def __init__(self, route: str, product: Product, session: TwinSession, transport: asyncio.Transport) -> None:
        self.route = route
        """Whose port it came in on; the route's roads are this client's roads."""
        self.product: Product = product
        self.session = session
        self.closing = False
        """Nothing more is sent."""
        self.closes = False
        """We sent a close frame and wait for the client's."""
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
        """Frames of one answer, after a while."""
        due_s = self._loop.time() + delay_s
        for out in outs:
            self._put(due_s, out if isinstance(out, Close) else payload_frame(out))

    def send_bytes(self, data: bytes) -> None:
        """Ready-made frames, at once unless something is still before them."""
        if self._pending or self._held:
            self._put(self._pending[-1][0] if self._pending else self._loop.time(), data)
        else:
            self._write(data)

    def send_aside(self, data: bytes, delay_s: float) -> None:
        """A control frame, which may overtake data (RFC 6455, 5.4)."""
        if self._held:
            self._put(self._loop.time(), data)
        else:
            self._loop.call_later(delay_s, self._write, data)

    def hold(self, held: bool) -> None:
        """Nothing leaves while held; all of it leaves when let go."""
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
        self.closing = self.closes = True
        self._loop.call_later(CLOSE_WAIT_S, self._transport.abort)

    def answer_close(self, code: int | None) -> None:
        """The client's close frame came: it gets one back, unless it is itself the answer to ours."""
        if not self.closes:
            self._write(close_frame(code or 1000, ""))


class Port:
    """One listening socket on loopback with an accept loop of our own, since a fault may be what answers."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], port: int = 0) -> None:
        self._protocol = protocol
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(128)
        self.number: int = self._socket.getsockname()[1]
        self._task: asyncio.Task[None] | None = None
        self._fillers: list[socket.socket] = []
        self._silent: set[asyncio.Transport] = set()
        self.verdict: Callable[[], str] = lambda: "serve"
        """Asked for every new connection: ``serve``, ``refuse`` (reset) or ``hang`` (accepted, never served)."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._accept(), name=f"accept {self.number}")

    async def close(self) -> None:
        await self._stop()
        self.deafen(False)
        for transport in list(self._silent):
            transport.abort()
        self._socket.close()

    async def set_deaf(self, deaf: bool) -> None:
        """Deaf, the kernel drops every new connection's SYN: the caller waits, as on a road that is cut."""
        if deaf == bool(self._fillers):
            return
        if deaf:
            await self._stop()
            self.deafen(True)
        else:
            self.deafen(False)
            self.start()

    def deafen(self, deaf: bool) -> None:
        """A full backlog is what makes the kernel drop SYNs on Linux; elsewhere connections are reset instead."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if not deaf:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self._socket.accept()[0].close()
            self._socket.listen(128)
            return
        self._socket.listen(0)
        for _ in range(3):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.number))
            self._fillers.append(filler)

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._readable(loop)
                # not sock_accept: cancelled between its result and our turn, it would leave a connection to nobody
                accepted, _ = self._socket.accept()
                accepted.setblocking(False)
                await self._answer(accepted)
            except BlockingIOError:
                continue  # whoever knocked has gone
            except OSError:
                # out of file descriptors, or the peer has gone already: neither may end the listener
                await asyncio.sleep(0.05)

    async def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        knocked: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._socket, _done, knocked)
        try:
            await knocked
        finally:
            loop.remove_reader(self._socket)

    async def _answer(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        match self.verdict():
            case "refuse":
                # linger 0 makes close send RST
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()
            case "hang":
                await loop.connect_accepted_socket(lambda: Silent(self._silent), accepted)
            case _:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.connect_accepted_socket(self._protocol, accepted)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Silent(asyncio.Protocol):
    """Accepts and says nothing: a witness, or a front that never serves. Ends when the other side does."""

    def __init__(self, alive: set[asyncio.Transport], limit: int = 1_000) -> None:
        self._alive = alive
        self._limit = limit
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's by inheritance
        self._transport = cast(asyncio.Transport, transport)
        if len(self._alive) >= self._limit:
            self._transport.abort()
        else:
            self._alive.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._alive.discard(self._transport)


def endpoint(port: Port) -> Mapping[str, str]:
    """The bases that a client's configuration takes."""
    return {"rest": f"http://127.0.0.1:{port.number}", "ws": f"ws://127.0.0.1:{port.number}"}
