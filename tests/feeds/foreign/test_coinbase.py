"""Foreign witnesses of Coinbase: ccxt.pro holds the same books as ours, and cryptofeed 2.4.1 the same bids.

cryptofeed reads no asks from a snapshot (see its client), so only asks that have changed since can be compared.
coinbase-advanced-py 1.7.0 keeps no books, and connects with an argument that websockets no longer has.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, both, hold

ROUTE = "coinbase.spot"
CLASSES = [("coinbase", (ROUTE,))]
SYMBOLS = ("BTC/USD", "ETH/USD")


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "coinbase") as at, both(at, CLASSES, SYMBOLS) as beside:
        exchange = beside.exchange
        exchange.enableRateLimit = False
        once = [exchange.watch_ticker(SYMBOLS[0]), *(exchange.watch_trades(symbol) for symbol in SYMBOLS)]
        ticker, *trades = await hold(beside, beside.pairings(by="gateway"), once, updates_hz=6.0, compared_hz=2.0)
        assert trades[0][-1]["price"] > 0
        assert ticker["bid"] < ticker["ask"]


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_bids_as_ours() -> None:
    async with simulator("calm", "coinbase") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "coinbase_client")
        assert len(theirs["books"]) == len(SYMBOLS), words
        assert set(theirs["sides"]) == {"buy", "sell"}
        for name, book in theirs["books"].items():
            mine = beside.ours.book(ROUTE, name.partition(" ")[2], 10_000, by_time=True)
            assert mine is not None, name
            assert book["updates"] > 20, name
            assert [tuple(level) for level in book["bids"][:LEVELS]] == mine[1][:LEVELS], name
            assert book["asks"], name
            assert {tuple(level) for level in book["asks"]} <= set(mine[2]), name
