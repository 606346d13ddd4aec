"""Behind the benchmark's server: one market a route, and for each client a port of its own to it (a door).

All clients of a route get what one simulated venue writes about one market, each what it has subscribed to.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aiohttp import WSMsgType, web

from feeds.model import Product, venue_of
from feeds.sim.registry import TWINS
from feeds.sim.serving.frames import PONG, frame, payload_frame
from feeds.sim.serving.port import Port
from feeds.sim.twin import Close, Out, ReadsHeaders, Request, Response, TwinSession
from tests.bench.market import BenchWorld

PRIME_S = 0.1
PRIME_LEVELS = 2
SEED = "1"

Item = tuple[int, bytes]
"""Which socket (file descriptor), and what to write to it."""


class Line:
    """One websocket of a client."""

    def __init__(self, session: TwinSession, transport: Any) -> None:
        self.session, self.transport = session, transport
        self.fd: int = transport.get_extra_info("socket").fileno()
        self._replaying = False
        self._waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        """At once, or after the replay where one is going on: its frames must not be interrupted."""
        if self._replaying:
            self._waiting.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def tell(self, outs: Sequence[Out]) -> None:
        for data in encoded(outs):
            self.send(data)

    async def begin(self) -> None:
        while self.transport.get_write_buffer_size():  # noqa: ASYNC110  # such a transport has no event for an empty buffer
            await asyncio.sleep(0.001)
        self._replaying = True

    def end(self) -> None:
        self._replaying = False
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.send(data)


def encoded(outs: Sequence[Out]) -> list[bytes]:
    """Websocket frames. Raises RuntimeError when the twin hangs up."""
    made = []
    for out in outs:
        if isinstance(out, Close):
            raise RuntimeError(f"the twin hung up: {out}")
        made.append(payload_frame(out))
    return made


class Market:
    """One route: its twin, its world, and the doors to it by client."""

    def __init__(self, route: str, depth: int) -> None:
        self.route = route
        self.product = cast(Product, route.partition(".")[2])
        self.twin = TWINS[venue_of(route)]()
        self.world = BenchWorld(self.twin, time.time_ns, SEED, depth)
        self.instrument = self.world.instruments(venue_of(route), self.product)[0]
        self.doors: dict[str, Door] = {}
        self._priming: asyncio.Task[None] | None = None

    def prime(self, on: bool) -> None:
        """A small change now and then, for clients that need some before their book is whole."""
        if self._priming is not None:
            self._priming.cancel()
        self._priming = asyncio.get_running_loop().create_task(self._prime()) if on else None

    async def _prime(self) -> None:
        while True:
            await asyncio.sleep(PRIME_S)
            change = self.world.change(self.instrument, PRIME_LEVELS)
            for door in self.doors.values():
                for line in door.lines:
                    line.tell(line.session.change(self.instrument, change))

    def prepare(self, clients: Sequence[str], levels: int, count: int) -> None:
        """Encode what the next replays send: the twin's frames of ``count`` batches of so many levels a side,
        and the mark that ends a round.

        Frames that are the same for all clients are the only ones sent, where there are any: one that subscribes to a
        second channel of the same book beside them is then measured on what the others get.
        """
        for door in self.doors.values():
            door.items = []
        for number in range(count + 1):
            change = self.world.change(self.instrument, levels if number < count else 0)
            told = {
                name: [
                    (line.fd, data)
                    for line in door.lines
                    for data in encoded(line.session.change(self.instrument, change))
                ]
                for name, door in self.doors.items()
            }
            common = set.intersection(*({data for _, data in told[name]} for name in clients))
            for name in clients:
                self.doors[name].items += [item for item in told[name] if not common or item[1] in common]

    def top(self, levels: int) -> list[list[list[float]]]:
        """The best levels, [bids, asks] as [price, size]."""
        image = self.world.book(self.instrument, levels)
        return [[[float(price), float(size)] for price, size in side] for side in (image.bids, image.asks)]

    @property
    def mark_px(self) -> float | None:
        return self.world.on(self.instrument).mark_px

    async def close(self) -> list[str]:
        """What went wrong."""
        self.prime(False)
        for door in self.doors.values():
            await door.close()
        return [f"{name}: {error}" for name, door in self.doors.items() for error in door.errors]


class Door:
    """One client's port; REST and websockets as the twin has them."""

    def __init__(self, market: Market) -> None:
        self.lines: list[Line] = []
        self.items: list[Item] = []
        self.errors: list[str] = []
        self._market = market
        self._server = web.Server(self._handle, access_log=None)
        self._port = Port(self._server)

    def start(self) -> dict[str, str]:
        """Where it is, and what is traded there."""
        self._port.start()
        market, host = self._market, f"127.0.0.1:{self._port.number}"
        return {
            "route": market.route,
            "symbol": market.instrument.symbol,
            "rest": f"http://{host}",
            "ws": f"ws://{host}",
        }

    async def close(self) -> None:
        await self._port.close()
        await self._server.shutdown(0.1)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if "websocket" in request.headers.get("Upgrade", "").lower():
                return await self._websocket(request)
            return _answer(self._market.twin.rest(await self._asked(request), self._market.world))
        except Exception as error:
            if not isinstance(error, web.HTTPException):
                self.errors.append(f"{request.path}: {type(error).__name__}: {error}")
            raise

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        market, world = self._market, self._market.world
        session = market.twin.open(market.product, request.path, dict(request.query), world)
        transport = request.transport
        if session is None or transport is None:
            return _answer(None)
        if isinstance(session, ReadsHeaders):
            session.handshake(_lower(request.headers))
        socket = web.WebSocketResponse(autoclose=False, autoping=False, compress=False, decode_text=False)
        await socket.prepare(request)
        line = Line(session, transport)
        self.lines.append(line)
        try:
            line.tell(session.opened(world.now_ns()))
            while True:
                message = await socket.receive()
                if message.type is WSMsgType.PING:
                    line.send(frame(PONG, bytes(message.data)))
                elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raw = message.data if isinstance(message.data, bytes) else str(message.data).encode()
                    line.tell(session.receive(raw, world.now_ns()))
                elif message.type is not WSMsgType.PONG:
                    return socket
        finally:
            self.lines.remove(line)
            transport.close()

    async def _asked(self, request: web.BaseRequest) -> Request:
        return Request(
            product=self._market.product,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=_lower(request.headers),
            body=await request.read(),
        )


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _answer(response: Response | None) -> web.Response:
    if response is None:
        return web.Response(status=404)
    body = response.body.encode() if isinstance(response.body, str) else response.body
    headers = {"Content-Type": "application/json", **response.headers}
    return web.Response(body=body, status=response.status, headers=headers)
