"""All findings of one route at one moment, and which baselines must not learn from that moment."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping

from feeds.judge.channel_history import PeerSilences
from feeds.judge.evidence_books import book_findings
from feeds.judge.evidence_feed import age_findings, gap_findings, link_findings
from feeds.judge.evidence_network import network_findings
from feeds.judge.evidence_official import refusal_finding, status_findings
from feeds.judge.evidence_rest import rest_findings
from feeds.judge.evidence_silence import silence_findings
from feeds.judge.finding import Finding
from feeds.judge.own_side import OwnSide
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.model import venue_of


def route_findings(
    history: RouteHistory,
    own: OwnSide,
    active: Collection[str],
    peers: PeerSilences,
    now_ns: int,
    wall_ns: int,
) -> dict[str, Finding]:
    """By key. ``active``: findings that stand already; ``wall_ns``: now in the time that notices are dated in."""
    venue = venue_of(history.route)
    findings = [
        *rest_findings(history.rest, active),
        *network_findings(history.rest, history.links, active),
        *status_findings(history, wall_ns),
    ]
    if history.unwatched is None:
        findings += [
            *age_findings(history, active),
            *link_findings(history, own, now_ns),
            *silence_findings(history, own, now_ns, lambda channel: peers.elsewhere_s(venue, channel)),
            *gap_findings(history),
            *book_findings(history, now_ns, active),
        ]
    refused = refusal_finding(history, now_ns)
    found = {f.key: f for f in ([*findings, refused] if refused is not None else findings)}
    silence = found.get("silence")
    if silence is not None and own.line_in_doubt and _just_begun(silence, history, now_ns):
        del found["silence"]
    return found


def _just_begun(silence: Finding, history: RouteHistory, now_ns: int) -> bool:
    """While most venues are out of reach, a silence that has just begun may be our own line's."""
    return now_ns - (silence.onset_ns or now_ns) < ns(history.limits.doubt_lasts_s)


class _Everything:
    """All signals."""

    def __contains__(self, signal: object) -> bool:
        return True


EVERYTHING: Container[str] = _Everything()
"""Given to ``learn`` when no baseline may learn."""


def abnormal_signals(findings: Mapping[str, Finding]) -> frozenset[str]:
    """Signals that show evidence of trouble, by the names that ``learn`` knows them by."""
    names: set[str] = set()
    for key in findings:
        kind, _, name = key.partition(".")
        match kind:
            case "rest" | "lost" | "errors" | "failing":
                names.add("rest")
            case "link_kernel":
                names.add("kernel")
            case "depth" | "spread":
                names.add(f"liquidity.{name}")
            case "links":
                names.add("silence")
            case _:
                names.add(key)
    return frozenset(names)
