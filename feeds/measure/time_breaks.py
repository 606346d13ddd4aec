"""Notices that our wall clock was set, or that we slept, by comparing the machine's clocks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from msgspec import Struct

from feeds.clock import MS, SECOND, Clock

READ_TRIES = 5
READ_NS = MS
"""Two clocks read further apart than this cannot be compared."""
SET_NS = 20 * MS
"""From this size on a step of our clock is one that somebody set; less is the usual correction (NTP)."""
ASLEEP_NS = 5 * SECOND
"""Without a turn of ours for this long, we slept, or were stopped."""
SUSPENDED_NS = SECOND // 2
"""A pause of the monotonic clock from this length on counts as a sleep."""


class TimeBreak(Struct, frozen=True, kw_only=True):
    """What has happened to our time since the last look."""

    step_ns: int = 0
    """How far the wall clock was set; positive is forward. What a sleep explains is not in it."""
    slept_ns: int = 0

    @property
    def serious(self) -> bool:
        """Nothing that was under way may be kept."""
        return abs(self.step_ns) >= SET_NS or self.slept_ns > 0


def suspended_clock() -> Callable[[], int] | None:
    """How long the machine has been suspended since it started, ns, where the monotonic clock stands still meanwhile
    and another one goes on; None where the system has no such pair (Windows: the monotonic clock goes on)."""
    if sys.platform == "linux":
        running_on = time.CLOCK_BOOTTIME
    elif sys.platform == "darwin":
        running_on = time.CLOCK_MONOTONIC  # Python's own monotonic clock is the one that stands still there
    else:
        return None
    return lambda: time.clock_gettime_ns(running_on) - time.monotonic_ns()


class TimeBreaks:
    """Look often: before anything that was just measured is used."""

    def __init__(self, clock: Clock, suspended: Callable[[], int] | None = None) -> None:
        """``suspended``: see ``suspended_clock``."""
        self._clock, self._suspended = clock, suspended
        self._mono_ns = clock.monotonic_ns()
        self._gap_ns = clock.time_ns() - self._mono_ns
        self._suspended_ns = 0 if suspended is None else suspended()
        self.stood_ns = 0
        """For how long the monotonic clock has stood still in sleeps, all in all."""

    def look(self) -> TimeBreak | None:
        """None: nothing has happened, or the clocks could not be read at once this time."""
        for _ in range(READ_TRIES):
            before_ns = self._clock.monotonic_ns()
            wall_ns = self._clock.time_ns()
            suspended_ns = 0 if self._suspended is None else self._suspended()
            if self._clock.monotonic_ns() - before_ns <= READ_NS:
                return self._compared(before_ns, wall_ns - before_ns, suspended_ns)
        return None

    def _compared(self, mono_ns: int, gap_ns: int, suspended_ns: int) -> TimeBreak | None:
        ran_on_ns = mono_ns - self._mono_ns if mono_ns - self._mono_ns >= ASLEEP_NS else 0
        stood_ns = suspended_ns - self._suspended_ns
        stood_ns = stood_ns if stood_ns >= SUSPENDED_NS else 0
        step_ns = gap_ns - self._gap_ns - stood_ns
        self._mono_ns = mono_ns
        if stood_ns:
            self._suspended_ns = suspended_ns
            self._gap_ns += stood_ns
            self.stood_ns += stood_ns
        if abs(step_ns) >= MS:  # less is left to add up: clocks are read that precisely
            self._gap_ns = gap_ns
        elif not (ran_on_ns or stood_ns):
            return None
        else:
            step_ns = 0
        return TimeBreak(step_ns=step_ns, slept_ns=ran_on_ns + stood_ns)
