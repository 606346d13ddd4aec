"""cryptofeed 2.4.1 against the simulated Gate. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.gate_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"gate.spot": {"rest": ..., "ws": ...}, "gate.linear": ...}``. It imports nothing of the
product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"gate.spot BTC/USDT": {"updates": 50, "time_ms": ..., "bids": [[p, s], ...], "asks": ...}},
     "seen": {"trades": 12, "ticker": 40, "funding": 5}}

It asks for whole contracts (no ``X-Gate-Size-Decimal``), and syncs ``order_book_update`` with a REST book.
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
from cryptofeed.exchanges import Gateio, GateioFutures

from tests.bench.cryptofeed_client import Books, local, socket, top, watcher

BASES = ("BTC", "ETH")
LEVELS = 100


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated Gate")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    spot, linear = given.endpoints["gate.spot"], given.endpoints["gate.linear"]
    seen: Counter[str] = Counter()
    books: Books = {
        f"gate.{name}": {"updates": 0, "book": None}
        for base in BASES
        for name in (f"spot {base}/USDT", f"linear {base}/USDT:USDT")
    }

    def counter(kind: str) -> Any:
        async def count(event: Any, receipt_s: float) -> None:
            seen[kind] += 1

        return count

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    callbacks = {L2_BOOK: watcher("gate", books), TRADES: counter(TRADES), TICKER: counter(TICKER)}
    for exchange, at, path, ending, more in (
        (Gateio, spot, "/ws/v4/", "", {}),
        (GateioFutures, linear, "/v4/ws/usdt", "-PERP", {FUNDING: counter(FUNDING)}),
    ):
        made = local(exchange, at["rest"], [socket(at["ws"], path)])
        symbols = [f"{base}-USDT{ending}" for base in BASES]
        wanted = callbacks | more
        handler.add_feed(made(symbols=symbols, channels=list(wanted), callbacks=wanted, retries=0))

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
