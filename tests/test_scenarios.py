"""How verdicts are compared with a scenario's truth."""

from __future__ import annotations

from typing import Any

from feeds.model import Cause, State
from feeds.sim.scenario import Scenario, Truth, load
from tests.scenarios import MUST_COME_WITHIN_S, SHORT_S, wrongs

DOWN = Truth(from_s=30.0, to_s=60.0, states=(State.OK, State.DOWN), causes=(Cause.ENGINE,), must=(State.DOWN,))
SCENARIO = Scenario(name="x", title="", duration_s=100.0, truth=(DOWN,))


def rows(*verdicts: tuple[float, str, str | None]) -> list[dict[str, Any]]:
    return [{"t": t_s * 1e9, "route": "a.spot", "state": state, "cause": cause} for t_s, state, cause in verdicts]


def test_what_the_truth_allows_is_not_wrong() -> None:
    assert wrongs(SCENARIO, rows((1, "ok", None), (35, "down", "engine"), (61, "ok", None)), 0.0) == []


def test_a_verdict_outside_the_truth_is_wrong_after_the_grace() -> None:
    early = rows(*((t, "down", "engine") for t in (5.0, 6.0, 7.0, 8.0, 9.0)), (10.0, "ok", None))
    assert [(w.from_s, w.to_s) for w in wrongs(SCENARIO, early, 0.0)] == [(5.0, 10.0)]
    assert wrongs(SCENARIO, rows((5.0, "down", "engine"), (6.0, "ok", None)), 0.0) == []


def test_a_verdict_that_had_to_come_is_missed_in_a_short_run_too() -> None:
    assert wrongs(SCENARIO, rows((1, "ok", None), (39, "ok", None)), 0.0) == []
    (missed,) = wrongs(SCENARIO, rows((1, "ok", None), (40, "ok", None)), 0.0)
    assert missed.what == "never down"


def test_the_short_form_lasts_until_its_verdicts_are_due() -> None:
    due_s = {name: [t.from_s for t in load(name).truth if t.must] for name in SHORT_S}
    assert due_s["calm"] == []
    assert all(min(due_s[name]) + MUST_COME_WITHIN_S < SHORT_S[name] for name in ("engine-stop", "own-uplink"))
    assert len(SHORT_S) <= 3 and max(SHORT_S.values()) < 55.0
