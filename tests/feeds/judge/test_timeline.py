"""The judge's timeline: steps of half a second, never backwards."""

from __future__ import annotations

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.judge.timeline import Timeline


def test_steps_are_half_a_second_apart_and_each_comes_once() -> None:
    timeline = Timeline(Thresholds())
    assert list(timeline.steps(ns(10.0))) == []
    assert list(timeline.steps(ns(11.2))) == [ns(10.5), ns(11.0)]
    assert list(timeline.steps(ns(11.2))) == []
    assert timeline.now_ns == ns(11.0)


def test_after_a_long_pause_only_the_last_steps_are_made() -> None:
    timeline = Timeline(Thresholds())
    assert list(timeline.steps(0)) == []
    steps = list(timeline.steps(ns(3_600.0)))
    assert len(steps) == 41 and steps[-1] == ns(3_600.0)


def test_a_clock_that_goes_back_moves_the_shift_and_not_the_timeline() -> None:
    timeline = Timeline(Thresholds())
    timeline.saw(timeline.time_of(ns(100.0)))
    assert timeline.time_of(ns(97.0)) == ns(97.0), "a late sample"
    assert timeline.time_of(ns(40.0)) == ns(100.0)
    assert timeline.wall(ns(101.0)) == ns(41.0)
