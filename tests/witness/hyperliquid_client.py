"""The official hyperliquid-python-sdk against the simulated Hyperliquid. Run with the witness environment's Python.

    .witness/bin/python tests/witness/hyperliquid_client.py URL

It reads the listing, subscribes to BTC and ETH, prints ``{"ready": true}``, follows until its stdin closes, and then
prints one line; books are by coin and by the venue's time in ms:

    {"books": {"BTC": {"1790000000123": [[["121600.0", "0.5"], ...], [...]]}}, "bbo": {"BTC": {...}},
     "seen": {"trades": 12, "activeAssetCtx": 4}, "rest": {"l2Book": [...], "mids": {...}, "assets": {...}}}

It imports nothing of the product.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

from hyperliquid.info import Info

COINS = ("BTC", "ETH")


def levels(side: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(level["px"], level["sz"]) for level in side]


def main(url: str) -> int:
    info = Info(url)
    books: dict[str, dict[str, Any]] = {coin: {} for coin in COINS}
    best: dict[str, dict[str, Any]] = {coin: {} for coin in COINS}
    seen: Counter[str] = Counter()

    def book(message: Any) -> None:
        data = message["data"]
        books[data["coin"]][str(data["time"])] = [levels(side) for side in data["levels"]]

    def bbo(message: Any) -> None:
        data = message["data"]
        best[data["coin"]][str(data["time"])] = [None if one is None else (one["px"], one["sz"]) for one in data["bbo"]]

    def count(message: Any) -> None:
        seen[message["channel"]] += 1

    for coin in COINS:
        info.subscribe({"type": "l2Book", "coin": coin}, book)
        info.subscribe({"type": "bbo", "coin": coin}, bbo)
        info.subscribe({"type": "trades", "coin": coin}, count)
        info.subscribe({"type": "activeAssetCtx", "coin": coin}, count)
    meta, contexts = info.meta_and_asset_ctxs()
    rest = {
        "l2Book": [len(levels(side)) for side in info.l2_snapshot("BTC")["levels"]],
        "mids": info.all_mids(),
        "assets": {one["name"]: ctx["markPx"] for one, ctx in zip(meta["universe"], contexts, strict=True)},
    }
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.read()
    print(json.dumps({"books": books, "bbo": best, "seen": seen, "rest": rest}), flush=True)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1])
    os._exit(code)  # its own stop takes seconds
