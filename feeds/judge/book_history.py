"""One pair's book through time: recent depth and spread, its own normal, and what is wrong with it."""

from __future__ import annotations

from feeds.consensus import Gap
from feeds.judge.rolling import Baseline, Window, finite, ns
from feeds.judge.thresholds import Thresholds
from feeds.quantiles import median
from feeds.samples import BookSample

BOOK_RECENT_S = 4.0


def baseline(limits: Thresholds) -> Baseline:
    """A baseline at the usual pace."""
    return Baseline(limits.baseline_s, limits.baseline_pace_s, limits.baseline_min_count, limits.adopt_s)


class BookHistory:
    """One pair's book: recent values and the pair's own normal."""

    __slots__ = (
        "ask",
        "base_ask",
        "base_bid",
        "base_gap",
        "base_spread",
        "bid",
        "crossed_ns",
        "disagrees_ns",
        "gap",
        "last",
        "mid",
        "mid_ns",
        "moved_ns",
        "spread",
        "unsynced_ns",
    )

    def __init__(self, limits: Thresholds) -> None:
        def base() -> Baseline:
            return baseline(limits)

        self.base_bid, self.base_ask, self.base_spread, self.base_gap = base(), base(), base(), base()
        self.bid, self.ask, self.spread = (Window(BOOK_RECENT_S) for _ in range(3))
        self.mid: float | None = None
        self.mid_ns = 0
        self.moved_ns: int | None = None
        """Since when the mid stands where it is."""
        self.gap: Gap | None = None
        """Against the other routes, as of the last step."""
        self.crossed_ns: int | None = None
        self.disagrees_ns: int | None = None
        self.unsynced_ns: int | None = None
        self.last: BookSample | None = None

    def observe(self, sample: BookSample, t_ns: int) -> None:
        self.last = sample
        usable = sample.synced and not sample.crossed
        if usable and finite(sample.mid) and sample.mid > 0:
            if sample.mid != self.mid:
                self.moved_ns = t_ns
            self.mid, self.mid_ns = sample.mid, t_ns
        elif not usable:
            self.mid = None
        windows = (self.bid, sample.depth_bid), (self.ask, sample.depth_ask), (self.spread, sample.spread_bps)
        for window, value in windows:
            window.trim(t_ns)
            if usable and finite(value) and value >= 0:
                window.add(t_ns, value)
        self.crossed_ns = _since(self.crossed_ns, sample.crossed, t_ns)
        self.disagrees_ns = _since(self.disagrees_ns, sample.disagrees, t_ns)
        self.unsynced_ns = _since(self.unsynced_ns, not sample.synced, t_ns)

    @property
    def judgeable_gap_bps(self) -> float | None:
        """The gap its usual one is learnt from: None while it is not known well enough to judge by."""
        return self.gap.gap_bps if self.gap is not None and self.gap.judgeable else None

    def now(self, window: Window, now_ns: int) -> float | None:
        return median(window.since(now_ns - ns(BOOK_RECENT_S)))


def _since(since_ns: int | None, present: bool, t_ns: int) -> int | None:
    if not present:
        return None
    return t_ns if since_ns is None else since_ns
