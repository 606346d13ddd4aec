"""How far each route, and each venue, is from its own baseline; and whether the others moved as far.

A venue is compared with the others by its distance from its own baseline, never by its absolute figures: a far venue is
not a slow one.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from feeds.judge.finding import Finding, ratio_of
from feeds.judge.route_history import RouteHistory
from feeds.judge.storm import Storm
from feeds.judge.thresholds import Thresholds
from feeds.model import venue_of
from feeds.quantiles import median, percentile

MOVED_RATIO = 1.8
MOVED_AGE_MS = 75.0
MOVED_SHARE = 0.04
MOVED_SPREAD = 2.5


class Departure(Struct, frozen=True, kw_only=True):
    """How far one route is from its own baseline. None: unknown."""

    rest: float | None = None
    """REST round trip over its baseline, a ratio."""
    rest_ms: float | None = None
    """REST round trip minus its baseline."""
    kernel: float | None = None
    """Kernel round trip over its baseline, a ratio."""
    kernel_ms: float | None = None
    """Kernel round trip minus its baseline."""
    lost: float | None = None
    """Share of REST probes lost, 0 to 1; its baseline is 0."""
    errors: float | None = None
    """Share of REST answers that are errors, 0 to 1; its baseline is 0."""
    age: float | None = None
    """Feed age minus its baseline, ms."""
    offset: float | None = None
    """Venue's clock minus ours, minus its baseline, ms; 0 within the error of the measurement."""
    depth: float | None = None
    """Depth over its baseline, a ratio, median of the route's pairs."""
    spread: float | None = None
    """Spread over its baseline, a ratio, median of the route's pairs."""


def departure(history: RouteHistory) -> Departure:
    """As of the history's last ``update``."""
    limits, rest, feed, links = history.limits, history.rest, history.feed, history.links
    symbols = history.symbols.values()
    depths = [d[0] for d in (s.depth_ratio() for s in symbols) if d is not None]
    spreads = [w for w in (s.spread_ratio(limits.spread_floor_bps / 2) for s in symbols) if w is not None]
    kernel_ms, usual_kernel_ms = rest.recent.kernel_ms, rest.base_kernel.value
    if kernel_ms is None or usual_kernel_ms is None:
        kernel_ms, usual_kernel_ms = links.kernel_ms, links.base_kernel.value
    rest_ms, usual_rest_ms = rest.recent.round_trip_ms, rest.base_round_trip.value
    return Departure(
        rest=_moved(rest_ms, usual_rest_ms, limits.rest_floor_ms),
        rest_ms=_above(rest_ms, usual_rest_ms),
        kernel=_moved(kernel_ms, usual_kernel_ms, limits.kernel_floor_ms),
        kernel_ms=_above(kernel_ms, usual_kernel_ms),
        lost=rest.recent.lost / rest.recent.probes if rest.recent.probes else None,
        errors=rest.recent.errors / rest.recent.answers if rest.recent.answers else None,
        age=_above(feed.recent.age_ms, feed.base_age.value),
        offset=_offset_moved(history),
        depth=median(depths),
        spread=median(spreads),
    )


def _moved(value_ms: float | None, usual_ms: float | None, floor_ms: float) -> float | None:
    """Ratio to the baseline; less than half the floor above it counts as unmoved."""
    ratio = ratio_of(value_ms, usual_ms)
    if ratio is None or value_ms is None or usual_ms is None:
        return None
    return ratio if value_ms - usual_ms >= floor_ms / 2 else min(ratio, 1.0)


def _offset_moved(history: RouteHistory) -> float | None:
    """A move within the error of a slow exchange is none: one way of the exchange took longer than the other."""
    recent = history.offset.recent
    moved_ms = _above(recent.offset_ms, history.offset.base.value)
    return 0.0 if moved_ms is not None and abs(moved_ms) <= (recent.error_ms or 0.0) else moved_ms


def _above(value: float | None, usual: float | None) -> float | None:
    return value - usual if value is not None and usual is not None else None


class PeerLevels:
    """The departures of all routes at one step, and by venue."""

    def __init__(self, by_route: Mapping[str, Departure], limits: Thresholds) -> None:
        self._limits = limits
        self._by_route = by_route
        self._by_venue: dict[str, dict[str, float]] = {}

    def by_venue(self, kind: str) -> dict[str, float]:
        """By venue: the median of its routes, for one field of ``Departure``. Venues without a figure are left out."""
        levels = self._by_venue.get(kind)
        if levels is None:
            levels = self._by_venue[kind] = self._medians(kind)
        return levels

    def _medians(self, kind: str) -> dict[str, float]:
        values: dict[str, list[float]] = {}
        for route, moved in self._by_route.items():
            value = getattr(moved, kind)
            if value is not None:
                values.setdefault(venue_of(route), []).append(value)
        return {venue: level for venue, level in ((v, median(x)) for v, x in values.items()) if level is not None}

    def _others(self, kind: str, route: str) -> list[float]:
        venue = venue_of(route)
        return sorted(level for v, level in self.by_venue(kind).items() if v != venue)

    def _peer_level(self, kind: str, route: str, storm: Storm) -> float | None:
        """How far the others moved: nearly the calmest of them; in a storm nearly the worst, since not all give way at
        the same time."""
        others = self._others(kind, route)
        if kind == "depth":
            others.reverse()
        return percentile(others, 0.75 if storm.since_ns is not None else 0.25)

    def common(self, route: str, finding: Finding, storm: Storm) -> bool:
        """Do the other venues show this as well, about as badly? Then no venue is to blame for it."""
        kind, _, _ = finding.key.partition(".")
        moved, limits = self._by_route.get(route, Departure()), self._limits
        match kind:
            case "rest" | "kernel" | "link_kernel":
                kind = "kernel" if kind == "link_kernel" else kind
                # a slower line of ours adds the same milliseconds to all venues, whatever the ratios are
                added_ms, peer_ms = getattr(moved, f"{kind}_ms"), self._peer_level(f"{kind}_ms", route, storm)
                if self._alike(added_ms, peer_ms, limits.rest_floor_ms):
                    return True
                own, floor = getattr(moved, kind), MOVED_RATIO
            case "age":
                own, floor = moved.age, MOVED_AGE_MS
            case "lost" | "errors":
                own, floor = getattr(moved, kind), MOVED_SHARE
            case "depth" | "spread":
                return self._thin_everywhere(route, storm)
            case _:
                return False
        return self._alike(own, self._peer_level(kind, route, storm), floor)

    def _alike(self, own: float | None, peer: float | None, floor: float) -> bool:
        """Have the peers moved at all, and this route not much further?"""
        return own is not None and peer is not None and floor <= peer and own < self._limits.excess_over_peers * peer

    def _thin_everywhere(self, route: str, storm: Storm) -> bool:
        if storm.onset_ns is not None:
            return True
        depth, spread = self._peer_level("depth", route, storm), self._peer_level("spread", route, storm)
        return (depth is not None and depth <= self._limits.liquidity_peer_ratio) or (
            spread is not None and spread >= MOVED_SPREAD
        )

    def steady_peers(self, route: str, finding: Finding) -> int | None:
        """How many other venues are measured and near their baseline in this; None: it cannot be said."""
        kind = finding.key.partition(".")[0]
        match kind:
            case "rest" | "kernel":
                floor = MOVED_RATIO
            case "lost" | "errors":
                floor = MOVED_SHARE
            case "age":
                floor = MOVED_AGE_MS
            case "price":
                return len(self._others("rest", route)) or None
            case _:
                return None
        others = self._others(kind, route)
        steady = sum(level < floor for level in others)
        return steady if others and 2 * steady > len(others) else None
