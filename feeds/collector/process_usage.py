"""What this process costs its machine: CPU share and memory, for the header and the log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from feeds.clock import Clock


class Usage:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cpu_s = _cpu_s()
        self._at_ns = clock.monotonic_ns()

    def cpu_share(self) -> float | None:
        """CPU seconds per second since the last call: 1.0 is one core. None when no time has passed."""
        now_ns, cpu_s = self._clock.monotonic_ns(), _cpu_s()
        elapsed_s = (now_ns - self._at_ns) / 1e9
        if elapsed_s <= 0:
            return None
        share = (cpu_s - self._cpu_s) / elapsed_s
        self._at_ns, self._cpu_s = now_ns, cpu_s
        return share


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def rss_mb() -> float | None:
    """Resident memory now (the peak where there is no ``/proc``); None where the system has neither."""
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    except (OSError, IndexError, ValueError):
        return _peak_rss_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _peak_rss_mb() -> float | None:
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
