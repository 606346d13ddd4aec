"""ccxt.pro under measurement: ``watch_order_book`` in a loop, as its users write it."""

from __future__ import annotations

import asyncio
from typing import Any

from feeds.venues.registry import VENUES
from tests.bench import rounds
from tests.feeds.foreign.clients import Ccxt, Simulator

LEVELS = 20
DEPTH = {"kraken": 500, "bitfinex": 100}
"""Levels to ask for where ccxt asks for fewer than our test books hold."""


class CcxtPro(rounds.Plain):
    def __init__(self) -> None:
        self._client: Ccxt | None = None
        self._symbol = ""
        self._watching: asyncio.Task[None] | None = None
        self._seen = 0

    async def open(self, place: dict[str, Any]) -> None:
        route: str = place["route"]
        venue, _, product = route.partition(".")
        name = next(name for known, name in VENUES[venue].ccxt.items() if known == product)
        self._symbol = place["symbol"]
        endpoints = {route: {"rest": place["rest"], "ws": place["ws"]}}
        self._client = client = Ccxt(name, (route,), Simulator(endpoints, control=""))
        await client.exchange.load_markets()
        self._watching = asyncio.create_task(self._watch(client, DEPTH.get(venue)))
        while not self._seen:
            if self._watching.done():
                await self._watching  # raises what ccxt raised
            await asyncio.sleep(0.02)

    async def _watch(self, client: Ccxt, depth: int | None) -> None:
        while True:
            await client.exchange.watch_order_book(self._symbol, depth)
            self._seen += 1

    def done(self, marks: dict[str, float]) -> bool:
        assert self._client is not None
        assert self._watching is not None
        if self._watching.done():
            self._watching.result()
        [mark_px] = marks.values()
        bids = self._client.exchange.orderbooks[self._symbol]["bids"]
        return bool(bids) and float(bids[0][0]) == mark_px

    def book(self) -> list[list[list[float]]] | None:
        assert self._client is not None
        _, bids, asks = self._client.book(self._symbol, LEVELS)
        return [[list(level) for level in side] for side in (bids, asks)]

    def counters(self) -> dict[str, float]:
        return {"woken": self._seen}

    async def close(self) -> None:
        await rounds.cancel(self._watching)
        if self._client is not None:
            await self._client.exchange.close()


if __name__ == "__main__":
    rounds.main(CcxtPro)
