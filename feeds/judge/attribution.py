"""Standing findings of one route -> state, cause, reasons, before hysteresis. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from feeds.judge.debounce import StandingFinding
from feeds.judge.finding import Finding
from feeds.judge.hysteresis import Candidate
from feeds.judge.rolling import ns
from feeds.judge.shared_domain import NETWORK_KEYS
from feeds.judge.thresholds import Thresholds
from feeds.model import Cause, Evidence, Reason, State

POINTS = {0: 0, 1: 20, 2: 35, 3: 60}
CLOSED_POINTS = 100
FAILING_POINTS = 80
COMMON_POINTS = 10
PEER_POINTS = 10
REASONS_KEPT = 8
OVERWHELMING = 3
"""One class of evidence of this weight alone makes a route congested."""
COMMON_KEPT = 2
"""Of the findings that all venues show, so many are given as reasons."""
PEERS_AFTER_S = 6.0
"""A strong finding of one class alone, with unmoved peers, makes a route congested after this."""
API_DEAD_S = 20.0
"""An API that fails every call for this long is down, even while its feed flows."""
ENGINE_EXPLAINS = 0.5
"""Lag inside the venue that makes this share of the added age explains it."""
REST_KEYS = frozenset({"rest", "lost", "errors", "failing"})
LEADING = (
    Cause.GATEWAY,
    Cause.PATH,
    Cause.ENGINE,
    Cause.BOOK,
    Cause.PRICE,
    Cause.FEED,
    Cause.LIQUIDITY,
    Cause.SELF,
    Cause.PLANNED,
)
"""Which cause leads when two have equal points."""
SHAREABLE = frozenset({Cause.GATEWAY, Cause.PATH, Cause.ENGINE, Cause.FEED})


class PeerContext(Struct, frozen=True, kw_only=True):
    """What the other routes show about the findings of this one."""

    common: frozenset[str] = frozenset()
    """Keys of findings that the other venues show too."""
    steady: dict[str, int] = {}
    """By key: how many other venues are measured and near their baseline in this."""
    shared: tuple[str, int] | None = None
    """(domain, venues failing together)."""
    storm_since_ns: int | None = None


class Assessment(Struct, frozen=True, kw_only=True):
    """State, cause and reasons as the findings give them, before hysteresis."""

    candidate: Candidate
    reasons: tuple[Reason, ...]


def assess(
    limits: Thresholds,
    standing: Sequence[StandingFinding],
    findings: Mapping[str, Finding],
    peers_say: PeerContext,
    now_ns: int,
) -> Assessment:
    """``findings``: those of this moment, by key, lasting or not. They accuse nobody, but help to tell whose fault the
    standing ones are."""
    blame = [s for s in standing if s.finding.key not in peers_say.common and s.finding.weight > 0]
    if all(s.finding.key == "status" for s in blame):
        blame = []  # an official incident counts beside what is measured; alone it accuses nobody
    common = [s for s in standing if s.finding.key in peers_say.common]
    if not blame:
        if not common:
            words = tuple(_reason(s, 0) for s in standing if s.finding.evidence is Evidence.STATUS)
            return Assessment(candidate=Candidate(state=State.OK, cause=None, since_ns=now_ns), reasons=words)
        return _market(common, peers_say)
    reasons = [_reason(s) for s in blame]
    if common:
        reasons.append(_everywhere(common, peers_say, 0))
    strongest = max(blame, key=lambda s: (s.finding.weight, -s.since_ns))
    peers = _peers_reason(blame, peers_say)
    state, cause, since_ns = _severe(limits, standing, now_ns) or _graded(
        limits, blame, findings, peers, peers_say, now_ns
    )
    if state is not State.BLOCKED and state is not State.HALTED:
        reasons += [peers] if peers is not None else []
        if peers_say.shared is not None and cause in SHAREABLE:
            cause = Cause.SHARED
            domain, venues = peers_say.shared
            reasons.append(
                Reason(
                    signal="venues_together",
                    evidence=Evidence.PEERS,
                    value=float(venues),
                    since_ns=strongest.since_ns,
                    points=PEER_POINTS,
                    text=f"{venues} venues of {domain} fail together, venues elsewhere do not",
                )
            )
    return Assessment(
        candidate=Candidate(
            state=state, cause=cause, since_ns=since_ns, points=sum(POINTS[s.finding.weight] for s in blame)
        ),
        reasons=tuple(sorted(reasons, key=lambda r: (-r.points, r.since_ns, r.signal))[:REASONS_KEPT]),
    )


def _market(common: Sequence[StandingFinding], peers_say: PeerContext) -> Assessment:
    everywhere = _everywhere(common, peers_say, PEER_POINTS)
    reasons = [_reason(s, min(COMMON_POINTS, POINTS[s.finding.weight])) for s in common]
    reasons.sort(key=lambda r: (-r.points, r.since_ns, r.signal))
    candidate = Candidate(state=State.SUSPECT, cause=Cause.MARKET, since_ns=everywhere.since_ns)
    return Assessment(candidate=candidate, reasons=(*reasons[:COMMON_KEPT], everywhere))


def _everywhere(common: Sequence[StandingFinding], peers_say: PeerContext, points: int) -> Reason:
    since_ns = min(s.since_ns for s in common)
    if peers_say.storm_since_ns is not None:
        since_ns = min(since_ns, peers_say.storm_since_ns)
    words = {"depth": "thin books", "spread": "wide spreads", "rest": "slow REST", "age": "late feeds"}
    kinds = dict.fromkeys(words.get(s.finding.key.partition(".")[0], "trouble") for s in common)
    return Reason(
        signal="venues_together",
        evidence=Evidence.PEERS,
        value=None,
        since_ns=since_ns,
        points=points,
        text=f"{' and '.join(kinds)} at the other venues too: nobody to blame for that",
    )


def _severe(
    limits: Thresholds, standing: Sequence[StandingFinding], now_ns: int
) -> tuple[State, Cause | None, int] | None:
    """States that need no second class of evidence: blocked, halted, down, stalled."""
    by_key = {s.finding.key: s for s in standing}
    for key, state in (("refused", State.BLOCKED), ("maintenance", State.HALTED)):
        if key in by_key:
            return state, by_key[key].finding.cause, by_key[key].since_ns
    failing, silence, links = by_key.get("failing"), by_key.get("silence"), by_key.get("links")
    state, cause, grounds = State.STALLED, Cause.FEED, [s for s in (silence, links) if s is not None]
    if failing is not None and (grounds or now_ns - failing.since_ns >= ns(API_DEAD_S)):
        state = State.DOWN
        answered = failing.finding.cause is Cause.GATEWAY
        cause = Cause.ENGINE if answered and silence is not None else failing.finding.cause or Cause.GATEWAY
        grounds.append(failing)
    elif silence is not None:
        cause = silence.finding.cause or Cause.FEED
    elif links is None:
        return None
    elif REST_KEYS & by_key.keys():  # not the feed alone
        cause = _gateway_or_path(limits, {key: s.finding for key, s in by_key.items()})
    since_ns = min(s.since_ns for s in grounds)
    if "scheduled" in by_key:
        return State.HALTED, Cause.PLANNED, since_ns
    return state, cause, since_ns


def _graded(
    limits: Thresholds,
    blame: Sequence[StandingFinding],
    findings: Mapping[str, Finding],
    peers: Reason | None,
    peers_say: PeerContext,
    now_ns: int,
) -> tuple[State, Cause | None, int]:
    strength: dict[Evidence, int] = {}
    for s in blame:
        if s.finding.cause is not Cause.SELF:
            strength[s.finding.evidence] = strength.get(s.finding.evidence, 0) + s.finding.weight
    lone = max((s for s in blame if s.finding.weight >= 2), key=lambda s: -s.since_ns, default=None)
    corroborated = peers is not None and lone is not None and now_ns - lone.since_ns >= ns(PEERS_AFTER_S)
    # that other venues fail too confirms only trouble of the network that still goes on
    shared = peers_say.shared is not None and any(s.finding.key in NETWORK_KEYS for s in blame)
    classes = len(strength) + (corroborated or shared)
    congested = classes >= 2 or max(strength.values(), default=0) >= OVERWHELMING
    groups: dict[Cause, list[StandingFinding]] = {}
    by_key = {**findings, **{s.finding.key: s.finding for s in blame}}
    for s in blame:
        groups.setdefault(_attributed(s.finding, limits, by_key), []).append(s)
    status = groups.pop(Cause.PLANNED, [])
    order = {c: n for n, c in enumerate(LEADING)}
    if not groups:
        return State.SUSPECT, Cause.PLANNED, min(s.since_ns for s in status)
    cause = min(groups, key=lambda c: (-sum(POINTS[s.finding.weight] for s in groups[c]), order.get(c, len(order))))
    since_ns = min(s.since_ns for s in groups[cause])
    return State.CONGESTED if congested else State.SUSPECT, cause, since_ns


def _attributed(finding: Finding, limits: Thresholds, by_key: Mapping[str, Finding]) -> Cause:
    """Whose fault one finding is in the light of the others."""
    rest = REST_KEYS & by_key.keys()
    if finding.key in REST_KEYS or finding.key == "status":
        return _gateway_or_path(limits, by_key) if rest else Cause.GATEWAY
    match finding.key.partition(".")[0]:
        case "kernel" | "connect" | "link_kernel":
            return _gateway_or_path(limits, by_key) if rest else Cause.PATH
        case "age":
            if rest:
                return _gateway_or_path(limits, by_key)
            lag = by_key.get("engine_lag")
            if lag is not None and _above(lag) >= ENGINE_EXPLAINS * _above(finding):
                return Cause.ENGINE
            return Cause.PATH if "link_kernel" in by_key else Cause.FEED
        case "engine_lag":
            return Cause.GATEWAY if rest else Cause.ENGINE
        case "reconnects" | "link" | "unsynced" if rest:  # its gateway fails, not its feed
            return _gateway_or_path(limits, by_key)
        case "depth" | "spread":
            return Cause.PRICE if any(k.startswith("price.") for k in by_key) else Cause.LIQUIDITY
    return finding.cause or Cause.GATEWAY


def _gateway_or_path(limits: Thresholds, by_key: Mapping[str, Finding]) -> Cause:
    """Where REST is in trouble: the path when the network accounts for it, else the venue's gateway."""
    return Cause.PATH if _network_explains(limits, by_key) else Cause.GATEWAY


def _above(finding: Finding) -> float:
    return (finding.value or 0.0) - (finding.baseline or 0.0)


def _network_explains(limits: Thresholds, by_key: Mapping[str, Finding]) -> bool:
    """Does the kernel's round trip, or the connect, account for the slower REST?"""
    if "errors" in by_key:
        return False
    network_ms = max((_above(by_key[k]) for k in ("kernel", "connect") if k in by_key), default=0.0)
    rest = by_key.get("rest")
    if rest is not None:
        return network_ms >= limits.kernel_explains * _above(rest)
    if network_ms > 0:
        return True
    lost = [by_key[k] for k in ("lost", "failing") if k in by_key]
    return bool(lost) and all(f.cause is Cause.PATH for f in lost)


def _peers_reason(blame: Sequence[StandingFinding], peers_say: PeerContext) -> Reason | None:
    best = max(
        (s for s in blame if s.finding.key in peers_say.steady),
        key=lambda s: (s.finding.weight, -s.since_ns, s.finding.key),
        default=None,
    )
    if best is None:
        return None
    count = peers_say.steady[best.finding.key]
    what = {"rest": "REST", "lost": "probes", "errors": "answers", "age": "feeds", "kernel": "round trips"}
    name = what.get(best.finding.key.partition(".")[0], "prices")
    return Reason(
        signal="peers_unmoved",
        evidence=Evidence.PEERS,
        value=float(count),
        since_ns=best.since_ns,
        points=PEER_POINTS,
        text=f"{name} of {count} other venue{'s' if count > 1 else ''} unchanged",
    )


def _reason(standing: StandingFinding, points: int | None = None) -> Reason:
    finding = standing.finding
    if points is None:
        points = POINTS[finding.weight]
        if finding.key in {"refused", "maintenance"}:
            points = CLOSED_POINTS
        elif finding.key == "failing":
            points = FAILING_POINTS
    return Reason(
        signal=finding.signal,
        evidence=finding.evidence,
        value=finding.value,
        baseline=finding.baseline,
        ratio=finding.ratio,
        since_ns=standing.since_ns,
        points=points,
        text=finding.text,
    )
