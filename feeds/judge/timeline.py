"""The judge's own timeline: like our wall clock, but it never goes back, and it goes in steps of half a second."""

from __future__ import annotations

from collections.abc import Iterator

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds

BACKWARDS_S = 5.0
"""Samples may be this late; what is older means that our clock went back."""
CATCH_UP_S = 20.0
"""After a longer pause, only the steps of this last time are made."""
LONGEST_STEP_MS = 1e12


class Timeline:
    """Wall time -> the judge's time. A clock that goes back is remembered as a shift between the two."""

    def __init__(self, limits: Thresholds) -> None:
        self._step_ns = ns(limits.step_s)
        self._next_ns: int | None = None
        self.shift_ns = 0
        """The judge's time minus wall time."""
        self.seen_ns: int | None = None
        """The latest time of any sample; None: none came yet."""
        self.now_ns = 0
        """The time of the last step."""

    def clock_went_back(self, step_ms: float) -> None:
        """Our clock stepped by this much: negative is back."""
        if -LONGEST_STEP_MS < step_ms < 0:
            self.shift_ns += ns(-step_ms / 1e3)

    def time_of(self, wall_ns: int) -> int:
        """The judge's time of a sample that comes now."""
        t_ns = wall_ns + self.shift_ns
        if self.seen_ns is not None and t_ns < self.seen_ns - ns(BACKWARDS_S):
            self.shift_ns += self.seen_ns - t_ns
            return self.seen_ns
        return t_ns

    def saw(self, t_ns: int) -> None:
        """A sample of this time has been taken."""
        self.seen_ns = t_ns if self.seen_ns is None else max(self.seen_ns, t_ns)

    def steps(self, t_ns: int) -> Iterator[int]:
        """Times of the steps that are due up to ``t_ns``."""
        if self._next_ns is None:
            self._next_ns, self.now_ns = t_ns + self._step_ns, t_ns
            return
        if t_ns - self._next_ns > ns(CATCH_UP_S):
            self._next_ns += (t_ns - self._next_ns - ns(CATCH_UP_S)) // self._step_ns * self._step_ns
        while self._next_ns <= t_ns:
            self.now_ns = self._next_ns
            yield self._next_ns
            self._next_ns += self._step_ns

    def wall(self, t_ns: int) -> int:
        return t_ns - self.shift_ns
