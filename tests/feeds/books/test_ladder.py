"""What a book's figures are worth: they count the money that is there, and equal a naive reference."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books.book import Book, Ladder, Outcome
from feeds.books.ladder import derive
from feeds.model import Side
from feeds.venues.sequence import Unsequenced
from tests.feeds.books.messages import LINEAR, delta, snapshot
from tests.feeds.venues.captures import instrument

# ---- figures


def test_crossed_and_locked_books_are_seen() -> None:
    book = Book(LINEAR, Unsequenced())
    book.apply(snapshot(None, [(101.0, 1.0)], [(100.0, 1.0)]), 1)
    ladder = book.ladder()
    assert ladder.crossed and (ladder.spread_bps or 0) < 0 and ladder.depth(50) == (None, None)
    book.apply(snapshot(None, [(100.0, 1.0)], [(100.0, 1.0)]), 2)
    assert book.ladder().crossed and book.ladder().spread_bps == 0
    book.apply(snapshot(None, [(100.0, 1.0)], [(100.1, 1.0)]), 3)
    assert not book.ladder().crossed


def test_an_empty_side_has_no_figures() -> None:
    ladder = derive({}, {101.0: 1.0}, LINEAR)
    assert ladder.best_bid is None and ladder.mid is None and ladder.spread_bps is None and not ladder.crossed
    assert ladder.depth(10) == (None, None)
    assert ladder.walk("sell", 100.0) is None
    assert ladder.walk("buy", 0.0) is None and ladder.walk("buy", math.nan) is None


def test_contracts_become_base_coin_and_quote_currency() -> None:
    okx = instrument("okx.linear", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)
    ladder = derive({99.9: 200.0}, {100.1: 100.0}, okx)
    assert ladder.bid_sz[0] == 2.0 and ladder.ask_sz[0] == 1.0
    assert ladder.depth(10) == pytest.approx((199.8, 100.1))
    inverse = instrument("binance.inverse", "BTC/USD:BTC", "BTCUSD_PERP", contract_size=100.0, inverse=True)
    ladder = derive({49_990.0: 5.0}, {50_010.0: 10.0}, inverse)
    assert ladder.ask_sz[0] == pytest.approx(1000 / 50_010)
    assert ladder.depth(10) == pytest.approx((500, 1000))
    fill = ladder.walk("buy", 500.0)
    assert fill is not None
    assert fill.filled_quote == 500 and fill.filled_base == pytest.approx(500 / 50_010)
    assert fill.average_px == pytest.approx(50_010)


def test_band_edges_are_inside() -> None:
    ladder = derive({99.9: 1.0, 99.0: 1.0}, {100.1: 1.0, 101.0: 1.0}, LINEAR)
    assert ladder.depth(10) == pytest.approx((99.9, 100.1))
    assert ladder.depth(9.99) == (0.0, 0.0)
    assert ladder.depth(100) == pytest.approx((198.9, 201.1))


def test_a_walk_takes_levels_in_order_and_the_last_in_part() -> None:
    ladder = derive({99.0: 1.0, 98.0: 1.0, 90.0: 10.0}, {100.0: 1.0, 110.0: 1.0, 120.0: 5.0}, LINEAR)
    fill = ladder.walk("buy", 155.0)
    assert fill is not None
    assert (fill.best_px, fill.worst_px, fill.filled_quote) == (100.0, 110.0, 155.0)
    assert fill.filled_base == pytest.approx(1.5) and fill.average_px == pytest.approx(155 / 1.5)
    fill = ladder.walk("sell", 197.0)
    assert fill is not None
    assert (fill.worst_px, fill.filled_base, fill.average_px) == (98.0, 2.0, 98.5)
    fill = ladder.walk("buy", 1_000_000.0)
    assert fill is not None
    assert (fill.filled_quote, fill.filled_base, fill.worst_px) == (810.0, 7.0, 120.0)


def test_a_walk_ends_where_the_known_range_ends() -> None:
    ladder = derive({99.0: 1.0, 90.0: 100.0}, {101.0: 1.0, 120.0: 100.0}, LINEAR, bid_known=95.0, ask_known=110.0)
    for side, px in (("buy", 101.0), ("sell", 99.0)):
        fill = ladder.walk("buy" if side == "buy" else "sell", 5_000.0)
        assert fill is not None and fill.worst_px == px and fill.filled_quote == px


def test_a_hostile_price_near_zero_breaks_nothing() -> None:
    inverse = instrument("binance.inverse", "BTC/USD:BTC", "BTCUSD_PERP", contract_size=100.0, inverse=True)
    ladder = derive({5e-324: 1e17}, {1e17: 1e17}, inverse)
    assert ladder.spread_bps is not None


# ---- properties

TICKS = st.integers(1, 400)
SIZES = st.integers(0, 50)
CHANGES = st.lists(st.tuples(TICKS, SIZES), max_size=12)


def _px(ticks: int) -> float:
    return ticks / 4  # exact in binary, so that the reference can be exact


@given(
    start=st.tuples(CHANGES, CHANGES),
    deltas=st.lists(st.tuples(CHANGES, CHANGES), max_size=15),
    band_bps=st.sampled_from([1.0, 10.0, 25.0, 50.0, 100.0, 2500.0]),
    notional=st.integers(1, 200_000),
    side=st.sampled_from(["buy", "sell"]),
    contract_size=st.sampled_from([1.0, 0.25, 8.0]),
)
def test_random_books_equal_a_naive_reference(
    start: tuple[list[tuple[int, int]], list[tuple[int, int]]],
    deltas: list[tuple[list[tuple[int, int]], list[tuple[int, int]]]],
    band_bps: float,
    notional: int,
    side: Side,
    contract_size: float,
) -> None:
    traded = instrument("okx.linear", "X/USDT:USDT", "X", contract_size=contract_size)
    book = Book(traded, Unsequenced())
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for number, (bid_changes, ask_changes) in enumerate([start, *deltas]):
        raw_bids = [(_px(t), float(s)) for t, s in bid_changes]
        raw_asks = [(_px(t + 395), float(s)) for t, s in ask_changes]
        if number == 0:
            outcome = book.apply(snapshot(None, raw_bids, raw_asks, limit=10_000), number)
        else:
            outcome = book.apply(delta(None, None, raw_bids, raw_asks), number)
        assert outcome is Outcome.APPLIED
        for levels, changes in ((bids, raw_bids), (asks, raw_asks)):
            for price, size in changes:
                levels[price] = size
        bids = {p: s for p, s in bids.items() if s}
        asks = {p: s for p, s in asks.items() if s}
    ladder = book.ladder()
    best_bids, best_asks = sorted(bids.items(), reverse=True), sorted(asks.items())
    assert list(ladder.bid_px) == [p for p, _ in best_bids]
    assert list(ladder.ask_px) == [p for p, _ in best_asks]
    assert list(ladder.bid_sz) == [s * contract_size for _, s in best_bids]
    assert list(ladder.ask_sz) == [s * contract_size for _, s in best_asks]
    assert ladder.best_bid == (best_bids[0][0] if bids else None)
    assert ladder.best_ask == (best_asks[0][0] if asks else None)
    assert ladder.crossed == (bool(bids) and bool(asks) and best_bids[0][0] >= best_asks[0][0])
    _same_depth(ladder, best_bids, best_asks, band_bps, contract_size)
    _same_walk(ladder, side, best_asks if side == "buy" else best_bids, notional, contract_size)


def _same_depth(
    ladder: Ladder,
    bids: list[tuple[float, float]],
    asks: list[tuple[float, float]],
    band_bps: float,
    contract_size: float,
) -> None:
    if ladder.crossed or not bids or not asks:
        assert ladder.depth(band_bps) == (None, None)
        return
    mid = (Fraction(bids[0][0]) + Fraction(asks[0][0])) / 2
    width = mid * Fraction(band_bps) / 10_000
    want_bid = sum((Fraction(p) * Fraction(s) for p, s in bids if p >= mid - width), Fraction(0))
    want_ask = sum((Fraction(p) * Fraction(s) for p, s in asks if p <= mid + width), Fraction(0))
    got_bid, got_ask = ladder.depth(band_bps)
    assert got_bid == pytest.approx(float(want_bid) * contract_size, rel=1e-12)
    assert got_ask == pytest.approx(float(want_ask) * contract_size, rel=1e-12)


def _same_walk(
    ladder: Ladder, side: Side, levels: list[tuple[float, float]], notional: int, contract_size: float
) -> None:
    fill = ladder.walk(side, float(notional))
    if not levels:
        assert fill is None
        return
    assert fill is not None
    left, quote, base, worst = Fraction(notional), Fraction(0), Fraction(0), levels[0][0]
    for price, size in levels:
        if left <= 0:
            break
        take = min(left, Fraction(price) * Fraction(size) * Fraction(contract_size))
        left, quote, base, worst = left - take, quote + take, base + take / Fraction(price), price
    assert fill.filled_quote == pytest.approx(float(quote), rel=1e-12)
    assert fill.filled_base == pytest.approx(float(base), rel=1e-12)
    assert fill.average_px == pytest.approx(float(quote / base), rel=1e-12)
    assert (fill.best_px, fill.worst_px) == (levels[0][0], worst)
    assert fill.filled_quote + float(left) == pytest.approx(notional)
    assert min(fill.best_px, worst) <= fill.average_px <= max(fill.best_px, worst)


@given(
    levels=st.dictionaries(TICKS, st.integers(1, 50), min_size=1, max_size=30),
    notionals=st.lists(st.integers(1, 50_000), min_size=2, max_size=6),
)
def test_a_larger_order_never_gets_a_better_price(levels: dict[int, int], notionals: list[int]) -> None:
    ladder = derive({}, {_px(t): float(s) for t, s in levels.items()}, LINEAR)
    fills = [ladder.walk("buy", float(n)) for n in sorted(notionals)]
    for small, large in pairwise(fills):
        assert small is not None and large is not None
        assert large.average_px >= small.average_px * (1 - 1e-12)
        assert large.filled_quote >= small.filled_quote
