"""How verdicts are compared with a scenario's truth."""

from __future__ import annotations

from typing import Any

from feeds.model import Cause, State
from feeds.sim.scenario import Scenario, Truth, load
from tests.scenarios import HOME, MUST_COME_WITHIN_S, SHORT_S, broken_promises, wrongs

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
    assert all(min(due_s[name]) + MUST_COME_WITHIN_S < SHORT_S[name] for name in ("1011", "own-uplink"))
    assert len(SHORT_S) <= 3 and max(SHORT_S.values()) < 58.0


def accused(t_s: float, text: str = "slow") -> dict[str, Any]:
    return {"t": t_s * 1e9, "kind": "route", "route": HOME, "state": "congested", "reasons": [{"text": text}]}


def advice(t_s: float, best: str, saving_bps: float, share: float = 1.0) -> dict[str, Any]:
    split = [{"route": best, "share": share}]
    return {
        "t": t_s * 1e9,
        "kind": "advice",
        "symbol": "BTC/USDT",
        "best": best,
        "saving_bps": saving_bps,
        "split": split,
        "unallocated": 0.0,
        "notional": 1000.0,
    }


ALARM = {"t": 1e9, "kind": "event", "code": "state", "level": "alarm", "route": HOME}


def test_an_accusation_needs_a_reason_an_alarm_and_a_way_out() -> None:
    assert broken_promises([ALARM, accused(1), advice(2, "okx.linear", 3.0), accused(20)], 0.0) == []
    broken = {w.what for w in broken_promises([accused(1, text=""), advice(2, HOME, 0.0), accused(20)], 0.0)}
    assert broken == {
        "accused without a reason in words",
        "accused without an alarm among the events",
        "home accused, no advice to leave",
    }


def test_live_prices_and_whole_orders_are_promised_in_every_log() -> None:
    pair = {"t": 1e9, "kind": "pair", "route": HOME, "state": "live", "bid": 2.0, "ask": 1.0, "age_ms": None}
    assert [w.what[:4] for w in broken_promises([pair, advice(2, HOME, 0.0, share=0.5)], 0.0)] == ["live", "the "]
