"""Foreign witnesses of HTX: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt uses the same channels as we do and syncs spot books itself; cryptofeed takes whole books (``depth.step0``). Swaps
are numbered per connection, so books are compared at equal times of the gateway.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, both, hold

CLASSES = [("htx", ("htx.spot", "htx.linear"))]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "htx") as at, both(at, CLASSES, SYMBOLS) as beside:
        pairings = beside.pairings(by="gateway")
        trades = await hold(
            beside,
            pairings,
            [beside.exchange.watch_trades(one.symbol) for one in pairings],
            settled_s=8.0,  # its first spot book may be too old; it requests another after a second
            every_s=0.005,
            compared_hz=8.0,
        )
        assert all(trade[-1]["price"] > 0 for trade in trades)
        sockets = sorted(url.rpartition("/")[2] for url in beside.exchange.clients)
        assert sockets == ["feed", "linear-swap-ws", "ws"]


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "htx") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "htx_client")
        assert (len(theirs["books"]), words) == (4, "")
        assert min(theirs["seen"][kind] for kind in ("trades", "ticker")) > 0
        assert_same(beside.ours, theirs["books"], LEVELS)
        for name, book in theirs["books"].items():
            # spot books come once a second
            assert book["updates"] >= (2 if "spot" in name else 10), name
