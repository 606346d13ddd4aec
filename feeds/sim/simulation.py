"""One simulation: venues, witnesses and the control endpoint, driven by a scenario."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from random import Random
from time import time_ns
from typing import Any

from feeds.sim.conditions import Timeline
from feeds.sim.market.clock import Clock
from feeds.sim.market.market import Market
from feeds.sim.market.pair import SimPair
from feeds.sim.registry import TWINS
from feeds.sim.scenario import Event, Scenario, matches
from feeds.sim.serving.client import Client
from feeds.sim.serving.control import Control
from feeds.sim.serving.frames import BINARY, TEXT, frame
from feeds.sim.serving.port import Port, SilentProtocol, endpoint
from feeds.sim.serving.venue import SimVenue
from feeds.sim.twin import Close

HOUSEKEEPING_S = 0.05
WITNESSES = 2
MAX_STALL_MS = 10_000.0


class Simulation:
    """Use: construct it, ``start()``, print ``ready()``, wait, ``close()``. Raises OSError when a port is taken."""

    def __init__(
        self,
        scenario: Scenario,
        venues: Sequence[str] = (),
        *,
        seed: int | None = None,
        speed: float = 1.0,
        port_base: int = 0,
        now_ns: Callable[[], int] = time_ns,
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.seed if seed is None else seed
        self.clock = Clock(now_ns, Timeline(scenario), speed)
        twins = [make() for name, make in TWINS.items() if not venues or name in venues]
        self.market = Market(twins, self.clock, self.seed)
        self._port_base = port_base
        self._ports = 0
        self._rng = Random(f"simulation {self.seed}")
        self._seen_s = 0.0
        self._task: asyncio.Task[None] | None = None
        self._witness_connections: set[asyncio.Transport] = set()
        self.venues: dict[str, SimVenue] = {}
        self.witnesses: list[Port] = []
        for twin in twins:
            self.venues[twin.name] = SimVenue(twin, self.market, self.seed, self._next_port)
        for _ in range(WITNESSES):
            self.witnesses.append(Port(lambda: SilentProtocol(self._witness_connections), self._next_port()))
        routes = [server.route for venue in self.venues.values() for server in venue.servers.values()]
        self.control = Control(self.clock, routes, lambda: self.failures, self._apply_later, self._next_port())

    @property
    def failures(self) -> int:
        """How often a twin raised an exception."""
        return sum(
            venue.failures + sum(feed.failures for feed in venue.feeds.values()) for venue in self.venues.values()
        )

    def start(self) -> None:
        """The scenario's clock starts now."""
        self.clock.start()
        for venue in self.venues.values():
            venue.start()
        for witness in self.witnesses:
            witness.start()
        self.control.start()
        self._task = asyncio.get_running_loop().create_task(self._run_scenario(), name="scenario")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for venue in self.venues.values():
            await venue.close()
        for witness in self.witnesses:
            await witness.close()
        for transport in list(self._witness_connections):
            transport.abort()
        await self.control.close()

    def ready(self) -> dict[str, Any]:
        """The ready line: it gives other programs all addresses."""
        venues: dict[str, dict[str, dict[str, str]]] = {}
        endpoints: dict[str, dict[str, str]] = {}
        for name, venue in self.venues.items():
            for product, server in venue.servers.items():
                bases = endpoint(server.port)
                endpoints[server.route] = dict(bases)
                path = venue.twin.ws_paths[product]
                venues.setdefault(name, {})[product] = {"rest": bases["rest"], "ws": bases["ws"] + path}
        return {
            "ready": True,
            "venues": venues,
            "endpoints": endpoints,
            "witness": [f"127.0.0.1:{witness.number}" for witness in self.witnesses],
            "control": self.control.url,
            "control_token": self.control.token,
            "scenario": self.scenario.name,
            "duration_s": self.scenario.duration_s,
            "speed": self.clock.speed,
            "start_ns": self.clock.start_ns,
        }

    def _next_port(self) -> int:
        if not self._port_base:
            return 0
        self._ports += 1
        return self._port_base + self._ports - 1

    async def _run_scenario(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            t_s = self.clock.scenario_s()
            unreachable = self.clock.timeline.witness_down(t_s)
            for witness in self.witnesses:
                await witness.set_unreachable(unreachable)
            for venue in self.venues.values():
                venue.run_timers(loop.time())
                for server in venue.servers.values():
                    await server.follow_scenario()
            for event, number in self.clock.timeline.events(self._seen_s, t_s):
                self._apply_event(event, number)
            self._seen_s = t_s

    def _apply_later(self, event: Event) -> None:
        asyncio.get_running_loop().call_later(event.at_s / self.clock.speed, self._apply_event, event, 0)

    def _apply_event(self, event: Event, number: int) -> None:
        match event.kind:
            case "stall":
                stall_ms = min(event.stall_ms * event.growth**number, MAX_STALL_MS)
                task = asyncio.get_running_loop().create_task(self.control.order_stall(stall_ms))
                task.add_done_callback(lambda done: done.cancelled() or done.exception())
            case "gap":
                for venue in self.venues.values():
                    for feed in venue.feeds.values():
                        feed.lose(self._pairs(feed.pairs, event))
            case "checksum":
                for venue in self.venues.values():
                    for feed in venue.feeds.values():
                        feed.corrupt(self._pairs(feed.pairs, event))
            case "close":
                for client in self._clients(event):
                    self._cut(client, event)
            case "garbage":
                for client in self._clients(event):
                    client.send_bytes(self._garbage(event.bytes))
            case "oversize":
                data = frame(TEXT, b"x" * event.bytes)
                for client in self._clients(event):
                    client.send_bytes(data)

    def _cut(self, client: Client, event: Event) -> None:
        if event.code is not None:
            client.send([Close(event.code)])
            return
        notice_s = event.notice_s / self.clock.speed
        for out in client.session.farewell(event.planned):
            if isinstance(out, Close) and notice_s > 0:
                # not through the queue: data continues between the notice and the cut
                asyncio.get_running_loop().call_later(notice_s, client.send, [out])
            else:
                client.send([out])

    def _garbage(self, length: int) -> bytes:
        """By chance either text that is not JSON, or bytes that are not text."""
        if self._rng.random() < 0.5:
            return frame(TEXT, ("{" + "".join(chr(self._rng.randrange(33, 127)) for _ in range(length - 1))).encode())
        return frame(BINARY, self._rng.randbytes(length))

    def _clients(self, event: Event) -> list[Client]:
        return [
            client for venue in self.venues.values() for client in venue.clients if matches(event.routes, client.route)
        ]

    def _pairs(self, pairs: Sequence[SimPair], event: Event) -> list[SimPair]:
        return [
            pair
            for pair in pairs
            if matches(event.routes, pair.instrument.route) and matches(event.symbols, pair.instrument.symbol)
        ]
