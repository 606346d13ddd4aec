"""typed-mexc 2.3.0 against the simulated MEXC. Run with the Python of the witness environment.

    .witness/bin/python -m tests.witness.mexc_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"mexc.spot": {"rest": ..., "ws": ...}, "mexc.linear": ...}``. The client decodes and validates
everything, REST and websocket (protobuf by betterproto2); the books are kept here, by the rule of MEXC's documents. It
prints ``{"ready": true}`` when it has both books, goes on for as long as told, and then prints what it has:

    {"books": {"mexc.spot BTC/USDT": {"version": 40000000003, "bids": [[p, s], ...], "asks": ..., "updates": 90}},
     "gaps": 0, "seen": {"trades": 12, "quotes": 40, "deals": 5, ...}}

Two pushes are taken without validation. ``push.deal``: typed-mexc 2.3.0 still expects one deal a message, and MEXC has
merged them into a list since 2025-08 (captured by tardis-node). ``push.depth.full``: it expects the name ``push.depth``
there, and captures show the full one (crypto-msg-parser). It imports nothing of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from typing import Any

from typed_mexc import MEXC

SPOT, LINEAR = "BTCUSDT", "BTC_USDT"


class Book:
    """Prices and sizes of one book, and its version."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[float, float]] = {"bids": {}, "asks": {}}
        self.version: int | None = None
        self.early: list[tuple[int, int, Any, Any]] = []
        self.updates = self.gaps = 0

    def start(self, version: int, bids: Any, asks: Any) -> None:
        self.version = version
        for side, levels in (("bids", bids), ("asks", asks)):
            self.sides[side] = {float(level[0]): float(level[1]) for level in levels}
        for first, last, bids, asks in self.early:
            self.update(first, last, bids, asks)

    def update(self, first: int, last: int, bids: Any, asks: Any) -> None:
        if self.version is None:
            self.early.append((first, last, bids, asks))
            return
        if last <= self.version:
            return
        self.gaps += first > self.version + 1
        self.version = last
        self.updates += 1
        for side, levels in (("bids", bids), ("asks", asks)):
            for price, size, *_ in levels:
                if float(size):
                    self.sides[side][float(price)] = float(size)
                else:
                    self.sides[side].pop(float(price), None)

    def top(self) -> dict[str, Any]:
        bids, asks = sorted(self.sides["bids"].items(), reverse=True), sorted(self.sides["asks"].items())
        return {"version": self.version, "bids": bids[:20], "asks": asks[:20], "updates": self.updates}


async def ask(spot: Any, linear: Any, seen: Counter[str]) -> None:
    """The REST calls that need no key."""
    seen["symbols"] = len((await spot.exchange_info())["symbols"])
    seen["contracts"] = len((await linear.contract_info())["data"])
    seen["tickers"] = len((await linear.ticker())["data"])
    seen["funding_rate"] = (await linear.funding_rate(LINEAR))["success"]
    seen["book_ticker"] = len(await spot.book_ticker())
    seen["time"] = (await linear.ping())["success"] and "serverTime" in await spot.time()


async def finish(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Lets the streams run for so long; ends the process where one fails."""
    failed, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if failed:
        print([task.exception() for task in failed], file=sys.stderr, flush=True)
        os._exit(1)


async def main(endpoints: dict[str, dict[str, str]], seconds: float) -> None:
    spot_at, linear_at = endpoints["mexc.spot"], endpoints["mexc.linear"]
    seen: Counter[str] = Counter()
    spot_book, linear_book = Book(), Book()

    async with MEXC.new(
        public=True,
        spot_base_url=spot_at["rest"],
        spot_ws_url=spot_at["ws"] + "/ws",
        futures_base_url=linear_at["rest"],
        futures_ws_url=linear_at["ws"] + "/edge",
    ) as client:
        spot, linear = client.spot.http.market, client.futures.http.market
        await ask(spot, linear, seen)

        async def follow(manager: Any, take: Any) -> None:
            async for message in await manager:
                take(message)

        def spot_depth(push: Any) -> None:
            sides = ([(level.price, level.quantity) for level in side] for side in (push.bids, push.asks))
            spot_book.update(int(push.from_version), int(push.to_version), *sides)

        def linear_depth(push: Any) -> None:
            row = push["data"]
            linear_book.update(row["begin"], row["end"], row["bids"], row["asks"])

        def counter(kind: str, size: Any = lambda message: 1) -> Any:
            def count(message: Any) -> None:
                seen[kind] += size(message)

            return count

        streams, pushes = client.spot.streams.market, client.futures.streams.market
        tasks = [
            asyncio.create_task(follow(manager, take))
            for manager, take in (
                (streams.depth_updates("10ms", SPOT), spot_depth),
                (streams.trades("100ms", SPOT), counter("trades", lambda push: len(push.deals))),
                (streams.book_ticker("10ms", SPOT), counter("quotes")),
                (streams.depth(SPOT, 20), counter("limit_depths")),
                (streams.book_ticker_batch(SPOT), counter("batches")),
                (pushes.depth(LINEAR, validate=False), linear_depth),
                (pushes.depth_full(LINEAR, limit=20, validate=False), counter("full_depths")),
                (pushes.deal(LINEAR, validate=False), counter("deals", lambda push: len(push["data"]))),
                (pushes.ticker(LINEAR), counter("ticker")),
                (pushes.fair_price(LINEAR), counter("fair")),
                (pushes.index_price(LINEAR), counter("index")),
                (pushes.funding_rate(LINEAR), counter("funding")),
            )
        ]
        await asyncio.sleep(0.5)
        book = await spot.depth(SPOT, limit=1000)
        spot_book.start(book["lastUpdateId"], book["bids"], book["asks"])
        data = (await linear.depth(LINEAR, limit=1000))["data"]
        linear_book.start(data["version"], data["bids"], data["asks"])
        print(json.dumps({"ready": True}), flush=True)
        await finish(tasks, seconds)
        books = {"mexc.spot BTC/USDT": spot_book.top(), "mexc.linear BTC/USDT:USDT": linear_book.top()}
        gaps = spot_book.gaps + linear_book.gaps
        print(json.dumps({"books": books, "gaps": gaps, "seen": seen}), flush=True)
        os._exit(0)  # its own stop waits for answers that are no longer read


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="typed-mexc against the simulated MEXC")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    asyncio.run(main(given.endpoints, given.seconds))
