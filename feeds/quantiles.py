"""Percentile and median, defined once for all of ``feeds``. Means are not used: one outlier moves them."""

from __future__ import annotations

from collections.abc import Sequence


def percentile(ordered: Sequence[float], q: float) -> float | None:
    """Nearest-rank percentile of ascending values, ``q`` in 0..1; None where there are none."""
    if not ordered:
        return None
    rank = -int(-q * len(ordered) // 1)
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def median(values: Sequence[float]) -> float | None:
    """The average of the two middle values where their number is even; None where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
