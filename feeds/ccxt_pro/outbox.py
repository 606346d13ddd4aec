"""What the child has not sent yet: the newest book of each symbol, and a bounded number of all other messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from feeds.ccxt_pro.messages import LEVELS, MAX_TRADES, BookNow, ChildMessage, TradeNow

KEPT_MESSAGES = 256


class Outbox:
    """Its size does not depend on how slowly the collector reads."""

    def __init__(self) -> None:
        self._books: dict[str, BookNow] = {}
        self._trades: deque[TradeNow] = deque(maxlen=MAX_TRADES)
        self._others: deque[ChildMessage] = deque(maxlen=KEPT_MESSAGES)

    def book(self, book: BookNow) -> None:
        """Replaces an unsent book of the symbol, and counts how many books it stands for."""
        before = self._books.pop(book.symbol, None)
        if before is not None:
            book = msgspec.structs.replace(book, updates=book.updates + before.updates)
        self._books[book.symbol] = book

    def trade(self, trade: TradeNow) -> None:
        self._trades.append(trade)

    def add(self, message: ChildMessage) -> None:
        """Any message but a book or a trade."""
        self._others.append(message)

    def forget(self, symbol: str | None) -> None:
        """A subscription has ended: an earlier book must not be sent after the message that says so."""
        if symbol is None:
            self._books.clear()
        else:
            self._books.pop(symbol, None)

    def take(self) -> list[ChildMessage]:
        """All of it. Books come last: the end of a subscription is sent before the book that follows it."""
        taken: list[ChildMessage] = [*self._others, *self._trades, *self._books.values()]
        self._books.clear()
        self._trades.clear()
        self._others.clear()
        return taken


def levels(side: Sequence[Sequence[Any]]) -> list[tuple[float, float]]:
    """ccxt's best levels, price and amount only; ccxt may keep order ids and counts beside them."""
    return [(float(level[0]), float(level[1])) for level in side[:LEVELS]]


def book_now(
    symbol: str, book: Mapping[str, Any], received_ns: int, received_mono_ns: int, *, own_stamp: bool
) -> BookNow:
    """A copy of ccxt's book, which goes on changing. ``own_stamp``: its time is our own clock's, so it is left out.

    Raises TypeError, ValueError or KeyError on what is not a book.
    """
    stamp, nonce = book.get("timestamp"), book.get("nonce")
    return BookNow(
        symbol=symbol,
        bids=levels(book["bids"]),
        asks=levels(book["asks"]),
        nonce=nonce if type(nonce) is int and 0 <= nonce < 1 << 62 else None,
        venue_ms=int(stamp) if stamp is not None and not own_stamp and 0 < stamp < 1 << 43 else None,
        received_ns=received_ns,
        received_mono_ns=received_mono_ns,
    )
