"""When no verdict on a route is possible: trouble of our own line, loop or clock, or still warming up."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from feeds.judge.attribution import Assessment
from feeds.judge.finding import figure
from feeds.judge.hysteresis import Candidate
from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Evidence, Reason, State

SEVERE = frozenset({State.STALLED, State.DOWN, State.HALTED, State.BLOCKED})
"""States that need no baseline."""
CERTAIN = frozenset({State.BLOCKED, State.HALTED})
"""The venue itself said so: no witness is needed."""


class Inconclusive(Struct, frozen=True, kw_only=True):
    """Why the verdict is ``unknown``. The reasons are about us, never about a venue."""

    cause: Cause
    since_ns: int
    reasons: tuple[Reason, ...]


def inconclusive(cause: Cause, since_ns: int, words: str, value: float | None = None, *, signal: str) -> Inconclusive:
    reason = Reason(signal=signal, evidence=Evidence.OWN, value=value, since_ns=since_ns, text=words)
    return Inconclusive(cause=cause, since_ns=since_ns, reasons=(reason,))


def asleep(own: OwnSide, since_ns: int) -> Inconclusive:
    words = f"{own.awake_words}: nothing was measured, and nothing new has come since"
    return inconclusive(Cause.SELF, since_ns, words, signal="unmeasured")


def recovering(history: RouteHistory, own: OwnSide, now_ns: int) -> bool:
    """Our line is back, or we are awake again, and this route has not had the time to come back too."""
    since_ns = own.recovered_ns
    if since_ns is None or now_ns - since_ns >= ns(own.patience_s):
        return False
    data = history.feed.last is None or (history.feed.data_ns is not None and history.feed.data_ns > since_ns)
    return not (data and history.contact_ns is not None and history.contact_ns > since_ns)


def own_trouble(
    history: RouteHistory, own: OwnSide, assessment: Assessment, slow_line_ns: int | None, now_ns: int
) -> Inconclusive | None:
    """None: nothing of ours prevents a verdict. ``slow_line_ns``: since when every venue's kernel round trip
    is up."""
    candidate, limits = assessment.candidate, history.limits
    accused = candidate.state is not State.OK and candidate.cause is not Cause.MARKET
    certain = candidate.state in CERTAIN
    untrusted = history.untrusted_text
    if untrusted is not None and not certain:
        since_ns = history.untrusted_since_ns or now_ns
        return inconclusive(Cause.UPLINK, since_ns, f"somebody answers in its place? {untrusted}", signal="certificate")
    if own.uplink == "down" and own.uplink_since_ns is not None:
        words = "no venue can be reached: our uplink"
        words += ", the witness does not answer either" if own.witness == "down" else ""
        return inconclusive(Cause.UPLINK, own.uplink_since_ns, words, signal="uplink")
    if recovering(history, own, now_ns) and own.recovered_ns is not None:
        if own.recovered_ns == own.awake_ns:
            return asleep(own, own.recovered_ns)
        return inconclusive(Cause.UPLINK, own.recovered_ns, "our uplink is back, this route not yet", signal="uplink")
    if own.intercepted and accused and not certain:
        words = "the certificates of most venues do not verify here: our uplink"
        return inconclusive(Cause.UPLINK, history.first_ns or now_ns, words, signal="certificate")
    if not own.line_proven and accused and not certain:
        words = "our own line has not been proven yet: no venue is judged before"
        return inconclusive(Cause.UPLINK, history.first_ns or now_ns, words, signal="uplink")
    if own.witness_failed and accused and not certain:
        words = "the witness does not answer: inconclusive"
        result = inconclusive(Cause.UPLINK, own.witness_since_ns or now_ns, words, signal="witness")
        seen = tuple(msgspec.structs.replace(r, points=0) for r in assessment.reasons)
        return msgspec.structs.replace(result, reasons=result.reasons + seen)
    if slow_line_ns is not None and now_ns - slow_line_ns >= ns(limits.raise_s):
        words = "kernel round trips are up at every venue: our own line"
        return inconclusive(Cause.UPLINK, slow_line_ns, words, signal="uplink")
    if own.loop_late_since_ns is not None and not accused:
        lag_ms = own.worst_lag_ms(now_ns) or 0.0
        words = f"our own loop is late by up to {figure(lag_ms)} ms, last 6 s: ages and round trips not counted"
        return inconclusive(Cause.SELF, own.loop_late_since_ns, words, lag_ms, signal="loop_lag_max_last6s_ms")
    clock_ns = own.clock_since_ns(now_ns)
    if clock_ns is not None and not accused:
        return inconclusive(Cause.SELF, clock_ns, own.clock_text() + ": ages not counted", signal="clock")
    if history.unwatched is not None and not accused:
        cause = Cause.WARMING if history.unwatched.waiting else Cause.SELF
        words = f"no pair can be watched: {history.unwatched.why}"
        return inconclusive(cause, history.first_ns or now_ns, words, signal="unwatched")
    # while the venue refuses us we ask seldom
    if not certain and history.measured_ns is not None and now_ns - history.measured_ns > ns(limits.unmeasured_s):
        return inconclusive(Cause.SELF, history.measured_ns, "this route is not being measured", signal="unmeasured")
    return None


def warming(history: RouteHistory, candidate: Candidate, now_ns: int) -> tuple[bool, Inconclusive | None]:
    """(is warmed up for good, why no verdict is possible). What needs no baseline is judged before that."""
    limits = history.limits
    first_ns = history.first_ns if history.first_ns is not None else now_ns
    rest, data = history.rest.base_round_trip.value is not None, history.feed.data_ns is not None
    age_s = (now_ns - first_ns) / 1e9
    ready = rest and (data or history.feed.last is None)
    warm = (ready and age_s >= limits.warm_s) or ((rest or data) and age_s >= limits.warm_at_most_s)
    early = candidate.state in SEVERE or (candidate.state is not State.OK and age_s >= limits.warm_s)
    if warm or early:
        return warm, None
    words = "no baseline yet" if rest or data else "nothing measured yet"
    return False, inconclusive(Cause.WARMING, first_ns, words, signal="warming")
