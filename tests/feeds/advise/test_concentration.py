"""Concentration: equal venues count as many as they are."""

from __future__ import annotations

import pytest

from feeds.advise.concentration import effective_venues, hhi


def test_equal_venues_count_as_many_as_they_are() -> None:
    assert hhi([1.0, 1.0, 1.0, 1.0]) == pytest.approx(0.25)
    assert effective_venues(hhi([3.0, 3.0])) == pytest.approx(2.0)
    assert effective_venues(hhi([5.0])) == 1.0


def test_one_large_venue_hides_the_small_ones() -> None:
    assert effective_venues(hhi([90.0, 5.0, 5.0])) == pytest.approx(1 / 0.815)


def test_nothing_to_share_is_no_number() -> None:
    assert hhi([]) is None and hhi([0.0, 0.0]) is None and effective_venues(None) is None
