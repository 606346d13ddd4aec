"""Nothing is compared across currencies at an assumed rate."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.advise.basis import converted, rates_of, stand_in
from feeds.books.ladder import derive
from feeds.model import Instrument

BTC = Instrument(
    route="a.linear", symbol="BTC/USDC:USDC", venue_id="x", base="BTC", quote="USDC", tick=0.1, lot=0.001, taker_fee=0.0
)


def test_without_a_live_book_there_is_no_rate() -> None:
    assert rates_of([]).of("USDC", "USDT") is None
    assert rates_of([("USDC/USDT", 1.0, 0.99)]).of("USDC", "USDT") is None


def test_the_median_of_the_live_books_counts_in_both_directions() -> None:
    rates = rates_of([("USDC/USDT", 0.9999, 1.0001), ("USDC/USDT", 1.0009, 1.0011), ("USDC/USDT", 1.0001, 1.0003)])
    there, back = rates.of("USDC", "USDT"), rates.of("USDT", "USDC")
    assert there is not None and back is not None
    assert there.rate == pytest.approx(1.0002) and there.routes == 3
    assert there.rate * back.rate == pytest.approx(1.0)
    assert there.half_spread_bps == pytest.approx(1.0, abs=0.01)


def test_a_third_currency_bridges_and_both_spreads_are_paid() -> None:
    rates = rates_of([("USDT/USD", 0.9989, 0.9991), ("USDC/USD", 0.9999, 1.0001)])
    rate = rates.of("USDC", "USDT")
    assert rate is not None
    assert rate.rate == pytest.approx(1.0 / 0.999)
    assert rate.half_spread_bps == pytest.approx(2.0, abs=0.01)
    same = rates.of("USD", "USD")
    assert same is not None and same.rate == 1.0


@pytest.mark.parametrize(
    ("symbol", "listed", "found"),
    [
        ("BTC/USDT:USDT", {"BTC/USDT:USDT", "BTC/USDC:USDC"}, "BTC/USDT:USDT"),
        ("BTC/USDT:USDT", {"BTC/USDC:USDC", "BTC/USD:BTC"}, "BTC/USDC:USDC"),
        ("BTC/USDT:USDT", {"BTC/USD:USD"}, "BTC/USD:USD"),
        ("BTC/USDT:USDT", {"BTC/USD:BTC", "BTC/USDC"}, None),
        ("BTC/USDT", {"BTC/USD", "BTC/USDC"}, "BTC/USDC"),
        ("BTC/USD:BTC", {"BTC/USDT:USDT"}, None),
        ("ETH/BTC", {"ETH/USDT"}, None),
    ],
)
def test_a_stand_in_has_the_same_base_and_product(symbol: str, listed: set[str], found: str | None) -> None:
    assert stand_in(symbol, listed) == found


levels = st.dictionaries(st.floats(1.0, 1e5), st.floats(1e-3, 1e3), min_size=1, max_size=20)


@given(levels, st.floats(0.5, 2.0), st.floats(1.0, 1e6))
def test_converting_scales_money_and_leaves_coins_alone(asks: dict[float, float], rate: float, notional: float) -> None:
    ladder = derive({0.5: 1.0}, asks, BTC)
    there = converted(ladder, rate)
    assert there.mid == pytest.approx(ladder.mid * rate if ladder.mid is not None else None)
    before, after = ladder.walk("buy", notional), there.walk("buy", notional * rate)
    assert before is not None and after is not None
    assert math.isclose(after.filled_quote, before.filled_quote * rate, rel_tol=1e-6)
    assert math.isclose(after.filled_base, before.filled_base, rel_tol=1e-6)
