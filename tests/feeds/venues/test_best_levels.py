"""BestLevels finds the best levels: a checksum over other levels would empty a correct book."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.venues.best_levels import BestLevels

_sides = st.lists(st.sets(st.integers(1, 400).map(float), max_size=150), min_size=1, max_size=12)


@given(_sides, st.integers(1, 12))
def test_the_best_are_found_however_the_market_moves(sides: list[set[float]], count: int) -> None:
    best = BestLevels(count)
    for side in sides:
        assert best.bids("BTC/USD", dict.fromkeys(side, 1.0)) == sorted(side, reverse=True)[:count]
        assert best.asks("BTC/USD", dict.fromkeys(side, 1.0)) == sorted(side)[:count]


def test_a_market_that_moves_step_by_step_is_followed_and_books_do_not_mix() -> None:
    best = BestLevels(3)
    for mid in (*range(500, 900), *range(900, 100, -7)):
        for key, shift in (("a", 0.0), ("b", 5_000.0)):
            bids = [shift + mid - n for n in range(1, 60)]
            asks = [shift + mid + n for n in range(60)]
            assert best.bids(key, bids) == bids[:3]
            assert best.asks(key, asks) == asks[:3]
