"""Shared by the scripts with cryptofeed 2.4.1: arguments, callbacks that count, running for a time, printing.

A script's arguments are ``ENDPOINTS --seconds 4``. ``ENDPOINTS`` is JSON by route: ``{"gate.spot": {"rest": ...,
"ws": ...}, ...}``. It prints ``{"ready": true}`` when it has every book, goes on for as long as told, and then prints:

    {"books": {"gate.spot BTC/USDT": {"updates": 50, "time_ms": ..., "bids": [[p, s], ...], "asks": ...}}, ...}

Nothing here imports anything of the product.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

import uvloop
from cryptofeed import FeedHandler

from tests.bench.cryptofeed_client import Books, top

BASES = ("BTC", "ETH")
LEVELS = 100


def arguments(what: str) -> argparse.Namespace:
    """``endpoints`` and ``seconds``."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("endpoints", type=json.loads)
    parser.add_argument("--seconds", type=float, default=4.0)
    return parser.parse_args()


def empty(names: Sequence[str]) -> Books:
    """Books by route and symbol, all still None."""
    return {name: {"updates": 0, "book": None} for name in names}


def usdt_books(venue: str) -> Books:
    """Spot and perpetual of each coin."""
    return empty([f"{venue}.{name}" for base in BASES for name in (f"spot {base}/USDT", f"linear {base}/USDT:USDT")])


def counting(seen: Counter[str], *kinds: str) -> dict[str, Any]:
    """Callbacks by channel, which count the messages."""

    def counter(kind: str) -> Any:
        async def count(event: Any, receipt_s: float) -> None:
            seen[kind] += 1

        return count

    return {kind: counter(kind) for kind in kinds}


def keeping(books: Books, name_of: Callable[[str], str]) -> Any:
    """A callback that keeps books. ``name_of`` turns cryptofeed's symbol into ours."""

    async def on_book(book: Any, receipt_s: float) -> None:
        entry = books[name_of(book.symbol)]
        entry["updates"] += 1
        entry["book"] = book

    return on_book


def feed(exchange: Any, symbols: Sequence[str], callbacks: Mapping[str, Any], **more: Any) -> Any:
    """A cryptofeed exchange with the simulator's addresses."""
    return exchange(symbols=list(symbols), channels=list(callbacks), callbacks=callbacks, retries=0, **more)


def run(
    make: Callable[[], Sequence[Any]],
    books: Books,
    seconds: float,
    rest: Callable[[], Mapping[str, Any]],
    *,
    beside: Callable[[], Awaitable[None]] | None = None,
    config: Mapping[str, Any] | None = None,
) -> NoReturn:
    """Run the feeds that ``make`` returns (called on the running loop), print, and end this process.

    ``beside`` runs first, and returns when its own data have come; ``rest`` is printed beside the books.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    log = {"uvloop": False, "log": {"filename": "/dev/stderr", "level": "WARNING"}}
    handler = FeedHandler(config=log | dict(config or {}))
    for one in make():
        handler.add_feed(one)

    async def follow() -> None:
        if beside is not None:
            await beside()
        while any(entry["book"] is None for entry in books.values()):  # noqa: ASYNC110 - callbacks fill them
            await asyncio.sleep(0.05)
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.sleep(seconds)
        loop.stop()

    task = loop.create_task(follow())
    handler.run(start_loop=False, install_signal_handlers=False)
    loop.run_forever()
    code = 0 if task.done() and task.exception() is None else 1
    if code == 0:
        for entry in books.values():
            if not isinstance(entry["book"].timestamp, float | int | None):
                entry["book"].timestamp = None  # this release leaves Coinbase's time as it is, not a number
        found = {name: {"updates": entry["updates"], **top(entry["book"], LEVELS)} for name, entry in books.items()}
        others = dict(rest())
        print(json.dumps({"books": found | others.pop("books", {}), **others}), flush=True)
    sys.stderr.flush()
    os._exit(code)  # its own stop waits for connections that are never closed
