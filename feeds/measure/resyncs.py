"""Asking for books again: after a gap, and where a book that was asked for never comes. Each symbol has growing pauses.

A venue in trouble is not helped by requests without end, and a rule of ours that is wrong would ask for ever: the first
request goes out at once, each further one waits longer, until the book has been whole for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from feeds.books.book import Book
from feeds.books.route_books import RouteBooks
from feeds.clock import SECOND
from feeds.model import Channel


class ResyncTiming(Struct, frozen=True, kw_only=True):
    """Seconds."""

    patience_s: float = 15.0
    """A book that has not come for so long after it was asked for is asked for again; then after twice as long, and so
    on up to the longest pause."""
    pauses_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
    """Between two requests for the same book, at least. The last one repeats."""
    steady_s: float = 30.0
    """A book that was whole for so long starts with the first pause again."""
    turn_s: float = 0.5
    """How often books are looked at."""


TIMING = ResyncTiming()


class BookStream(Protocol):
    """The socket that a symbol's book comes by."""

    @property
    def connected(self) -> bool: ...
    @property
    def sending(self) -> bool:
        """Requests of ours still wait for the venue's send limit."""

    def resubscribe(self, channel: Channel, symbol: str) -> None: ...


class Fetcher(Protocol):
    """Asks for snapshots over REST."""

    def want(self, symbol: str) -> None: ...
    def under_way(self, symbol: str) -> bool: ...


class _Asked:
    """What is remembered of one symbol; times in ns, monotonic."""

    __slots__ = ("asked_ns", "in_vain", "missing_ns", "tries", "wanted", "whole_ns")

    def __init__(self) -> None:
        self.tries = self.in_vain = 0
        """Requests since it was last whole for a while, and those of them that nothing has answered."""
        self.asked_ns: int | None = None
        self.wanted = False
        """Lost while its pause lasted: asked for when that is over."""
        self.missing_ns: int | None = None
        """Since when it could have come and has not."""
        self.whole_ns: int | None = None


class Resyncs:
    def __init__(
        self,
        books: RouteBooks,
        stream_of: Callable[[str], BookStream | None],
        fetcher: Fetcher,
        log_event: Callable[[str, str], None],
        monotonic_ns: Callable[[], int],
        timing: ResyncTiming = TIMING,
    ) -> None:
        self._books, self._stream_of, self._fetcher = books, stream_of, fetcher
        self._log_event, self._monotonic_ns, self._timing = log_event, monotonic_ns, timing
        self._asked = {symbol: _Asked() for symbol in books.pairs}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._timing.turn_s)
            self.turn()

    def want(self, symbol: str) -> None:
        """The book is lost or needs its first snapshot: ask at once, or when its pause is over. Repeating this changes
        nothing."""
        asked = self._asked[symbol]
        asked.whole_ns = None
        if asked.wanted or (self._books.rest_snapshot and self._fetcher.under_way(symbol)):
            return
        now_ns = self._monotonic_ns()
        wait_s = self._pause_left_s(asked, now_ns)
        if wait_s <= 0:
            self._ask(symbol, asked, now_ns)
            return
        asked.wanted = True
        if wait_s >= self._timing.pauses_s[0]:
            self._log_event("resync", f"{symbol}: lost again and again, asking again in {wait_s:.0f} s")

    def turn(self) -> None:
        """Ask for every book whose pause is over or that has not come."""
        now_ns = self._monotonic_ns()
        for symbol, asked in self._asked.items():
            pair = self._books.pairs[symbol]
            if pair.book.synced:
                self._whole(asked, now_ns)
                continue
            asked.whole_ns = None
            stream = self._stream_of(symbol)
            busy = self._books.rest_snapshot and self._fetcher.under_way(symbol)
            if stream is None or not stream.connected or stream.sending or busy or pair.refused is not None:
                asked.missing_ns = None  # it cannot have come yet, or somebody else is asking
                continue
            if asked.missing_ns is None:
                asked.missing_ns = now_ns
            if asked.wanted:
                if self._pause_left_s(asked, now_ns) <= 0:
                    self._ask(symbol, asked, now_ns)
                continue
            missing_s = (now_ns - asked.missing_ns) / SECOND
            if missing_s >= min(self._timing.patience_s * 2.0**asked.in_vain, self._timing.pauses_s[-1]):
                asked.in_vain += 1
                what = "new snapshot" if pair.synced_before else "first book"
                self._log_event("resync", f"{symbol}: no {what} for {missing_s:.0f} s, asking again")
                self._ask(symbol, asked, now_ns)

    def _whole(self, asked: _Asked, now_ns: int) -> None:
        asked.wanted, asked.missing_ns, asked.in_vain = False, None, 0
        if asked.whole_ns is None:
            asked.whole_ns = now_ns
        elif now_ns - asked.whole_ns >= self._timing.steady_s * SECOND:
            asked.tries = 0

    def _pause_s(self, asked: _Asked) -> float:
        """After the newest request."""
        pauses_s = self._timing.pauses_s
        return pauses_s[min(asked.tries, len(pauses_s)) - 1] if asked.tries else 0.0

    def _pause_left_s(self, asked: _Asked, now_ns: int) -> float:
        if asked.asked_ns is None:
            return 0.0
        return self._pause_s(asked) - (now_ns - asked.asked_ns) / SECOND

    def _ask(self, symbol: str, asked: _Asked, now_ns: int) -> None:
        asked.tries += 1
        asked.asked_ns, asked.wanted, asked.missing_ns = now_ns, False, None
        pair = self._books.pairs[symbol]
        if self._books.rest_snapshot and has_updates(pair.book):
            self._fetcher.want(symbol)
            return
        stream = self._stream_of(symbol)
        if stream is not None:
            self._books.resyncs += pair.synced_before and not self._books.rest_snapshot
            stream.resubscribe(Channel.BOOK, symbol)


def has_updates(book: Book) -> bool:
    """Updates come that a snapshot can be laid under. Without any, it is the channel that must be asked for."""
    return book.buffered > 0
