"""The advice of a scripted frame: costs from its books and round trips."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.frame import AdviceRow, Cost, Excluded, Order, PairRow, RouteRow, Share, Without
from feeds.model import USABLE

SECOND = 1_000_000_000


def advice(
    scenario: str, symbol: str, routes: Sequence[RouteRow], pairs: Sequence[PairRow], order: Order, t_ns: int
) -> AdviceRow:
    by_route = {p.route: p for p in pairs if p.symbol == symbol and p.state == "live"}
    costs = []
    for row in routes:
        if row.state in USABLE and row.route in by_route:
            latency = 0.3 + (row.rest_ms.p50 or 0) / 200
            walk = 0.2 + 2e6 / ((by_route[row.route].depth["10"].bid or 1e6) + 1e6)
            spread = (by_route[row.route].spread_bps or 0.1) / 2
            costs.append(
                Cost(
                    route=row.route,
                    total_bps=5.0 + latency + walk + spread,
                    fee_bps=5.0,
                    spread_bps=spread,
                    walk_bps=walk,
                    latency_bps=latency,
                    risk_bps=0.0,
                    basis_bps=0.0,
                    filled=order.notional,
                )
            )
    costs.sort(key=lambda c: c.total_bps)
    home = "binance.linear" if ":" in symbol else "binance.spot"
    at_home = next((c.total_bps for c in costs if c.route == home), None)
    best = costs[0] if costs else None
    return AdviceRow(
        symbol=symbol,
        side=order.side,
        notional=order.notional,
        home=home,
        home_cost_bps=at_home,
        best=best.route if best else None,
        best_cost_bps=best.total_bps if best else None,
        saving_bps=at_home - best.total_bps if best and at_home is not None else None,
        split=tuple(
            Share(route=c.route, share=s, cost_bps=c.total_bps - 0.8) for c, s in zip(costs, (0.6, 0.4), strict=False)
        ),
        split_cost_bps=best.total_bps - 0.8 if best else None,
        excluded=tuple(
            Excluded(route=r.route, why=f"{r.state.value}: silent 14 s") for r in routes if r.state not in USABLE
        ),
        n_minus_1=tuple(
            Without(
                without=c.route.partition(".")[0],
                cost_bps=(costs[1] if c is best else costs[0]).total_bps,
                unallocated=0.0,
            )
            for c in costs
            if len(costs) > 1
        ),
        hhi=0.36,
        effective_venues=1 / 0.36,
        costs=tuple(costs),
        since_ns=t_ns - 15 * SECOND,
        why="REST 35x its normal, 12 % of probes 503"
        if scenario == "1011" and at_home and best and best.route != home
        else "",
    )
