"""What an order costs on one route, all in, in basis points of its notional. Pure; times and judgements come in.

**One yardstick.** Every price is measured against a reference mid that all routes of the symbol share: the median of
the mids of the routes that may be used (the mean of two). Measured against its own mid, a route whose price is 20 bp
off would look as cheap as the others. What is off in the user's disfavour is charged in full. What is off in the
user's favour is believed only up to ``favour_bps``, because a price much better than everybody else's is mostly one
that is gone, or was never there.

A level at price p costs ``s x (1 - reference / p)`` of the quote currency spent on it (s = 1 for a buy, -1 for a
sell): for a buy that is the part of the money that buys nothing at the reference price. It is linear in the amount, so
costs of parts add up exactly, whatever the prices. To that come, per route:

- the taker fee, the user's own before the venue's default tier;
- latency: volatility x sqrt(feed age + round trip), one standard deviation of the price between what we see and what
  the order meets. Volatility is the market's, not the route's (the median over routes): a frozen book would otherwise
  look calm. A route without a measured age or round trip gets the worst one measured elsewhere, never zero;
- risk: ``reject_bps x e / (1 - e)`` for a share e of refused or lost requests (e / (1 - e) more attempts are expected),
  a charge for data older than a grace, and one for a congested route, whose tail is longer than the median we measure;
- the stablecoin basis, where the route is quoted in another currency than the order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping

import numpy as np
from msgspec import Struct

from feeds.books.ladder import BPS, Floats, Ladder
from feeds.consensus import Gap
from feeds.frame import Cost
from feeds.model import Instrument, Side, State, Verdict

GRAIN = 2.0**-20
"""Amounts of quote currency are multiples of this, so that sums and differences below 2^33 are exact floats."""
FAR = 2.0
"""Levels beyond this multiple of mid, or below its inverse, are nobody's liquidity."""
MAX_LOTS = 1e15
"""An order of more lots than this cannot be counted in floats; no venue has such lots."""


class View(Struct, frozen=True, kw_only=True, eq=False):
    """What is known of a symbol on one route at this moment. None is: not measured, not known."""

    instrument: Instrument | None
    """None: the venue does not list the symbol, or its listing is not known yet."""
    ladder: Ladder | None
    verdict: Verdict
    feed_age_ms: float | None = None
    """Receipt minus the venue's time stamp, offset corrected."""
    rtt_ms: float | None = None
    """Of a REST request, which is what an order is."""
    volatility_bps: float | None = None
    """Standard deviation of the mid over one second, in bp of it."""
    error_share: float | None = None
    """Requests refused or lost, 0 to 1."""
    fresh: bool = True
    """False: the feed says nothing any more, so the book shows the past."""
    synced: bool = True
    """False: the book is being rebuilt."""
    basis_bps: float | None = None
    """What changing the order's quote currency into this route's costs. A ladder that is already converted comes with
    an instrument in the order's currency; one that is not is comparable only in what this says."""
    gap: Gap | None = None
    """Mid against the other routes', as the judge computed it; None: with nothing to compare."""


class AdviceSettings(Struct, frozen=True, kw_only=True):
    fees: Mapping[str, float] = {}
    """The user's own taker fee by route, a fraction; replaces the instrument's."""
    odd_bps: float = 50.0
    """A route whose gap is larger than this is not used ..."""
    others_agree: float = 3.0
    """... where it is at least so many times what the other routes lie apart, as the judge asks for too."""
    favour_bps: float = 2.0
    """How much of a better price than everybody else's is believed."""
    max_age_ms: float = 5_000.0
    """Data older than this is no basis for an order."""
    reject_bps: float = 5.0
    """What one more attempt costs after a refusal."""
    grace_ms: float = 500.0
    stale_bps_per_s: float = 2.0
    """For data older than the grace, beside what volatility charges."""
    congested_bps: float = 1.0
    usual_volatility_bps: float = 1.0
    """Where no route's is known; 1 bp over a second is 56 % a year."""
    unknown_ms: float = 500.0
    """Round trip and age where no route's is known."""
    margin_bps: float = 0.3
    margin_share: float = 0.05
    """A new suggestion must be cheaper by the larger of the two margins, the second being a share of the cost ..."""
    patience_s: float = 3.0
    """... for this long."""
    domains: Mapping[str, tuple[str, ...]] = {}
    """Failure domains, name -> venues: taken away together in N-1, beside each venue alone."""


class Lane(Struct, frozen=True, kw_only=True, eq=False):
    """One route's side of the book, priced level by level, to be taken in whole lots. Arrays are best first."""

    route: str
    quote: Floats
    """Quote currency at each level."""
    base: Floats
    bps: Floats
    """Cost of each level against the reference, all in: non-decreasing."""
    sum_quote: Floats
    sum_base: Floats
    sum_cost: Floats
    """Running sum of quote x bps."""
    lot: float
    """Base coin a lot; for inverse contracts quote currency a lot."""
    inverse: bool
    min_lots: int
    min_quote: float
    fee_bps: float
    spread_bps: float
    gap_bps: float
    latency_bps: float
    risk_bps: float
    basis_bps: float

    @property
    def capacity(self) -> float:
        """Quote currency in the known book."""
        return float(self.sum_quote[-1])

    def lots_for(self, amount: float) -> int:
        """Whole lots that ``amount`` of quote currency pays for."""
        amount = min(amount, self.capacity)
        if amount <= 0:
            return 0
        # the first guess undoes the rounding of an amount that is a whole number of lots; where it is too much, ever
        # more cautious ones follow, never one lot at a time: a hostile lot of 1e-300 must not keep us busy
        for slack, less in ((1e-12, 0), (0.0, 0), (0.0, 1), (-1e-9, 1)):
            ample = amount + (GRAIN if slack > 0 else 0.0)
            size = ample if self.inverse else _walk(self.sum_quote, self.sum_base, ample)
            count = size / self.lot * (1 + slack)
            lots = math.floor(count) - less if count < MAX_LOTS else 0
            if lots <= 0 or self.quote_of(lots) <= amount:
                return max(0, lots)
        return 0

    def quote_of(self, lots: int) -> float:
        """What that many lots cost at the book's prices, down to a whole grain."""
        size = lots * self.lot
        quote = size if self.inverse else _walk(self.sum_base, self.sum_quote, size)
        return math.floor(quote / GRAIN + 1e-6) * GRAIN

    def cost_of(self, lots: int) -> float:
        """All-in average cost of that many lots in bp; of the first one where there are none."""
        amount = min(self.quote_of(lots), self.capacity)
        return _walk(self.sum_quote, self.sum_cost, amount) / amount if amount > 0 else float(self.bps[0])

    def next_bps(self, lots: int) -> float:
        """All-in cost of the next lot's first level."""
        level = int(np.searchsorted(self.sum_quote, self.quote_of(lots), side="right"))
        return float(self.bps[min(level, len(self.bps) - 1)])

    def allowed(self, lots: int) -> bool:
        """Does an order of that size pass the venue's minimums?"""
        return lots >= self.min_lots and self.quote_of(lots) >= self.min_quote

    def cost(self, notional: float) -> Cost:
        """The whole order on this route, or as much of it as the book takes."""
        lots = self.lots_for(notional)
        total = self.cost_of(lots)
        return Cost(
            route=self.route,
            total_bps=total,
            fee_bps=self.fee_bps,
            spread_bps=self.spread_bps,
            walk_bps=max(0.0, total - float(self.bps[0])),
            latency_bps=self.latency_bps,
            risk_bps=self.risk_bps,
            basis_bps=self.basis_bps,
            gap_bps=self.gap_bps,
            filled=self.quote_of(lots),
        )


class Conditions(Struct, frozen=True):
    """What is common to the routes that are compared, for those that lack a measurement of their own."""

    volatility_bps: float
    worst_age_ms: float
    worst_rtt_ms: float


def conditions(views: Iterable[View], settings: AdviceSettings) -> Conditions:
    """Median volatility, worst age and worst round trip of the routes given."""
    found = list(views)
    volatilities = [v for view in found if (v := measured(view.volatility_bps)) is not None]
    ages = [a for view in found if (a := measured(view.feed_age_ms)) is not None]
    rtts = [r for view in found if (r := measured(view.rtt_ms)) is not None]
    return Conditions(
        statistics.median(volatilities) if volatilities else settings.usual_volatility_bps,
        max(ages, default=settings.unknown_ms),
        max(rtts, default=settings.unknown_ms),
    )


def lane(
    route: str,
    view: View,
    side: Side,
    notional: float,
    reference: float,
    quote: str,
    common: Conditions,
    settings: AdviceSettings,
) -> Lane | None:
    """Price a route's side of the book for an order in ``quote`` currency; None when nothing there can be priced.

    The caller has refused views without instrument, ladder or mid.
    """
    instrument, ladder = view.instrument, view.ladder
    mid = None if ladder is None else ladder.mid
    if instrument is None or ladder is None or mid is None:
        return None
    px, base = _known(ladder, side, mid)
    if not len(px):
        return None
    amounts = px * base
    reach = int(np.searchsorted(np.cumsum(amounts), notional, side="left")) + 1
    px, base, amounts = px[:reach], base[:reach], amounts[:reach]
    foreign = instrument.quote != quote
    charged = mid if foreign else _charged(mid, reference, side, settings.favour_bps)
    sign = 1.0 if side == "buy" else -1.0
    fee_bps = settings.fees.get(route, instrument.taker_fee) * BPS
    age_ms, rtt_ms = measured(view.feed_age_ms), measured(view.rtt_ms)
    age_ms = common.worst_age_ms if age_ms is None else age_ms
    rtt_ms = common.worst_rtt_ms if rtt_ms is None else rtt_ms
    latency_bps = common.volatility_bps * math.sqrt((age_ms + rtt_ms) / 1000)
    risk_bps = _risk_bps(view, age_ms, settings)
    basis_bps = view.basis_bps or 0.0
    with np.errstate(over="ignore"):
        bps = sign * (1 - charged / px) * BPS + (fee_bps + latency_bps + risk_bps + basis_bps)
    if not (np.isfinite(bps).all() and np.isfinite(amounts).all()):
        return None
    lot = instrument.lot * instrument.contract_size
    return Lane(
        route=route,
        quote=amounts,
        base=base,
        bps=bps,
        sum_quote=np.cumsum(amounts),
        sum_base=np.cumsum(base),
        sum_cost=np.cumsum(amounts * bps),
        lot=lot,
        inverse=instrument.inverse,
        min_lots=max(1, math.ceil((instrument.min_size or 0.0) / instrument.lot * (1 - 1e-12))),
        min_quote=instrument.min_notional or 0.0,
        fee_bps=fee_bps,
        spread_bps=float(sign * (1 - mid / px[0]) * BPS),
        gap_bps=float(sign * (mid - charged) / px[0] * BPS),
        latency_bps=latency_bps,
        risk_bps=risk_bps,
        basis_bps=basis_bps,
    )


def measured(value: float | None) -> float | None:
    """A duration or ratio that can be calculated with: negative ones (our clock's error) are nothing to earn by."""
    return None if value is None or not math.isfinite(value) else max(0.0, value)


def _charged(mid: float, reference: float, side: Side, favour_bps: float) -> float:
    """The reference as this route's prices are measured against it."""
    if side == "buy":
        return min(reference, mid * (1 + favour_bps / BPS))
    return max(reference, mid * (1 - favour_bps / BPS))


def _risk_bps(view: View, age_ms: float, settings: AdviceSettings) -> float:
    share = min(measured(view.error_share) or 0.0, 0.95)
    rejects = settings.reject_bps * share / (1 - share)
    stale = settings.stale_bps_per_s * max(0.0, age_ms - settings.grace_ms) / 1000
    return rejects + stale + (settings.congested_bps if view.verdict.state is State.CONGESTED else 0.0)


def _known(ladder: Ladder, side: Side, mid: float) -> tuple[Floats, Floats]:
    """Prices and sizes of the side an order takes, as far as no level can be missing and none is absurd."""
    if side == "buy":
        known = int(np.searchsorted(ladder.ask_px, min(ladder.ask_known, mid * FAR), side="right"))
        return ladder.ask_px[:known], ladder.ask_sz[:known]
    known = int(np.searchsorted(-ladder.bid_px, -max(ladder.bid_known, mid / FAR), side="right"))
    return ladder.bid_px[:known], ladder.bid_sz[:known]


def _walk(along: Floats, total: Floats, amount: float) -> float:
    """How much of ``total`` has been passed at ``amount`` of ``along`` (both running sums): linear inside a level."""
    level = int(along.searchsorted(amount))
    if level >= len(along):
        return float(total[-1])
    before_along, before = (float(along[level - 1]), float(total[level - 1])) if level else (0.0, 0.0)
    part = (amount - before_along) / (float(along[level]) - before_along)
    return before + part * (float(total[level]) - before)
