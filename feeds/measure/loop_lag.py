"""How late our own event loop is."""

from __future__ import annotations

import asyncio
from collections import deque

from msgspec import Struct

from feeds.clock import MS, SECOND, Clock
from feeds.quantiles import percentile


class Lag(Struct, frozen=True):
    """Own loop lag over a window, ms; None before the first sample."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    samples: int


class LoopLag:
    """How late our own event loop runs what is due: the part of any delay that is ours.

    A timer is due every ``interval_s``. When the loop was blocked over several due times, each of them counts with its
    own lateness: otherwise one block of a second would be one bad sample among twenty good ones.
    """

    def __init__(self, clock: Clock, *, interval_s: float = 0.05, window_s: float = 10.0) -> None:
        self._clock = clock
        self._interval_ns = max(1, int(interval_s * SECOND))
        self._lags: deque[int] = deque(maxlen=max(1, int(window_s / interval_s)))
        self._due_ns = 0
        self._handle: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin sampling on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._due_ns = self._clock.monotonic_ns() + self._interval_ns
        self._arm(self._loop)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._loop = None

    def forget(self) -> None:
        """We slept: being late by a sleep is no lag."""
        self._lags.clear()
        self._due_ns = self._clock.monotonic_ns() + self._interval_ns

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        wait_s = max(0, self._due_ns - self._clock.monotonic_ns()) / SECOND
        # uvloop's own time is cached per turn, so lateness is read from our clock and the loop only asked to call.
        self._handle = loop.call_at(loop.time() + wait_s, self._fire)

    def _fire(self) -> None:
        self.tick(self._clock.monotonic_ns())
        if self._loop is not None:
            self._arm(self._loop)

    def tick(self, now_mono_ns: int) -> None:
        """Account for every due time up to now."""
        missed = (now_mono_ns - self._due_ns) // self._interval_ns
        # What would overflow the window anyway is skipped.
        skip = max(0, missed + 1 - (self._lags.maxlen or 1))
        for n in range(skip, missed + 1):
            self._lags.append(now_mono_ns - self._due_ns - n * self._interval_ns)
        if missed < 0:  # a timer that fired early (coarse timers do) was not late
            self._lags.append(0)
            missed = 0
        self._due_ns += (missed + 1) * self._interval_ns

    def read(self) -> Lag:
        """Percentiles over the window."""
        ordered = sorted(self._lags)
        p50, p99 = percentile(ordered, 0.5), percentile(ordered, 0.99)
        return Lag(
            None if p50 is None else p50 / MS,
            None if p99 is None else p99 / MS,
            ordered[-1] / MS if ordered else None,
            len(ordered),
        )
