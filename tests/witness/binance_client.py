"""python-binance 1.0.37 against the simulated Binance. Run from the repository with the witness environment's Python.

    .witness/bin/python -m tests.witness.binance_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"binance.spot": {"rest": ..., "ws": ...}, "binance.linear": ...}``. It imports nothing of the
product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"binance.spot BTC/USDT": {"updates": 50, "bids": [[p, s], ...], "asks": ...}}, "begun": 4,
     "seen": {"binance.spot BTC/USDT": 12, "mark BTC/USDT:USDT": 3, ...}}

Spot books are its depth caches: diffs every 100 ms applied to a REST book, started again when a number is missing
(``begun``: number of starts). It expects of the first diff what the venue promises only of later ones, so most start
twice. It removes a level only for the text ``0.00000000``. Books of perpetuals are the best ten levels every time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections import Counter
from typing import Any

from binance import AsyncClient, BinanceSocketManager
from binance.ws.depthcache import DepthCacheManager, FuturesDepthCacheManager

BASES = ("BTC", "ETH")
LEVELS = 50
begun: Counter[str] = Counter()


class Counted(DepthCacheManager):  # type: ignore[misc]  # python-binance has no types
    async def _init_cache(self) -> None:
        begun[self.get_symbol()] += 1
        await super()._init_cache()


async def run(endpoints: dict[str, dict[str, str]], seconds: float) -> None:
    spot, linear = endpoints["binance.spot"], endpoints["binance.linear"]
    AsyncClient.API_URL, AsyncClient.FUTURES_URL = f"{spot['rest']}/api", f"{linear['rest']}/fapi"
    BinanceSocketManager.STREAM_URL, BinanceSocketManager.FSTREAM_URL = f"{spot['ws']}/", f"{linear['ws']}/"
    client = await AsyncClient.create()
    manager = BinanceSocketManager(client)
    books: dict[str, dict[str, Any]] = {}
    seen: Counter[str] = Counter()

    async def hold(name: str, cache: Any) -> None:
        while True:
            books[name]["cache"] = await cache.recv()
            books[name]["updates"] += 1

    async def count(name: str, socket: Any) -> None:
        while True:
            message = await socket.recv()
            assert message.get("e") != "error", message
            seen[name] += 1

    tasks = []
    for base in BASES:
        symbol = f"{base}USDT"
        depths = {
            f"binance.spot {base}/USDT": Counted(client, symbol, bm=manager, limit=1000, ws_interval=100),
            f"binance.linear {base}/USDT:USDT": FuturesDepthCacheManager(client, symbol, bm=manager),
        }
        for name, made in depths.items():
            books[name] = {"updates": 0, "cache": None}
            tasks.append(asyncio.create_task(hold(name, await made.__aenter__())))
        sockets = {
            f"binance.spot {base}/USDT": manager.trade_socket(symbol),
            f"binance.linear {base}/USDT:USDT": manager.aggtrade_futures_socket(symbol),
            f"mark {base}/USDT:USDT": manager.symbol_mark_price_socket(symbol),
        }
        for name, socket in sockets.items():
            tasks.append(asyncio.create_task(count(name, await socket.__aenter__())))
    while any(entry["cache"] is None for entry in books.values()):  # noqa: ASYNC110 - tasks fill them
        await asyncio.sleep(0.05)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.sleep(seconds)
    for task in tasks:
        if task.done():
            task.result()
    listed = {row["symbol"] for row in (await client.get_exchange_info())["symbols"]}
    assert listed >= {f"{base}USDT" for base in BASES}
    found = {
        name: {
            "updates": entry["updates"],
            "bids": entry["cache"].get_bids()[:LEVELS],
            "asks": entry["cache"].get_asks()[:LEVELS],
        }
        for name, entry in books.items()
    }
    print(json.dumps({"books": found, "begun": sum(begun.values()), "seen": seen}), flush=True)
    os._exit(0)  # it leaves a socket only after its next message, which can take ten seconds


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="python-binance against the simulated Binance")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    asyncio.run(run(given.endpoints, given.seconds))
