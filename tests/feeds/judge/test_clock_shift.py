"""Steps of our own clock, told from the venues."""

from __future__ import annotations

from feeds.judge.clock_shift import clock_confirmed, clock_step_ms, common_shift_ms
from feeds.judge.thresholds import Thresholds

LIMITS = Thresholds()


def test_all_ages_moved_by_one_constant_while_round_trips_did_not() -> None:
    assert common_shift_ms({"a": 300.0, "b": 305.0}, {"a": 1.0, "b": 1.0}, LIMITS) == 302.5
    assert common_shift_ms({"a": 300.0, "b": 305.0}, {"a": 4.0, "b": 1.0}, LIMITS) is None
    assert common_shift_ms({"a": 300.0, "b": 2.0}, {}, LIMITS) is None
    assert common_shift_ms({"a": 300.0}, {}, LIMITS) is None, "one venue proves nothing"


def test_most_venues_clocks_moved_against_ours() -> None:
    assert clock_step_ms({"a": -200.0, "b": -205.0, "c": -195.0}, LIMITS) == 200.0
    assert clock_step_ms({"a": -200.0, "b": 0.0, "c": 0.0}, LIMITS) is None
    assert clock_step_ms({"a": -200.0}, LIMITS) is None


def test_a_shift_of_ages_is_confirmed_by_the_offsets_or_by_its_size() -> None:
    assert clock_confirmed(100.0, {"a": -100.0}, LIMITS)
    assert not clock_confirmed(100.0, {"a": 0.0}, LIMITS)
    assert clock_confirmed(250.0, {}, LIMITS) and not clock_confirmed(100.0, {}, LIMITS)
