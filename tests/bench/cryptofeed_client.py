"""cryptofeed 2.4.1 against the simulated venues. Run it with the Python of a venv that has it.

It imports nothing of ours:

    VENV/bin/python tests/bench/cryptofeed_client.py READY.json --seconds 10 [--symbols BTC,ETH] [--levels 20]

``READY.json`` (or ``-`` for stdin) is the line that ``detour sim`` prints when it is ready. For as long as told it
holds the books of every route in it, then prints one JSON line:

    {"books": {"binance.spot BTC/USDT": {"updates": 98, "time_ms": 1760000000123, "bids": [[p, s], ...], "asks": ...}},
     "updates": 1234, "cpu_s": 1.9, "wall_s": 10.0, "rss_mb": 61.2, "cryptofeed": "2.4.1"}

``time_ms`` is the venue's time of the book's last update. Exit code 1 when a book never came, with its name on stderr.

Three things it needs: an event loop set before ``run()`` (with uvloop 0.22 and later there is none by itself), ``wss``
addresses, which it insists on and which the hook that it calls right before dialling turns into ``ws``, and symbols
read from the simulator's REST hosts before a feed is made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK
from cryptofeed.exchanges import OKX, Binance, BinanceFutures, Bybit

Books = dict[str, dict[str, Any]]

PRODUCT = {True: "linear", False: "spot"}


def local(exchange: Any, rest: str, sockets: list[WebsocketEndpoint]) -> Any:
    """The exchange's class with other addresses. ``sockets`` have ``wss`` addresses that are really ``ws``."""

    async def dial_plain(self: Any, address: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return address.replace("wss://", "ws://", 1), options

    routes = exchange.rest_endpoints[0].routes
    made: Any = type(exchange.__name__, (exchange,), {
        "rest_endpoints": [RestEndpoint(rest, routes=routes)],
        "websocket_endpoints": sockets,
        "_ws_authentication": dial_plain,
    })  # fmt: skip
    made.symbol_mapping(refresh=True)
    return made


def socket(base: str, path: str, **filters: Any) -> WebsocketEndpoint:
    host = base.partition("://")[2].partition("/")[0]
    # authentication: the hook runs right before dialling; compression costs both sides, and we compare pipelines
    return WebsocketEndpoint(f"wss://{host}{path}", options={"compression": None}, authentication=True, **filters)


def feeds(venues: dict[str, dict[str, dict[str, str]]], bases: list[str], seen: Books) -> list[Any]:
    """One feed a venue and product, as cryptofeed divides them."""
    spot, perpetual = [f"{base}-USDT" for base in bases], [f"{base}-USDT-PERP" for base in bases]
    made = []
    if "binance" in venues:
        at = venues["binance"]
        made.append((local(Binance, at["spot"]["rest"], [socket(at["spot"]["ws"], "")]), "binance", spot))
        # /public: the un-routed path delivers nothing since April 2026, and this release still dials it
        routed = [socket(at["linear"]["ws"], "/public")]
        made.append((local(BinanceFutures, at["linear"]["rest"], routed), "binance", perpetual))
    if "okx" in venues:
        at = venues["okx"]
        made.append(
            (local(OKX, at["spot"]["rest"], [socket(at["spot"]["ws"], "/ws/v5/public")]), "okx", spot + perpetual)
        )
    if "bybit" in venues:
        at = venues["bybit"]
        sockets = [
            socket(at["linear"]["ws"], "/v5/public/linear", instrument_filter=("TYPE", ("perpetual",))),
            socket(at["spot"]["ws"], "/v5/public/spot", instrument_filter=("TYPE", ("spot",))),
        ]
        made.append((local(Bybit, at["linear"]["rest"], sockets), "bybit", spot + perpetual))
    return [
        exchange(symbols=symbols, channels=[L2_BOOK], callbacks={L2_BOOK: watcher(venue, seen)}, retries=0)
        for exchange, venue, symbols in made
    ]


def watcher(venue: str, seen: Books) -> Any:
    async def on_book(book: Any, receipt_s: float) -> None:
        base, quote, *kind = book.symbol.split("-")
        entry = seen[f"{venue}.{PRODUCT[bool(kind)]} {base}/{quote}{':' + quote if kind else ''}"]
        entry["updates"] += 1
        entry["book"] = book

    return on_book


def top(book: Any, levels: int) -> dict[str, Any]:
    stamp = book.timestamp
    # Bybit's stamps stay milliseconds in this release, the others' are made seconds
    time_ms = None if stamp is None else round(stamp if stamp > 1e11 else stamp * 1000)
    sides = {}
    for name, side in (("bids", book.book.bids), ("asks", book.book.asks)):
        sides[name] = [[float(price), float(side[price])] for price in list(side.keys())[:levels]]
    return {"time_ms": time_ms, **sides}


def main() -> int:
    parser = argparse.ArgumentParser(description="cryptofeed against the simulated venues")
    parser.add_argument("ready")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--symbols", default="BTC,ETH")
    parser.add_argument("--levels", type=int, default=20)
    given = parser.parse_args()
    ready = json.loads(sys.stdin.readline() if given.ready == "-" else Path(given.ready).read_text())
    bases = given.symbols.split(",")

    seen: Books = {
        f"{venue}.{product} {base}/USDT{':USDT' if product == 'linear' else ''}": {"updates": 0, "book": None}
        for venue, products in ready["venues"].items()
        for product in products
        for base in bases
    }
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}})
    for feed in feeds(ready["venues"], bases, seen):
        handler.add_feed(feed)
    before, start_s = time.process_time(), time.monotonic()
    loop.call_later(given.seconds, loop.stop)
    handler.run(start_loop=False, install_signal_handlers=False)
    loop.run_forever()
    cpu_s, wall_s = time.process_time() - before, time.monotonic() - start_s
    result = {
        "books": {
            name: {"updates": entry["updates"], **top(entry["book"], given.levels)}
            for name, entry in seen.items()
            if entry["book"] is not None
        },
        "updates": sum(entry["updates"] for entry in seen.values()),
        "cpu_s": round(cpu_s, 3),
        "wall_s": round(wall_s, 3),
        "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cryptofeed": version("cryptofeed"),
    }
    print(json.dumps(result, separators=(",", ":")), flush=True)
    missing = [name for name, entry in seen.items() if entry["book"] is None]
    if missing:
        print(f"no book of {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # its orderly stop waits for connections that nobody will close
