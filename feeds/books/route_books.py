"""The books of one route's symbols together, with their quotes, marks, trades, counters and burst statistics.

Everything here runs inside the read loop, so each event costs a dictionary look-up and a few assignments. Whatever can
be derived is derived when a sample or a frame is made.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from feeds.books.book import Book, Outcome
from feeds.model import (
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Garbled,
    Instrument,
    Liquidation,
    Mark,
    Notice,
    Product,
    Quote,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.sequence import SequenceRule

BURSTS_KEPT = 4096
LIQUIDATION_WINDOW_NS = 60_000_000_000
_APPLIED = Outcome.APPLIED  # looked up for every message


class Origin(Protocol):
    """The stream an event came by."""

    @property
    def label(self) -> str: ...


class HasRule(Protocol):
    """The part of a venue that books need."""

    def rule(self, product: Product) -> SequenceRule: ...


class PairState:
    """What is known of one symbol beside its book."""

    __slots__ = (
        "book",
        "last_trade",
        "liquidations",
        "mark",
        "quote",
        "quote_mono_ns",
        "refused",
        "synced_before",
        "trades",
    )

    def __init__(self, book: Book) -> None:
        self.book = book
        self.quote: Quote | None = None
        self.quote_mono_ns = 0
        self.mark: Mark | None = None
        self.last_trade: Trade | None = None
        self.trades = 0
        self.liquidations: deque[tuple[int, float]] = deque(maxlen=1000)
        self.refused: str | None = None
        """Why the venue refused the book's subscription, where it did."""
        self.synced_before = False
        """The book was synced at least once: the next time is a resync."""

    @property
    def hopeless(self) -> str | None:
        """Why nothing can come from this pair; None: something can. It is said on the pair and colours no route."""
        if self.book.synced:
            return None
        if self.refused is not None:
            return f"refused: {self.refused}"
        return None if self.book.instrument.active else "the venue lists it as inactive"

    def liquidated(self, mono_ns: int) -> float | None:
        """Quote currency liquidated in the last minute; None where no liquidation ever came."""
        if not self.liquidations:
            return None
        return sum(value for t_ns, value in self.liquidations if mono_ns - t_ns <= LIQUIDATION_WINDOW_NS)


def notional_of(instrument: Instrument, price: float, size: float) -> float:
    """Quote currency of ``size`` venue units at ``price``."""
    return size * instrument.contract_size * (1.0 if instrument.inverse else price)


class Bursts:
    """Ages of bursts, not of messages: a released backlog is one late burst, not a thousand late messages."""

    def __init__(self) -> None:
        self._readable_ns = -1
        self._oldest_ns: int | None = None
        self._lag_ns: int | None = None
        self.count = 0
        self.ages_ns: list[int] = []
        self.lags_ns: list[int] = []

    def stamp(self, readable_ns: int, engine_ns: int | None, gateway_ns: int | None) -> None:
        if readable_ns != self._readable_ns:
            self.close()
            self._readable_ns = readable_ns
            self.count += 1
        if engine_ns is None:
            if gateway_ns is not None and (self._oldest_ns is None or gateway_ns < self._oldest_ns):
                self._oldest_ns = gateway_ns
            return
        if self._oldest_ns is None or engine_ns < self._oldest_ns:
            self._oldest_ns = engine_ns
        if gateway_ns is not None and (self._lag_ns is None or gateway_ns - engine_ns > self._lag_ns):
            self._lag_ns = gateway_ns - engine_ns

    def close(self) -> None:
        if self._oldest_ns is not None and len(self.ages_ns) < BURSTS_KEPT:
            self.ages_ns.append(self._readable_ns - self._oldest_ns)
        if self._lag_ns is not None and len(self.lags_ns) < BURSTS_KEPT:
            self.lags_ns.append(self._lag_ns)
        self._oldest_ns = self._lag_ns = None

    def take(self) -> tuple[int, list[int], list[int]]:
        """(bursts, ages, venue-internal lags) since the last take, ns; ages are not yet corrected by the offset."""
        self.close()
        taken = self.count, self.ages_ns, self.lags_ns
        self.count, self.ages_ns, self.lags_ns = 0, [], []
        return taken


class RouteBooks:
    def __init__(
        self,
        route: str,
        venue: HasRule,
        product: Product,
        instruments: Sequence[Instrument],
        *,
        resync: Callable[[str, Origin], None],
        notice: Callable[[str, float | None], None],
        log_event: Callable[[str, str], None],
    ) -> None:
        """``resync(symbol, origin)`` is called when a book needs a new snapshot, ``notice(text, reconnect_within_s)``
        when the venue says something about itself, ``log_event(code, text)`` for the event log. None of them may
        block."""
        self.route = route
        self.product = product
        self.instruments: Mapping[str, Instrument] = {i.symbol: i for i in instruments}
        rule = venue.rule(product)
        self.rest_snapshot = rule.rest_snapshot
        self.pairs = {i.symbol: PairState(Book(i, rule)) for i in instruments}
        self.bursts = Bursts()
        self.book_updates = 0
        self.trades = 0
        self.gaps = 0
        self.resyncs = 0
        self.garbled = 0
        self.unknown = 0
        self.refusals: list[Refusal] = []
        self._resync = resync
        self._notice = notice
        self._log_event = log_event
        self._handlers: dict[type, Callable[[Any, Origin, int, int], None]] = {
            BookDelta: self._book,
            BookSnapshot: self._book,
            Quote: self._quote,
            Trade: self._trade,
            Mark: self._mark,
            Liquidation: self._liquidation,
            Refusal: self._refusal,
            Notice: self._venue_notice,
            Unknown: self._count_unknown,
            Garbled: self._count_garbled,
        }

    def events(self, stream: Origin, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        """``wall_ns`` is compared with the venue's time stamps, ``mono_ns`` is kept for intervals."""
        handlers = self._handlers
        for event in events:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event, stream, wall_ns, mono_ns)

    def rest_book(self, snapshot: BookSnapshot, received_mono_ns: int) -> Outcome | None:
        """A snapshot that came over REST, for a venue that syncs so."""
        pair = self.pairs.get(snapshot.symbol)
        if pair is None:
            return None
        was_synced = pair.book.synced
        outcome = pair.book.apply(snapshot, received_mono_ns)
        if pair.book.synced and not was_synced:
            self.resyncs += pair.synced_before
            pair.synced_before = True
        return outcome

    def disconnected(self, symbols: Sequence[str]) -> None:
        """Their socket is lost: what the books hold is no longer the venue's book."""
        for symbol in symbols:
            pair = self.pairs.get(symbol)
            if pair is not None:
                pair.book.reset()
                pair.quote = None

    def _book(self, event: BookDelta | BookSnapshot, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        pair = self.pairs.get(event.symbol)
        if pair is None:
            return
        book = pair.book
        was_synced = book.synced
        outcome = book.apply(event, mono_ns)
        if outcome is _APPLIED:
            self.book_updates += 1
            if was_synced:
                self.bursts.stamp(wall_ns, event.engine_ns, event.gateway_ns)
            else:
                pair.synced_before = True
            return
        if outcome is Outcome.GAP or outcome is Outcome.BAD_CHECKSUM:
            self.gaps += 1
            what = "sequence gap" if outcome is Outcome.GAP else "the book is not the venue's (checksum, or crossed)"
            self._log_event("gap", f"{event.symbol}: {what}, asking for a new snapshot")
            self._resync(event.symbol, origin)
        elif book.wants_snapshot:
            self._resync(event.symbol, origin)

    def _quote(self, event: Quote, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        pair = self.pairs.get(event.symbol)
        if pair is not None:
            pair.quote = event
            pair.quote_mono_ns = mono_ns
            self.bursts.stamp(wall_ns, event.engine_ns, event.gateway_ns)

    def _trade(self, event: Trade, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        pair = self.pairs.get(event.symbol)
        if pair is not None:
            pair.last_trade = event
            pair.trades += 1
            self.trades += 1

    def _mark(self, event: Mark, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        pair = self.pairs.get(event.symbol)
        if pair is None:
            return
        known = pair.mark
        if known is not None:  # absent means unchanged
            for name in ("mark", "index", "funding_rate", "next_funding_ns", "interval_h"):
                if getattr(event, name) is None:
                    setattr(event, name, getattr(known, name))
        pair.mark = event

    def _liquidation(self, event: Liquidation, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        pair = self.pairs.get(event.symbol)
        if pair is not None:
            value = notional_of(pair.book.instrument, event.price, event.size)
            pair.liquidations.append((mono_ns, value))

    def _refusal(self, event: Refusal, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        self.refusals.append(event)
        del self.refusals[:-20]
        pair = self.pairs.get(event.symbol) if event.symbol is not None else None
        if pair is not None and event.channel in (None, Channel.BOOK):
            pair.refused = event.text or event.code or "refused"
        about = f"{event.symbol}: " if event.symbol else ""
        self._log_event("refused", f"{about}subscription refused: {event.code} {event.text}")

    def _venue_notice(self, event: Notice, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        self._notice(event.text, event.reconnect_within_s)

    def _count_unknown(self, event: Unknown, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        self.unknown += 1

    def _count_garbled(self, event: Garbled, origin: Origin, wall_ns: int, mono_ns: int) -> None:
        self.garbled += 1


def median_ms(values_ns: Sequence[int]) -> float | None:
    return statistics.median(values_ns) / 1e6 if values_ns else None
