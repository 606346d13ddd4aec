"""CPU and memory of a process, from Linux's ``/proc``."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

MB = 1e6


class Usage(NamedTuple):
    cpu_share: float
    """Of one core."""
    rss_mb: float
    most_mb: float
    """The most that was ever resident."""


class Meter:
    """Usage of one process, counted from now on. Raises OSError when it has ended."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._since_s, self._before_s = time.monotonic(), cpu_s(pid)

    def read(self) -> Usage:
        spent_s = cpu_s(self._pid) - self._before_s
        return Usage(spent_s / (time.monotonic() - self._since_s), *rss_mb(self._pid))


def cpu_s(pid: int) -> float:
    """User and system time of all its threads so far, seconds. Raises OSError when it has gone."""
    # the name, in parentheses, may hold blanks; what follows does not (proc(5), stat)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> tuple[float, float]:
    """(resident now, at most so far), megabytes. Raises OSError when it has gone."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, most = (int(rows[name].split()[0]) * 1024 / MB for name in ("VmRSS", "VmHWM"))
    return now, most


def child_running(pid: int, module: str) -> int | None:
    """The child that runs ``python -m module``, None while there is none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return None
    for child in children:
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if module.encode() in words:
            return int(child)
    return None
