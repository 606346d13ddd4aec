"""Every incident of the record through the judge, as data: ``cases/*.toml`` say what happens and what must be said."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from feeds.model import Cause, Fault, State, StatusNotice, Verdict, venue_of
from tests.feeds.judge.series import ROUTES, Condition, Ourselves, Played, World, calm, play

CASES = sorted((Path(__file__).parent / "cases").glob("*.toml"))
ALARMING = {State.CONGESTED, State.STALLED, State.DOWN}
ACCUSING = {State.SUSPECT, *ALARMING}
NOBODY = {Cause.MARKET, Cause.SELF, Cause.UPLINK, Cause.PLANNED}


def matches(route: str, names: Sequence[str]) -> bool:
    return "*" in names or route in names or venue_of(route) in names


def on(phase: Mapping[str, Any], t_s: float) -> bool:
    if not phase["from"] <= t_s < phase["to"]:
        return False
    return "every" not in phase or (t_s - phase["from"]) % phase["every"] < phase["on"]


def changed(condition: Condition, phase: Mapping[str, Any]) -> Condition:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in phase.get("set", {}).items()}
    if "error" in values:
        status, fault, text = values["error"]
        values["error"] = (status, Fault(fault), text)
    for name in {"link_fault", "lost_fault"} & values.keys():
        values[name] = Fault(values[name])
    for name, factor in phase.get("scale", {}).items():
        values[name] = getattr(condition, name) * factor
    for name, more in phase.get("add", {}).items():
        values[name] = getattr(condition, name) + more
    if "notice" in phase:
        notice = phase["notice"]
        values["notices"] = (
            StatusNotice(state=notice["state"], text=notice["text"], products=tuple(notice["products"])),
        )
    return replace(condition, **values)


def played(case: Mapping[str, Any]) -> Played:
    def script(route: str, t_s: float) -> Condition:
        condition = calm(route, t_s)
        for phase in case.get("phase", ()):
            if matches(route, phase["routes"]) and on(phase, t_s):
                condition = changed(condition, phase)
        return condition

    def own(t_s: float) -> Ourselves:
        ourselves = Ourselves()
        for phase in case.get("own", ()):
            if on(phase, t_s):
                ourselves = replace(ourselves, **phase["set"])
        return ourselves

    world = World(
        script,
        own,
        routes=case.get("routes", ROUTES),
        symbols=case.get("symbols", ("BTC/USDT", "ETH/USDT")),
        quiet_s=case.get("quiet_s"),
    )
    return play(world, case["seconds"], domains=case.get("domains"))


def accused(verdict: Verdict) -> bool:
    return verdict.state in ACCUSING and verdict.cause not in NOBODY


def blamed(route: str, verdict: Verdict, blameless: Sequence[str]) -> bool:
    """``route``, ``venue`` or ``*`` may not be accused at all; ``route:cause`` not of this."""
    if not accused(verdict):
        return False
    cause = verdict.cause.value if verdict.cause is not None else ""
    return matches(route, blameless) or any(
        matches(route, [name.partition(":")[0]]) for name in blameless if name.partition(":")[2] == cause
    )


def said(verdict: Verdict) -> str:
    cause = verdict.cause.value if verdict.cause is not None else None
    return f"{verdict.state.value}/{cause} {verdict.score}: " + "; ".join(r.text for r in verdict.reasons)


@pytest.mark.parametrize("path", CASES, ids=[p.stem for p in CASES])
def test_case(path: Path) -> None:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    result = played(case)
    wrong: list[str] = []
    for second, verdicts in enumerate(result.verdicts, start=1):
        for route, verdict in verdicts.items():
            if blamed(route, verdict, case.get("blameless", ())):
                wrong.append(f"{second} s {route} accused: {said(verdict)}")
            for expected in case["expect"]:
                if matches(route, expected["routes"]) and expected["from"] <= second < expected["to"]:
                    cause = verdict.cause.value if verdict.cause is not None else None
                    fits = verdict.state.value in expected["state"]
                    fits = fits and ("cause" not in expected or cause in (expected["cause"] or [None]))
                    fits = fits and expected.get("says", "") in " ".join(r.text for r in verdict.reasons)
                    if not fits:
                        wrong.append(f"{second} s {route}: {said(verdict)}")
    assert not wrong, "\n".join(wrong[:12])
    if "alarms_max" in case:
        for route in result.verdicts[0]:
            states = [state for state, _ in result.states(route)]
            alarms = sum(b in ALARMING and a not in ALARMING for a, b in pairwise(states))
            assert alarms <= case["alarms_max"], f"{route}: {result.states(route)}"


def test_every_scenario_of_the_record_has_a_case() -> None:
    required = {"calm", "1011", "1011-storm", "engine-stop", "product-halt", "ack-no-data", "shared-cloud", "edge-flap"}
    required |= {"own-uplink", "own-loop", "own-clock", "quiet-pair", "daily-cut", "own-limit", "geo-block"}
    assert required | {"news-shock", "usde"} <= {p.stem for p in CASES}
