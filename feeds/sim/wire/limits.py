"""Rate limits of a client, counted in the two ways that venues use."""

from __future__ import annotations

from collections import deque


class SlidingLimit:
    """At most ``most`` in any ``window_ns``. ``count_refused``: refused ones count too."""

    def __init__(self, most: int, window_ns: int, *, count_refused: bool = False) -> None:
        self._most, self._window_ns, self._count_refused = most, window_ns, count_refused
        self._times_ns: deque[int] = deque()

    def allows(self, now_ns: int) -> bool:
        """Counts one more; False when it is too many."""
        times_ns = self._times_ns
        while times_ns and now_ns - times_ns[0] >= self._window_ns:
            times_ns.popleft()
        allowed = len(times_ns) < self._most
        if allowed or self._count_refused:
            times_ns.append(now_ns)
        return allowed


class FixedLimit:
    """At most ``most`` in each window of the clock, for example in each whole second."""

    def __init__(self, most: int, window_ns: int) -> None:
        self._most, self._window_ns = most, window_ns
        self._window, self._count = 0, 0

    def allows(self, now_ns: int) -> bool:
        """Counts one more; False when it is too many."""
        window = now_ns // self._window_ns
        if window != self._window:
            self._window, self._count = window, 0
        self._count += 1
        return self._count <= self._most
