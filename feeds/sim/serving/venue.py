"""One simulated venue on loopback: REST and websockets of its routes, with the scenario's faults."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from random import Random

from aiohttp import WSMsgType, web

from feeds.model import Product, route_of
from feeds.sim.conditions import RouteCondition, feed_delay_s, pick_error, rest_delay_s
from feeds.sim.market.market import Market, VenueWorld
from feeds.sim.market.profile import profile_of
from feeds.sim.scenario import ErrorShare
from feeds.sim.serving.client import Client
from feeds.sim.serving.feed import RouteFeed
from feeds.sim.serving.frames import PING, PONG, frame
from feeds.sim.serving.port import Port
from feeds.sim.twin import Out, ReadsHeaders, Request, Response, Twin, TwinSession

BODY_LIMIT = 64 << 10
"""Bytes of a request's body, or of one frame from a client."""
MAX_CLIENTS = 256
"""Websockets of one venue at a time."""
HANG_S = 60.0
"""A call that is never answered loses its connection after this time."""
PINGS_UNANSWERED = 3
"""Binance spot pings every 20 s and cuts after 60 s without an answer. Other venues get the same proportion."""
PRODUCTS: tuple[Product, ...] = ("spot", "linear", "inverse")


class SimVenue:
    """One twin with its feeds, its servers (one port for each route) and all connected clients."""

    def __init__(self, twin: Twin, market: Market, seed: int, next_port: Callable[[], int]) -> None:
        self.twin = twin
        self.name = twin.name
        self.market = market
        self.clients: list[Client] = []
        self.failures = 0
        self.products = [product for product in PRODUCTS if product in twin.facts]
        self.feeds = {
            product: RouteFeed(route_of(twin.name, product), market, twin.facts[product], self.clients, seed)
            for product in self.products
        }
        self._engine_world = VenueWorld(market, twin.name, by_feed=False)
        self._feed_world = VenueWorld(market, twin.name, by_feed=True)
        self.servers: dict[Product, RouteServer] = {}
        for product in self.products:
            self.servers[product] = RouteServer(self, product, next_port())

    def start(self) -> None:
        for server in self.servers.values():
            server.port.start()

    async def close(self) -> None:
        for feed in self.feeds.values():
            feed.stop()
        for client in list(self.clients):
            client.abort()
        for server in self.servers.values():
            await server.close()

    def now_ns(self) -> int:
        """The venue's clock."""
        return self._engine_world.now_ns()

    def rest(self, request: Request) -> Response | None:
        return self.twin.rest(request, self._engine_world)

    def open(self, product: Product, path: str, query: Mapping[str, str]) -> TwinSession | None:
        return self.twin.open(product, path, query, self._feed_world)

    def add_client(self, client: Client) -> None:
        self.clients.append(client)
        for feed in self.feeds.values():
            feed.wake()

    def remove_client(self, client: Client) -> None:
        client.closing = True
        if client in self.clients:
            self.clients.remove(client)

    def run_timers(self, now_s: float) -> None:
        """Runs what is due: ticks of sessions, PING control frames, cutting clients that do not answer them."""
        now_ns = self.now_ns()
        for client in list(self.clients):
            facts = self.twin.facts[client.product]
            if now_s - client.last_tick_s >= facts.tick_s:
                client.last_tick_s = now_s
                self.send_from(client, client.session.tick, now_ns)
            if facts.control_ping_s is not None and now_s - client.last_ping_s >= facts.control_ping_s:
                client.last_ping_s = now_s
                client.pings_unanswered += 1
                if client.pings_unanswered > PINGS_UNANSWERED:
                    client.abort()
                else:
                    client.send_control(frame(PING, str(now_ns // 1_000_000).encode()), 0.0)

    def send_from(
        self, client: Client, answer: Callable[[int], Sequence[Out]], now_ns: int, delay_s: float = 0.0
    ) -> None:
        """Sends the frames of a session's answer.

        A bug of the twin closes the connection, is counted and printed to stderr.
        """
        try:
            outs = answer(now_ns)
        except Exception:  # counted and shown by the control endpoint; other clients are not affected
            self.failures += 1
            traceback.print_exc(file=sys.stderr)
            client.abort()
            return
        if outs:
            client.send(outs, delay_s)


class RouteServer:
    """HTTP and websocket server of one route, on its own port, with the route's network faults.

    It serves all paths of the venue.
    """

    def __init__(self, venue: SimVenue, product: Product, port: int) -> None:
        self.route = route_of(venue.name, product)
        self._venue = venue
        self._product: Product = product
        self._profile = profile_of(venue.name, product)
        self._rng = Random(f"door {self.route}")
        self._server = web.Server(self._handle, access_log=None, keepalive_timeout=75.0)
        self._reachable = asyncio.Event()
        self._reachable.set()
        self.port = Port(self._server, port)
        self.port.decide = self._decide

    async def close(self) -> None:
        await self.port.close()
        self._reachable.set()
        await self._server.shutdown(0.2)

    @property
    def reachable(self) -> bool:
        return self._reachable.is_set()

    async def follow_scenario(self) -> None:
        """Makes the route reachable or not, as the scenario says.

        While it is not, calls hang and frames wait on both sides.
        """
        open_ = not self._condition().blackhole
        if open_ == self._reachable.is_set():
            return
        for client in self._venue.clients:
            if client.route == self.route:
                client.hold(not open_)
        if open_:
            self._reachable.set()
        else:
            self._reachable.clear()
        await self.port.set_unreachable(not open_)

    def _condition(self) -> RouteCondition:
        clock = self._venue.market.clock
        return clock.timeline.route(self.route, clock.scenario_s())

    def _decide(self) -> str:
        condition = self._condition()
        dice = self._rng.random()
        if dice < condition.refuse_share:
            return "refuse"
        return "hang" if dice < condition.refuse_share + condition.hang_share else "serve"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        upgrade = "websocket" in request.headers.get("Upgrade", "").lower()
        try:
            return await (self._websocket if upgrade else self._rest)(request)
        except (asyncio.CancelledError, web.HTTPException, ConnectionResetError):
            raise  # the last one: a client hung up, which is not a failure of the twin
        except Exception:  # as in send_from
            self._venue.failures += 1
            traceback.print_exc(file=sys.stderr)
            return web.Response(status=500, text="the simulated venue failed; see its stderr")

    async def _rest(self, request: web.BaseRequest) -> web.StreamResponse:
        condition = self._condition()
        if self._rng.random() < condition.rest_hang_share:
            return await self._hang(request)
        # the venue reads its clock in the middle of the delay, where NTP's formula expects its time stamp
        half_s = rest_delay_s(self._profile, condition, self._rng) / 2
        await self._wait(half_s)
        body = await self._body(request)
        if body is None:
            return web.Response(status=413)
        error = pick_error(condition, "rest", self._rng)
        response = self._error(error) if error is not None else self._venue.rest(self._request_of(request, body))
        await self._wait(half_s)
        return self._answer(response)

    async def _websocket(self, request: web.BaseRequest) -> web.StreamResponse:
        condition = self._condition()
        await self._wait(rest_delay_s(self._profile, condition, self._rng) / 2)
        error = pick_error(condition, "ws", self._rng)
        if error is not None:
            return self._answer(self._error(error))
        if len(self._venue.clients) >= MAX_CLIENTS:
            return self._answer(self._venue.twin.error("limit", 429))
        session = self._venue.open(self._product, request.path, dict(request.query))
        transport = request.transport
        if session is None or transport is None:
            return self._answer(None)
        if isinstance(session, ReadsHeaders):
            session.handshake(_lower(request))
        socket = web.WebSocketResponse(
            autoclose=False, autoping=False, compress=False, max_msg_size=BODY_LIMIT, decode_text=False, timeout=1.0
        )
        await socket.prepare(request)
        client = Client(self.route, self._product, session, transport)
        client.last_ping_s = client.last_tick_s = asyncio.get_running_loop().time()
        self._venue.add_client(client)
        try:
            self._venue.send_from(client, session.opened, self._venue.now_ns())
            await self._listen(socket, client)
        finally:
            self._venue.remove_client(client)
            transport.close()
        return socket

    async def _listen(self, socket: web.WebSocketResponse[bool], client: Client) -> None:
        venue = self._venue
        while not client.closing or client.close_sent:
            message = await socket.receive()
            if message.type is WSMsgType.CLOSE:
                client.answer_close(message.data)
                return
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG):
                return
            await self._reachable.wait()
            if message.type is WSMsgType.PONG:
                client.pings_unanswered = 0
                continue
            condition = self._condition()
            delay_s = feed_delay_s(self._profile, RouteCondition(), self._rng) * condition.rest_factor
            if message.type is WSMsgType.PING:
                client.send_control(frame(PONG, bytes(message.data)), delay_s)
            else:
                raw = message.data if isinstance(message.data, bytes) else str(message.data).encode()
                venue.send_from(client, partial(client.session.receive, raw), venue.now_ns(), delay_s)

    async def _wait(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._reachable.wait()

    async def _hang(self, request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(HANG_S)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=504)

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """The body of a request. None: it is larger than ``BODY_LIMIT``."""
        body = b""
        async for chunk in request.content.iter_chunked(BODY_LIMIT):
            body += chunk
            if len(body) > BODY_LIMIT:
                return None
        return body

    def _request_of(self, request: web.BaseRequest, body: bytes) -> Request:
        return Request(
            product=self._product,
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=_lower(request),
            body=body,
        )

    def _error(self, error: ErrorShare) -> Response:
        return self._venue.twin.error(error.kind, error.status)

    def _answer(self, response: Response | None) -> web.Response:
        if response is None:
            response = Response(body="<html><h1>404 Not Found</h1></html>", status=404)
        body = response.body.encode() if isinstance(response.body, str) else response.body
        headers = {"Content-Type": "application/json", "Server": "nginx", **response.headers}
        headers["Date"] = formatdate(self._venue.now_ns() / 1e9, usegmt=True)
        return web.Response(body=body, status=response.status, headers=headers)


def _lower(request: web.BaseRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
