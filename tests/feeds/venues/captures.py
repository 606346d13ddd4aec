"""Captured messages of real venues: reading them, replaying them through a session and books, the recorded books.

Captures lie beside the repository and are never committed; tests that need them have the mark ``needs_wire``. ``name``
is always the path below the captures without its ending, e.g. ``binance/spot_cryptofeed_20211012``.
"""

from __future__ import annotations

import base64
import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from heapq import nlargest, nsmallest
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct, field

from feeds.books.book import Book, Outcome
from feeds.model import BookDelta, BookSnapshot, Event, Garbled, Instrument, Product, Unknown
from feeds.venues.base import Answer, Session, Venue

RECORDINGS = Path(__file__).resolve().parent / "recordings"


def wire_dir() -> Path:
    return Path(__file__).resolve().parents[3] / "../shared/wire"


needs_wire = pytest.mark.skipif(not (wire_dir() / "truth.json").is_file(), reason="captured messages are not here")


class Record(Struct, frozen=True):
    """One line of a capture, in time order."""

    t: str
    """``recv``, ``send``, ``connect``, ``http``."""
    ts_ns: int | None = None
    conn: str | None = None
    addr: str | None = None
    url: str | None = None
    data: str | None = None
    b64: str | None = None
    src: str | None = None
    market: str | None = None

    @property
    def raw(self) -> bytes:
        """The frame or body as bytes."""
        return base64.b64decode(self.b64) if self.b64 is not None else (self.data or "").encode()


class BookTruth(Struct, frozen=True):
    """The book at the end of a capture; prices and sizes as sent."""

    updates_applied: int
    updates_dropped_before_snapshot: int
    gaps: int
    snapshots: int
    best_bid: tuple[str, str] | None
    best_ask: tuple[str, str] | None
    bid_levels: int
    ask_levels: int
    sum_top10_bid_size: str
    sum_top10_ask_size: str
    last_seq: int | str | None = None
    """A time as text, where the venue sends no numbers."""
    checksums_ok: int = 0


class CaptureTruth(Struct, frozen=True):
    books: dict[str, BookTruth] = {}


class _Truths(Struct, frozen=True):
    files: dict[str, CaptureTruth]


class Rebuilt(Struct):
    """The result of a replay, by unified symbol."""

    books: dict[str, Book]
    outcomes: dict[str, Counter[Outcome]]
    """The outcomes of all book messages."""
    checksums: Counter[str] = field(default_factory=Counter)
    """Number of messages with a checksum that agreed."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Events by the name of their class."""
    unknown: Counter[str] = field(default_factory=Counter)
    garbled: Counter[str] = field(default_factory=Counter)


def records(name: str) -> Iterator[Record]:
    """The lines of a capture."""
    decode = msgspec.json.Decoder(Record).decode
    with gzip.open(wire_dir() / f"{name}.jsonl.gz", "rb") as lines:
        for line in lines:
            yield decode(line)


def recording(name: str) -> list[bytes]:
    """The messages of a small recording of our own: ``binance/spot_gap`` is ``recordings/binance/spot_gap.ndjson``."""
    return (RECORDINGS / f"{name}.ndjson").read_bytes().splitlines()


@cache
def _truths() -> _Truths:
    return msgspec.json.decode((wire_dir() / "truth.json").read_bytes(), type=_Truths)


def truth(name: str) -> dict[str, BookTruth]:
    """The recorded books of a capture, by the capture's own keys."""
    return _truths().files[f"{name}.jsonl.gz"].books


def instrument(
    route: str,
    symbol: str,
    venue_id: str,
    *,
    tick: float = 0.01,
    lot: float = 0.001,
    contract_size: float = 1.0,
    inverse: bool = False,
    taker_fee: float = 0.0005,
    aliases: tuple[str, ...] = (),
) -> Instrument:
    """An instrument with defaults for what a test does not care about."""
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    return Instrument(
        route=route,
        symbol=symbol,
        venue_id=venue_id,
        base=base,
        quote=quote,
        settle=settle or None,
        tick=tick,
        lot=lot,
        contract_size=contract_size,
        inverse=inverse,
        taker_fee=taker_fee,
        aliases=aliases,
    )


def events(session: Session, frames: Sequence[bytes], received_ns: int = 0) -> list[Event]:
    """All events that a session makes of these messages."""
    return [event for raw in frames for event in session.receive(raw, received_ns)]


def named_in_url(record: Record, instruments: Sequence[Instrument]) -> Instrument | None:
    """The instrument whose id is in the URL of a REST answer; the longest id, where several are."""
    url = record.url or ""
    found = [i for i in instruments if i.venue_id in url]
    return max(found, key=lambda i: len(i.venue_id), default=None)


def rebuild(
    venue: Venue,
    product: Product,
    name: str,
    instruments: Sequence[Instrument],
    *,
    session: Session | None = None,
    conn: str | None = None,
    snapshot_of: Callable[[Record, Sequence[Instrument]], Instrument | None] = named_in_url,
) -> Rebuilt:
    """Replay a continuous capture: messages through ``session``, REST snapshots in their place, books by the venue's
    rule.

    ``session`` defaults to that of the venue's first planned socket; ``conn`` takes only the frames of connections
    whose name contains it; ``snapshot_of`` tells the instrument of a REST answer (None: not a book).
    """
    if session is None:
        session = venue.session(venue.plan(product, instruments)[0], instruments)
    rule = venue.rule(product)
    rebuilt = Rebuilt(
        books={i.symbol: Book(i, rule) for i in instruments}, outcomes={i.symbol: Counter() for i in instruments}
    )
    for record in records(name):
        if record.t == "http" and rule.rest_snapshot:
            whose = snapshot_of(record, instruments)
            if whose is not None:
                answer = Answer(status=200, headers={}, body=record.raw)
                _take(rebuilt, venue.read_snapshot(product, whose, answer), record.ts_ns or 0)
        elif record.t == "recv" and (conn is None or conn in (record.conn or "")):
            for event in session.receive(record.raw, record.ts_ns or 0):
                _take(rebuilt, event, record.ts_ns or 0)
    return rebuilt


def _take(rebuilt: Rebuilt, event: Event, received_ns: int) -> None:
    rebuilt.kinds[type(event).__name__] += 1
    match event:
        case BookSnapshot() | BookDelta():
            outcome = rebuilt.books[event.symbol].apply(event, received_ns)
            rebuilt.outcomes[event.symbol][outcome] += 1
            if event.checksum is not None and outcome is Outcome.APPLIED:
                rebuilt.checksums[event.symbol] += 1
        case Unknown(what=what):
            rebuilt.unknown[what] += 1
        case Garbled(what=what):
            rebuilt.garbled[what] += 1


def assert_ends_in(book: Book, expected: BookTruth) -> None:
    """Best prices, level counts, the sums of the ten best sizes and the sequence number, all as recorded."""
    assert book.synced
    assert (len(book.bids), len(book.asks)) == (expected.bid_levels, expected.ask_levels)
    best_bids = nlargest(10, book.bids.items())
    best_asks = nsmallest(10, book.asks.items())
    for best, want in ((best_bids, expected.best_bid), (best_asks, expected.best_ask)):
        assert (best[0] if best else None) == (None if want is None else (float(want[0]), float(want[1])))
    for best, total in ((best_bids, expected.sum_top10_bid_size), (best_asks, expected.sum_top10_ask_size)):
        assert sum(Decimal(repr(size)) for _, size in best) == Decimal(total)
    if isinstance(expected.last_seq, int):
        assert book.seq == expected.last_seq
