"""The loopback server of the benchmark: replays frames encoded beforehand, as one venue's twin writes them.

Every client gets a port, a twin and a world of its own, with equal seeds, and so the same messages. It is told over
stdin what to do and answers on stdout, one JSON object a line; see ``Server.obey``.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import uvloop
from aiohttp import WSMsgType, web

from feeds.model import Product
from feeds.sim.registry import TWINS
from feeds.sim.sockets import PONG, Port, frame, payload_frame
from feeds.sim.twin import Close, Out, ReadsHeaders, Request, Response, SimInstrument, TwinSession
from tests.bench.market import BenchWorld
from tests.bench.rounds import pin, say

PRIME_S = 0.1
PRIME_LEVELS = 2
COMPARED_LEVELS = 20
STUCK_S = 60.0
SEED = "1"
MOST_ERRORS = 5

Item = tuple[int, bytes]
"""Which socket (file descriptor), and what to write to it."""


class Line:
    """One client's websocket."""

    def __init__(self, session: TwinSession, transport: Any) -> None:
        self.session, self.transport = session, transport
        self.fd: int = transport.get_extra_info("socket").fileno()
        self.replaying = False
        self._waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        """At once; after the replay while there is one, whose frames must not be broken up."""
        if self.replaying:
            self._waiting.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def tell(self, outs: Sequence[Out]) -> None:
        for out in outs:
            if isinstance(out, Close):
                raise RuntimeError(f"the twin hung up: {out}")
            self.send(payload_frame(out))

    async def begin(self) -> None:
        while self.transport.get_write_buffer_size():  # noqa: ASYNC110 - a transport has no event for it
            await asyncio.sleep(0.001)
        self.replaying = True

    def end(self) -> None:
        self.replaying = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.send(data)


class Door:
    """One client's port to one product of one venue."""

    def __init__(self, venue: str, product: Product, depth: int) -> None:
        self.twin = TWINS[venue]()
        self.product: Product = product
        self.world = BenchWorld(self.twin, time.time_ns, SEED, depth)
        self.instrument: SimInstrument = self.world.instruments(venue, product)[0]
        self.lines: list[Line] = []
        self.items: list[Item] = []
        self.errors: list[str] = []
        self._server = web.Server(self._handle, access_log=None)
        self._port = Port(self._server)
        self._priming: asyncio.Task[None] | None = None

    def start(self) -> dict[str, str]:
        self._port.start()
        base = f"127.0.0.1:{self._port.number}"
        return {
            "rest": f"http://{base}",
            "ws": f"ws://{base}",
            "path": self.twin.ws_paths[self.product],
            "symbol": self.instrument.symbol,
            "route": self.instrument.route,
        }

    async def close(self) -> None:
        self.prime(False)
        await self._port.close()
        await self._server.shutdown(0.1)

    def prime(self, on: bool) -> None:
        """A small change now and then, for clients that need some before their book is whole."""
        if self._priming is not None:
            self._priming.cancel()
        self._priming = asyncio.get_running_loop().create_task(self._prime()) if on else None

    async def _prime(self) -> None:
        while True:
            await asyncio.sleep(PRIME_S)
            change = self.world.change(self.instrument, PRIME_LEVELS)
            for line in self.lines:
                line.tell(line.session.change(self.instrument, change))

    def prepare(self, levels: int, count: int) -> None:
        """Encode what the next replay sends: the twin's frames for ``count`` batches of so many levels a side."""
        self.items = []
        for n in range(count):
            change = self.world.change(self.instrument, levels, last=n == count - 1)
            for line in self.lines:
                for out in line.session.change(self.instrument, change):
                    if not isinstance(out, Close):
                        self.items.append((line.fd, payload_frame(out)))

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if "websocket" in request.headers.get("Upgrade", "").lower():
                return await self._websocket(request)
            return self._answer(self.twin.rest(await self._asked(request), self.world))
        except Exception as error:
            if not isinstance(error, web.HTTPException):
                self.errors.append(f"{request.path}: {type(error).__name__}: {error}")
            raise

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        session = self.twin.open(self.product, request.path, dict(request.query), self.world)
        transport = request.transport
        if session is None or transport is None:
            return self._answer(None)
        if isinstance(session, ReadsHeaders):
            session.handshake({name.lower(): value for name, value in request.headers.items()})
        socket = web.WebSocketResponse(autoclose=False, autoping=False, compress=False, decode_text=False)
        await socket.prepare(request)
        line = Line(session, transport)
        self.lines.append(line)
        try:
            line.tell(session.opened(self.world.now_ns()))
            while True:
                message = await socket.receive()
                if message.type is WSMsgType.PING:
                    line.send(frame(PONG, bytes(message.data)))
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raw = message.data if isinstance(message.data, bytes) else str(message.data).encode()
                    line.tell(session.receive(raw, self.world.now_ns()))
                elif message.type is not WSMsgType.PONG:
                    return socket
        finally:
            self.lines.remove(line)
            transport.close()

    async def _asked(self, request: web.BaseRequest) -> Request:
        return Request(
            product=self.product,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )

    def _answer(self, response: Response | None) -> web.Response:
        if response is None:
            return web.Response(status=404)
        body = response.body.encode() if isinstance(response.body, str) else response.body
        headers = {"Content-Type": "application/json", **response.headers}
        return web.Response(body=body, status=response.status, headers=headers)


class Server:
    def __init__(self) -> None:
        self._doors: dict[str, Door] = {}

    async def obey(self, asked: dict[str, Any]) -> dict[str, Any]:
        """``open`` key venue product depth, ``prime`` key on, ``prepare`` keys levels count, ``go`` keys rate (messages
        a second; null: as fast as the client takes them), ``close`` key (its door need not be open)."""
        match asked["do"]:
            case "open":
                door = self._doors[asked["key"]] = Door(asked["venue"], asked["product"], asked["depth"])
                return dict(door.start())
            case "prime":
                self._doors[asked["key"]].prime(asked["on"])
                return {}
            case "prepare":
                return self._prepare(asked["keys"], asked["levels"], asked["count"])
            case "go":
                return await self._go(asked["keys"], asked["rate"])
            case _:
                if asked["key"] not in self._doors:
                    return {"errors": []}
                door = self._doors.pop(asked["key"])
                await door.close()
                return {"errors": door.errors[:MOST_ERRORS]}

    def _prepare(self, keys: Sequence[str], levels: int, count: int) -> dict[str, Any]:
        messages, total = 0, 0
        marks: dict[str, float | None] = {}
        books: dict[str, list[list[list[float]]]] = {}
        for key in keys:
            door = self._doors[key]
            door.prepare(levels, count)
            messages += len(door.items)
            total += sum(len(data) for _, data in door.items)
            marks[key] = door.world.on(door.instrument).mark_px
            image = door.world.book(door.instrument, COMPARED_LEVELS)
            books[key] = [[[float(price), float(size)] for price, size in side] for side in (image.bids, image.asks)]
        return {"messages": messages, "bytes": total, "marks": marks, "books": books}

    async def _go(self, keys: Sequence[str], rate: float | None) -> dict[str, Any]:
        doors = [self._doors[key] for key in keys]
        lines = [line for door in doors for line in door.lines]
        items = [item for row in zip_longest(*(door.items for door in doors)) for item in row if item is not None]
        for line in lines:
            await line.begin()
        try:
            start_s = await asyncio.to_thread(replay, items, rate)
        finally:
            for line in lines:
                line.end()
            for door in doors:
                door.items = []
        return {"start_s": start_s, "took_s": time.monotonic() - start_s}


def replay(items: Sequence[Item], rate: float | None) -> float:
    """Write them; returns when it began, on the monotonic clock. Blocks."""
    if rate is None:
        by_fd: dict[int, list[bytes]] = {}
        for fd, data in items:
            by_fd.setdefault(fd, []).append(data)
        ready = {fd: b"".join(parts) for fd, parts in by_fd.items()}
        start_s = time.monotonic()
        for fd, data in ready.items():
            write(fd, data)
        return start_s
    start_s = time.monotonic()
    for n, (fd, data) in enumerate(items):
        # from the start, not from the last one: what was late is made up for
        early_s = start_s + n / rate - time.monotonic()
        if early_s > 0:
            time.sleep(early_s)
        write(fd, data)
    return start_s


def write(fd: int, data: bytes) -> None:
    """All of it, to a socket that does not block."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            if not select.select([], [fd], [], STUCK_S)[1]:
                raise TimeoutError("the client does not read") from None


async def serve() -> None:
    """Until stdin ends."""
    server = Server()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            say(await server.obey(json.loads(line)))
        except Exception as error:
            say({"error": f"server: {type(error).__name__}: {error}"})


if __name__ == "__main__":
    pin(sys.argv[1] if len(sys.argv) > 1 else "")
    uvloop.run(serve())
    sys.stdout.flush()
    os._exit(0)
