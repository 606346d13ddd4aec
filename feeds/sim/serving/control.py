"""The control endpoint of the simulator: its state, the allowed verdicts, and orders to the collector.

``GET /state`` and ``GET /truth`` answer JSON; ``POST /phase`` and ``POST /event`` take one JSON object as in a scenario
file, with ``from_s``/``to_s``/``at_s`` counted from now; ``/orders`` is a websocket that sends one JSON object a frame:

    {"order": "hello", "scenario": "own-loop", "elapsed_s": 1.2, "duration_s": 120.0, "speed": 1.0}
    {"order": "stall", "stall_ms": 350.0, "elapsed_s": 30.0}

Every request carries ``Authorization: Bearer TOKEN`` with the ready line's ``control_token``, and has no ``Origin`` and
no ``Host`` but the port's own: a page in the user's browser can reach loopback, and must stage nothing here.

A collector that was started on the simulator obeys ``stall``: it blocks its own loop for that long.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from feeds.sim.market.clock import Clock
from feeds.sim.scenario import Event, Phase, ScenarioError, Truth, check_event, check_phase
from feeds.sim.serving.port import Port, endpoint

BODY_LIMIT = 64 << 10


class Control:
    """``failures`` returns how often a twin raised an exception. ``inject`` applies an event of a POST."""

    def __init__(
        self,
        clock: Clock,
        routes: list[str],
        failures: Callable[[], int],
        inject: Callable[[Event], None],
        port: int = 0,
    ) -> None:
        self._clock = clock
        self._routes = routes
        self._failures = failures
        self._inject = inject
        self._listeners: set[web.WebSocketResponse[bool]] = set()
        self._server = web.Server(self._handle, access_log=None)
        self.port = Port(self._server, port)
        self.url = endpoint(self.port)["rest"]
        self.token = secrets.token_urlsafe(32)
        """Of this run; whoever reads the ready line may stage faults."""

    @property
    def credentials(self) -> dict[str, str]:
        """The header that every request carries."""
        return {"authorization": f"Bearer {self.token}"}

    def start(self) -> None:
        self.port.start()

    async def close(self) -> None:
        await self.port.close()
        for listener in list(self._listeners):
            await listener.close(code=1001)
        await self._server.shutdown(0.2)

    async def order_stall(self, stall_ms: float) -> None:
        """Orders the collector to block its loop this long."""
        await self._send({"order": "stall", "stall_ms": stall_ms, "elapsed_s": round(self._clock.scenario_s(), 3)})

    def state(self) -> dict[str, Any]:
        clock, scenario = self._clock, self._clock.timeline.scenario
        t_s = clock.scenario_s()
        return {
            "scenario": scenario.name,
            "title": scenario.title,
            "story": scenario.story,
            "elapsed_s": round(t_s, 3),
            "duration_s": scenario.duration_s,
            "speed": clock.speed,
            "phases": [phase.note for phase in clock.timeline.active(t_s)],
            "truth": {route: _allowed(clock.timeline.truth(route, t_s)) for route in self._routes},
            "failures": self._failures(),
        }

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        """A browser names a page's Origin, and after DNS rebinding the page's Host."""
        if "Origin" in request.headers or request.headers.get("Host") != self.url.removeprefix("http://"):
            return web.Response(status=403, text="not for browsers: no Origin, and this port's own Host")
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, self.credentials["authorization"].encode()):
            return web.Response(status=401, text="Authorization: Bearer TOKEN, the ready line's control_token")
        return None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        match request.method, request.path:
            case "GET", "/state":
                return _json(self.state())
            case "GET", "/truth":
                scenario = self._clock.timeline.scenario
                return _json({"start_ns": self._clock.start_ns, "speed": self._clock.speed, "truth": scenario.truth})
            case "GET", "/orders":
                return await self._orders(request)
            case "POST", ("/phase" | "/event") as path:
                return await self._add(request, path)
        return web.Response(status=404, text="paths: /state, /truth, /orders, /phase, /event")

    async def _add(self, request: web.BaseRequest, path: str) -> web.Response:
        try:
            body = await request.content.read(BODY_LIMIT)
            if path == "/phase":
                phase = msgspec.json.decode(body, type=Phase)
                check_phase(phase, "phase")
                now_s = self._clock.scenario_s()
                self._clock.timeline.add(
                    msgspec.structs.replace(phase, from_s=now_s + phase.from_s, to_s=now_s + phase.to_s)
                )
            else:
                event = msgspec.json.decode(body, type=Event)
                check_event(event, "event")
                self._inject(event)
        except (msgspec.DecodeError, ScenarioError, RecursionError) as error:
            return web.Response(status=400, text=str(error))
        return _json({"ok": True})

    async def _orders(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False, max_msg_size=BODY_LIMIT)
        await socket.prepare(request)
        scenario = self._clock.timeline.scenario
        hello = {
            "order": "hello",
            "scenario": scenario.name,
            "elapsed_s": round(self._clock.scenario_s(), 3),
            "duration_s": scenario.duration_s,
            "speed": self._clock.speed,
        }
        await socket.send_str(msgspec.json.encode(hello).decode())
        self._listeners.add(socket)
        try:
            while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
                pass
        finally:
            self._listeners.discard(socket)
        return socket

    async def _send(self, order: dict[str, Any]) -> None:
        text = msgspec.json.encode(order).decode()
        for listener in list(self._listeners):
            try:
                async with asyncio.timeout(1.0):
                    await listener.send_str(text)
            except (OSError, TimeoutError):
                self._listeners.discard(listener)


def _allowed(truth: Truth | None) -> dict[str, Any]:
    if truth is None:
        return {"states": ["ok"], "causes": []}
    return {"states": list(truth.states), "causes": list(truth.causes), "must": list(truth.must)}


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
