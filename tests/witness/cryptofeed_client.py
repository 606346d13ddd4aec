"""cryptofeed 2.4.1 against the simulated Binance, OKX and Bybit. Run from the repository with the witness environment.

.witness/bin/python -m tests.witness.cryptofeed_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"binance.spot": {"rest": ..., "ws": ...}, "okx.linear": ...}``. It imports nothing of the
product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

{"books": {"okx.spot BTC/USDT": {"updates": 50, "time_ms": ..., "bids": [[p, s], ...], "asks": ...}}}

It syncs Binance's books with REST and writes to stderr when a number is missing. Books of OKX and Bybit are not
checked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys

import uvloop
from cryptofeed import FeedHandler

from tests.bench.cryptofeed_client import PRODUCT, Books, feeds, top

BASES = ("BTC", "ETH")
LEVELS = 50


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated Binance, OKX and Bybit")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    venues: dict[str, dict[str, dict[str, str]]] = {}
    for route, hosts in given.endpoints.items():
        venue, _, product = route.partition(".")
        if product in PRODUCT.values():
            venues.setdefault(venue, {})[product] = hosts
    books: Books = {
        f"{venue}.{name}": {"updates": 0, "book": None}
        for venue in venues
        for base in BASES
        for name in (f"spot {base}/USDT", f"linear {base}/USDT:USDT")
    }

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    for feed in feeds(venues, list(BASES), books):
        handler.add_feed(feed)

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
    print(json.dumps({"books": found}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its own stop waits for connections that are never closed
