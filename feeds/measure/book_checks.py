"""Samples of a route's books, and checks of a book against the venue's trades, quotes and range."""

from __future__ import annotations

import math
from collections.abc import Callable

from feeds.books.route_books import PairState, RouteBooks
from feeds.clock import MS, SECOND
from feeds.samples import BookSample

DISAGREE_BPS = 5.0
DISAGREE_SPREADS = 3.0
"""A quote disagrees with the book when their mids differ by more than both of these."""
DISAGREE_SAMPLES = 3
FRESH_NS = 1 * SECOND
"""Only a quote and a book that are both younger than this are compared."""
FROZEN_TRADES = 3
FROZEN_LIMITS = 2.0
"""A book is frozen when it stays the same for this many quiet limits of its channel, and for so many trades."""
WIDE_BPS = 105.0
"""A book known less far than this cannot show its widest band."""
NARROW_BPS = 15.0
WIDEN_NS = 300 * SECOND
WIDEN_NARROW_NS = 60 * SECOND
"""Time between snapshots that only widen the known range: they cost much of the REST budget."""


def book_sample(route: str, pair: PairState, now_ns: int, mono_ns: int, *, disagrees: bool = False) -> BookSample:
    """The book now: at ``now_ns`` on our wall clock, ``mono_ns`` on the monotonic one."""
    book = pair.book
    received_ns = book.received_mono_ns
    ladder = book.ladder()
    bid10, ask10 = ladder.depth(10)
    return BookSample(
        route=route,
        symbol=book.instrument.symbol,
        t_ns=now_ns,
        mono_ns=mono_ns,
        mid=ladder.mid,
        spread_bps=ladder.spread_bps,
        depth_bid=bid10,
        depth_ask=ask10,
        age_ms=None if received_ns is None else (mono_ns - received_ns) / MS,
        crossed=ladder.crossed,
        disagrees=disagrees,
        synced=book.synced,
        expected=pair.hopeless is None,
    )


class BookChecks:
    """Checks of a native route's books, once a sample."""

    def __init__(self, books: RouteBooks, book_quiet_s: float | None, widen: Callable[[str], None]) -> None:
        """``book_quiet_s``: the quiet limit of the book channel. ``widen(symbol)`` asks for a deeper snapshot."""
        self._books, self._widen = books, widen
        self._frozen_ns = FROZEN_LIMITS * SECOND * (math.inf if book_quiet_s is None else book_quiet_s)
        self._seen: dict[str, tuple[int, int]] = {}
        """By symbol: the book's version, and how many trades there were when it last changed."""
        self._disagreed: dict[str, int] = {}
        """By symbol: in how many samples in a row the quote has disagreed with the book."""
        self._widened_ns: dict[str, int] = {}

    def sample(self, symbol: str, now_ns: int, mono_ns: int) -> BookSample:
        pair = self._books.pairs[symbol]
        against = self._quote_is_off(pair, mono_ns)
        self._disagreed[symbol] = self._disagreed.get(symbol, 0) + 1 if against else 0
        disagrees = self._disagreed[symbol] >= DISAGREE_SAMPLES
        return book_sample(self._books.route, pair, now_ns, mono_ns, disagrees=disagrees)

    def _quote_is_off(self, pair: PairState, mono_ns: int) -> bool:
        """Does the venue's own quote contradict its book, both being fresh?"""
        quote, book = pair.quote, pair.book
        ladder = book.ladder()
        mid, spread_bps = ladder.mid, ladder.spread_bps
        if mid is None or spread_bps is None or quote is None or quote.bid is None or quote.ask is None:
            return False
        received_ns = book.received_mono_ns
        if received_ns is None or mono_ns - received_ns >= FRESH_NS or mono_ns - pair.quote_mono_ns >= FRESH_NS:
            return False
        off_bps = abs((quote.bid + quote.ask) / 2 / mid - 1) * 10_000
        return off_bps > max(DISAGREE_BPS, DISAGREE_SPREADS * spread_bps)

    def frozen(self, mono_ns: int) -> int:
        """How many books have not changed for two limits of their channel while their trades went on."""
        frozen = 0
        for symbol, pair in self._books.pairs.items():
            version, trades = self._seen.get(symbol, (-1, 0))
            if pair.book.version != version:
                self._seen[symbol] = (pair.book.version, pair.trades)
            elif pair.book.synced and pair.trades - trades >= FROZEN_TRADES and pair.book.changed_mono_ns is not None:
                frozen += mono_ns - pair.book.changed_mono_ns > self._frozen_ns
        return frozen

    def keep_wide(self, symbol: str, mono_ns: int) -> None:
        """Ask for another snapshot before the price leaves the range that the last one made known."""
        book = self._books.pairs[symbol].book
        reach = book.ladder().reach_bps if book.synced else None
        if reach is None or min(reach) >= WIDE_BPS:
            return
        every_ns = WIDEN_NARROW_NS if min(reach) < NARROW_BPS else WIDEN_NS
        if mono_ns - self._widened_ns.get(symbol, -every_ns) >= every_ns:
            self._widened_ns[symbol] = mono_ns
            self._widen(symbol)
