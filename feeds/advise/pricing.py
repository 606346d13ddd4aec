"""Prices one route's side of the book, all in, in basis points of notional. Pure; times and judgements come in.

**One reference.** Every price is measured against a reference mid that all routes of the symbol share: the median of
the mids of the routes that may be used (``feeds.consensus.reference_mid``). Measured against its own mid, a route
whose price is 20 bp off would look as cheap as the others. A price that is worse for the user is charged in full. A
price that is better is believed only up to ``favour_bps``, because a price much better than everybody else's is mostly
one that is gone, or was never there.

A level at price p costs ``s x (1 - reference / p)`` of the quote currency spent on it (s = 1 for a buy, -1 for a
sell): for a buy that is the part of the money that buys nothing at the reference price. It is linear in the amount, so
costs of parts add up exactly, whatever the prices. To that come, per route:

- the taker fee, the user's own before the venue's default tier;
- latency: volatility x sqrt(feed age + round trip), one standard deviation of the price between what we see and what
  the order meets. Volatility is the market's, not the route's (the median over routes): a frozen book would otherwise
  look calm. A route without a measured age or round trip gets the worst one measured elsewhere, never zero;
- risk: ``reject_bps x e / (1 - e)`` for a share e of refused or lost requests (e / (1 - e) more attempts are expected),
  a charge for data older than a grace, and one for a congested route, whose delays vary more than their median shows;
- the stablecoin basis, where the route is quoted in another currency than the order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from feeds.advise.route_cost import RouteCost
from feeds.advise.route_view import RouteView, usable_figure
from feeds.advise.settings import AdviceSettings
from feeds.books.ladder import BPS, Floats, Ladder
from feeds.model import Side, State

FAR = 2.0
"""Levels beyond this multiple of mid, or below its inverse, are no liquidity for anybody."""


class MarketConditions(Struct, frozen=True):
    """What is common to the routes that are compared, for those that lack a measurement of their own."""

    volatility_bps: float
    """Per square root of a second."""
    worst_age_ms: float
    worst_rtt_ms: float


def market_conditions(views: Iterable[RouteView], settings: AdviceSettings) -> MarketConditions:
    """Median volatility, worst age and worst round trip of the routes given."""
    found = list(views)
    volatilities = [v for view in found if (v := usable_figure(view.volatility_bps)) is not None]
    ages = [a for view in found if (a := usable_figure(view.feed_age_ms)) is not None]
    rtts = [r for view in found if (r := usable_figure(view.rtt_ms)) is not None]
    return MarketConditions(
        statistics.median(volatilities) if volatilities else settings.usual_volatility_bps,
        max(ages, default=settings.unknown_ms),
        max(rtts, default=settings.unknown_ms),
    )


class PricedOrder(Struct, frozen=True, kw_only=True):
    """The order that routes are priced for, and what they are measured against."""

    side: Side
    notional: float
    """In ``currency``."""
    currency: str
    reference: float | None
    """The reference mid; None: no route has a mid in the order's currency, so each is measured against its own."""
    conditions: MarketConditions


def price_route(route: str, view: RouteView, order: PricedOrder, settings: AdviceSettings) -> RouteCost | None:
    """None when nothing on that side of its book can be priced."""
    instrument, ladder = view.instrument, view.ladder
    mid = None if ladder is None else ladder.mid
    if instrument is None or ladder is None or mid is None:
        return None
    px, base = _known(ladder, order.side, mid)
    if not len(px):
        return None
    amounts = px * base
    reach = int(np.searchsorted(np.cumsum(amounts), order.notional, side="left")) + 1
    px, base, amounts = px[:reach], base[:reach], amounts[:reach]
    reference = order.reference if instrument.quote == order.currency else None
    charged = mid if reference is None else _believed(reference, mid, order.side, settings.favour_bps)
    sign = 1.0 if order.side == "buy" else -1.0
    fee_bps = settings.fees.get(route, instrument.taker_fee) * BPS
    latency_bps, risk_bps = _delay_and_risk_bps(view, order.conditions, settings)
    basis_bps = view.basis_bps or 0.0
    with np.errstate(over="ignore"):
        bps = sign * (1 - charged / px) * BPS + (fee_bps + latency_bps + risk_bps + basis_bps)
    if not (np.isfinite(bps).all() and np.isfinite(amounts).all()):
        return None
    return RouteCost(
        route=route,
        quote=amounts,
        base=base,
        bps=bps,
        sum_quote=np.cumsum(amounts),
        sum_base=np.cumsum(base),
        sum_cost=np.cumsum(amounts * bps),
        lot=instrument.lot * instrument.contract_size,
        inverse=instrument.inverse,
        min_lots=max(1, math.ceil((instrument.min_size or 0.0) / instrument.lot * (1 - 1e-12))),
        min_quote=instrument.min_notional or 0.0,
        fee_bps=fee_bps,
        spread_bps=float(sign * (1 - mid / px[0]) * BPS),
        price_bps=float(sign * (mid - charged) / px[0] * BPS),
        latency_bps=latency_bps,
        risk_bps=risk_bps,
        basis_bps=basis_bps,
    )


def _believed(reference: float, mid: float, side: Side, favour_bps: float) -> float:
    """The reference that this route is measured against: no further from its mid than a better price is believed."""
    if side == "buy":
        return min(reference, mid * (1 + favour_bps / BPS))
    return max(reference, mid * (1 - favour_bps / BPS))


def _delay_and_risk_bps(view: RouteView, conditions: MarketConditions, settings: AdviceSettings) -> tuple[float, float]:
    """(latency, risk)."""
    age_ms, rtt_ms = usable_figure(view.feed_age_ms), usable_figure(view.rtt_ms)
    age_ms = conditions.worst_age_ms if age_ms is None else age_ms
    rtt_ms = conditions.worst_rtt_ms if rtt_ms is None else rtt_ms
    share = min(usable_figure(view.error_share) or 0.0, 0.95)
    rejects_bps = settings.reject_bps * share / (1 - share)
    stale_bps = settings.stale_bps_per_s * max(0.0, age_ms - settings.grace_ms) / 1000
    congested_bps = settings.congested_bps if view.verdict.state is State.CONGESTED else 0.0
    latency_bps = conditions.volatility_bps * math.sqrt((age_ms + rtt_ms) / 1000)
    return latency_bps, rejects_bps + stale_bps + congested_bps


def _known(ladder: Ladder, side: Side, mid: float) -> tuple[Floats, Floats]:
    """Prices and sizes of the side an order takes, as far as no level can be missing and none is absurd."""
    if side == "buy":
        known = int(np.searchsorted(ladder.ask_px, min(ladder.ask_known, mid * FAR), side="right"))
        return ladder.ask_px[:known], ladder.ask_sz[:known]
    known = int(np.searchsorted(-ladder.bid_px, -max(ladder.bid_known, mid / FAR), side="right"))
    return ladder.bid_px[:known], ladder.bid_sz[:known]
