"""From a route's REST probes to findings: slow, lost, failing, limited.

``active`` names findings that stand already: they end only well below the threshold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.judge.finding import RELEASE_SHARE, Finding, against, excess, figure, percent, ratio_of, recovered
from feeds.judge.rest_history import RestHistory
from feeds.model import Cause, Evidence


def rest_findings(rest: RestHistory, active: Collection[str]) -> Iterator[Finding]:
    for finding in (
        _slow(rest, active),
        _lost(rest, active),
        _errors(rest, active),
        _failing(rest),
        _limited(rest),
    ):
        if finding is not None:
            yield finding


def _slow(rest: RestHistory, active: Collection[str]) -> Finding | None:
    limits, value_ms, base = rest.limits, rest.recent.round_trip_ms, rest.base_round_trip
    if value_ms is None:
        return None
    slow = excess(value_ms, base, limits.rest_ratio, limits.rest_floor_ms, "rest" in active)
    if not slow and value_ms < limits.rest_ceiling_ms:
        return None
    strong = excess(value_ms, base, limits.rest_strong_ratio, limits.rest_strong_floor_ms, False)
    kernel_ms = rest.recent.kernel_ms
    kernel = f"; the kernel's {figure(kernel_ms)}" if kernel_ms is not None else ""
    return Finding(
        key="rest",
        signal="rest_rtt_last5_ms",
        evidence=Evidence.REST,
        cause=Cause.GATEWAY,
        weight=2 if strong or value_ms >= 2 * limits.rest_ceiling_ms else 1,
        value=value_ms,
        baseline=base.value,
        ratio=ratio_of(value_ms, base.value),
        raise_s=None if strong else limits.rest_raise_s,
        text=f"REST round trip, last {limits.rest_recent} probes: {figure(value_ms)} ms{against(base.value)}{kernel}",
    )


def _lost(rest: RestHistory, active: Collection[str]) -> Finding | None:
    limits, recent = rest.limits, rest.recent
    if not recent.probes:
        return None
    share, ease = recent.lost / recent.probes, RELEASE_SHARE if "lost" in active else 1.0
    if recent.lost < ease * limits.lost_min or share < ease * limits.lost_share:
        return None
    if recovered(recent.lost, recent.probes, recent.since_lost):
        return None
    connecting = recent.lost_connecting * 2 > recent.lost
    where = ", most while connecting" if connecting else ""
    return Finding(
        key="lost",
        signal="rest_lost_last20s_share",
        evidence=Evidence.REST,
        cause=Cause.PATH if connecting else Cause.GATEWAY,
        weight=2 if share >= limits.lost_strong_share else 1,
        value=share,
        text=f"{percent(share)} of REST probes lost, last {figure(limits.lost_window_s)} s{where}",
    )


def _errors(rest: RestHistory, active: Collection[str]) -> Finding | None:
    limits, recent = rest.limits, rest.recent
    if not recent.answers:
        return None
    share, ease = recent.errors / recent.answers, RELEASE_SHARE if "errors" in active else 1.0
    if recent.errors < ease * limits.error_min or share < ease * limits.error_share:
        return None
    if recovered(recent.errors, recent.answers, recent.since_error):
        return None
    strong = share >= limits.error_strong_share and recent.errors >= limits.error_strong_min
    window = f"last {figure(limits.error_window_s)} s"
    return Finding(
        key="errors",
        signal="rest_error_last30s_share",
        evidence=Evidence.REST,
        cause=Cause.GATEWAY,
        weight=2 if strong else 1,
        value=share,
        text=f"{percent(share)} of REST answers are errors, {window}: {recent.error_text}",
    )


def _failing(rest: RestHistory) -> Finding | None:
    recent = rest.recent
    if recent.tail < rest.limits.failing_probes or recent.tail_lost + recent.tail_errors < recent.tail:
        return None
    what = "lost" if recent.tail_lost == recent.tail else "failed"
    return Finding(
        key="failing",
        signal="rest_failed_in_a_row",
        evidence=Evidence.REST,
        cause=Cause.GATEWAY if recent.tail_errors else Cause.PATH,
        weight=3,
        value=float(recent.tail),
        text=f"the last {recent.tail} REST probes all {what}" + (f": {recent.error_text}" if recent.error_text else ""),
    )


def _limited(rest: RestHistory) -> Finding | None:
    recent = rest.recent
    if not recent.tail_limited:
        return None
    return Finding(
        key="limited",
        signal="rest_limited_last5",
        evidence=Evidence.OWN,
        cause=Cause.SELF,
        weight=1,
        value=float(recent.tail_limited),
        text=f"{recent.tail_limited} of the last {recent.tail} REST answers say that we ask too much",
    )
