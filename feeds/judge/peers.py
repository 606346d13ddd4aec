"""Routes seen together: what all venues show at once blames nobody, what one failure domain shows blames that.

A venue is compared with the others by how far each has moved from its own baseline, never by its absolute figures: a
far venue is not a slow one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from feeds.judge.evidence_books import depth_ratio, spread_ratio
from feeds.judge.finding import Finding, ratio_of
from feeds.judge.recent import Recent
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.judge.thresholds import Thresholds
from feeds.model import venue_of
from feeds.quantiles import median, percentile

MOVED_RATIO = 1.8
MOVED_AGE_MS = 75.0
MOVED_SHARE = 0.04
MOVED_SPREAD = 2.5
NETWORK_KEYS = frozenset({"rest", "lost", "errors", "failing", "kernel", "link_kernel", "connect", "silence", "links"})
"""Findings that a shared cloud or edge network can make at several venues at once."""
FEW = 4
CLEAN_SHARE = 1 / 3
SHIFT_AGREE = 0.25
SHIFT_AGREE_MS = 15.0
REST_STEADY = 2.0
MOST = 0.6


class Moves(Struct, frozen=True, kw_only=True):
    """How far one route is from its own normal; None where unknown."""

    rest: float | None = None
    rest_ms: float | None = None
    """Milliseconds above the baseline; so the next."""
    kernel: float | None = None
    kernel_ms: float | None = None
    lost: float | None = None
    errors: float | None = None
    age: float | None = None
    """Milliseconds above the baseline."""
    offset: float | None = None
    depth: float | None = None
    spread: float | None = None


def moves(track: RouteHistory, now: Recent, now_ns: int) -> Moves:
    symbols = track.symbols.values()
    depths = [d[0] for d in (depth_ratio(s, now_ns) for s in symbols) if d is not None]
    floor_bps = track.limits.spread_floor_bps / 2
    spreads = [w for w in (spread_ratio(s, now_ns, floor_bps) for s in symbols) if w is not None]
    limits = track.limits
    kernel_now, kernel_base = now.kernel_ms, track.base_kernel.value
    if kernel_now is None or kernel_base is None:
        kernel_now, kernel_base = now.link_kernel_ms, track.base_link_kernel.value
    return Moves(
        rest=_moved(now.rest_ms, track.base_rest.value, limits.rest_floor_ms),
        rest_ms=_above(now.rest_ms, track.base_rest.value),
        kernel=_moved(kernel_now, kernel_base, limits.kernel_floor_ms),
        kernel_ms=_above(kernel_now, kernel_base),
        lost=now.lost / now.probes if now.probes else None,
        errors=now.errors / now.answers if now.answers else None,
        age=_above(now.age_ms, track.base_age.value),
        offset=_clock_moved(now, track.base_offset.value),
        depth=median(depths),
        spread=median(spreads),
    )


def _moved(value_ms: float | None, usual_ms: float | None, floor_ms: float) -> float | None:
    """Ratio to the baseline; what lies less than half the floor above it counts as unmoved."""
    ratio = ratio_of(value_ms, usual_ms)
    if ratio is None or value_ms is None or usual_ms is None:
        return None
    return ratio if value_ms - usual_ms >= floor_ms / 2 else min(ratio, 1.0)


def _clock_moved(now: Recent, usual_ms: float | None) -> float | None:
    """What lies within the error of a slow exchange is no movement: it was the exchange that was lopsided."""
    moved_ms = _above(now.offset_ms, usual_ms)
    return 0.0 if moved_ms is not None and abs(moved_ms) <= (now.offset_error_ms or 0.0) else moved_ms


def _above(value: float | None, usual: float | None) -> float | None:
    return value - usual if value is not None and usual is not None else None


class Together:
    """What the routes show as a group, step by step."""

    def __init__(self, routes: Sequence[str], limits: Thresholds, domains: Mapping[str, str] | None) -> None:
        self._limits = limits
        self._domains = dict(domains or {})
        self._routes = tuple(sorted(routes))
        self._venues = {venue_of(r) for r in routes}
        self._by_venue: dict[str, dict[str, float]] = {}
        self._moves: dict[str, Moves] = {}
        self.storm_since_ns: int | None = None
        self._storm_onset_ns: int | None = None
        self._storm_seen_ns = 0

    def step(self, now_ns: int, by_route: Mapping[str, Moves]) -> None:
        self._moves = dict(by_route)
        self._by_venue = {kind: self._venue_levels(kind) for kind in Moves.__struct_fields__}
        self._judge_storm(now_ns)

    def _venue_levels(self, kind: str) -> dict[str, float]:
        values: dict[str, list[float]] = {}
        for route, moved in self._moves.items():
            value = getattr(moved, kind)
            if value is not None:
                values.setdefault(venue_of(route), []).append(value)
        return {venue: level for venue, level in ((v, median(x)) for v, x in values.items()) if level is not None}

    def _judge_storm(self, now_ns: int) -> None:
        limits, depths, spreads = self._limits, self._by_venue["depth"], self._by_venue["spread"]
        measured = depths.keys() | spreads.keys()
        stressed = [
            v
            for v in measured
            if depths.get(v, 1.0) <= limits.storm_depth_ratio or spreads.get(v, 1.0) >= limits.storm_spread_ratio
        ]
        needed = len(measured) if len(measured) < FEW else limits.storm_share * len(measured)
        if len(measured) >= 2 and len(stressed) >= needed:
            self._storm_onset_ns = now_ns if self._storm_onset_ns is None else self._storm_onset_ns
            self._storm_seen_ns = now_ns
            if now_ns - self._storm_onset_ns >= ns(limits.storm_raise_s):
                self.storm_since_ns = self._storm_onset_ns
        elif self._storm_onset_ns is not None:
            patience_s = limits.storm_clear_s if self.storm_since_ns is not None else 1.0
            if now_ns - self._storm_seen_ns > ns(patience_s):
                self.storm_since_ns = self._storm_onset_ns = None

    def _others(self, kind: str, route: str) -> list[float]:
        venue = venue_of(route)
        return sorted(level for v, level in self._by_venue.get(kind, {}).items() if v != venue)

    def _peer_level(self, kind: str, route: str) -> float | None:
        """How far the others moved: in a storm nearly the worst of them, since not all give way at once; else nearly
        the calmest."""
        others = self._others(kind, route)
        if kind == "depth":
            others = sorted(others, reverse=True)
        return percentile(others, 0.75 if self.storm_since_ns is not None else 0.25)

    def common(self, route: str, finding: Finding) -> bool:
        """Do the other venues show this as well, about as badly? Then no venue is to blame for it."""
        kind, _, _ = finding.key.partition(".")
        moved, limits = self._moves.get(route, Moves()), self._limits
        match kind:
            case "rest" | "kernel" | "link_kernel":
                kind = "kernel" if kind == "link_kernel" else kind
                # a longer line of ours adds the same to everybody, whatever that is in ratios
                added_ms, peer_ms = getattr(moved, f"{kind}_ms"), self._peer_level(f"{kind}_ms", route)
                if self._alike(added_ms, peer_ms, limits.rest_floor_ms):
                    return True
                own, peer, floor = getattr(moved, kind), self._peer_level(kind, route), MOVED_RATIO
            case "age":
                own, peer, floor = moved.age, self._peer_level(kind, route), MOVED_AGE_MS
            case "lost" | "errors":
                own, peer, floor = getattr(moved, kind), self._peer_level(kind, route), MOVED_SHARE
            case "depth" | "spread":
                return self._thin_everywhere(route)
            case _:
                return False
        return self._alike(own, peer, floor)

    def _alike(self, own: float | None, peer: float | None, floor: float) -> bool:
        """Have the peers moved at all, and this one not much further?"""
        return own is not None and peer is not None and floor <= peer and own < self._limits.excess_over_peers * peer

    def _thin_everywhere(self, route: str) -> bool:
        if self.storm_since_ns is not None or self._storm_onset_ns is not None:
            return True
        depth, spread = self._peer_level("depth", route), self._peer_level("spread", route)
        return (depth is not None and depth <= self._limits.liquidity_peer_ratio) or (
            spread is not None and spread >= MOVED_SPREAD
        )

    def steady_peers(self, route: str, finding: Finding) -> int | None:
        """How many other venues are measurably near their normal in this; None: it cannot be said."""
        kind = finding.key.partition(".")[0]
        match kind:
            case "rest" | "kernel":
                steady = [v for v in self._others(kind, route) if v < MOVED_RATIO]
            case "lost" | "errors":
                steady = [v for v in self._others(kind, route) if v < MOVED_SHARE]
            case "age":
                steady = [v for v in self._others(kind, route) if v < MOVED_AGE_MS]
            case "price":
                steady = self._others("rest", route)
                return len(steady) or None
            case _:
                return None
        others = len(self._others(kind, route))
        return len(steady) if others and 2 * len(steady) > others else None

    def common_shift_ms(self) -> float | None:
        """All venues' ages moved by one constant while round trips did not: by how much; None: they did not."""
        ages = self._by_venue.get("age", {})
        if len(ages) < 2:
            return None
        shift = median(list(ages.values())) or 0.0
        agree_ms = max(SHIFT_AGREE_MS, SHIFT_AGREE * abs(shift))
        if abs(shift) < self._limits.clock_shift_ms or any(abs(v - shift) > agree_ms for v in ages.values()):
            return None
        return shift if all(v < REST_STEADY for v in self._by_venue["rest"].values()) else None

    def clock_step_ms(self) -> float | None:
        """Most venues' clocks moved against ours by one constant: our clock stepped, by this much; None: it did not."""
        offsets = self._by_venue["offset"]
        if len(offsets) < 2:
            return None
        shift = median(list(offsets.values())) or 0.0
        agree_ms = max(SHIFT_AGREE_MS, SHIFT_AGREE * abs(shift))
        agreeing = sum(abs(v - shift) <= agree_ms for v in offsets.values())
        enough = agreeing >= max(2, MOST * len(offsets))
        return -shift if enough and abs(shift) >= self._limits.clock_shift_ms else None

    def clock_confirmed(self, shift_ms: float) -> bool:
        """Have the venues' clocks, asked over REST, moved against ours by as much the other way?"""
        offsets = self._by_venue["offset"]
        if not offsets:
            return abs(shift_ms) >= self._limits.clock_blind_shift_ms
        agree_ms = max(2 * SHIFT_AGREE_MS, 2 * SHIFT_AGREE * abs(shift_ms))
        return all(abs(v + shift_ms) <= agree_ms for v in offsets.values())

    def line_slow(self) -> bool:
        """Kernel round trips are up at every venue at once: that is our road, not theirs."""
        kernels = self._by_venue.get("kernel", {})
        return len(kernels) >= 2 and len(kernels) == len(self._venues) and min(kernels.values()) >= MOVED_RATIO

    def usual_gaps_s(self, route: str, tracks: Mapping[str, RouteHistory]) -> dict[str, float]:
        """By channel: the median over other venues' routes of their longest usual silence."""
        peaks: dict[str, list[float]] = {}
        for other, track in tracks.items():
            if venue_of(other) == venue_of(route):
                continue
            for channel, gaps in track.channel_gaps.items():
                if gaps >= self._limits.channel_gaps_known:
                    peaks.setdefault(channel, []).append(track.channel_peak_s.get(channel, 0.0))
        return {channel: level for channel, level in ((c, median(v)) for c, v in peaks.items()) if level is not None}

    def domain_of(self, route: str) -> str | None:
        return self._domains.get(route) or self._domains.get(venue_of(route))

    def shared(self, onsets: Mapping[str, int], measured: Sequence[str]) -> dict[str, tuple[str, int]]:
        """Routes that fail together with others of their failure domain: route -> (domain, venues failing).

        ``onsets``: since when each failing route has shown network findings of its own; ``measured``: routes that are
        judged at all.
        """
        failing_by: dict[str, dict[str, int]] = {}
        members: dict[str, set[str]] = {}
        for route in measured:
            domain = self.domain_of(route)
            if domain is None:
                continue
            members.setdefault(domain, set()).add(venue_of(route))
            if route in onsets:
                venues = failing_by.setdefault(domain, {})
                venues[venue_of(route)] = min(onsets[route], venues.get(venue_of(route), onsets[route]))
        result: dict[str, tuple[str, int]] = {}
        for domain, venues in failing_by.items():
            outside = {venue_of(r) for r in measured} - members[domain]
            bad = {venue_of(r) for r in onsets} & outside
            together = max(venues.values()) - min(venues.values()) <= ns(self._limits.shared_onset_s)
            enough = len(venues) >= 2 and len(venues) >= self._limits.shared_share * len(members[domain])
            if enough and together and outside and len(bad) <= CLEAN_SHARE * len(outside):
                for route in onsets:
                    if self.domain_of(route) == domain:
                        result[route] = (domain, len(venues))
        return result
