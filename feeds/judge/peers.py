"""The price of a coin across routes, and the routes whose price is odd."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.judge.evidence_books import price_finding
from feeds.judge.finding import Finding
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.quantiles import median

MID_FRESH_S = 5.0
ODD_SHARE = 0.4
"""Of several odd routes, one is reported only when it is off by this share of the worst one."""


def base_of(symbol: str) -> str:
    return symbol.partition("/")[0]


class Consensus:
    """Mids of one base across routes, leave-one-out."""

    def __init__(self, tracks: Mapping[str, RouteHistory]) -> None:
        self._tracks = tracks
        self.disturbed: frozenset[str] = frozenset()
        """Bases with an odd one out: nobody's usual gap can be learnt meanwhile."""

    def step(
        self, now_ns: int, storm: bool, late: frozenset[str], held: Mapping[str, frozenset[str]]
    ) -> list[tuple[str, Finding]]:
        """Sets every pair's ``gap_bps`` and returns the odd ones out. ``late``: routes whose feed lags anyway."""
        by_base: dict[str, list[tuple[str, str, float]]] = {}
        for route, track in self._tracks.items():
            for name, symbol in track.symbols.items():
                symbol.gap_bps = None
                if symbol.mid is not None and now_ns - symbol.mid_ns <= ns(MID_FRESH_S) and route not in late:
                    by_base.setdefault(base_of(name), []).append((route, name, symbol.mid))
        found: list[tuple[str, Finding]] = []
        disturbed = set()
        for base, mids in by_base.items():
            odd: list[tuple[float, str, Finding]] = []
            for route, name, mid in mids:
                others = sorted(m for r, _, m in mids if r != route)
                middle = median(others)
                if len(others) < 2 or middle is None or middle <= 0:
                    continue
                gap_bps = (mid / middle - 1) * 1e4
                apart_bps = (median([abs(m / middle - 1) for m in others]) or 0.0) * 1e4
                self._tracks[route].symbols[name].gap_bps = gap_bps
                finding = price_finding(
                    self._tracks[route], name, gap_bps, apart_bps, len(others), storm, f"price.{name}" in held[route]
                )
                if finding is not None:
                    odd.append((abs(gap_bps - (finding.baseline or 0.0)), route, finding))
            # the odd one is the furthest: what it drags along is not odd by itself
            if odd:
                disturbed.add(base)
            worst_bps = max((off_bps for off_bps, _, _ in odd), default=0.0)
            found += [(route, finding) for off_bps, route, finding in odd if off_bps >= ODD_SHARE * worst_bps]
        self.disturbed = frozenset(disturbed)
        return found
