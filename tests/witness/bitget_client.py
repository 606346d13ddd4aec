"""pybotters against the simulated Bitget, version 2. Run with the Python of the witness environment.

    .witness/bin/python tests/witness/bitget_client.py URL

It holds the books, trades and tickers of BTCUSDT, spot and futures, until its stdin closes, and then prints one line:

    {"books": {"SPOT": {"bids": [["121597.60", "0.071552"], ...], "asks": ...}, "USDT-FUTURES": ...},
     "snapshots": 2, "updates": 90, "gaps": 0, "trades": 31, "marks": ["121616.0"], "errors": []}

``gaps`` counts updates whose ``pseq`` is not the last ``seq``. It imports nothing of the product.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pybotters

KINDS = ("SPOT", "USDT-FUTURES")
SYMBOL = "BTCUSDT"
LEVELS = 20


async def main(url: str) -> None:
    store = pybotters.BitgetV2DataStore()
    counts = {"snapshots": 0, "updates": 0, "gaps": 0}
    last: dict[str, int] = {}
    errors: list[Any] = []

    def count(message: Any, ws: Any) -> None:
        if message.get("event") == "error":
            errors.append(message)
        if message.get("arg", {}).get("channel") != "books" or "data" not in message:
            return
        kind = message["arg"]["instType"]
        for row in message["data"]:
            update = message["action"] == "update"
            counts["updates" if update else "snapshots"] += 1
            counts["gaps"] += update and row["pseq"] != last.get(kind)
            last[kind] = row["seq"]

    channels = [(kind, channel) for kind in KINDS for channel in ("books", "trade", "ticker")]
    args = [{"instType": kind, "channel": channel, "instId": SYMBOL} for kind, channel in channels]
    async with pybotters.Client() as client:
        await client.ws_connect(url, send_json={"op": "subscribe", "args": args}, hdlr_json=[store.onmessage, count])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        books = {}
        for kind in KINDS:
            sides = store.book.sorted({"instType": kind, "instId": SYMBOL}, limit=LEVELS)
            books[kind] = {side: [(row["price"], row["amount"]) for row in rows] for side, rows in sides.items()}
        marks = [row["markPrice"] for row in store.ticker.find() if "markPrice" in row]
        print(json.dumps({"books": books, **counts, "trades": len(store.trade), "marks": marks, "errors": errors}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
