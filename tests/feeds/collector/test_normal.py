"""High, thin and late are said against a figure's own normal."""

from __future__ import annotations

import pytest

from feeds.collector.normal import HIGH_FLOOR_MS, high_from, is_own_late, is_thin, is_wide, venue_time_ms
from feeds.frame import Depth


@pytest.mark.parametrize(("normal", "high"), [(24.0, 48.0), (3_000.0, 6_000.0), (1.0, 11.0), (None, None)])
def test_high_is_twice_the_normal_and_ten_milliseconds_more(normal: float | None, high: float | None) -> None:
    assert high_from(normal, HIGH_FLOOR_MS) == high


@pytest.mark.parametrize(
    ("spread_bps", "normal_bps", "wide"),
    [(0.4, 0.2, True), (0.39, 0.2, False), (0.08, 0.02, False), (None, 0.2, False), (9.0, None, False)],
)
def test_wide(spread_bps: float | None, normal_bps: float | None, wide: bool) -> None:
    assert is_wide(spread_bps, normal_bps) is wide


def test_one_thin_side_is_enough() -> None:
    normal = Depth(bid=10.0, ask=10.0)
    assert is_thin(Depth(bid=5.0, ask=10.0), normal)
    assert is_thin(Depth(bid=10.0, ask=4.0), normal)
    assert not is_thin(Depth(bid=5.1, ask=5.1), normal)


def test_an_unknown_side_is_not_thin() -> None:
    assert not is_thin(Depth(bid=None, ask=None), Depth(bid=10.0, ask=10.0))
    assert not is_thin(Depth(bid=1.0, ask=1.0), Depth(bid=None, ask=None))
    assert not is_thin(None, Depth(bid=10.0, ask=10.0))
    assert not is_thin(Depth(bid=1.0, ask=1.0), None)


def test_late_from_50_ms_on_and_not_when_unmeasured() -> None:
    assert [is_own_late(lag) for lag in (None, 49.9, 50.0)] == [False, False, True]


def test_the_venues_own_time_is_first_byte_less_the_road() -> None:
    assert venue_time_ms(24.0, 2.0) == 22.0
    assert venue_time_ms(1.0, 2.0) == 0.0
    assert venue_time_ms(None, 2.0) is None
    assert venue_time_ms(24.0, None) is None
