"""What a venue sends is spoilt on its way to our decoder: first books are withheld, frames are cut."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from feeds.model import BookDelta, BookSnapshot, Event, Instrument, Product
from feeds.venues.base import Answer, Session, SocketPlan, Venue, VenueError


class Tampering:
    """What is still to be spoilt of one symbol."""

    def __init__(self, symbol: str, *, withhold: int = 0) -> None:
        self.symbol = symbol
        self.withhold = withhold
        """So many first books never come (over REST: cannot be read)."""
        self.cut = 0
        """So many of its book messages are cut short."""

    def at(self, venue: Venue) -> Venue:
        tampered: Any = copy.copy(venue)
        tampered.session = lambda plan, instruments: _Tampered(self, venue, plan, instruments)

        def read_snapshot(product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
            if instrument.symbol == self.symbol and self.withhold:
                self.withhold -= 1
                raise VenueError("spoilt by the test")
            return venue.read_snapshot(product, instrument, answer)

        tampered.read_snapshot = read_snapshot
        return tampered  # type: ignore[no-any-return] # a venue with two methods replaced


class _Tampered:
    def __init__(self, tampering: Tampering, venue: Venue, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._tampering, self._over_rest = tampering, venue.rule(plan.product).rest_snapshot
        self._session: Session = venue.session(plan, instruments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        tampering = self._tampering
        if tampering.cut and any(map(self._is_book, copy.deepcopy(self._session).receive(raw, received_ns))):
            tampering.cut -= 1
            raw = raw[: len(raw) * 2 // 3]
        events = self._session.receive(raw, received_ns)
        if not tampering.withhold or self._over_rest:
            return events
        kept = [event for event in events if not (isinstance(event, BookSnapshot) and self._is_book(event))]
        tampering.withhold -= len(kept) < len(events)
        return kept

    def _is_book(self, event: Event) -> bool:
        return isinstance(event, BookDelta | BookSnapshot) and event.symbol == self._tampering.symbol
