"""Time: the injected clock, wall clock and monotonic clock.

Wall times (``time_ns``) are only ever compared with a venue's wall times; every interval is taken from the monotonic
clock, so that a step of our clock cannot look like a slow venue.
"""

from __future__ import annotations

import time
from typing import Protocol

MS = 1_000_000
"""Nanoseconds in a millisecond."""
SECOND = 1_000_000_000
"""Nanoseconds in a second."""


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
