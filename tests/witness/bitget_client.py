"""pybotters against the simulated Bitget, version 2. Run with the Python of the witness environment.

    .witness/bin/python -m tests.witness.bitget_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"bitget.spot": {"rest": ..., "ws": ...}, ...}``. It prints ``{"ready": true}``, holds the
books, trades and tickers of BTCUSDT, spot and futures, for as long as told, and then prints one line:

    {"books": {"bitget.spot BTC/USDT": {"bids": [[p, s], ...], "asks": ...}, "bitget.linear BTC/USDT:USDT": ...},
     "snapshots": 2, "updates": 90, "gaps": 0, "trades": 31, "marks": ["121616.0"], "errors": []}

``gaps`` counts updates whose ``pseq`` is not the last ``seq``. It imports nothing of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import Any

import pybotters

KINDS = {"SPOT": "bitget.spot BTC/USDT", "USDT-FUTURES": "bitget.linear BTC/USDT:USDT"}
SYMBOL = "BTCUSDT"
LEVELS = 20


async def main(url: str, seconds: float) -> None:
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
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.sleep(seconds)
        books = {}
        for kind, name in KINDS.items():
            sides = store.book.sorted({"instType": kind, "instId": SYMBOL}, limit=LEVELS)
            books[name] = {
                side: [(float(row["price"]), float(row["amount"])) for row in sides[side]] for side in ("bids", "asks")
            }
        marks = [row["markPrice"] for row in store.ticker.find() if "markPrice" in row]
        print(json.dumps({"books": books, **counts, "trades": len(store.trade), "marks": marks, "errors": errors}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="pybotters against the simulated Bitget")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    asyncio.run(main(given.endpoints["bitget.spot"]["ws"] + "/v2/ws/public", given.seconds))
