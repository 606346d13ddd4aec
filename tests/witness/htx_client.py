"""cryptofeed 2.4.1 against the simulated HTX. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.htx_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"htx.spot": {"rest": ..., "ws": ...}, "htx.linear": ...}``. It imports nothing of the product.
It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"htx.spot BTC/USDT": {"updates": 5, "time_ms": ..., "bids": [[p, s], ...], "asks": ...}},
     "seen": {"trades": 12, "ticker": 4}}

It takes whole books (``depth.step0``). Funding is left out: this release asks the coin-margined host for every rate.
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
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Huobi, HuobiSwap

from tests.bench.cryptofeed_client import Books, local, socket, top, watcher

BASES = ("BTC", "ETH")
LEVELS = 100


class Swaps(HuobiSwap):  # type: ignore[misc]  # cryptofeed has no types
    """With the one listing that is simulated: the original reads two, of coin-margined swaps too."""

    rest_endpoints = HuobiSwap.rest_endpoints[1:]

    @classmethod
    def _parse_symbol_data(cls, data: Any) -> Any:
        return super()._parse_symbol_data([data])


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated HTX")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    spot, linear = given.endpoints["htx.spot"], given.endpoints["htx.linear"]
    seen: Counter[str] = Counter()
    books: Books = {
        f"htx.{name}": {"updates": 0, "book": None}
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
    callbacks = {L2_BOOK: watcher("htx", books), TRADES: counter(TRADES)}
    swaps = [socket(linear["ws"], "/linear-swap-ws", instrument_filter=("QUOTE", ("USDT",)))]
    for made, ending, more in (
        (local(Huobi, spot["rest"], [socket(spot["ws"], "/ws")]), "", {TICKER: counter(TICKER)}),
        (local(Swaps, linear["rest"], swaps), "-PERP", {}),
    ):
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
