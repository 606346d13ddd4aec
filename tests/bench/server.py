"""The loopback server of the benchmark: replays frames encoded beforehand, as the venues' twins write them.

Commands come over stdin, answers go to stdout, one JSON object a line; see ``Server.carry_out``.
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

from tests.bench.doors import Door, Item, Market
from tests.bench.rounds import pin, say

COMPARED_LEVELS = 20
STUCK_S = 60.0


class Server:
    def __init__(self) -> None:
        self._markets: dict[str, Market] = {}

    async def carry_out(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By ``do``:

        ``open`` route depth client: where that client finds the route. ``prime`` route on: small changes now and then.
        ``prepare`` routes clients levels count: encode; by client how much, by route the book after it. ``go`` routes
        client rate: replay it (messages a second; null: as fast as it is taken). ``close`` route: what went wrong.
        """
        match asked["do"]:
            case "open":
                market = self._markets.get(asked["route"])
                if market is None:
                    market = self._markets[asked["route"]] = Market(asked["route"], asked["depth"])
                door = market.doors[asked["client"]] = Door(market)
                return dict(door.start())
            case "prime":
                self._markets[asked["route"]].prime(asked["on"])
                return {}
            case "prepare":
                return self._prepare(asked["routes"], asked["clients"], asked["levels"], asked["count"])
            case "go":
                return await self._go(asked["routes"], asked["client"], asked["rate"])
            case _:
                market = self._markets.pop(asked["route"], None)
                return {"errors": [] if market is None else await market.close()}

    def _prepare(self, routes: Sequence[str], clients: Sequence[str], levels: int, count: int) -> dict[str, Any]:
        markets = [self._markets[route] for route in routes]
        for market in markets:
            market.prepare(clients, levels, count)
        items = {name: [item for market in markets for item in market.doors[name].items] for name in clients}
        return {
            "messages": {name: len(own) for name, own in items.items()},
            "bytes": {name: sum(len(data) for _, data in own) for name, own in items.items()},
            "marks": {market.route: market.mark_px for market in markets},
            "books": {market.route: market.top(COMPARED_LEVELS) for market in markets},
        }

    async def _go(self, routes: Sequence[str], client: str, rate: float | None) -> dict[str, Any]:
        doors = [self._markets[route].doors[client] for route in routes]
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
        # counted from the start and not from the last one: late messages are caught up with
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
            say(await server.carry_out(json.loads(line)))
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    pin(sys.argv[1] if len(sys.argv) > 1 else "")
    uvloop.run(serve())
    sys.stdout.flush()
    os._exit(0)
