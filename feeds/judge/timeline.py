"""The judge's own timeline: it begins at our wall clock, is carried on by the monotonic clock, and goes in steps of
half a second. The wall clock may be set back and forth: only what is shown follows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds

BACKWARDS_S = 5.0
"""Samples may be this late; what is older means that our clock went back."""
CATCH_UP_S = 20.0
"""After a longer pause, only the steps of this last time are made."""
LONGEST_STEP_MS = 1e12
DRIFT_S = 0.05
"""The two clocks drift apart a little all the time: times that are shown do not tremble with it."""


class Timeline:
    """Monotonic time -> the judge's time -> wall time, by the newest pair of the two. Samples without a monotonic time
    are placed by their wall time; a clock that goes back is then remembered as a shift."""

    def __init__(self, limits: Thresholds) -> None:
        self._step_ns = ns(limits.step_s)
        self._next_ns: int | None = None
        self.shift_ns = 0
        """The judge's time minus wall time."""
        self._zero_ns: int | None = None
        """The judge's time minus monotonic time; None: no monotonic time came yet."""
        self._pair_ns = 0
        """The newest monotonic time that came with a wall time."""
        self.seen_ns: int | None = None
        """The latest time of any sample; None: none came yet."""
        self.now_ns = 0
        """The time of the last step."""

    def clock_went_back(self, step_ms: float) -> None:
        """Our clock stepped by this much: negative is back."""
        if -LONGEST_STEP_MS < step_ms < 0:
            self.shift_ns += ns(-step_ms / 1e3)

    def time_of(self, wall_ns: int, mono_ns: int | None = None, *, later_ns: int = 0) -> int:
        """The judge's time of a sample that comes now, ``later_ns`` after the times that it carries."""
        if mono_ns is not None:
            return self._carried_on(wall_ns, mono_ns, later_ns)
        wall_ns += later_ns
        t_ns = wall_ns + self.shift_ns
        if self.seen_ns is not None and t_ns < self.seen_ns - ns(BACKWARDS_S):
            self.shift_ns += self.seen_ns - t_ns
            return self.seen_ns
        return t_ns

    def _carried_on(self, wall_ns: int, mono_ns: int, later_ns: int) -> int:
        if self._zero_ns is None:
            self._zero_ns, self._pair_ns = wall_ns + self.shift_ns - mono_ns, mono_ns
        t_ns = mono_ns + self._zero_ns
        if mono_ns >= self._pair_ns:  # what began before the clock was set comes with a wall time of before
            self._pair_ns, shift_ns = mono_ns, t_ns - wall_ns
            if abs(shift_ns - self.shift_ns) > ns(DRIFT_S):
                self.shift_ns = shift_ns
        return t_ns + later_ns

    def now_of(self, wall_ns: int, mono_ns: int | None) -> int:
        """The judge's time of a question asked now."""
        if mono_ns is None or self._zero_ns is None:
            return wall_ns + self.shift_ns
        return mono_ns + self._zero_ns

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
