"""A storm: most venues under stress for two seconds; over after twenty calm ones."""

from __future__ import annotations

from feeds.judge.rolling import ns
from feeds.judge.storm import Storm
from feeds.judge.thresholds import Thresholds

CALM = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
THIN = {"a": 0.2, "b": 0.2, "c": 0.2, "d": 1.0}


def played(*phases: tuple[float, dict[str, float]]) -> list[int | None]:
    storm, since, t_s = Storm(Thresholds()), [], 0.0
    for seconds, depths in phases:
        for _ in range(int(seconds * 2)):
            t_s += 0.5
            storm.step(ns(t_s), depths, {})
            since.append(storm.since_ns)
    return since


def test_it_begins_when_stress_has_lasted_and_is_dated_back() -> None:
    since = played((10.0, CALM), (5.0, THIN))
    assert since[23] is None and since[24] == ns(10.5)


def test_a_short_stress_is_no_storm() -> None:
    assert set(played((5.0, CALM), (1.0, THIN), (5.0, CALM))) == {None}


def test_it_ends_late() -> None:
    since = played((5.0, THIN), (30.0, CALM))
    assert since[10 + 38] is not None and since[10 + 41] is None


def test_of_few_venues_all_must_be_under_stress() -> None:
    assert set(played((10.0, {"a": 0.2, "b": 0.2, "c": 1.0}))) == {None}
    assert set(played((10.0, {"a": 0.2}))) == {None}
