"""The second foreign witnesses of Binance, OKX and Bybit, beside ccxt.pro in ``test_every_venue``.

cryptofeed 2.4.1 holds spot and linear books of all three, python-binance 1.0.37 those of Binance, and pybit 5.17.0, the
venue's own, those of Bybit, inverse ones included. Not used, since they keep no books: python-okx 0.4.4 (OKX's own) and
binance-connector (Binance's own).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import FOLLOWED_S, assert_same, follow, needs, watched

USDT, DOLLARS = ("BTC/USDT", "ETH/USDT"), ("BTC/USD", "ETH/USD")
BINANCE = {"binance": ("binance.spot",), "binanceusdm": ("binance.linear",)}
OKX = {"okx": ("okx.spot", "okx.linear")}
BYBIT = {"bybit": ("bybit.spot", "bybit.linear")}


def names(classes: Mapping[str, Sequence[str]]) -> set[str]:
    """Names of the books that a client should have."""
    return {
        f"{route} {symbol}{':USDT' if route.endswith('linear') else ''}"
        for routes in classes.values()
        for route in routes
        for symbol in USDT
    }


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    classes = {**BINANCE, **OKX, **BYBIT}
    async with simulator("calm", "binance", "okx", "bybit") as at, watched(at, classes, USDT) as ours:
        theirs, said = await follow(at, "cryptofeed_client")
        assert set(theirs["books"]) == names(classes)
        assert "Missing book update" not in said
        for name, book in theirs["books"].items():
            assert book["updates"] > FOLLOWED_S * 5, f"{name}: {book['updates']} updates. {said}"
        assert_same(ours, theirs["books"], levels=20)
        assert ours.gaps() == 0, ours.said
        assert at.failures() == 0


@needs("binance")
async def test_python_binance_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "binance") as at, watched(at, BINANCE, USDT) as ours:
        theirs, said = await follow(at, "binance_client")
        books = theirs["books"]
        assert set(books) == names(BINANCE)
        assert theirs["begun"] <= 4, f"its two depth caches were begun {theirs['begun']} times. {said}"
        for kind, most in (("spot", 20), ("linear", 10)):  # of perpetuals it takes the best ten
            held = {name: book for name, book in books.items() if f".{kind} " in name}
            assert_same(ours, held, levels=most)
            for name, book in held.items():
                assert book["updates"] > FOLLOWED_S * 2, name
                assert all(size > 0 for side in ("bids", "asks") for _, size in book[side]), f"{name}: emptied levels"
        assert set(theirs["seen"]) == {*books, "mark BTC/USDT:USDT", "mark ETH/USDT:USDT"}
        assert ours.gaps() == 0, ours.said
        assert at.failures() == 0


@needs("pybit")
async def test_pybit_holds_the_same_books_as_ours() -> None:
    async with (
        simulator("calm", "bybit") as at,
        watched(at, BYBIT, USDT) as ours,
        watched(at, {"bybit": ("bybit.inverse",)}, DOLLARS) as inverse,
    ):
        theirs, said = await follow(at, "bybit_client")
        books = theirs["books"]
        dollars = {"bybit.inverse BTC/USD:BTC", "bybit.inverse ETH/USD:ETH"}
        assert set(books) == names(BYBIT) | dollars
        for held in (books, theirs["rest"]):
            assert_same(ours, {name: book for name, book in held.items() if name not in dollars}, levels=20)
            assert_same(inverse, {name: held[name] for name in dollars}, levels=20)
        for name, book in books.items():
            assert book["updates"] > FOLLOWED_S * 5, f"{name}: {book['updates']} updates. {said}"
            assert len(book["bids"]) == len(book["asks"]) == 50, f"{name}: levels that left the window stayed"
        assert set(theirs["trades"]) == set(theirs["tickers"]) == set(books)
        assert abs(theirs["time_s"] - time.time()) < 5.0
        assert ours.gaps() + inverse.gaps() == 0, (ours.said, inverse.said)
        assert at.failures() == 0
