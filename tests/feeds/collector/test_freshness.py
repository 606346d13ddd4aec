"""When figures may be shown as current."""

from __future__ import annotations

import pytest

from feeds.collector.freshness import known_silent, shown_age
from feeds.model import State, Verdict


@pytest.mark.parametrize(
    ("age_ms", "error_ms", "shown"),
    [
        (12.0, 4.0, 12.0),
        (-3.0, 4.0, 0.0),
        (-30.0, 4.0, -30.0),
        (-3.0, None, -3.0),
        (None, 4.0, None),
    ],
)
def test_an_age_below_zero_by_less_than_the_error_is_nothing(
    age_ms: float | None, error_ms: float | None, shown: float | None
) -> None:
    assert shown_age(age_ms, error_ms) == shown


@pytest.mark.parametrize(("state", "silent"), [(State.STALLED, True), (State.DOWN, True), (State.CONGESTED, False)])
def test_figures_of_a_route_that_says_nothing_are_history(state: State, silent: bool) -> None:
    assert known_silent(Verdict(route="a.spot", state=state, cause=None, score=0, since_ns=0)) is silent
    assert known_silent(None) is False
