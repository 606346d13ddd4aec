"""A market that stands still, for testing twins without sockets or time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from feeds.model import Product, StatusNotice
from feeds.sim.twin import (
    BookImage,
    Change,
    Out,
    Request,
    SimInstrument,
    SimMark,
    SimTrade,
    TextLevel,
    Top,
    Twin,
    TwinSession,
)

MS = 1_000_000
START_NS = 1_760_104_800_123 * MS


class FixedWorld:
    """``venue`` with the instruments of ``twin``; every book has the same levels."""

    def __init__(self, twin: Twin) -> None:
        self.ns = START_NS
        self.seq = 1_000
        self.bids: tuple[TextLevel, ...] = (("100.50", "2.000"), ("100.40", "3.100"), ("100.00", "1.000"))
        self.asks: tuple[TextLevel, ...] = (("100.60", "0.500"), ("100.70", "4.000"), ("101.00", "7.000"))
        self.announced: list[StatusNotice] = []
        self._listed = twin.instruments()

    def now_ns(self) -> int:
        return self.ns

    def instruments(self, venue: str, product: Product | None = None) -> Sequence[SimInstrument]:
        return [one for one in self._listed if product in (None, one.product)]

    def find(self, venue: str, venue_id: str, product: Product | None = None) -> SimInstrument | None:
        return next((one for one in self.instruments(venue, product) if one.venue_id == venue_id), None)

    def get(self, venue_id: str, product: Product) -> SimInstrument:
        found = self.find("", venue_id, product)
        assert found is not None
        return found

    def book(self, instrument: SimInstrument, levels: int | None = None) -> BookImage:
        return BookImage(seq=self.seq, bids=self.bids[:levels], asks=self.asks[:levels], engine_ns=self.ns - 3 * MS)

    def mark(self, instrument: SimInstrument) -> SimMark:
        return SimMark(
            mark="100.55",
            index="100.52",
            funding_rate="0.0001",
            next_funding_ns=START_NS + 3_600_000 * MS,
            interval_h=8,
            gateway_ns=self.ns,
        )

    def last_trade(self, instrument: SimInstrument) -> SimTrade:
        return self.trade(7)

    def no_withdraw(self, venue: str) -> frozenset[str]:
        return frozenset()

    def notices(self, venue: str) -> Sequence[StatusNotice]:
        return self.announced

    def trade(self, trade_id: int, price: str = "100.50") -> SimTrade:
        return SimTrade(
            price=price, size="0.200", side="buy", trade_id=trade_id, engine_ns=self.ns - 2 * MS, gateway_ns=self.ns
        )

    def change(self, bids: Sequence[TextLevel] = (), asks: Sequence[TextLevel] = ()) -> Change:
        """The next batch of a book. Like on a venue, it is news to the feed: ``book`` stays as it was."""
        self.seq += 1
        return Change(
            seq=self.seq, bids=tuple(bids), asks=tuple(asks), engine_ns=self.ns - 3 * MS, gateway_ns=self.ns - MS
        )

    def top(self) -> Top:
        return Top(
            seq=self.seq, bid=self.bids[0], ask=self.asks[0], engine_ns=self.ns - 3 * MS, gateway_ns=self.ns - MS
        )


def request(path: str, query: Mapping[str, str] | None = None, product: Product = "linear") -> Request:
    return Request(product=product, method="GET", path=path, query=query or {}, headers={}, body=b"")


def answered(twin: Twin, world: FixedWorld, path: str, **query: str) -> Any:
    """The JSON body of a REST answer."""
    response = twin.rest(request(path, query), world)
    assert response is not None
    return json.loads(response.body)


def read(frames: Sequence[Out]) -> list[Any]:
    """JSON frames decoded; other text and closes as they are."""
    return [json.loads(frame) if isinstance(frame, str) and frame.startswith("{") else frame for frame in frames]


def ask(session: TwinSession, world: FixedWorld, message: object) -> list[Any]:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    return read(session.receive(raw, world.ns))
