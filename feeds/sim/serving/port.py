"""Listening ports of the simulated venues, which can refuse, hang, or become unreachable."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import cast


class Port:
    """One listening socket on loopback. It has its own accept loop, so that a fault can answer a new connection."""

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
        self.decide: Callable[[], str] = lambda: "serve"
        """Called for every new connection: ``serve``, ``refuse`` (reset) or ``hang`` (accepted, never served)."""

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._accept(), name=f"accept {self.number}")

    async def close(self) -> None:
        await self._stop()
        self._fill_backlog(False)
        for transport in list(self._silent):
            transport.abort()
        self._socket.close()

    async def set_unreachable(self, unreachable: bool) -> None:
        """While unreachable, the kernel drops the SYN of every new connection: the client waits, as with a broken line.
        While unreachable, the kernel drops the SYN of every new connection: the client waits, as with a broken line."""
        if unreachable == bool(self._fillers):
            return
        if unreachable:
            await self._stop()
            self._fill_backlog(True)
        else:
            self._fill_backlog(False)
            self.start()

    def _fill_backlog(self, unreachable: bool) -> None:
        """A full backlog makes Linux drop SYNs. Other systems reset the connections instead."""
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if not unreachable:
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
                # not sock_accept: when cancelled at the wrong moment, it would leak an accepted connection
                accepted, _ = self._socket.accept()
                accepted.setblocking(False)
                await self._answer(accepted)
            except BlockingIOError:
                continue  # the client has gone
            except OSError:
                # no file descriptors left, or the peer has gone: neither may end the accept loop
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
        match self.decide():
            case "refuse":
                # linger 0 makes close send RST
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()
            case "hang":
                await loop.connect_accepted_socket(lambda: SilentProtocol(self._silent), accepted)
            case _:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await loop.connect_accepted_socket(self._protocol, accepted)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class SilentProtocol(asyncio.Protocol):
    """Accepts a connection and sends nothing, until the other side closes: a witness, or a server that hangs."""

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
    """The base URLs for a client's configuration."""
    return {"rest": f"http://127.0.0.1:{port.number}", "ws": f"ws://127.0.0.1:{port.number}"}
