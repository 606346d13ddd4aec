"""Neutral witnesses of our own uplink: TCP handshakes with hosts that no venue runs. Nothing is sent.

Default targets are two well-known anycast resolvers of different operators, on port 443 or else 53. A refusal (RST)
counts as a failure: a firewall at home answers like that too, and then nothing is known about our uplink.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from feeds.clock import MS, SECOND, Clock
from feeds.measure.schedule import Ticker
from feeds.samples import WitnessSample
from feeds.transport.http import connect_any, order


class Target(Struct, frozen=True):
    """A host, and the ports to try in turn until one answers."""

    host: str
    ports: tuple[int, ...] = (443, 53)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.ports[0]}" if ":" in self.host else f"{self.host}:{self.ports[0]}"


DEFAULT_TARGETS: tuple[Target, ...] = (Target("1.1.1.1"), Target("8.8.8.8"))


def parse_target(text: str) -> Target:
    """``host``, ``host:port`` or ``[v6]:port``. A port given is the only one tried. Raises ValueError."""
    host, bracket, rest = text.strip().partition("]")
    if bracket and host.startswith("["):
        host, port = host[1:], rest.removeprefix(":")
    elif text.count(":") > 1:  # a bare IPv6 address
        host, port = text.strip(), ""
    else:
        host, _, port = text.strip().partition(":")
    if not host or any(c.isspace() or c in "[]/" for c in host):
        raise ValueError(f"not a host: {text!r}")
    if not port:
        return Target(host)
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"not a port between 1 and 65535: {text!r}")
    return Target(host, (int(port),))


class Witness:
    """Probes every target every ``every_s``, open loop, one at a time per target; emits one sample a probe."""

    def __init__(
        self,
        emit: Callable[[WitnessSample], None],
        clock: Clock,
        *,
        targets: Sequence[Target] = DEFAULT_TARGETS,
        every_s: float = 2.0,
        timeout_s: float = 1.8,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._emit, self._clock, self._targets = emit, clock, tuple(targets)
        self._every_s, self._timeout_s, self._sleep = every_s, timeout_s, sleep

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for target in self._targets:
                group.create_task(self._watch(target))

    async def _watch(self, target: Target) -> None:
        ticker = Ticker(self._clock.monotonic_ns(), self._every_s)
        first_port = 0
        while True:
            if ticker.take(self._clock.monotonic_ns()) is not None:
                first_port = await self._probe(target, first_port)
            await self._sleep(max(0.0, (ticker.due_ns - self._clock.monotonic_ns()) / SECOND))

    async def _probe(self, target: Target, first_port: int) -> int:
        """One sample. Returns the index of the port that answered, to begin with next time."""
        t_ns, mono_ns = self._clock.time_ns(), self._clock.monotonic_ns()
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        for n in range(len(target.ports)):
            index = (first_port + n) % len(target.ports)
            left_s = deadline - asyncio.get_running_loop().time()
            # Each port gets its part of the time, or a silent first port would leave none for the second.
            share_s = left_s / (len(target.ports) - n)
            try:
                async with asyncio.timeout(share_s):
                    ns = await self._handshake(target.host, target.ports[index])
            except (TimeoutError, OSError, UnicodeError):
                continue
            self._emit(WitnessSample(t_ns=t_ns, mono_ns=mono_ns, target=str(target), ok=True, ms=ns / MS))
            return index
        self._emit(WitnessSample(t_ns=t_ns, mono_ns=mono_ns, target=str(target), ok=False))
        return first_port

    async def _handshake(self, host: str, port: int) -> int:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not found:
            raise OSError("no address")
        sock, ns = await connect_any(order(found, None), self._clock)
        sock.close()
        return ns
