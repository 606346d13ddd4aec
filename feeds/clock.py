"""Time: the injected clock, venue offsets with their error, our own loop's lag, steps of our own wall clock.

Wall times (``time_ns``) are only ever compared with a venue's wall times; every interval is taken from the monotonic
clock, so that a step of our clock cannot look like a slow venue.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

MS = 1_000_000
"""Nanoseconds in a millisecond."""
SECOND = 1_000_000_000
"""Nanoseconds in a second."""
COARSE_MS = 200.0
"""An offset known no better than this tells no age: a better estimate later would look like lateness."""


class Clock(Protocol):
    """What every module asks for the time; tests hand in one that they move by hand."""

    def time_ns(self) -> int:
        """Wall clock, nanoseconds since the epoch."""

    def monotonic_ns(self) -> int:
        """Never steps back; its zero means nothing."""


class SystemClock:
    """The machine's clocks. The methods *are* the C functions: no Python frame on the hot path."""

    time_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile of ascending values; ``share`` is 0 to 1. None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class _Exchange(Struct, gc=False):
    at_ns: int
    """Monotonic."""
    rtt_ns: int
    offset_ns: int
    error_ns: int


class OffsetEstimator:
    """Venue clock minus ours, from request/answer exchanges (NTP, RFC 5905 section 8).

    With ``t0`` request written, ``t3`` first byte of the answer and a single venue stamp ``T`` in between,
    ``offset = ((T - t0) + (T - t3)) / 2`` and the true offset cannot be further away than half the round trip plus the
    resolution of ``T``. How that round trip divides into there and back is unknowable from one side, so all of it
    stays in the error. The exchange with the smallest error in the window wins: that with the smallest round trip,
    where all stamps have one resolution.
    """

    def __init__(self, *, samples: int = 128, max_age_s: float = 600.0) -> None:
        self._window: deque[_Exchange] = deque(maxlen=samples)
        self._max_age_ns = int(max_age_s * SECOND)
        self._best: _Exchange | None = None

    def add(
        self, *, sent_ns: int, rtt_ns: int, server_ns: int, now_mono_ns: int, resolution_ns: int = MS
    ) -> float | None:
        """One exchange. ``sent_ns`` is our wall clock when the request was written, ``rtt_ns`` monotonic.

        Returns that exchange's offset in ms, None where the figures cannot be (negative round trip, no venue time).
        """
        if rtt_ns < 0 or server_ns <= 0 or resolution_ns < 0:
            return None
        # A stamp cut to its resolution lies half a step early on average.
        offset_ns = server_ns + resolution_ns // 2 - sent_ns - rtt_ns // 2
        self._window.append(_Exchange(now_mono_ns, rtt_ns, offset_ns, rtt_ns // 2 + resolution_ns))
        while self._window and now_mono_ns - self._window[0].at_ns > self._max_age_ns:
            self._window.popleft()
        self._best = min(self._window, key=lambda x: x.error_ns, default=None)
        return offset_ns / MS

    def stepped(self, step_ns: int) -> None:
        """Our own wall clock jumped by ``step_ns``: what was measured before is moved, not thrown away."""
        for exchange in self._window:
            exchange.offset_ns -= step_ns

    @property
    def offset_ns(self) -> int | None:
        return None if self._best is None else self._best.offset_ns

    @property
    def offset_ms(self) -> float | None:
        """Venue clock minus ours; None until known."""
        return None if self._best is None else self._best.offset_ns / MS

    @property
    def error_ms(self) -> float | None:
        """Half width of the interval that must hold the true offset, path asymmetry included; None until known."""
        return None if self._best is None else self._best.error_ns / MS

    @property
    def fine_offset_ns(self) -> int | None:
        """The offset to tell ages with; None while it is unknown or known no better than ``COARSE_MS``."""
        return None if self._best is None or self._best.error_ns > COARSE_MS * MS else self._best.offset_ns

    def ages_ms(self, ages_ns: Iterable[int]) -> list[float]:
        """Ages by two clocks (received minus stamped) corrected to one, ascending; empty where they cannot be told."""
        offset_ns = self.fine_offset_ns
        return [] if offset_ns is None else sorted((age + offset_ns) / MS for age in ages_ns)

    def statement(self) -> str:
        """For people, in one clause."""
        if self._best is None:
            return "clock offset unknown"
        return (
            f"clock offset {self._best.offset_ns / MS:+.1f} ms ± {self._best.error_ns / MS:.1f} ms "
            "(half the best round trip: asymmetry of the path cannot be excluded)"
        )


class Lag(Struct, frozen=True):
    """Own loop lag over a window, ms; None before the first sample."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    samples: int


class LoopLag:
    """How late our own event loop runs what was due: the share of any delay that is ours.

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
        # Lateness of what would overflow the window anyway is skipped, not counted one by one.
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


READ_TRIES = 5
READ_NS = 1_000_000
"""Two clocks read further apart than this cannot be compared."""


class ClockStep:
    """Wall clock against monotonic clock: notices that ours was set, or that the machine slept."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._gap_ns = clock.time_ns() - clock.monotonic_ns()

    def read_ns(self) -> int:
        """How far the wall clock moved against the monotonic one since the last reading."""
        for _ in range(READ_TRIES):
            before_ns = self._clock.monotonic_ns()
            wall_ns = self._clock.time_ns()
            after_ns = self._clock.monotonic_ns()
            if after_ns - before_ns <= READ_NS:  # else we were put aside in between, and would call that a step
                gap_ns = wall_ns - before_ns
                step_ns, self._gap_ns = gap_ns - self._gap_ns, gap_ns
                return step_ns
        return 0

    def read_ms(self) -> float:
        """The same in ms."""
        return self.read_ns() / MS
