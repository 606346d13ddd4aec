"""One route's verdict through time: what its findings say, after hysteresis, or why no verdict is possible."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.judge.attribution import Assessment
from feeds.judge.finding import figure
from feeds.judge.hysteresis import StateHysteresis
from feeds.judge.inconclusive import Inconclusive, inconclusive, own_trouble, warming
from feeds.judge.own_side import OwnSide
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.judge.timeline import Timeline
from feeds.model import Cause, Evidence, Reason, State, Verdict

HOLD_POINTS = {State.SUSPECT: 10}
HOLD_POINTS_ELSE = 30
"""Points of a state that is still shown although its evidence has ended."""


class RouteVerdict:
    """Own trouble first; then warm-up; then the assessment, with hysteresis."""

    __slots__ = ("_assessment", "_inconclusive", "_route", "_shown", "warm")

    def __init__(self, route: str, limits: Thresholds) -> None:
        self._route = route
        self._shown = StateHysteresis(limits)
        self._assessment: Assessment | None = None
        self._inconclusive: Inconclusive | None = None
        self.warm = False
        """Warmed up for good."""

    @property
    def state(self) -> State:
        """As hysteresis has it: it stays while the route is inconclusive."""
        return self._shown.state

    def conclude(
        self, history: RouteHistory, own: OwnSide, assessment: Assessment, slow_line_ns: int | None, now_ns: int
    ) -> None:
        """One step. ``slow_line_ns``: since when every venue's kernel round trip is up."""
        self._assessment = assessment
        before, now = self._inconclusive, own_trouble(history, own, assessment, slow_line_ns, now_ns)
        if now is None and not self.warm:
            self.warm, now = warming(history, assessment.candidate, now_ns)
        if now is None:
            if before is not None and self._shown.state is State.OK:
                self._shown.since_ns = None
            self._inconclusive = None
            self._shown.step(now_ns, assessment.candidate)
            return
        if before is not None and before.cause is now.cause:
            now = msgspec.structs.replace(now, since_ns=min(now.since_ns, before.since_ns))
        self._inconclusive = now
        if now.cause is not Cause.WARMING:
            self._shown.drop_suspicion()

    def awoke(self, why: Inconclusive) -> None:
        """We have just slept: what was shown before is not known to be so any more."""
        self._inconclusive, self._assessment = why, None
        self._shown.forget()

    def verdict(self, timeline: Timeline) -> Verdict:
        now_ns = timeline.now_ns
        if self._assessment is None or self._inconclusive is not None:
            why = self._inconclusive or inconclusive(Cause.WARMING, now_ns, "no sample yet", signal="warming")
            return unknown(self._route, why, timeline)
        shown, reasons = self._shown, self._assessment.reasons
        clearing = self._clearing(now_ns)
        if clearing is not None:
            reasons = (*reasons, clearing)
        return Verdict(
            route=self._route,
            state=shown.state,
            cause=shown.cause,
            score=min(100, sum(r.points for r in reasons)),
            since_ns=timeline.wall(shown.since_ns if shown.since_ns is not None else now_ns),
            reasons=_dated(reasons, timeline),
        )

    def _clearing(self, now_ns: int) -> Reason | None:
        """Why a state is still shown although its evidence has ended."""
        shown = self._shown
        if shown.lower_since_ns is None:
            return None
        quiet_s = max(now_ns - shown.lower_since_ns, 0) / 1e9
        words = f"evidence ended {figure(round(quiet_s))} s ago, cleared after {figure(shown.clear_after_s(now_ns))}"
        if shown.alarms > 1:
            words += f": {shown.alarms} alarms lately"
        return Reason(
            signal="clearing_s",
            evidence=Evidence.OWN,
            value=quiet_s,
            since_ns=shown.lower_since_ns,
            points=HOLD_POINTS.get(shown.state, HOLD_POINTS_ELSE),
            text=words,
        )


def unknown(route: str, why: Inconclusive, timeline: Timeline) -> Verdict:
    """The verdict where none is possible."""
    return Verdict(
        route=route,
        state=State.UNKNOWN,
        cause=why.cause,
        score=None,
        since_ns=timeline.wall(why.since_ns),
        reasons=_dated(why.reasons, timeline),
    )


def _dated(reasons: Sequence[Reason], timeline: Timeline) -> tuple[Reason, ...]:
    """In wall time."""
    if not timeline.shift_ns:
        return tuple(reasons)
    return tuple(msgspec.structs.replace(r, since_ns=timeline.wall(r.since_ns)) for r in reasons)
