"""Foreign witnesses of Gate: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt takes spot from ``obu`` with 50 levels and futures from the older channel with a REST book; cryptofeed takes both
from the older channel, and whole contracts instead of fractions.
"""

from __future__ import annotations

from math import floor

from tests.feeds.foreign.clients import Side, simulator
from tests.feeds.foreign.second_client import follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, both, hold

CLASSES = [("gate", ("gate.spot", "gate.linear"))]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "gate") as at, both(at, CLASSES, SYMBOLS) as beside:
        pairings = beside.pairings()
        trades = await hold(beside, pairings, [beside.exchange.watch_trades(p.symbol) for p in pairings])
        assert all(trade[-1]["price"] > 0 for trade in trades)


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "gate") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "gate_client")
        assert len(theirs["books"]) == 4, words
        assert "Missing book update" not in words
        assert min(theirs["seen"][kind] for kind in ("trades", "ticker", "funding")) > 0
        for name, book in theirs["books"].items():
            assert book["updates"] > 10, name
            route, _, symbol = name.partition(" ")
            held = beside.ours.book(route, symbol, 200, by_time=False)
            assert held is not None, name
            for side, levels in (("bids", held[1]), ("asks", held[2])):
                wanted = whole(levels) if route == "gate.linear" else levels
                assert [tuple(level) for level in book[side][:LEVELS]] == wanted[:LEVELS], f"{name} {side}"


def whole(levels: Side) -> Side:
    """Levels as sent to a client that did not request fractions of contracts: rounded down, and removed below one."""
    return [(price, float(floor(size))) for price, size in levels if size >= 1]
