"""The consensus price: what is compared with what, in which currency, and how odd each price is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.consensus import Gap, RouteMid, gaps, market_of, reference_mid

RATES = {"USDC/USDT": 1.001, "USDT/USDC": 1 / 1.001}


def mid(route: str, value: float, symbol: str = "BTC/USDT:USDT", *, on_time: bool = True) -> RouteMid:
    return RouteMid(route=route, symbol=symbol, mid=value, on_time=on_time)


def only(found: dict[tuple[str, str], Gap], route: str) -> Gap:
    (gap,) = (gap for (name, _), gap in found.items() if name == route)
    return gap


def test_a_gap_is_against_the_others_and_a_lone_route_has_none() -> None:
    assert gaps([mid("a.linear", 100.0)], {}) == {}
    found = gaps([mid("a.linear", 101.0), mid("b.linear", 100.0), mid("c.linear", 100.0)], {})
    odd, honest = only(found, "a.linear"), only(found, "b.linear")
    assert odd.gap_bps == pytest.approx(100.0) and (odd.apart_bps, odd.others) == (0.0, 2)
    # the others of an honest one do not agree: that is how it is told from the odd one
    assert honest.gap_bps == pytest.approx(-honest.apart_bps, rel=0.01)


def test_of_two_nobody_can_tell_which_is_wrong() -> None:
    found = gaps([mid("a.linear", 101.0), mid("b.linear", 100.0)], {})
    assert not any(gap.judgeable for gap in found.values()) and len(found) == 2


def test_a_route_does_not_vouch_for_itself() -> None:
    books = [
        mid("a.spot", 101.0, "BTC/USDT"),
        mid("a.spot", 101.0 / 1.001, "BTC/USDC"),
        mid("b.spot", 100.0, "BTC/USDT"),
    ]
    found = gaps(books, RATES)
    assert {gap.others for (route, _), gap in found.items() if route == "a.spot"} == {1}
    assert only(found, "b.spot").others == 2


def test_spot_and_perpetuals_are_not_compared() -> None:
    assert market_of("BTC/USDC:USDC") == market_of("BTC/USD:BTC") != market_of("BTC/USDC") == market_of("BTC/USDT")
    assert gaps([mid("a.spot", 100.0, "BTC/USDT"), mid("a.linear", 99.0)], {}) == {}
    assert gaps([mid("a.linear", 100.0), mid("b.linear", 99.0, "ETH/USDT:USDT")], {}) == {}


def test_currencies_are_compared_at_the_live_rate_and_not_without_one() -> None:
    books = [mid("a.linear", 100.1), mid("b.linear", 100.0, "BTC/USDC:USDC"), mid("c.linear", 100.1)]
    assert only(gaps(books, RATES), "b.linear").gap_bps == pytest.approx(0.0, abs=1e-9)
    found = gaps(books, {})
    assert {route for route, _ in found} == {"a.linear", "c.linear"} and only(found, "a.linear").others == 1


def test_a_late_mid_is_measured_and_measures_nobody() -> None:
    books = [mid("a.linear", 102.0, on_time=False), mid("b.linear", 100.0), mid("c.linear", 100.0)]
    found = gaps(books, {})
    assert only(found, "a.linear").gap_bps == pytest.approx(200.0) and not only(found, "a.linear").judgeable
    assert only(found, "b.linear") == Gap(gap_bps=0.0, apart_bps=0.0, others=1, on_time=True)


def test_the_reference_is_one_price_for_all() -> None:
    assert reference_mid([]) is None
    assert reference_mid([100.0, 103.0, 101.0]) == 101.0
    assert reference_mid([100.0, 101.0]) == 100.5


@pytest.mark.parametrize("far", [3.01, 1 / 3.01, 5_511.88])
def test_two_coins_of_one_name_are_not_compared(far: float) -> None:
    """NEIRO is one coin on one venue and another one elsewhere: no move makes a price three times another."""
    two = gaps([mid("a.spot", 1.0, "NEIRO/USDT"), mid("b.spot", far, "NEIRO/USDT")], {})
    assert [(gap.gap_bps, gap.others, gap.unlike, gap.judgeable) for gap in two.values()] == [(None, 0, 1, False)] * 2
    assert all(gap.not_same for gap in two.values()), "of two nobody can tell which is meant"

    many = [mid(f"{name}.spot", 1.0 + n / 1000, "NEIRO/USDT") for n, name in enumerate("abc")]
    found = gaps([*many, mid("odd.spot", far, "NEIRO/USDT")], {})
    assert only(found, "odd.spot").not_same and only(found, "odd.spot").gap_bps is None
    kin = only(found, "b.spot")
    assert kin.gap_bps == pytest.approx(0.0, abs=0.1) and (kin.others, kin.unlike, kin.not_same) == (2, 1, False)


def test_a_crash_is_still_a_move() -> None:
    found = gaps([mid("a.linear", 100.0), mid("b.linear", 100.0), mid("c.linear", 34.0)], {})
    assert only(found, "c.linear").judgeable and not only(found, "c.linear").not_same


@given(
    st.lists(st.floats(70.0, 200.0), min_size=2, max_size=8),
    st.floats(0.5, 2.0),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_a_currency_changes_no_gap(values: list[float], rate: float, foreign: list[bool]) -> None:
    """The same prices written in another currency are as far apart as before."""
    plain = [mid(f"r{n}.linear", value) for n, value in enumerate(values)]
    mixed = [
        mid(book.route, book.mid * rate, "BTC/USDC:USDC") if other else book
        for book, other in zip(plain, foreign, strict=False)
    ]
    rates = {"USDT/USDC": rate, "USDC/USDT": 1 / rate}
    before, after = gaps(plain, {}), gaps(mixed, rates)
    for book in plain:
        assert only(after, book.route).gap_bps == pytest.approx(only(before, book.route).gap_bps, abs=1e-6)
