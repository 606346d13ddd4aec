"""When a figure of a frame is called high, thin or late: against its own normal, never for being large."""

from __future__ import annotations

from feeds.frame import Depth

HIGH_RATIO = 2.0
HIGH_FLOOR_MS = 10.0
HIGH_FLOOR_BPS = 0.1
THIN_RATIO = 0.5
OWN_LATE_MS = 50.0
"""Our own lag (p99) from which percentiles of a few milliseconds are partly ours."""


def high_from(normal: float | None, floor: float) -> float | None:
    """The least value that is called high: twice the normal, and at least ``floor`` above it."""
    return None if normal is None else max(HIGH_RATIO * normal, normal + floor)


def is_wide(spread_bps: float | None, normal_bps: float | None) -> bool:
    high_bps = high_from(normal_bps, HIGH_FLOOR_BPS)
    return spread_bps is not None and high_bps is not None and spread_bps >= high_bps


def is_thin(depth: Depth | None, normal: Depth | None) -> bool:
    """Half of the normal depth, or less, on either side."""
    if depth is None or normal is None:
        return False
    sides = ((depth.bid, normal.bid), (depth.ask, normal.ask))
    return any(now is not None and usual is not None and now <= usual * THIN_RATIO for now, usual in sides)


def is_own_late(lag_p99_ms: float | None) -> bool:
    return lag_p99_ms is not None and lag_p99_ms >= OWN_LATE_MS


def venue_time_ms(first_byte_ms: float | None, tcp_ms: float | None) -> float | None:
    """The venue's own share of a request: time to first byte less the kernel's round trip, never below 0."""
    return None if first_byte_ms is None or tcp_ms is None else max(0.0, first_byte_ms - tcp_ms)
