"""The part of a feed sample that comes from a route's books: the same for native routes and ccxt.pro's."""

from __future__ import annotations

import msgspec

from feeds.books.route_books import RouteBooks, median_ms
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.time_breaks import SET_NS
from feeds.quantiles import percentile
from feeds.samples import FeedSample, symbol_of


class FeedSampler:
    """Counts since the last sample, and ages corrected by the venue's clock offset."""

    def __init__(self, route: str, books: RouteBooks, offset: OffsetEstimator) -> None:
        self._route, self._books, self._offset = route, books, offset
        self._messages = self._book_updates = self._trades = 0
        self._gap_ns: int | None = None

    def sample(self, now_ns: int, mono_ns: int, interval_ms: float, messages: int) -> FeedSample:
        """``messages``: of the route since its start. What only its sockets know is left None."""
        books = self._books
        bursts, ages, lags = books.bursts.take()
        corrected = self._offset.ages_ms(ages) if self._one_clock(now_ns - mono_ns) else []
        sample = FeedSample(
            route=self._route,
            t_ns=now_ns,
            mono_ns=mono_ns,
            interval_ms=interval_ms,
            messages=messages - self._messages,
            bursts=bursts,
            age_p50_ms=percentile(corrected, 0.5),
            age_max_ms=corrected[-1] if corrected else None,
            engine_lag_ms=median_ms(lags),
            book_updates=books.book_updates - self._book_updates,
            trades=books.trades - self._trades,
            offset_err_ms=self._offset.error_ms,
        )
        self._messages, self._book_updates, self._trades = messages, books.book_updates, books.trades
        return sample

    def without_hopeless(self, sample: FeedSample) -> FeedSample:
        """Without the silences of pairs from which nothing can come."""
        symbols = {symbol for symbol, pair in self._books.pairs.items() if pair.hopeless is not None}
        if not symbols:
            return sample
        silences = {k: v for k, v in sample.channel_silence_ms.items() if symbol_of(k) not in symbols}
        never = tuple(k for k in sample.never_data if symbol_of(k) not in symbols)
        return msgspec.structs.replace(sample, channel_silence_ms=silences, never_data=never)

    def _one_clock(self, gap_ns: int) -> bool:
        """Was the whole interval measured with one clock? Ages across a step are meaningless."""
        before_ns, self._gap_ns = self._gap_ns, gap_ns
        return before_ns is None or abs(gap_ns - before_ns) < SET_NS
