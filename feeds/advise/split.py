"""Dividing an order among routes so that it costs least: books merged by marginal all-in cost. Pure.

Costs are linear within a level and grow from level to level, so taking levels in the order of their cost is the best
division there is; lots and minimums then round it. ``requested == allocated + unallocated`` holds exactly, because
amounts are multiples of ``feeds.advise.route_cost.GRAIN``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from feeds.advise.route_cost import RouteCost
from feeds.model import venue_of

UNPLACED_BPS = 100.0
"""What leaving a part of the order over is charged, beyond the dearest level there is: placing it goes first."""


class Part(Struct, frozen=True, kw_only=True):
    """What one route gets."""

    route: str
    lots: int
    amount: float
    """Quote currency."""
    cost_bps: float
    """All-in average over this part."""


class Split(Struct, frozen=True, kw_only=True):
    """How an order is divided."""

    requested: float
    """Quote currency."""
    parts: tuple[Part, ...]
    """The largest first; empty when nothing can be placed."""
    unallocated: float
    """Quote currency; ``requested`` minus the sum of the parts, exactly."""

    @property
    def allocated(self) -> float:
        """Quote currency."""
        return math.fsum(part.amount for part in self.parts)

    @property
    def cost_bps(self) -> float | None:
        """Average over what is allocated."""
        allocated = self.allocated
        return math.fsum(p.amount * p.cost_bps for p in self.parts) / allocated if allocated else None


def best_split(routes: Iterable[RouteCost], requested: float) -> Split:
    """The cheapest division of ``requested`` (quote currency) among the routes, whose order does not matter.

    What the books cannot take, and what is less than a lot or a venue's minimum, stays unallocated. Never dearer than
    any single route, unless that one leaves more of the order over.
    """
    # ties are broken by name, so that the same books always give the same answer
    active = sorted(routes, key=lambda cost: cost.route)
    if not active:
        return Split(requested=requested, parts=(), unallocated=requested)
    unplaced_bps = UNPLACED_BPS + max(0.0, *(float(cost.bps[-1]) for cost in active))
    # the merge is the best division of a divisible order; where lots and minimums spoil it, one route may be better
    alone = (_placed({cost.route: cost.lots_for(requested)}, [cost], requested) for cost in active)
    return min([_merged(active, requested), *alone], key=lambda split: _total(split, unplaced_bps))


def by_venue(split: Split) -> dict[str, float]:
    """Quote currency by venue: what fails together counts together."""
    amounts: dict[str, float] = {}
    for part in split.parts:
        amounts[venue_of(part.route)] = amounts.get(venue_of(part.route), 0.0) + part.amount
    return amounts


def _total(split: Split, unplaced_bps: float) -> float:
    """Cost of the whole order, bp x quote currency, with a charge for what is left over."""
    return (split.cost_bps or 0.0) * split.allocated + unplaced_bps * split.unallocated


def _merged(active: Sequence[RouteCost], requested: float) -> Split:
    """Levels of all books in the order of their cost, rounded to lots, without parts below a venue's minimum."""
    routes = list(active)
    while routes:
        lots = {
            cost.route: cost.lots_for(amount) for cost, amount in zip(routes, _amounts(routes, requested), strict=True)
        }
        _spend_rest(routes, lots, requested)
        small = [cost for cost in routes if lots[cost.route] and not cost.allowed(lots[cost.route])]
        if not small:
            return _placed(lots, routes, requested)
        # without the smallest of them the others get more, and may pass their minimums
        routes.remove(min(small, key=lambda cost: (cost.amount_of(lots[cost.route]), cost.route)))
    return Split(requested=requested, parts=(), unallocated=requested)


def _amounts(routes: Sequence[RouteCost], requested: float) -> list[float]:
    """Quote currency for each route when levels are taken in the order of their cost."""
    bps = np.concatenate([cost.bps for cost in routes])
    quote = np.concatenate([cost.quote for cost in routes])
    owner = np.repeat(np.arange(len(routes)), [len(cost.bps) for cost in routes])
    order = np.argsort(bps, kind="stable")
    sums = np.cumsum(quote[order])
    taken = np.clip(requested - (sums - quote[order]), 0.0, quote[order])
    return [float(x) for x in np.bincount(owner[order], weights=taken, minlength=len(routes))]


def _spend_rest(routes: Sequence[RouteCost], lots: dict[str, int], requested: float) -> None:
    """What rounding to lots has left over goes where the next lot is cheapest."""
    rest = requested - math.fsum(cost.amount_of(lots[cost.route]) for cost in routes)
    if rest < 0:  # rounding of running sums has given a grain too much
        dearest = max((x for x in routes if lots[x.route]), key=lambda cost: cost.next_bps(lots[cost.route]))
        lots[dearest.route] -= 1
        return
    for cost in sorted(routes, key=lambda cost: (cost.next_bps(lots[cost.route]), cost.route)):
        held = cost.amount_of(lots[cost.route])
        more = cost.lots_for(held + rest)
        if more > lots[cost.route] and cost.allowed(more):
            rest -= cost.amount_of(more) - held
            lots[cost.route] = more


def _placed(lots: Mapping[str, int], routes: Sequence[RouteCost], requested: float) -> Split:
    parts = [
        Part(route=cost.route, lots=n, amount=cost.amount_of(n), cost_bps=cost.average_bps(n))
        for cost in routes
        if (n := lots[cost.route]) and cost.allowed(n)
    ]
    parts.sort(key=lambda part: (-part.amount, part.route))
    return Split(
        requested=requested,
        parts=tuple(parts),
        unallocated=requested - math.fsum(part.amount for part in parts),
    )
