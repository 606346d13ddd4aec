"""One route's side of the book with the all-in cost of every level: what an order of any size costs there. Pure."""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct

from feeds.books.ladder import Floats
from feeds.frame import Cost

GRAIN = 2.0**-20
"""Amounts of quote currency are multiples of this, so that sums and differences below 2^33 are exact floats."""
MAX_LOTS = 1e15
"""An order of more lots than this cannot be counted in floats; no venue has such lots."""


class RouteCost(Struct, frozen=True, kw_only=True, eq=False):
    """Levels with their cost, to be taken in whole lots. Arrays are best first."""

    route: str
    quote: Floats
    """Quote currency at each level."""
    base: Floats
    """Base coin at each level."""
    bps: Floats
    """All-in cost of each level against the reference mid: never falls from level to level."""
    sum_quote: Floats
    """Running sum of ``quote``."""
    sum_base: Floats
    """Running sum of ``base``."""
    sum_cost: Floats
    """Running sum of quote x bps."""
    lot: float
    """Base coin a lot; for inverse contracts quote currency a lot."""
    inverse: bool
    min_lots: int
    min_quote: float
    """Quote currency."""
    # the parts of the cost, as ``feeds.frame.Cost`` explains them
    fee_bps: float
    spread_bps: float
    price_bps: float
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
        # the first guess undoes the rounding of an amount that is a whole number of lots; where it is too much, more
        # cautious ones follow, never one lot at a time: a hostile lot of 1e-300 must not keep us busy
        for slack, less in ((1e-12, 0), (0.0, 0), (0.0, 1), (-1e-9, 1)):
            ample = amount + (GRAIN if slack > 0 else 0.0)
            size = ample if self.inverse else _passed(self.sum_quote, self.sum_base, ample)
            count = size / self.lot * (1 + slack)
            lots = math.floor(count) - less if count < MAX_LOTS else 0
            if lots <= 0 or self.amount_of(lots) <= amount:
                return max(0, lots)
        return 0

    def amount_of(self, lots: int) -> float:
        """Quote currency that so many lots cost at the book's prices, rounded down to a whole grain."""
        size = lots * self.lot
        quote = size if self.inverse else _passed(self.sum_base, self.sum_quote, size)
        return math.floor(quote / GRAIN + 1e-6) * GRAIN

    def average_bps(self, lots: int) -> float:
        """All-in average cost of so many lots; of the first level where there are none."""
        amount = min(self.amount_of(lots), self.capacity)
        return _passed(self.sum_quote, self.sum_cost, amount) / amount if amount > 0 else float(self.bps[0])

    def next_bps(self, lots: int) -> float:
        """All-in cost of the level from which the next lot comes."""
        level = int(np.searchsorted(self.sum_quote, self.amount_of(lots), side="right"))
        return float(self.bps[min(level, len(self.bps) - 1)])

    def allowed(self, lots: int) -> bool:
        """Does an order of that size pass the venue's minimums?"""
        return lots >= self.min_lots and self.amount_of(lots) >= self.min_quote

    def cost(self, notional: float) -> Cost:
        """The whole order on this route, or as much of it as the book takes."""
        lots = self.lots_for(notional)
        total_bps = self.average_bps(lots)
        return Cost(
            route=self.route,
            total_bps=total_bps,
            fee_bps=self.fee_bps,
            spread_bps=self.spread_bps,
            walk_bps=max(0.0, total_bps - float(self.bps[0])),
            latency_bps=self.latency_bps,
            risk_bps=self.risk_bps,
            basis_bps=self.basis_bps,
            price_bps=self.price_bps,
            filled=self.amount_of(lots),
        )


def _passed(along: Floats, total: Floats, amount: float) -> float:
    """How much of ``total`` has been passed at ``amount`` of ``along`` (both running sums): linear inside a level."""
    level = int(along.searchsorted(amount))
    if level >= len(along):
        return float(total[-1])
    before_along, before = (float(along[level - 1]), float(total[level - 1])) if level else (0.0, 0.0)
    part = (amount - before_along) / (float(along[level]) - before_along)
    return before + part * (float(total[level]) - before)
