"""A fixed schedule: due times do not depend on how long the work takes (an open loop)."""

from __future__ import annotations

from feeds.clock import SECOND


class Ticker:
    """Due times at a fixed distance from the first. Times in ns, monotonic."""

    def __init__(self, first_ns: int, every_s: float) -> None:
        self.due_ns = first_ns
        self._every_ns = max(1, round(every_s * SECOND))

    def take(self, now_ns: int) -> tuple[int, int] | None:
        """(the latest due time that has come, how many earlier ones we missed by being late); None: nothing is due."""
        if now_ns < self.due_ns:
            return None
        missed = (now_ns - self.due_ns) // self._every_ns
        taken = self.due_ns + missed * self._every_ns
        self.due_ns = taken + self._every_ns
        return taken, missed
