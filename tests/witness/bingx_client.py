"""bingx-python 2.1.7 against the simulated BingX. Run from the repository with the Python of the witness environment.

    .witness/bin/python -m tests.witness.bingx_client ENDPOINTS --levels 20

``ENDPOINTS`` is JSON: ``{"bingx.spot": {"rest": ..., "ws": ...}, "bingx.linear": ...}``. It imports nothing of the
product, and asks over REST only (its websocket does not read the venue's compressed frames). It prints what it read:

    {"books": {"bingx.spot BTC/USDT": {"bids": [[p, s], ...], "asks": ...}}, "listed": [...], "prices": {"mark": ...}}
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from bingx.client import BingXClient

BASES = ("BTC", "ETH")


def best(sides: dict[str, Any], levels: int) -> dict[str, Any]:
    """Levels as numbers, best first."""
    pairs = {name: sorted((float(p), float(s)) for p, s in sides[name]) for name in ("bids", "asks")}
    return {"bids": pairs["bids"][::-1][:levels], "asks": pairs["asks"][:levels]}


def main() -> int:
    parser = argparse.ArgumentParser(description="bingx-python against the simulated BingX")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--levels", type=int, default=20)
    given = parser.parse_args()
    spot = BingXClient("key", "secret", base_uri=given.endpoints["bingx.spot"]["rest"]).market()
    swap = BingXClient("key", "secret", base_uri=given.endpoints["bingx.linear"]["rest"]).market()
    books = {}
    for base in BASES:
        name = f"{base}-USDT"
        books[f"bingx.spot {base}/USDT"] = best(spot.get_spot_depth(name, 100)["data"], given.levels)
        books[f"bingx.linear {base}/USDT:USDT"] = best(swap.get_quote_depth(name, 100)["data"], given.levels)
    prices = {
        "mark": float(swap.get_premium_index("BTC-USDT")["data"]["markPrice"]),
        "bid": float(swap.get_book_ticker("BTC-USDT")["data"]["book_ticker"]["bid_price"]),
        "trade": float(swap.get_quote_trades("BTC-USDT")["data"][-1]["price"]),
        "spot_trade": float(spot.get_spot_recent_trades("BTC-USDT")["data"][-1]["price"]),
    }
    listed = [row["symbol"] for row in swap.get_contracts()["data"]]
    spot.get_spot_symbols()
    print(json.dumps({"books": books, "listed": listed, "prices": prices}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
