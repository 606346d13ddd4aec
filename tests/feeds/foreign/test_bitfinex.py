"""Foreign witnesses of Bitfinex: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

Neither keeps numbers of books, so books are compared when the market stands still. ccxt checks every checksum of the
best 25 levels, cryptofeed checks that no number is missing on its connection.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import FOLLOWED_S, assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, both, hold

CLASSES = [("bitfinex", ("bitfinex.spot", "bitfinex.linear"))]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours_and_finds_every_checksum_right() -> None:
    checked: Counter[int] = Counter()
    async with simulator("calm", "bitfinex") as at, both(at, CLASSES, SYMBOLS) as beside:
        exchange, check = beside.exchange, beside.exchange.handle_checksum

        def handle_checksum(socket: Any, message: list[Any], subscription: object) -> None:
            checked[message[0]] += 1
            check(socket, message, subscription)  # following the books raises where it is wrong

        exchange.handle_checksum = handle_checksum
        pairings = beside.pairings(by="rest")
        others = [ask(one.symbol) for one in pairings for ask in (exchange.watch_trades, exchange.watch_ticker)]
        await hold(beside, pairings, others, updates_hz=4.0)
        assert len(checked) == len(pairings)
        assert min(checked.values()) > 8
        status = await exchange.fetch_status()
        funding = await exchange.fetch_funding_rate("BTC/USDT:USDT")
        assert (status["status"], funding["fundingRate"]) == ("ok", 0.0001)
        assert exchange.currencies["USDT"]["withdraw"] is True


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "bitfinex") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "bitfinex_client")
        assert (len(theirs["books"]), words) == (4, "")
        assert theirs["seen"]["trades"] > 0
        assert_same(beside.ours, theirs["books"], LEVELS)
        assert min(book["updates"] for book in theirs["books"].values()) > FOLLOWED_S * 4
