"""One pair's book through time: recent depth and spread, its baselines, and since when something is wrong with it."""

from __future__ import annotations

from collections.abc import Container

from feeds.consensus import Gap
from feeds.judge.finding import ratio_of
from feeds.judge.rolling import Window, finite, ns, usual_baseline
from feeds.judge.thresholds import Thresholds
from feeds.samples import BookSample

BOOK_RECENT_S = 4.0


class BookHistory:
    """One pair's book. Depths are within 10 bp of mid, in the quote currency."""

    __slots__ = (
        "_ask",
        "_bid",
        "_spread",
        "base_ask",
        "base_bid",
        "base_gap",
        "base_spread",
        "crossed_ns",
        "depth_ask",
        "depth_bid",
        "disagrees_ns",
        "gap",
        "last",
        "mid",
        "mid_ns",
        "moved_ns",
        "spread_bps",
        "unsynced_ns",
    )

    def __init__(self, limits: Thresholds) -> None:
        self.base_bid, self.base_ask = usual_baseline(limits), usual_baseline(limits)
        self.base_spread, self.base_gap = usual_baseline(limits), usual_baseline(limits)
        self._bid, self._ask, self._spread = (Window(BOOK_RECENT_S) for _ in range(3))
        self.depth_bid: float | None = None
        """Median of the last 4 s, as of the last ``update``; the next two likewise."""
        self.depth_ask: float | None = None
        self.spread_bps: float | None = None
        self.mid: float | None = None
        self.mid_ns = 0
        self.moved_ns: int | None = None
        """Since when the mid has not moved."""
        self.gap: Gap | None = None
        """Against the other routes' mids, as of the last step."""
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
        windows = (self._bid, sample.depth_bid), (self._ask, sample.depth_ask), (self._spread, sample.spread_bps)
        for window, value in windows:
            window.trim(t_ns)
            if usable and finite(value) and value >= 0:
                window.add(t_ns, value)
        self.crossed_ns = _since(self.crossed_ns, sample.crossed, t_ns)
        self.disagrees_ns = _since(self.disagrees_ns, sample.disagrees, t_ns)
        self.unsynced_ns = _since(self.unsynced_ns, not sample.synced, t_ns)

    def awoke(self) -> None:
        """What was seen before a sleep says nothing about now."""
        for window in (self._bid, self._ask, self._spread):
            window.items.clear()
        self.depth_bid = self.depth_ask = self.spread_bps = None
        self.mid = self.gap = None
        self.crossed_ns = self.disagrees_ns = self.unsynced_ns = self.moved_ns = None
        self.last = None
        for base in (self.base_bid, self.base_ask, self.base_spread, self.base_gap):
            base.interrupted()

    def update(self, now_ns: int) -> None:
        """Works out depth and spread of the last 4 s, as of ``now_ns``."""
        self.depth_bid, self.depth_ask, self.spread_bps = self.recent(now_ns)

    def recent(self, now_ns: int) -> tuple[float | None, float | None, float | None]:
        """(bid depth, ask depth, spread in bp): medians of the 4 s up to ``now_ns``."""
        start_ns = now_ns - ns(BOOK_RECENT_S)
        return self._bid.median_since(start_ns), self._ask.median_since(start_ns), self._spread.median_since(start_ns)

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        """Offers the last seconds to the baselines. ``abnormal``: signals that show evidence of trouble now."""
        if self.last is None:
            return
        thin, odd = f"liquidity.{self.last.symbol}" in abnormal, f"price.{self.last.symbol}" in abnormal
        self.base_bid.offer(now_ns, self.depth_bid, thin)
        self.base_ask.offer(now_ns, self.depth_ask, thin)
        self.base_spread.offer(now_ns, self.spread_bps, thin)
        self.base_gap.offer(now_ns, self.gap.gap_bps if self.gap is not None and self.gap.judgeable else None, odd)

    def depth_ratio(self) -> tuple[float, float, float] | None:
        """The thinner side: (ratio to its baseline, now, baseline); None while unknown."""
        worst: tuple[float, float, float] | None = None
        for value, base in ((self.depth_bid, self.base_bid), (self.depth_ask, self.base_ask)):
            usual = base.value
            ratio = ratio_of(value, usual)
            if ratio is not None and value is not None and usual is not None and (worst is None or ratio < worst[0]):
                worst = ratio, value, usual
        return worst

    def spread_ratio(self, floor_bps: float) -> float | None:
        """Spread against its baseline; less than ``floor_bps`` above the baseline counts as unchanged."""
        value, usual = self.spread_bps, self.base_spread.value
        if value is None or usual is None:
            return None
        if value - usual < floor_bps:
            return 1.0
        return value / max(usual, 0.1)


def _since(since_ns: int | None, present: bool, t_ns: int) -> int | None:
    if not present:
        return None
    return t_ns if since_ns is None else since_ns
