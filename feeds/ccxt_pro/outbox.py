"""What the child has not yet sent: one book a symbol, the newest; a bounded number of everything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from feeds.ccxt_pro.messages import LEVELS, MAX_TRADES, BookNow, TradeNow, Word

KEPT_WORDS = 256


class Outbox:
    """Its size does not depend on how slowly the collector reads."""

    def __init__(self) -> None:
        self._books: dict[str, BookNow] = {}
        self._trades: deque[TradeNow] = deque(maxlen=MAX_TRADES)
        self._words: deque[Word] = deque(maxlen=KEPT_WORDS)

    def book(self, book: BookNow) -> None:
        """The latest wins, and tells how many it stands for."""
        before = self._books.pop(book.symbol, None)
        if before is not None:
            book = msgspec.structs.replace(book, updates=book.updates + before.updates)
        self._books[book.symbol] = book

    def trade(self, trade: TradeNow) -> None:
        self._trades.append(trade)

    def word(self, word: Word) -> None:
        self._words.append(word)

    def forget(self, symbol: str | None) -> None:
        """A subscription has ended: a book from before must not arrive after that word."""
        if symbol is None:
            self._books.clear()
        else:
            self._books.pop(symbol, None)

    def take(self) -> list[Word]:
        """All of it, words first: that a subscription ended comes before the book that follows it."""
        taken: list[Word] = [*self._words, *self._trades, *self._books.values()]
        self._books.clear()
        self._trades.clear()
        self._words.clear()
        return taken


def levels(side: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    """ccxt's best levels; what else it keeps beside price and amount (order ids, counts) is left out."""
    return [(float(level[0]), float(level[1])) for level in side[:LEVELS]]


def book_now(symbol: str, book: Mapping[str, Any], received_ns: int, *, own_stamp: bool) -> BookNow:
    """ccxt's book, copied: it goes on changing. ``own_stamp``: its time is ours, and is left out.

    Raises TypeError, ValueError or KeyError on a book that is none.
    """
    stamp, nonce = book.get("timestamp"), book.get("nonce")
    return BookNow(
        symbol=symbol,
        bids=levels(book["bids"]),
        asks=levels(book["asks"]),
        nonce=nonce if type(nonce) is int and 0 <= nonce < 1 << 62 else None,
        venue_ms=int(stamp) if stamp is not None and not own_stamp and 0 < stamp < 1 << 43 else None,
        received_ns=received_ns,
    )
