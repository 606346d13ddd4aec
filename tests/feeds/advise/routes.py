"""Routes as advice sees them, built from a few levels."""

from __future__ import annotations

from typing import Any

import msgspec

from feeds.advise.adviser import advise
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.books.ladder import derive
from feeds.consensus import RouteMid, gaps
from feeds.frame import AdviceRow, Order
from feeds.model import Cause, Evidence, Instrument, Reason, State, Verdict

SYMBOL = "BTC/USDT:USDT"
SECOND = 1_000_000_000
BINANCE, OKX, BYBIT = "binance.linear", "okx.linear", "bybit.linear"
BUY = Order(side="buy", notional=100_000.0)
SETTINGS = AdviceSettings()
SLOW = Reason(
    signal="rest_rtt_last5_ms",
    evidence=Evidence.REST,
    value=842.0,
    baseline=24.0,
    since_ns=0,
    points=40,
    text="first byte p50 842 ms, baseline 24",
)


def instrument(route: str, **changes: Any) -> Instrument:
    base = Instrument(
        route=route,
        symbol=SYMBOL,
        venue_id="BTCUSDT",
        base="BTC",
        quote="USDT",
        settle="USDT",
        tick=0.1,
        lot=0.001,
        min_size=0.001,
        taker_fee=0.0005,
    )
    return msgspec.structs.replace(base, **changes)


def verdict(
    route: str, state: State = State.OK, cause: Cause | None = None, reasons: tuple[Reason, ...] = ()
) -> Verdict:
    return Verdict(route=route, state=state, cause=cause, score=0, since_ns=0, reasons=reasons)


def with_gaps(views: dict[str, RouteView]) -> dict[str, RouteView]:
    """The same views, each with the gap the judge would have found between their mids."""
    mids = [
        RouteMid(route=route, symbol=SYMBOL, mid=mid)
        for route, each in views.items()
        if each.ladder is not None and not each.ladder.crossed and each.synced and (mid := each.ladder.mid) is not None
    ]
    found = gaps(mids, {})
    return {route: msgspec.structs.replace(each, gap=found.get((route, SYMBOL))) for route, each in views.items()}


def levels(best: float, step: float, size: float, count: int) -> dict[float, float]:
    return {best + step * n: size for n in range(count)}


def view(
    route: str,
    mid: float = 100_000.0,
    *,
    spread_bps: float = 0.2,
    size: float = 5.0,
    count: int = 20,
    state: State = State.OK,
    cause: Cause | None = None,
    reasons: tuple[Reason, ...] = (),
    listing: dict[str, Any] | None = None,
    **changes: Any,
) -> RouteView:
    """A route with ``size`` coins every 0.1 bp on each side; quick, quiet and faultless unless told otherwise."""
    half = mid * spread_bps / 2e4
    step = mid * 1e-5
    listed = instrument(route, **(listing or {}))
    ladder = derive(levels(mid - half, -step, size, count), levels(mid + half, step, size, count), listed)
    base = RouteView(
        instrument=listed,
        ladder=ladder,
        verdict=verdict(route, state, cause, reasons),
        feed_age_ms=20.0,
        rtt_ms=20.0,
        volatility_bps=1.0,
        error_share=0.0,
    )
    return msgspec.structs.replace(base, **changes)


def three(**changes: RouteView) -> dict[str, RouteView]:
    """Three faultless routes; binance is the home and the cheapest by a hair."""
    views = {
        BINANCE: view(BINANCE, size=50.0),
        OKX: view(OKX, size=50.0, listing={"taker_fee": 0.00052}),
        BYBIT: view(BYBIT, size=50.0, listing={"taker_fee": 0.00055}),
    }
    return views | {f"{name}.linear": changed for name, changed in changes.items()}


def ask(views: dict[str, RouteView], order: Order = BUY, home: str | None = BINANCE, symbol: str = SYMBOL) -> AdviceRow:
    return advise(order, symbol, with_gaps(views), SETTINGS, 60 * SECOND, home=home)


def excluded(row: AdviceRow) -> dict[str, str]:
    return {each.route: each.why for each in row.excluded}
