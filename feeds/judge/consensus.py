"""Odd prices: which routes' mids lie apart from the consensus price (``feeds.consensus``) without being usual there."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from feeds.consensus import FRESH_S, Gap, Market, RateTable, RouteMid, gaps, market_of
from feeds.judge.evidence_books import price_finding
from feeds.judge.finding import Finding
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.samples import RatesSample

ODD_SHARE = 0.4
"""Of several odd prices of a market those count that are odd by at least this share of the worst one's distance."""


class Consensus:
    """Compares the mids of each market across routes, step by step."""

    def __init__(self, histories: Mapping[str, RouteHistory]) -> None:
        self._histories = histories
        self._rates: RateTable = {}
        self._rates_ns = 0
        self.disturbed: frozenset[Market] = frozenset()
        """Markets with an odd price: no route's usual gap may be learnt there meanwhile."""

    def observe_rates(self, sample: RatesSample, t_ns: int) -> None:
        self._rates, self._rates_ns = sample.rates, t_ns

    def step(
        self, now_ns: int, storm: bool, late: frozenset[str], active: Mapping[str, Collection[str]]
    ) -> list[tuple[str, Finding]]:
        """Sets every book's ``gap`` and returns the odd ones. ``late``: routes whose feed lags anyway."""
        found_by_market: dict[Market, list[tuple[float, str, Finding]]] = {}
        for (route, name), gap in self._gaps(now_ns, late).items():
            self._histories[route].symbols[name].gap = gap
            if gap.gap_bps is None or not gap.judgeable:
                continue
            finding = price_finding(self._histories[route], name, gap, storm, f"price.{name}" in active[route])
            if finding is not None:
                off_bps = abs(gap.gap_bps - (finding.baseline or 0.0))
                found_by_market.setdefault(market_of(name), []).append((off_bps, route, finding))
        self.disturbed = frozenset(found_by_market)
        findings: list[tuple[str, Finding]] = []
        for odd in found_by_market.values():
            # the odd one is the furthest: what it drags along is not odd by itself
            worst_bps = max(off_bps for off_bps, _, _ in odd)
            findings += [(route, finding) for off_bps, route, finding in odd if off_bps >= ODD_SHARE * worst_bps]
        return findings

    def _gaps(self, now_ns: int, late: frozenset[str]) -> dict[tuple[str, str], Gap]:
        mids: list[RouteMid] = []
        for route, history in self._histories.items():
            for name, symbol in history.symbols.items():
                symbol.gap = None
                if symbol.mid is not None and now_ns - symbol.mid_ns <= ns(FRESH_S):
                    mids.append(RouteMid(route=route, symbol=name, mid=symbol.mid, on_time=route not in late))
        return gaps(mids, self._rates if now_ns - self._rates_ns <= ns(FRESH_S) else {})
