"""What keeps a route from being judged: our own line, loop and clock, or that we have watched it too briefly."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from feeds.judge.attribution import Opinion
from feeds.judge.finding import figure
from feeds.judge.hysteresis import Candidate
from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Evidence, Reason, State

SEVERE = frozenset({State.STALLED, State.DOWN, State.HALTED, State.BLOCKED})
"""Seen without any baseline."""
CERTAIN = frozenset({State.BLOCKED, State.HALTED})
"""The venue itself said so: no witness is needed."""


class Excuse(Struct, frozen=True, kw_only=True):
    """Why the verdict is ``unknown``; speaks of us and never of a venue."""

    cause: Cause
    since_ns: int
    reasons: tuple[Reason, ...]


def excuse_of(cause: Cause, since_ns: int, signal: str, words: str, value: float | None = None) -> Excuse:
    reason = Reason(signal=signal, evidence=Evidence.OWN, value=value, since_ns=since_ns, text=words)
    return Excuse(cause=cause, since_ns=since_ns, reasons=(reason,))


def recovering(track: RouteHistory, own: OwnSide, now_ns: int) -> bool:
    """Our line is back, and this route has not had the time to come back with it."""
    since_ns = own.recovered_ns
    if since_ns is None or now_ns - since_ns >= ns(track.limits.recover_s):
        return False
    data = track.feed is None or (track.data_ns is not None and track.data_ns > since_ns)
    return not (data and track.contact_ns is not None and track.contact_ns > since_ns)


def own_excuse(
    track: RouteHistory, own: OwnSide, opinion: Opinion, slow_line_ns: int | None, now_ns: int
) -> Excuse | None:
    """None: nothing about ourselves stands in the way. ``slow_line_ns``: since when every venue's kernel round trip
    is up."""
    candidate, limits = opinion.candidate, track.limits
    accused = candidate.state is not State.OK and candidate.cause is not Cause.MARKET
    if own.uplink == "down" and own.uplink_since_ns is not None:
        words = "no venue can be reached: our uplink"
        words += ", the witness does not answer either" if own.witness == "down" else ""
        return excuse_of(Cause.UPLINK, own.uplink_since_ns, "uplink", words)
    if recovering(track, own, now_ns) and own.recovered_ns is not None:
        return excuse_of(Cause.UPLINK, own.recovered_ns, "uplink", "our uplink is back, this route not yet")
    if own.witness_failed and accused and candidate.state not in CERTAIN:
        words = "the witness does not answer: inconclusive"
        excuse = excuse_of(Cause.UPLINK, own.witness_since_ns or now_ns, "witness", words)
        seen = tuple(msgspec.structs.replace(r, points=0) for r in opinion.reasons)
        return msgspec.structs.replace(excuse, reasons=excuse.reasons + seen)
    if slow_line_ns is not None and now_ns - slow_line_ns >= ns(limits.raise_s):
        words = "kernel round trips are up at every venue: our own line"
        return excuse_of(Cause.UPLINK, slow_line_ns, "uplink", words)
    if own.late_since_ns is not None and not accused:
        lag_ms = own.worst_lag_ms(now_ns) or 0.0
        words = f"our own loop is late by up to {figure(lag_ms)} ms: ages and round trips not counted"
        return excuse_of(Cause.SELF, own.late_since_ns, "loop_lag_ms", words, lag_ms)
    clock_ns = own.clock_since_ns(now_ns)
    if clock_ns is not None and not accused:
        return excuse_of(Cause.SELF, clock_ns, "clock", own.clock_text() + ": ages not counted")
    paused = candidate.state in CERTAIN  # who is refused does not go on asking
    if not paused and track.measured_ns is not None and now_ns - track.measured_ns > ns(limits.unmeasured_s):
        return excuse_of(Cause.SELF, track.measured_ns, "unmeasured", "this route is not being measured")
    return None


def warming(track: RouteHistory, candidate: Candidate, now_ns: int) -> tuple[bool, Excuse | None]:
    """(is warmed up for good, excuse). What needs no baseline is said before that."""
    limits = track.limits
    first_ns = track.first_ns if track.first_ns is not None else now_ns
    rest, data = track.base_rest.value is not None, track.data_ns is not None
    age_s = (now_ns - first_ns) / 1e9
    ready = rest and (data or track.feed is None)
    warm = (ready and age_s >= limits.warm_s) or ((rest or data) and age_s >= limits.warm_at_most_s)
    early = candidate.state in SEVERE or (candidate.state is not State.OK and age_s >= limits.warm_s)
    if warm or early:
        return warm, None
    words = "no baseline yet" if rest or data else "nothing measured yet"
    return False, excuse_of(Cause.WARMING, first_ns, "warming", words)
