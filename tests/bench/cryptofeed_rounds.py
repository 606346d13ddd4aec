"""cryptofeed 2.4.1 under measurement. Run it with the Python of an environment that has it; it needs nothing of ours.

One feed with a callback for its book, as its documentation shows.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import uvloop
from cryptofeed import FeedHandler

from tests.bench import rounds
from tests.bench.cryptofeed_client import Books, feeds, top

LEVELS = 20
VENUES = ("binance", "okx", "bybit")


class Cryptofeed(rounds.Plain):
    def __init__(self) -> None:
        self._seen: Books = {}
        self._key = ""

    async def open(self, place: dict[str, Any]) -> None:
        route, symbol = place["route"], place["symbol"]
        venue, _, product = route.partition(".")
        base = symbol.partition("/")[0]
        at = {"rest": place["rest"], "ws": place["ws"]}
        self._key = f"{route} {symbol}"
        names = (f"{venue}.spot {base}/USDT", f"{venue}.linear {base}/USDT:USDT")
        self._seen = {name: {"updates": 0, "book": None} for name in names}
        made = feeds({venue: {"spot": at, "linear": at}}, [base], self._seen)
        handler = FeedHandler(config={"uvloop": False, "log": {"filename": "/dev/stderr", "level": "ERROR"}})
        wanted = f"{base}-USDT" if product == "spot" else f"{base}-USDT-PERP"
        for feed in made:
            # Binance has a feed for each product, the others one for both
            if wanted in feed.normalized_symbols:
                handler.add_feed(feed)
        handler.run(start_loop=False, install_signal_handlers=False)
        while self._seen[self._key]["book"] is None:  # noqa: ASYNC110 - polled at start-up
            await asyncio.sleep(0.02)

    def _bids(self) -> Any:
        return self._seen[self._key]["book"].book.bids

    def done(self, marks: dict[str, float]) -> bool:
        [mark_px] = marks.values()
        return float(self._bids().index(0)[0]) == mark_px

    def book(self) -> list[list[list[float]]] | None:
        found = top(self._seen[self._key]["book"], LEVELS)
        return [found["bids"], found["asks"]]

    def counters(self) -> dict[str, float]:
        return {"woken": self._seen[self._key]["updates"]}


if __name__ == "__main__":
    rounds.pin(sys.argv[1] if len(sys.argv) > 1 else "")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(rounds.serve(Cryptofeed))
    sys.stdout.flush()
    os._exit(0)  # its orderly stop waits for connections that nobody will close
