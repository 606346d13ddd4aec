"""The difference between a venue's clock and ours, measured with REST probes: recent values and the baseline."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from itertools import islice

from msgspec import Struct

from feeds.judge.rest_history import TimedProbe
from feeds.judge.rolling import finite, ns, usual_baseline
from feeds.judge.thresholds import Thresholds

OFFSETS_KEPT = 240
OFFSETS_RECENT = 3
OFFSET_RECENT_S = 15.0


class OffsetRecent(Struct, kw_only=True):
    """Venue's clock minus ours lately. None: not measured."""

    offset_ms: float | None = None
    """Of the fastest of the last few exchanges."""
    error_ms: float | None = None
    """Half that exchange's round trip: the true offset is not further away."""
    span_ms: float | None = None
    """How far the offset has moved for certain within the last minute."""


class OffsetHistory:
    """Clock offsets of one route within the last minute."""

    def __init__(self, limits: Thresholds) -> None:
        self.recent = OffsetRecent()
        self.base = usual_baseline(limits)
        self._span_ns = ns(limits.clock_span_s)
        self._offsets: deque[tuple[int, float, float]] = deque(maxlen=OFFSETS_KEPT)
        """(when, venue's clock minus ours in ms, the most it can be wrong by in ms)."""
        self._span_ms: float | None = None
        self._changed = False

    def observe(self, probe: TimedProbe) -> None:
        """The venue's time stamp may be from any moment of the exchange, so a slow exchange tells little."""
        if finite(probe.sample.offset_ms) and not probe.sample.cold:
            self._offsets.append((probe.end_ns, probe.sample.offset_ms, probe.round_trip_ms / 2))
            self._changed = True

    def clock_was_set(self) -> None:
        """What was measured with the clock of before says nothing, nor what was usual then."""
        self._offsets.clear()
        self.base.forget()
        self.recent, self._changed = OffsetRecent(), True

    def trim(self, now_ns: int) -> None:
        while self._offsets and self._offsets[0][0] <= now_ns - self._span_ns:
            self._offsets.popleft()
            self._changed = True

    def update(self, now_ns: int) -> None:
        """Works out ``recent``, as of ``now_ns``."""
        if self._changed:
            self._changed, self._span_ms = False, self._certain_span_ms()
        fresh_ns = now_ns - ns(OFFSET_RECENT_S)
        newest = [
            (error_ms, offset_ms)
            for t_ns, offset_ms, error_ms in islice(reversed(self._offsets), OFFSETS_RECENT)
            if t_ns > fresh_ns
        ]
        error_ms, offset_ms = min(newest) if newest else (None, None)
        self.recent = OffsetRecent(offset_ms=offset_ms, error_ms=error_ms, span_ms=self._span_ms)

    def _certain_span_ms(self) -> float | None:
        if not self._offsets:
            return None
        surely_above = max(offset - error for _, offset, error in self._offsets)
        surely_below = min(offset + error for _, offset, error in self._offsets)
        return max(surely_above - surely_below, 0.0)

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        self.base.offer(now_ns, self.recent.offset_ms, "clock" in abnormal)

    def best_ms(self) -> float | None:
        """The offset of the fastest exchange of the last minute."""
        if not self._offsets:
            return None
        return min((error, offset) for _, offset, error in self._offsets)[1]
