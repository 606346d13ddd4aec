"""pybit 5.17.0, the venue's own client, against the simulated Bybit. Run from the repository with the witness Python.

.witness/bin/python -m tests.witness.bybit_client ENDPOINTS --seconds 4

``ENDPOINTS`` is JSON: ``{"bybit.spot": {"rest": ..., "ws": ...}, "bybit.linear": ..., "bybit.inverse": ...}``. It
imports nothing of the product. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and
then prints what it has:

{"books": {"bybit.spot BTC/USDT": {"updates": 50, "u": 1234, "bids": [[p, s], ...], "asks": ...}},
"rest": {"bybit.spot BTC/USDT": {"bids": ...}}, "time_s": 1760104800,
"trades": {"bybit.spot BTC/USDT": 12}, "tickers": {"bybit.spot BTC/USDT": 40}}

It applies the changes itself, and raises when asked to remove a level that it does not have. It has no setting for
other hosts, so the addresses that it builds are replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections import Counter
from typing import Any

from pybit import _http_manager, unified_trading

DEPTH = 50
NAMES = {
    "spot": {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"},
    "linear": {"BTCUSDT": "BTC/USDT:USDT", "ETHUSDT": "ETH/USDT:USDT"},
    "inverse": {"BTCUSD": "BTC/USD:BTC", "ETHUSD": "ETH/USD:ETH"},
}


def sides(book: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """Best first: it keeps new levels at the end."""
    bids, asks = ([(float(price), float(size)) for price, size in book[side]] for side in ("b", "a"))
    return {"bids": sorted(bids, reverse=True), "asks": sorted(asks)}


def main() -> int:
    parser = argparse.ArgumentParser(description="pybit against the simulated Bybit")
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    failed: list[str] = []
    threading.excepthook = lambda said: failed.append(repr(said.exc_value))
    books: dict[str, dict[str, Any]] = {}
    counts: dict[str, Counter[str]] = {"trades": Counter(), "tickers": Counter()}
    rest = {}
    session: Any = None
    for product, names in NAMES.items():
        hosts = given.endpoints[f"bybit.{product}"]
        unified_trading.PUBLIC_WSS = f"{hosts['ws']}/v5/public/{{CHANNEL_TYPE}}"
        _http_manager.HTTP_URL = hosts["rest"]
        session = unified_trading.HTTP()
        listed = {row["symbol"] for row in session.get_instruments_info(category=product)["result"]["list"]}
        assert listed >= set(names), listed
        socket = unified_trading.WebSocket(channel_type=product, testnet=False, restart_on_error=False)

        def hold(message: dict[str, Any], product: str = product) -> None:
            data = message["data"]
            entry = books[f"bybit.{product} {NAMES[product][data['s']]}"]
            entry |= {"updates": entry["updates"] + 1, "u": data["u"], **sides(data)}

        def count(message: dict[str, Any], product: str = product) -> None:
            kind, _, name = message["topic"].partition(".")
            counts["trades" if kind == "publicTrade" else kind][f"bybit.{product} {NAMES[product][name]}"] += 1

        for symbol in names.values():
            books[f"bybit.{product} {symbol}"] = {"updates": 0}
        socket.orderbook_stream(DEPTH, list(names), hold)
        socket.trade_stream(list(names), count)
        socket.ticker_stream(list(names), count)
    while not all(entry["updates"] for entry in books.values()):
        time.sleep(0.05)
        assert not failed, failed
    print(json.dumps({"ready": True}), flush=True)
    time.sleep(given.seconds)
    for product, names in NAMES.items():
        _http_manager.HTTP_URL = given.endpoints[f"bybit.{product}"]["rest"]
        session = unified_trading.HTTP()
        for name, symbol in names.items():
            answer = session.get_orderbook(category=product, symbol=name, limit=DEPTH)
            rest[f"bybit.{product} {symbol}"] = sides(answer["result"])
    assert not failed, failed
    time_s = int(session.get_server_time()["result"]["timeSecond"])
    print(json.dumps({"books": books, "rest": rest, "time_s": time_s, **counts}), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its threads would connect again
