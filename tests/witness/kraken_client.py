"""python-kraken-sdk 3.5.1 and cryptofeed 2.4.1 against the simulated Kraken.

Run from the repository with the Python of the witness environment:

    .witness/bin/python -m tests.witness.kraken_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"kraken.spot": {"rest": ..., "ws": ...}, "kraken.linear": ...}``. It imports nothing of the
product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"kraken.spot BTC/USD": {"updates": 50, "bids": [[p, s], ...], "asks": ...}, ...},
     "bad": 0, "seen": {"funding": 5, "ticker": 5, "trades": 12}}

Spot is the SDK's order book client, which checks the checksum of every message (``bad``: how many differed); the SDK
keeps no books of derivatives, so those are cryptofeed's, which raises when a number is missing. cryptofeed speaks
spot's first websocket version only, and expects the small letters in which derivatives were listed until 2023.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from typing import Any

import uvloop
from cryptofeed import FeedHandler
from cryptofeed.defines import FUNDING, L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import KrakenFutures
from kraken.spot import Market, SpotOrderBookClient

from tests.bench.cryptofeed_client import Books, local, socket, top

BASES = ("BTC", "ETH")
SIDES = ("bids", "asks")
DEPTH = 100


class SmallLetters(KrakenFutures):  # type: ignore[misc]  # cryptofeed has no types
    @classmethod
    def _parse_symbol_data(cls, data: dict[str, Any]) -> Any:
        rows = [row | {"symbol": row["symbol"].lower()} for row in data["instruments"]]
        return super()._parse_symbol_data({"instruments": rows})


class SpotBooks(SpotOrderBookClient):  # type: ignore[misc]  # the SDK's bases are untyped here
    def __init__(self, books: Books, seen: Counter[str]) -> None:
        super().__init__(depth=DEPTH)
        self._books, self._seen = books, seen

    async def on_book_update(self, pair: str, message: dict[str, Any]) -> None:
        self._seen["bad"] += "error" in message
        entry = self._books[f"kraken.spot {pair}"]
        entry["updates"] += 1
        entry["sdk"] = self.get(pair=pair)


def main() -> int:
    parser = argparse.ArgumentParser(description="python-kraken-sdk and cryptofeed against the simulated Kraken")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    spot, linear = given.endpoints["kraken.spot"], given.endpoints["kraken.linear"]
    seen: Counter[str] = Counter()
    sdk: Books = {f"kraken.spot {base}/USD": {"updates": 0, "sdk": None} for base in BASES}
    books: Books = {f"kraken.linear {base}/USD:USD": {"updates": 0, "book": None} for base in BASES}

    def counter(kind: str) -> Any:
        async def count(event: Any, receipt_s: float) -> None:
            seen[kind] += 1

        return count

    async def futures_book(book: Any, receipt_s: float) -> None:
        entry = books[f"kraken.linear {book.symbol.partition('-')[0]}/USD:USD"]
        entry["updates"] += 1
        entry["book"] = book

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    callbacks = {L2_BOOK: futures_book} | {kind: counter(kind) for kind in (TRADES, TICKER, FUNDING)}
    made = local(SmallLetters, linear["rest"], [socket(linear["ws"], "/ws/v1")])
    symbols = [f"{base}-USD-PERP" for base in BASES]
    handler.add_feed(made(symbols=symbols, channels=list(callbacks), callbacks=callbacks, retries=0))

    async def follow() -> None:
        SpotBooks.WS_URL, Market.URL = spot["ws"], spot["rest"]
        client = SpotBooks(sdk, seen)
        await client.start()
        await client.add_book(pairs=[f"{base}/USD" for base in BASES])
        waiting = [(books, "book"), (sdk, "sdk")]
        while any(e[key] is None for each, key in waiting for e in each.values()):  # noqa: ASYNC110 - callbacks fill them
            await asyncio.sleep(0.05)
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.sleep(given.seconds)
        loop.stop()

    task = loop.create_task(follow())
    handler.run(start_loop=False, install_signal_handlers=False)
    loop.run_forever()
    assert task.done()
    found = {name: {"updates": e["updates"], **top(e["book"], DEPTH)} for name, e in books.items()}
    for name, entry in sdk.items():
        sides = {side: [(float(p), float(s)) for p, (s, _) in entry["sdk"][side[:-1]].items()] for side in SIDES}
        found[name] = {"updates": entry["updates"], **sides}
    print(json.dumps({"books": found, "bad": seen["bad"], "seen": seen}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its orderly stop waits for connections that nobody will close
