"""Dividing an order among routes so that it costs least: books merged by marginal all-in cost. Pure.

Costs are linear within a level and grow from level to level, so taking levels in the order of their cost is the best
division there is; lots and minimums then round it. ``requested == allocated + unallocated`` holds exactly, because
amounts are multiples of ``feeds.advise.costs.GRAIN``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from feeds.advise.costs import Lane
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


class Split(Struct, frozen=True, kw_only=True):
    requested: float
    parts: tuple[Part, ...]
    """The largest first; empty when nothing can be placed."""
    unallocated: float
    """Quote currency; ``requested`` minus the sum of the parts, exactly."""

    @property
    def allocated(self) -> float:
        return math.fsum(part.amount for part in self.parts)

    @property
    def cost_bps(self) -> float | None:
        """Average over what is allocated."""
        allocated = self.allocated
        return math.fsum(p.amount * p.cost_bps for p in self.parts) / allocated if allocated else None


def best_split(lanes: Iterable[Lane], requested: float) -> Split:
    """The cheapest division of ``requested`` (quote currency) among the lanes, whose order does not matter.

    What the books cannot take, and what is less than a lot or a venue's minimum, stays unallocated. Never dearer than
    any single lane: unless that lane leaves more of the order over.
    """
    # ties are broken by name, so that the same books always give the same answer
    active = sorted(lanes, key=lambda lane: lane.route)
    if not active:
        return Split(requested=requested, parts=(), unallocated=requested)
    unplaced_bps = UNPLACED_BPS + max(0.0, *(float(lane.bps[-1]) for lane in active))
    # the merge is the best division of a divisible order; where lots and minimums spoil it, one route may be better
    alone = (_placed({lane.route: lane.lots_for(requested)}, [lane], requested) for lane in active)
    return min([_merged(active, requested), *alone], key=lambda split: _total(split, unplaced_bps))


def by_venue(split: Split) -> dict[str, float]:
    """Quote currency by venue: what fails together counts together."""
    amounts: dict[str, float] = {}
    for part in split.parts:
        amounts[venue_of(part.route)] = amounts.get(venue_of(part.route), 0.0) + part.amount
    return amounts


def _total(split: Split, unplaced_bps: float) -> float:
    """Bp x quote currency of the whole order."""
    return (split.cost_bps or 0.0) * split.allocated + unplaced_bps * split.unallocated


def _merged(active: Sequence[Lane], requested: float) -> Split:
    lanes = list(active)
    while lanes:
        lots = {
            lane.route: lane.lots_for(amount) for lane, amount in zip(lanes, _amounts(lanes, requested), strict=True)
        }
        _spend_rest(lanes, lots, requested)
        small = [lane for lane in lanes if lots[lane.route] and not lane.allowed(lots[lane.route])]
        if not small:
            return _placed(lots, lanes, requested)
        # without the smallest of them the others get more, and may pass their minimums
        lanes.remove(min(small, key=lambda lane: (lane.quote_of(lots[lane.route]), lane.route)))
    return Split(requested=requested, parts=(), unallocated=requested)


def _amounts(lanes: Sequence[Lane], requested: float) -> list[float]:
    """Quote currency for each lane when levels are taken in the order of their cost."""
    bps = np.concatenate([lane.bps for lane in lanes])
    quote = np.concatenate([lane.quote for lane in lanes])
    owner = np.repeat(np.arange(len(lanes)), [len(lane.bps) for lane in lanes])
    order = np.argsort(bps, kind="stable")
    sums = np.cumsum(quote[order])
    taken = np.clip(requested - (sums - quote[order]), 0.0, quote[order])
    return [float(x) for x in np.bincount(owner[order], weights=taken, minlength=len(lanes))]


def _spend_rest(lanes: Sequence[Lane], lots: dict[str, int], requested: float) -> None:
    """What rounding to lots has left over goes where the next lot is cheapest."""
    rest = requested - math.fsum(lane.quote_of(lots[lane.route]) for lane in lanes)
    if rest < 0:  # rounding of running sums has given a grain too much
        dearest = max((x for x in lanes if lots[x.route]), key=lambda lane: lane.next_bps(lots[lane.route]))
        lots[dearest.route] -= 1
        return
    for lane in sorted(lanes, key=lambda lane: (lane.next_bps(lots[lane.route]), lane.route)):
        held = lane.quote_of(lots[lane.route])
        more = lane.lots_for(held + rest)
        if more > lots[lane.route] and lane.allowed(more):
            rest -= lane.quote_of(more) - held
            lots[lane.route] = more


def _placed(lots: Mapping[str, int], lanes: Sequence[Lane], requested: float) -> Split:
    parts = [
        Part(route=lane.route, lots=n, amount=lane.quote_of(n), cost_bps=lane.cost_of(n))
        for lane in lanes
        if (n := lots[lane.route]) and lane.allowed(n)
    ]
    parts.sort(key=lambda part: (-part.amount, part.route))
    return Split(
        requested=requested,
        parts=tuple(parts),
        unallocated=requested - math.fsum(part.amount for part in parts),
    )
