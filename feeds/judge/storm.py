"""A storm: the books of most venues are thin or wide at once. The whole market is under stress, nobody is to blame."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.judge.rolling import ns
from feeds.judge.thresholds import Thresholds

FEW = 4
"""Of fewer venues than this, all must be under stress."""
FORGET_S = 1.0
"""Stress that was no storm yet is forgotten after this."""


class Storm:
    """Debounce of stress at most venues: it must last before it is a storm, and be away before the storm is over."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self.since_ns: int | None = None
        """Since when there is a storm; None: there is none."""
        self.onset_ns: int | None = None
        """Since when most venues are under stress, though perhaps not long enough for a storm."""
        self._seen_ns = 0

    def step(self, now_ns: int, depths: Mapping[str, float], spreads: Mapping[str, float]) -> None:
        """Depth and spread of each venue over their baselines, by venue."""
        limits = self._limits
        measured = depths.keys() | spreads.keys()
        stressed = [
            v
            for v in measured
            if depths.get(v, 1.0) <= limits.storm_depth_ratio or spreads.get(v, 1.0) >= limits.storm_spread_ratio
        ]
        needed = len(measured) if len(measured) < FEW else limits.storm_share * len(measured)
        if len(measured) >= 2 and len(stressed) >= needed:
            self.onset_ns = now_ns if self.onset_ns is None else self.onset_ns
            self._seen_ns = now_ns
            if now_ns - self.onset_ns >= ns(limits.storm_raise_s):
                self.since_ns = self.onset_ns
        elif self.onset_ns is not None:
            kept_s = limits.storm_clear_s if self.since_ns is not None else FORGET_S
            if now_ns - self._seen_ns > ns(kept_s):
                self.since_ns = self.onset_ns = None
