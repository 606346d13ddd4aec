"""From what a venue tells us to findings: it refuses us, or announces maintenance or an incident."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.judge.finding import Finding
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.model import Cause, Evidence, Fault, StatusNotice


def refusal_finding(history: RouteHistory, now_ns: int) -> Finding | None:
    """We are refused: geo-block, ban, rate limit, maintenance; without any good answer since."""
    refusal, limits = history.rest.refusal, history.limits
    if refusal is None or now_ns - refusal.last_ns > ns(limits.limit_hold_s):
        return _handshake_refusal(history)
    paused = now_ns - refusal.last_ns >= ns(limits.refused_pause_s)
    if refusal.count < limits.refused_min and not (refusal.banned or refusal.from_first or paused):
        return None
    since = f"{refusal.count} times in a row" if refusal.count > 1 else "not asked again since"
    if refusal.from_first:
        since = "since the first request"
    cause: Cause | None
    if refusal.fault is Fault.OUR_LIMIT:
        words, cause = f"refused for asking too much, {since}: {refusal.text}", Cause.SELF
    elif refusal.fault is Fault.MAINTENANCE:
        words, cause = f"the venue says maintenance: {refusal.text}", Cause.PLANNED
    else:
        words, cause = f"refused here, {since}: {refusal.text}", None
    return Finding(
        key="maintenance" if refusal.fault is Fault.MAINTENANCE else "refused",
        signal="rest_refusals",
        evidence=Evidence.STATUS if refusal.fault is Fault.MAINTENANCE else Evidence.REST,
        cause=cause,
        weight=3,
        value=float(refusal.count),
        onset_ns=refusal.since_ns,
        raise_s=0.0,
        text=words,
    )


def _handshake_refusal(history: RouteHistory) -> Finding | None:
    """Every websocket handshake is refused, while REST works or nothing ever has. An API in trouble refuses many
    things: that is its trouble and no block."""
    links, link, rest = history.links, history.links.first(), history.rest
    if link is None or not links.all_refused():
        return None
    never = history.feed.data_ns is None and rest.good_ns is None
    if not never and (rest.good_ns is None or rest.recent.lost or rest.recent.errors):
        return None
    return Finding(
        key="refused",
        signal="handshake_refusals",
        evidence=Evidence.FEED,
        cause=None,
        weight=3,
        value=float(len(links)),
        onset_ns=link.since_ns,
        text=f"every websocket handshake is refused: {link.http_status or ''} {link.text[:80]}".strip(),
    )


def status_findings(history: RouteHistory, wall_ns: int) -> Iterator[Finding]:
    """The venue's notices; ``wall_ns`` is the present in the time that they are dated in."""
    for notice in history.status.of_market_data(history.product):
        begun = notice.begin_ns is None or notice.begin_ns <= wall_ns
        ended = notice.end_ns is not None and notice.end_ns <= wall_ns
        if notice.state == "ongoing" and begun and not ended:
            yield _status(notice, "maintenance", Cause.PLANNED, 3)
        elif notice.state == "scheduled" and notice.begin_ns is not None and begun and not ended:
            yield _status(notice, "scheduled", Cause.PLANNED, 0)
        elif notice.state == "incident" and not ended:
            yield _status(notice, "status", Cause.GATEWAY, 1)


def _status(notice: StatusNotice, key: str, cause: Cause, weight: int) -> Finding:
    return Finding(
        key=key,
        signal="official_status",
        evidence=Evidence.STATUS,
        cause=cause,
        weight=weight,
        raise_s=0.0,
        text=f"official: {notice.text[:120]}",
    )
