"""From a route's websockets to findings: connections cut or lost, sequence gaps, late data, lag inside the venue."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from feeds.judge.finding import Finding, against, excess, figure, ratio_of
from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, Evidence

AGE_CEILING_MS = 3_000.0
"""Data older than this is late even before there is a baseline."""
OFFSET_EXPLAINS = 0.6
"""A clock that moved by this share of the change in age may be the reason for that change."""


def link_findings(history: RouteHistory, own: OwnSide, now_ns: int) -> Iterator[Finding]:
    limits, links = history.limits, history.links
    down = links.down()
    if down:
        all_down = len(down) == len(links)
        since_ns = max(max(link.since_ns for link in down), own.recovered_ns or 0)
        patience_s = limits.link_down_s * (1 if all_down else 2)
        if any(link.planned for link in down):
            patience_s *= 2
        if now_ns - since_ns >= ns(patience_s):
            words = next((link.text for link in down if link.text), "")
            yield Finding(
                key="links" if all_down else "link",
                signal="links_down",
                evidence=Evidence.FEED,
                cause=Cause.FEED,
                weight=3 if all_down else 1,
                value=float(len(down)),
                onset_ns=since_ns,
                raise_s=0.0,
                text=f"{len(down)} of {len(links)} websockets down" + (f": {words[:80]}" if words else ""),
            )
    yield from _our_limit_findings(history, now_ns)
    cuts = links.cuts()
    if cuts >= limits.reconnects_min:
        yield Finding(
            key="reconnects",
            signal="reconnects_last120s",
            evidence=Evidence.FEED,
            cause=Cause.FEED,
            weight=1,
            value=float(cuts),
            text=f"{cuts} unplanned reconnects, last {figure(limits.reconnects_window_s)} s",
        )


def _our_limit_findings(history: RouteHistory, now_ns: int) -> Iterator[Finding]:
    """Websockets that the venue keeps closed because we exceeded its limit: our fault, never the venue's."""
    limited = history.links.closed_for_our_limit()
    if not limited:
        return
    since_ns = max(link.since_ns for link in limited)
    if now_ns - since_ns < ns(history.limits.link_down_s):
        return
    none_up = not history.links.up()
    yield Finding(
        key="refused" if none_up else "our_limit",
        signal="links_our_limit",
        evidence=Evidence.FEED,
        cause=Cause.SELF,
        weight=3 if none_up else 1,
        value=float(len(limited)),
        onset_ns=since_ns,
        raise_s=0.0,
        text=f"{len(limited)} of {len(history.links)} websockets closed by the venue for our limit",
    )


def gap_findings(history: RouteHistory) -> Iterator[Finding]:
    gaps = history.links.gaps()
    if gaps >= history.limits.gaps_min:
        yield Finding(
            key="gaps",
            signal="gaps_last30s",
            evidence=Evidence.FEED,
            cause=Cause.FEED,
            weight=1,
            value=gaps,
            text=f"{figure(gaps)} sequence gaps, last {figure(history.limits.figures_s)} s",
        )


def age_findings(history: RouteHistory, active: Collection[str]) -> Iterator[Finding]:
    limits, feed = history.limits, history.feed
    age_ms, usual_ms = feed.recent.age_ms, feed.base_age.value
    if age_ms is not None and not _clock_moved(history, age_ms, usual_ms):
        error_ms = feed.last.offset_err_ms if feed.last is not None else None
        floor_ms = max(limits.age_floor_ms, 3 * (error_ms or 0.0))
        late = excess(age_ms, feed.base_age, limits.age_ratio, floor_ms, "age" in active)
        if late or (usual_ms is None and age_ms >= AGE_CEILING_MS + 3 * (error_ms or 0.0)):
            yield Finding(
                key="age",
                signal="feed_age_last5s_ms",
                evidence=Evidence.FEED,
                cause=Cause.FEED,
                weight=2 if age_ms - (usual_ms or 0.0) >= limits.age_strong_ms else 1,
                value=age_ms,
                baseline=usual_ms,
                ratio=ratio_of(age_ms, usual_ms),
                text=f"feed age, {_last(limits)}: {figure(age_ms)} ms{against(usual_ms)}",
            )
    lag_ms, base = feed.recent.engine_lag_ms, feed.base_engine_lag
    if lag_ms is not None and excess(
        lag_ms, base, limits.engine_lag_ratio, limits.engine_lag_floor_ms, "engine_lag" in active
    ):
        yield Finding(
            key="engine_lag",
            signal="engine_lag_last5s_ms",
            evidence=Evidence.FEED,
            cause=Cause.ENGINE,
            weight=2 if lag_ms >= limits.engine_lag_strong_ms else 1,
            value=lag_ms,
            baseline=base.value,
            ratio=ratio_of(lag_ms, base.value),
            text=f"inside the venue, engine to gateway, {_last(limits)}: {figure(lag_ms)} ms{against(base.value)}",
        )


def _last(limits: Thresholds) -> str:
    return f"last {figure(limits.age_recent_s)} s"


def _clock_moved(history: RouteHistory, age_ms: float, usual_ms: float | None) -> bool:
    """A clock, the venue's or ours, lately moved by as much as the age did: the age may be corrected wrongly."""
    span_ms = history.offset.recent.span_ms
    if usual_ms is None or span_ms is None:
        return False
    return span_ms >= OFFSET_EXPLAINS * abs(age_ms - usual_ms)
