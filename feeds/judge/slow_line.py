"""Our own line is slow: the kernel's round trips are up at every venue at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from feeds.judge.peer_levels import MOVED_RATIO
from feeds.model import venue_of


class SlowLine:
    """Since when every venue's kernel round trip is up."""

    def __init__(self, routes: Iterable[str]) -> None:
        self._venues = len({venue_of(route) for route in routes})
        self.since_ns: int | None = None

    def step(self, now_ns: int, kernels: Mapping[str, float]) -> None:
        """``kernels``: by venue, kernel round trip over its baseline."""
        slow = len(kernels) >= 2 and len(kernels) == self._venues and min(kernels.values()) >= MOVED_RATIO
        self.since_ns = (self.since_ns or now_ns) if slow else None
