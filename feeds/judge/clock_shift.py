"""Steps of our own clock, seen from the venues: all ages or all clock offsets move by one constant at once."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.judge.own_side import OwnSide
from feeds.judge.peer_levels import PeerLevels
from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds
from feeds.quantiles import median

SHIFT_AGREE = 0.25
"""Venues agree when they differ from the shift by no more than this share of it."""
SHIFT_AGREE_MS = 15.0
REST_STEADY = 2.0
MOST = 0.6


class ClockShift:
    """Since when the ages of all venues have been moved by one constant; tells our own side of it."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._ages_moved_ns: int | None = None

    def step(self, now_ns: int, levels: PeerLevels, own: OwnSide) -> bool:
        """Did our clock step just now, by what most venues' clocks show?"""
        offsets = levels.by_venue("offset")
        shift_ms = common_shift_ms(levels.by_venue("age"), levels.by_venue("rest"), self._limits)
        self._ages_moved_ns = (self._ages_moved_ns or now_ns) if shift_ms is not None else None
        confirmed = shift_ms is not None and clock_confirmed(shift_ms, offsets, self._limits)
        own.note_age_shift(now_ns, shift_ms if confirmed else None)
        step_ms = clock_step_ms(offsets, self._limits)
        if step_ms is not None:
            own.note_clock_step(now_ns, step_ms)
        return step_ms is not None

    def ages_in_doubt(self, now_ns: int, own: OwnSide) -> bool:
        """Ages cannot be trusted: all have just moved by one constant, or our clock is known to be wrong."""
        moved_ns = self._ages_moved_ns
        shifting = moved_ns is not None and now_ns - moved_ns < ns(self._limits.doubt_lasts_s)
        return shifting or own.clock_since_ns(now_ns) is not None


def common_shift_ms(ages: Mapping[str, float], rests: Mapping[str, float], limits: Thresholds) -> float | None:
    """All venues' ages moved by one constant while round trips did not: by how much; None: they did not."""
    if len(ages) < 2:
        return None
    shift_ms = median(list(ages.values())) or 0.0
    agree_ms = max(SHIFT_AGREE_MS, SHIFT_AGREE * abs(shift_ms))
    if abs(shift_ms) < limits.clock_shift_ms or any(abs(v - shift_ms) > agree_ms for v in ages.values()):
        return None
    return shift_ms if all(v < REST_STEADY for v in rests.values()) else None


def clock_step_ms(offsets: Mapping[str, float], limits: Thresholds) -> float | None:
    """Most venues' clocks moved against ours by one constant: our clock stepped, by this much; None: it did not."""
    if len(offsets) < 2:
        return None
    shift_ms = median(list(offsets.values())) or 0.0
    agree_ms = max(SHIFT_AGREE_MS, SHIFT_AGREE * abs(shift_ms))
    agreeing = sum(abs(v - shift_ms) <= agree_ms for v in offsets.values())
    enough = agreeing >= max(2, MOST * len(offsets))
    return -shift_ms if enough and abs(shift_ms) >= limits.clock_shift_ms else None


def clock_confirmed(shift_ms: float, offsets: Mapping[str, float], limits: Thresholds) -> bool:
    """Have the venues' clocks, asked over REST, moved against ours by as much the other way?"""
    if not offsets:
        return abs(shift_ms) >= limits.clock_blind_shift_ms
    agree_ms = max(2 * SHIFT_AGREE_MS, 2 * SHIFT_AGREE * abs(shift_ms))
    return all(abs(v + shift_ms) <= agree_ms for v in offsets.values())
