"""cryptofeed 2.4.1 against the simulated Bitfinex. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.bitfinex_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"bitfinex.spot": {"rest": ..., "ws": ...}, ...}``. It imports nothing of the product.
It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"bitfinex.spot BTC/USDT": {"updates": 50, "time_ms": null, "bids": [[p, s], ...], "asks": ...}},
     "seen": {"trades": 12}}

It sets SEQ_ALL alone and ends with an error when a number is missing. Both products come over one host.
Tickers are left out: this release wants ten fields, and the venue sends an eleventh, null, since 2026 (captures of
2026-04-10 in tardis-node's tests).
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
from cryptofeed.defines import L2_BOOK, TRADES
from cryptofeed.exchanges import Bitfinex

from tests.bench.cryptofeed_client import Books, local, socket, top, watcher

SYMBOLS = ("BTC-USDT", "ETH-USDT", "BTC-USDT-PERP", "ETH-USDT-PERP")
LEVELS = 100


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated Bitfinex")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    at = given.endpoints["bitfinex.spot"]
    seen: Counter[str] = Counter()
    books: Books = {
        f"bitfinex.{name}": {"updates": 0, "book": None}
        for base in ("BTC", "ETH")
        for name in (f"spot {base}/USDT", f"linear {base}/USDT:USDT")
    }

    def counter(kind: str) -> Any:
        async def count(event: Any, receipt_s: float) -> None:
            seen[kind] += 1

        return count

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    callbacks = {L2_BOOK: watcher("bitfinex", books), TRADES: counter(TRADES)}
    made = local(Bitfinex, at["rest"], [socket(at["ws"], "/ws/2", limit=20)])
    handler.add_feed(made(symbols=SYMBOLS, channels=list(callbacks), callbacks=callbacks, retries=0))

    async def follow() -> None:
        while any(entry["book"] is None for entry in books.values()):  # noqa: ASYNC110 - callbacks fill them
            await asyncio.sleep(0.05)
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.sleep(given.seconds)
        loop.stop()

    task = loop.create_task(follow())
    handler.run(start_loop=False, install_signal_handlers=False)
    loop.run_forever()
    assert task.done()
    found = {name: {"updates": entry["updates"], **top(entry["book"], LEVELS)} for name, entry in books.items()}
    print(json.dumps({"books": found, "seen": seen}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its orderly stop waits for connections that nobody will close
