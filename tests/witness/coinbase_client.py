"""cryptofeed 2.4.1 against the simulated Coinbase. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.coinbase_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"coinbase.spot": {"rest": ..., "ws": ...}}``. It imports nothing of the product. It prints
``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"coinbase.spot BTC/USD": {"updates": 50, "bids": [[p, s], ...], "asks": ...}}, "trades": 12,
     "sides": {"buy": 7, "sell": 5}}

It wants a key for what is public too, and gets one that nobody checks. Of a snapshot it takes the bids only: it looks
for levels of side ``ask``, where Coinbase writes ``offer``.
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
from cryptofeed.connection import RestEndpoint, Routes
from cryptofeed.defines import L2_BOOK, TRADES
from cryptofeed.exchanges import Coinbase

from tests.bench.cryptofeed_client import Books, socket, top, watcher

BASES = ("BTC", "ETH")
LEVELS = 100
KEY = {"coinbase": {"key_id": "none", "key_secret": "none"}}


def local(rest: str, ws: str) -> Any:
    """cryptofeed's class with other addresses; products are read by the path that needs no key."""

    async def dial_plain(self: Any, address: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return address.replace("wss://", "ws://", 1), options

    made: Any = type("Coinbase", (Coinbase,), {
        "rest_endpoints": [RestEndpoint(f"{rest}/api/v3/brokerage", routes=Routes("/market/products"))],
        "websocket_endpoints": [socket(ws, "/")],
        "_ws_authentication": dial_plain,
    })  # fmt: skip
    made.symbol_mapping(refresh=True)
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated Coinbase")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    at = given.endpoints["coinbase.spot"]
    books: Books = {f"coinbase.spot {base}/USD": {"updates": 0, "book": None} for base in BASES}
    sides: Counter[str] = Counter()

    async def on_trade(trade: Any, receipt_s: float) -> None:
        sides[trade.side] += 1

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}} | KEY)
    callbacks = {L2_BOOK: watcher("coinbase", books), TRADES: on_trade}
    made = local(at["rest"], at["ws"])
    symbols = [f"{base}-USD" for base in BASES]
    handler.add_feed(made(symbols=symbols, channels=list(callbacks), callbacks=callbacks, retries=0, config=KEY))

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
    found = {}
    for name, entry in books.items():
        entry["book"].timestamp = None  # this release leaves it as text
        found[name] = {"updates": entry["updates"], **top(entry["book"], LEVELS)}
    print(json.dumps({"books": found, "sides": sides}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its orderly stop waits for connections that nobody will close
