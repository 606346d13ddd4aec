"""cryptocom-exchange 2.8.0 against the simulated Crypto.com. Run from the repository with the witness Python.

    .witness/bin/python -m tests.witness.cryptocom_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"cryptocom.spot": {"rest": ..., "ws": ...}, ...}``; one host serves both products. It imports
nothing of the product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then
prints what it has:

    {"books": {"cryptocom.spot BTC/USD": {"updates": 9, "bids": [[p, s], ...], "asks": ...}},
     "rest": {"cryptocom.spot BTC/USD": {"bids": ...}}, "tickers": {"cryptocom.spot BTC/USD": 121600.0},
     "trades": {"cryptocom.spot BTC/USD": 55}}

It does not subscribe to changes, so it gets a whole book every half second. Its ``Pair`` does not support perpetuals
(``PERPETUAL_SWAP``): for those its lower layer is used, for requests and for listening.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from typing import Any

from cryptocom.exchange import Market
from cryptocom.exchange.api import ApiProvider

SPOT = {"BTC_USD": "cryptocom.spot BTC/USD", "ETH_USD": "cryptocom.spot ETH/USD"}
PERPETUAL = {"BTCUSD-PERP": "cryptocom.linear BTC/USD:USD", "ETHUSD-PERP": "cryptocom.linear ETH/USD:USD"}
NAMES = SPOT | PERPETUAL


def of_book(book: Any) -> dict[str, list[list[float]]]:
    return {
        name: [[one.price, one.quantity] for one in side] for name, side in (("bids", book.buys), ("asks", book.sells))
    }


def of_row(row: dict[str, Any]) -> dict[str, list[list[float]]]:
    return {side: [[float(price), float(size)] for price, size, _ in row[side]] for side in ("bids", "asks")}


async def run(rest_base: str, ws_base: str, seconds: float) -> dict[str, Any]:
    rest_base, ws_base = f"{rest_base}/exchange/v1/", f"{ws_base}/exchange/v1/"
    api = ApiProvider(auth_required=False, root_url=rest_base, ws_root_url=ws_base)
    market = Market(api)
    await market.sync_pairs()
    pairs = [market.pairs[name] for name in SPOT]
    books: dict[str, dict[str, Any]] = {name: {"updates": 0} for name in NAMES.values()}
    trades: Counter[str] = Counter()

    def hold(name: str, sides: dict[str, Any]) -> None:
        books[NAMES[name]] = {"updates": books[NAMES[name]]["updates"] + 1, **sides}

    async def follow_books() -> None:
        async for book in market.listen_orderbook(*pairs):
            hold(book.pair.exchange_name, of_book(book))

    async def follow_trades() -> None:
        async for trade in market.listen_trades(*pairs):
            trades[NAMES[trade.pair.exchange_name]] += 1

    async def follow_perpetuals() -> None:
        channels = [channel for name in PERPETUAL for channel in (f"book.{name}.50", f"trade.{name}")]
        async for said in api.listen("market", *channels):
            if said["channel"] == "book":
                hold(said["instrument_name"], of_row(said["data"][0]))
            else:
                trades[NAMES[said["instrument_name"]]] += len(said["data"])

    tasks = [asyncio.create_task(one()) for one in (follow_books, follow_trades, follow_perpetuals)]

    def check() -> None:
        for task in tasks:
            if task.done():
                task.result()

    while not all(entry["updates"] for entry in books.values()):  # listeners fill them
        check()
        await asyncio.sleep(0.05)
    print(json.dumps({"ready": True}), flush=True)
    await asyncio.sleep(seconds)
    check()
    rest = {NAMES[pair.exchange_name]: of_book(await market.get_orderbook(pair, depth=50)) for pair in pairs}
    tickers = {NAMES[pair.exchange_name]: (await market.get_ticker(pair)).trade_price for pair in pairs}
    for name, ours in PERPETUAL.items():
        [row] = await api.get("public/get-book", {"instrument_name": name, "depth": 50})
        [ticker] = await api.get("public/get-tickers", {"instrument_name": name})
        rest[ours], tickers[ours] = of_row(row), float(ticker["a"])
    for task in tasks:
        task.cancel()
    return {"books": books, "rest": rest, "tickers": tickers, "trades": trades}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="cryptocom-exchange against the simulated Crypto.com")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    hosts = given.endpoints["cryptocom.spot"]
    print(json.dumps(asyncio.run(run(hosts["rest"], hosts["ws"], given.seconds))), flush=True)
