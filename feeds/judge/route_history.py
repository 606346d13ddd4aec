"""Everything measured of one route lately, bounded: one history for each kind of sample.

Times are nanoseconds of the judge's timeline. Numbers that are not finite are refused.
"""

from __future__ import annotations

from collections.abc import Container

from feeds.judge.book_history import BookHistory
from feeds.judge.feed_history import FeedHistory
from feeds.judge.link_history import LinkHistory
from feeds.judge.offset_history import OffsetHistory
from feeds.judge.own_side import OwnSide
from feeds.judge.rest_history import RestHistory
from feeds.judge.rolling import finite, ns
from feeds.judge.status_history import StatusHistory
from feeds.judge.thresholds import Thresholds
from feeds.samples import BookSample, FeedSample, LinkSample, ProbeSample, StatusSample, WatchSample

SYMBOLS_KEPT = 512


class RouteHistory:
    """The histories of one route."""

    def __init__(self, route: str, limits: Thresholds) -> None:
        self.route = route
        self.product = route.partition(".")[2]
        self.limits = limits
        self.first_ns: int | None = None
        """When the first sample came; None: none has."""
        self.measured_ns: int | None = None
        """When the last sample came."""
        self.rest = RestHistory(limits)
        self.offset = OffsetHistory(limits)
        self.feed = FeedHistory(limits)
        self.links = LinkHistory(limits)
        self.symbols: dict[str, BookHistory] = {}
        self.status = StatusHistory()
        self.watch: WatchSample | None = None
        """How many pairs something can come from; None: nobody said."""
        self._awake_ns: int | None = None
        """When we woke up last."""

    @property
    def unwatched(self) -> WatchSample | None:
        """Nothing can come from any pair; None: something can, or nobody said."""
        return self.watch if self.watch is not None and self.watch.pairs == 0 else None

    @property
    def untrusted_text(self) -> str | None:
        """What is wrong with the venue's certificate as it is shown to us; None: nothing, so far as we know."""
        return self.rest.untrusted_text if self.rest.untrusted_text is not None else self.links.untrusted_text()

    @property
    def untrusted_since_ns(self) -> int | None:
        return self.rest.untrusted_since_ns

    @property
    def contact_ns(self) -> int | None:
        """When anything last came from the venue."""
        contacts = (self.rest.contact_ns, self.feed.contact_ns, self.links.contact_ns)
        return max((t_ns for t_ns in contacts if t_ns is not None), default=None)

    def observe(
        self,
        sample: ProbeSample | FeedSample | LinkSample | BookSample | WatchSample | StatusSample,
        t_ns: int,
        start_ns: int,
    ) -> None:
        """``t_ns``: when the sample came; ``start_ns``: when what it measures began (a probe's start)."""
        match sample:
            case ProbeSample():
                self._observe_probe(sample, start_ns, t_ns)
            case FeedSample():
                self._measured(t_ns)
                self.feed.observe(sample, t_ns)
            case LinkSample():
                self._measured(t_ns)
                self.links.observe(sample, t_ns)
            case BookSample():
                self._measured(t_ns)
                self._observe_book(sample, t_ns)
            case WatchSample():
                self.watch = sample
            case StatusSample():
                self.status.observe(sample)

    def _measured(self, t_ns: int) -> None:
        self.first_ns = t_ns if self.first_ns is None else self.first_ns
        self.measured_ns = t_ns

    def _observe_probe(self, sample: ProbeSample, start_ns: int, end_ns: int) -> None:
        if not finite(sample.total_ms) or sample.total_ms < 0:
            return
        if self._awake_ns is not None and start_ns < self._awake_ns:
            return  # it was under way while we slept
        self._measured(end_ns)
        probe = self.rest.observe(sample, start_ns, end_ns)
        if probe.answered:
            self.offset.observe(probe)

    def _observe_book(self, sample: BookSample, t_ns: int) -> None:
        if not sample.expected:  # nothing can come from it: that is said on the pair, and colours no route
            self.symbols.pop(sample.symbol, None)
            return
        symbol = self.symbols.get(sample.symbol)
        if symbol is None:
            if len(self.symbols) >= SYMBOLS_KEPT:
                return
            symbol = self.symbols[sample.symbol] = BookHistory(self.limits)
        symbol.observe(sample, t_ns)

    def clock_was_set(self) -> None:
        """What was measured against the clock of before is void: ages and clock offsets."""
        self.offset.clock_was_set()
        self.feed.clock_was_set()

    def awoke(self, now_ns: int) -> None:
        """We slept until now: keeps what is normal, forgets the last seconds."""
        self._awake_ns = now_ns
        self.rest.awoke()
        self.offset.clock_was_set()
        self.feed.awoke(now_ns)
        self.links.awoke(now_ns)
        for symbol in self.symbols.values():
            symbol.awoke()
        if self.measured_ns is not None:
            self.measured_ns = now_ns

    def trim(self, now_ns: int) -> None:
        """Forgets what no window needs any more."""
        self.rest.trim(now_ns)
        self.offset.trim(now_ns)
        self.feed.trim(now_ns)
        self.links.trim(now_ns)

    def update(self, own: OwnSide, now_ns: int) -> None:
        """Works out the figures of the last seconds, without what was our own fault."""
        self.rest.update(own, now_ns)
        self.offset.update(now_ns)
        self.feed.update(own, now_ns)
        self.links.update(now_ns)
        for symbol in self.symbols.values():
            symbol.update(now_ns)

    def learn(self, now_ns: int, abnormal: Container[str]) -> None:
        """Offers the last seconds to the baselines, once our own start-up is over."""
        if self.first_ns is None or now_ns - self.first_ns < ns(self.limits.settle_s):
            return
        self.rest.learn(now_ns, abnormal)
        self.offset.learn(now_ns, abnormal)
        self.feed.learn(now_ns, abnormal)
        self.links.learn(now_ns, abnormal)
        for symbol in self.symbols.values():
            symbol.learn(now_ns, abnormal)

    def data_silence_s(self) -> float | None:
        """How long no engine channel has carried data, as of the last feed sample."""
        return self.feed.data_silence_s(self.first_ns)
