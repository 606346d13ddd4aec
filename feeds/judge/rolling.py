"""Rolling windows and robust baselines: bounded, incremental, with explicit times."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from typing import TypeGuard

from feeds.judge.thresholds import Thresholds
from feeds.quantiles import median

NS = 1_000_000_000
WINDOW_LIMIT = 2_000
"""Entries a window keeps at most; at four samples a second that is eight minutes."""


def ns(seconds: float) -> int:
    """Seconds -> nanoseconds."""
    return int(seconds * NS)


def finite(value: float | None) -> TypeGuard[float]:
    """Is it a usable number: not missing, not NaN, not infinite?"""
    return value is not None and math.isfinite(value)


class Window:
    """Values of the last ``span_s`` seconds, oldest first."""

    __slots__ = ("_span_ns", "items")

    def __init__(self, span_s: float, limit: int = WINDOW_LIMIT) -> None:
        self._span_ns = ns(span_s)
        self.items: deque[tuple[int, float]] = deque(maxlen=limit)

    def add(self, t_ns: int, value: float) -> None:
        self.items.append((t_ns, value))

    def trim(self, now_ns: int) -> None:
        items, horizon = self.items, now_ns - self._span_ns
        while items and items[0][0] <= horizon:
            items.popleft()

    def since(self, start_ns: int) -> list[float]:
        """Values later than ``start_ns``, newest first: costs what it returns, not what is kept."""
        found = []
        for t_ns, value in reversed(self.items):
            if t_ns <= start_ns:
                break
            found.append(value)
        return found

    def median_since(self, start_ns: int) -> float | None:
        return median(self.since(start_ns))

    def values(self) -> list[float]:
        """All values kept, oldest first."""
        return [value for _, value in self.items]


class Baseline:
    """What is normal for one signal: median and MAD of accepted values over minutes.

    At most one value every ``pace_s`` is kept (one a second until it is ready), so that it is slow to adapt; abnormal
    values are refused until they have lasted ``adopt_s``.
    """

    __slots__ = ("_abnormal_ns", "_adopt_ns", "_kept", "_mad", "_min_count", "_ordered", "_pace_ns", "_size")

    def __init__(self, span_s: float, pace_s: float, min_count: int, adopt_s: float) -> None:
        self._pace_ns = ns(pace_s)
        self._size = max(int(span_s / pace_s), min_count)
        self._min_count = min_count
        self._adopt_ns = ns(adopt_s)
        self._kept: deque[tuple[int, float]] = deque()
        self._ordered: list[float] = []
        self._mad: float | None = None
        self._abnormal_ns: int | None = None

    def offer(self, t_ns: int, value: float | None, abnormal: bool = False) -> None:
        """Takes a value if its turn has come. ``abnormal``: it shows evidence of trouble right now."""
        if value is None:
            return
        if abnormal:
            self._abnormal_ns = t_ns if self._abnormal_ns is None else self._abnormal_ns
            if t_ns - self._abnormal_ns < self._adopt_ns:
                return
        else:
            self._abnormal_ns = None
        pace_ns = self._pace_ns if len(self._kept) >= 2 * self._min_count else NS
        if self._kept and t_ns - self._kept[-1][0] < pace_ns:
            return
        if len(self._kept) >= self._size:
            _, old = self._kept.popleft()
            del self._ordered[bisect_left(self._ordered, old)]
        self._kept.append((t_ns, value))
        insort(self._ordered, value)
        self._mad = None

    def interrupted(self) -> None:
        """Nobody was there to see whether what is abnormal has lasted."""
        self._abnormal_ns = None

    def forget(self) -> None:
        """Starts anew: what was normal is unknown again."""
        self._kept.clear()
        self._ordered.clear()
        self._mad = None
        self._abnormal_ns = None

    @property
    def value(self) -> float | None:
        """The median; None until there are enough values."""
        ordered = self._ordered
        if len(ordered) < self._min_count:
            return None
        half = len(ordered) // 2
        return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2

    @property
    def mad(self) -> float | None:
        """Median absolute deviation; None until there are enough values."""
        middle = self.value
        if middle is None:
            return None
        if self._mad is None:
            self._mad = median([abs(v - middle) for v in self._ordered])
        return self._mad


def usual_baseline(limits: Thresholds) -> Baseline:
    """A baseline with the span and pace that most signals have."""
    return Baseline(limits.baseline_s, limits.baseline_pace_s, limits.baseline_min_count, limits.adopt_s)
