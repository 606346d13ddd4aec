"""cryptofeed 2.4.1 against the simulated Deribit. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.deribit_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"deribit.inverse": {"rest": ..., "ws": ...}, ...}``. It imports nothing of the product. It
prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints what it has:

    {"books": {"deribit.inverse BTC/USD:BTC": {"updates": 50, "time_ms": ..., "bids": [[p, s], ...], "asks": ...}},
     "seen": {"trades": 12, "ticker": 40, "l1_book": 90, "funding": 5, "liquidations": 0}}

cryptofeed takes ``.raw`` channels, for which it would log in; here its requests ask for ``.100ms`` instead, which carry
the same messages. All reading of answers, books and their chain of ids is its own.
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
from cryptofeed.defines import FUNDING, L1_BOOK, L2_BOOK, LIQUIDATIONS, TICKER, TRADES
from cryptofeed.exchanges import Deribit

from tests.bench.cryptofeed_client import Books, local, socket, top

NAMES = {
    "BTC-USD-PERP": "deribit.inverse BTC/USD:BTC",
    "ETH-USD-PERP": "deribit.inverse ETH/USD:ETH",
    "BTC-USDC-PERP": "deribit.linear BTC/USDC:USDC",
    "ETH-USDC-PERP": "deribit.linear ETH/USDC:USDC",
    "BTC-USDC": "deribit.spot BTC/USDC",
}
LEVELS = 100


class Paced:
    """A connection that asks for every 100 ms where ``raw`` is asked for."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def write(self, message: str) -> None:
        await self._connection.write(message.replace(".raw", ".100ms"))


class Public(Deribit):  # type: ignore[misc] # cryptofeed has no types
    @classmethod
    def is_authenticated_channel(cls, channel: str) -> bool:
        return False

    async def subscribe(self, conn: Any) -> None:
        await super().subscribe(Paced(conn))


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated Deribit")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    at = given.endpoints["deribit.inverse"]
    seen: Counter[str] = Counter()
    books: Books = {name: {"updates": 0, "book": None} for name in NAMES.values()}

    async def on_book(book: Any, receipt_s: float) -> None:
        entry = books[NAMES[book.symbol]]
        entry["updates"] += 1
        entry["book"] = book

    def counter(kind: str) -> Any:
        async def count(event: Any, receipt_s: float) -> None:
            seen[kind] += 1

        return count

    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    counted = (TRADES, TICKER, L1_BOOK, FUNDING, LIQUIDATIONS)
    callbacks = {L2_BOOK: on_book} | {kind: counter(kind) for kind in counted}
    made = local(Public, at["rest"], [socket(at["ws"], "/ws/api/v2")])
    handler.add_feed(made(symbols=list(NAMES), channels=list(callbacks), callbacks=callbacks, retries=0))

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
