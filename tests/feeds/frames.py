"""Small frames for tests of what receives frames."""

from __future__ import annotations

from feeds.frame import (
    AdviceRow,
    Depth,
    EventRow,
    Excluded,
    Frame,
    Order,
    PairRow,
    Percentiles,
    RestMs,
    RouteRow,
    SelfRow,
    Share,
)
from feeds.model import Cause, Evidence, Reason, State

T0_NS = 1_760_000_000_000_000_000
SECOND_NS = 1_000_000_000


def route_row(route: str = "binance.linear", **changed: object) -> RouteRow:
    fields: dict[str, object] = {
        "route": route,
        "venue": route.split(".")[0],
        "product": "linear",
        "state": State.CONGESTED,
        "cause": Cause.GATEWAY,
        "score": 71,
        "since_ns": T0_NS,
        "reasons": (
            Reason(
                signal="rest_rtt_last5_ms",
                evidence=Evidence.REST,
                value=842.0,
                baseline=24.0,
                ratio=35.1,
                since_ns=T0_NS,
                points=40,
                text="first byte p50 842 ms, baseline 24",
            ),
        ),
        "rest_ms": RestMs(842.0, 3200.0, 0.12),
        "ws_ms": Percentiles(31.0, 60.0),
        "msgs_s": 412.0,
    }
    return RouteRow(**(fields | changed))  # type: ignore[arg-type]  # a test's own keyword table


def pair_row(route: str = "binance.linear", **changed: object) -> PairRow:
    fields: dict[str, object] = {
        "route": route,
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
        "product": "linear",
        "state": "live",
        "bid": 100.0,
        "ask": 100.1,
        "spread_bps": 10.0,
        "depth": {"10": Depth(1e6, 2e6), "25": Depth(2e6, None), "50": Depth(None, None), "100": Depth(None, None)},
        "age_ms": 12.0,
    }
    return PairRow(**(fields | changed))  # type: ignore[arg-type]  # a test's own keyword table


def frame(number: int = 1, t_ns: int = T0_NS, **changed: object) -> Frame:
    fields: dict[str, object] = {
        "t_ns": t_ns,
        "number": number,
        "vantage": "test",
        "watchlist": "majors",
        "watchlists": ("majors",),
        "simulated": "1011",
        "started_ns": T0_NS,
        "symbols": ("BTC/USDT:USDT",),
        "home": "binance.linear",
        "order": Order(side="sell", notional=100_000.0),
        "routes": (route_row(),),
        "pairs": (pair_row(),),
        "advice": (
            AdviceRow(
                symbol="BTC/USDT:USDT",
                side="sell",
                notional=100_000.0,
                home="binance.linear",
                home_cost_bps=10.0,
                best="okx.linear",
                best_cost_bps=5.9,
                saving_bps=4.1,
                split=(Share(route="okx.linear", share=1.0, cost_bps=5.9),),
                excluded=(Excluded(route="htx.linear", why="silent 8.4 s"),),
            ),
        ),
        "own": SelfRow(loop_lag_ms=Percentiles(0.1, 0.4), witness="up", clock="within 3 ms"),
        "events": (EventRow(t_ns=t_ns, level="info", code="state", route=None, text="begun", seq=number),),
    }
    return Frame(**(fields | changed))  # type: ignore[arg-type]  # a test's own keyword table
