"""One pair's book as health sees it."""

from __future__ import annotations

from feeds.books.book import Book
from feeds.clock import MS
from feeds.samples import BookSample


def book_sample(route: str, book: Book, now_ns: int, *, disagrees: bool = False) -> BookSample:
    ladder = book.ladder()
    bid10, ask10 = ladder.depth(10)
    return BookSample(
        route=route,
        symbol=book.instrument.symbol,
        t_ns=now_ns,
        mid=ladder.mid,
        spread_bps=ladder.spread_bps,
        depth_bid=bid10,
        depth_ask=ask10,
        age_ms=None if book.received_ns is None else max(0.0, (now_ns - book.received_ns) / MS),
        crossed=ladder.crossed,
        disagrees=disagrees,
        synced=book.synced,
    )
