"""A collector that does not read costs no memory, and gets the newest when it reads again."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.ccxt_pro.messages import LEVELS, MAX_TRADES, Beat, BookNow, Lost, TradeNow
from feeds.ccxt_pro.outbox import KEPT_MESSAGES, Outbox, book_now


def book(symbol: str, price: float) -> BookNow:
    return BookNow(symbol=symbol, bids=[(price, 1.0)], asks=[], received_ns=1, received_mono_ns=1)


def test_the_latest_book_wins_and_tells_how_many_it_stands_for() -> None:
    outbox = Outbox()
    for price in range(1, 5001):
        outbox.book(book("BTC/USDT", float(price)))
    outbox.book(book("ETH/USDT", 3.0))
    first, second = outbox.take()
    assert isinstance(first, BookNow) and isinstance(second, BookNow)
    assert (first.bids, first.updates) == ([(5000.0, 1.0)], 5000)
    assert (second.symbol, second.updates) == ("ETH/USDT", 1)
    assert outbox.take() == []


def test_nothing_grows_without_bound() -> None:
    outbox = Outbox()
    for n in range(10_000):
        outbox.trade(TradeNow(symbol="A/B", price=1.0 + n, size=1.0, side="buy", received_ns=1, received_mono_ns=1))
        outbox.add(Beat(lag_ms=float(n)))
    taken = outbox.take()
    assert len(taken) == MAX_TRADES + KEPT_MESSAGES
    assert taken[KEPT_MESSAGES - 1] == Beat(lag_ms=9999.0)


def test_a_book_from_before_the_cut_is_not_sent_after_it() -> None:
    outbox = Outbox()
    outbox.book(book("A/B", 1.0))
    outbox.forget("A/B")
    outbox.add(Lost(symbol="A/B", text="cut"))
    outbox.book(book("A/B", 2.0))
    assert outbox.take() == [Lost(symbol="A/B", text="cut"), book("A/B", 2.0)]


def test_ccxts_book_is_copied_and_cut_to_its_best_levels() -> None:
    theirs: dict[str, Any] = {
        "bids": [[100.0 - n, 1.0, "order id"] for n in range(1000)],
        "asks": [[101.0 + n, 2.0] for n in range(3)],
        "nonce": 12,
        "timestamp": 1_700_000_000_000,
    }
    mine = book_now("A/B", theirs, 5, 6, own_stamp=False)
    theirs["bids"].clear()
    assert len(mine.bids) == LEVELS and mine.bids[0] == (100.0, 1.0)
    assert mine.asks == [(101.0, 2.0), (102.0, 2.0), (103.0, 2.0)]
    assert (mine.nonce, mine.venue_ms) == (12, 1_700_000_000_000)


def test_a_time_that_is_our_own_is_not_the_venues() -> None:
    theirs: dict[str, Any] = {"bids": [], "asks": [], "nonce": None, "timestamp": 1_700_000_000_000}
    mine = book_now("A/B", theirs, 5, 6, own_stamp=True)
    assert mine.venue_ms is None and mine.nonce is None


def test_a_book_that_is_none_raises() -> None:
    with pytest.raises((TypeError, ValueError, KeyError)):
        book_now("A/B", {"bids": [["x", None]], "asks": []}, 5, 6, own_stamp=False)
