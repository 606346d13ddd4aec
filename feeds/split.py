"""Dividing an order among routes so that it costs least: books merged by marginal all-in cost. Pure.

Costs are linear within a level and grow from level to level, so taking levels in the order of their cost is the best
division there is; lots and minimums then round it. ``requested == allocated + unallocated`` holds exactly, because
amounts are multiples of ``feeds.costs.GRAIN``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from feeds.costs import Lane
from feeds.model import venue_of


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

    Never dearer than the cheapest single lane that takes the whole order. As much as possible is allocated before cost
    is looked at: what the books cannot take, and what is less than a lot or a venue's minimum, stays unallocated.
    """
    # ties are broken by name, so that the same books always give the same answer
    active = sorted(lanes, key=lambda lane: lane.route)
    merged = _merged(active, requested)
    cheapest = merged
    for lane in active:
        if lane.capacity < requested:
            continue
        alone = _placed({lane.route: lane.lots_for(requested)}, [lane], requested)
        if alone.parts and _is_better(alone, cheapest, lane):
            cheapest = alone
    return cheapest


def hhi(amounts: Mapping[str, float]) -> float | None:
    """Herfindahl-Hirschman index of shares, 1 / n to 1; None when there is nothing to share."""
    total = math.fsum(amounts.values())
    return math.fsum((amount / total) ** 2 for amount in amounts.values()) if total > 0 else None


def effective_venues(concentration: float | None) -> float | None:
    """How many equal venues would be as concentrated: 1 / HHI."""
    return None if concentration is None else 1 / concentration


def by_venue(split: Split) -> dict[str, float]:
    """Quote currency by venue: what fails together counts together."""
    amounts: dict[str, float] = {}
    for part in split.parts:
        amounts[venue_of(part.route)] = amounts.get(venue_of(part.route), 0.0) + part.amount
    return amounts


def _is_better(alone: Split, than: Split, lane: Lane) -> bool:
    """Cheaper, and not by leaving out more than the lot it cannot divide."""
    if than.cost_bps is None or alone.cost_bps is None:
        return than.cost_bps is None
    # the fraction of a lot left over is worth at most the next lot's price
    lots = alone.parts[0].lots
    lot_worth = lane.quote_of(lots) / lots * 1.01
    return alone.cost_bps < than.cost_bps and alone.unallocated <= than.unallocated + lot_worth


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
