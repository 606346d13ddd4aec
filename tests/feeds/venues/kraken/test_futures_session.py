from __future__ import annotations

import json

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Garbled,
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Product,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.base import Session
from feeds.venues.kraken.venue import Kraken
from tests.feeds.venues.captures import (
    Record,
    assert_ends_in,
    events,
    instrument,
    needs_wire,
    rebuild,
    recording,
    records,
    truth,
)

KRAKEN = Kraken(lambda: 1_795_305_600.0)  # 22 November 2026
BTC = instrument("kraken.spot", "BTC/USD", "XXBTZUSD", tick=0.1, lot=1e-8)
GONE = instrument("kraken.spot", "GONE/USD", "GONEUSD", tick=0.1, lot=1e-8)
PERP = instrument("kraken.linear", "BTC/USD:USD", "PF_XBTUSD", tick=1.0, lot=0.0001)
S = 1_000_000_000
T0 = 1_791_579_600 * S  # 9 October 2026, 21:00 UTC


def session(product: Product, *instruments: Instrument) -> Session:
    return KRAKEN.session(KRAKEN.plan(product, instruments)[0], instruments)


@needs_wire
def test_perpetuals_and_futures_rebuild_to_the_recorded_books() -> None:
    capture = "kraken/futures_cryptofeed_20210722"
    found = [instrument("kraken.linear", name, name) for name in truth(capture)]
    rebuilt = rebuild(KRAKEN, "linear", capture, found)
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["Trade"] == 3
    for one in found:
        expected = truth(capture)[one.venue_id]
        assert rebuilt.books[one.symbol].applied == expected.updates_applied
        assert not rebuilt.outcomes[one.symbol][Outcome.GAP]
        assert_ends_in(rebuilt.books[one.symbol], expected)


DECODED: dict[str, set[type[Event]]] = {
    "book": {BookDelta},
    "book_snapshot": {BookSnapshot},
    "trade": {Trade, Liquidation},
    "trade_snapshot": {Heartbeat},
    "ticker": {Mark},
}


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"kraken/isolated_{n}")]


@needs_wire
def test_every_isolated_message_of_the_derivatives_decodes() -> None:
    """Also those of 2019, whose book messages had no time."""
    seen: set[str] = set()
    for record in isolated():
        message = json.loads(record.raw)
        if not isinstance(message, dict) or "feed" not in message:
            continue
        one = instrument("kraken.linear", "X/Y", message["product_id"])
        got = session("linear", one).receive(record.raw, 0)
        assert got
        assert {type(e) for e in got} <= DECODED[message["feed"]], record.data
        seen.add(message["feed"])
    assert seen == DECODED.keys()


def test_derivatives_channels() -> None:
    reader = session("linear", PERP)
    reader.subscribe()
    got = events(reader, recording("kraken/futures_channels"))
    book = Book(PERP, KRAKEN.rule("linear"))
    outcomes = [book.apply(e, T0) for e in got if isinstance(e, BookSnapshot | BookDelta)]
    assert outcomes == [Outcome.APPLIED] * 3
    assert (book.bids, book.asks, book.seq) == ({105940.0: 1.5}, {105942.0: 2.0}, 502)
    assert book.engine_ns == T0 + 300_000_000
    assert {e.channel for e in got if isinstance(e, Ack)} == {
        s.channel for s in KRAKEN.plan("linear", [PERP])[0].subscriptions
    }
    [mark] = [e for e in got if isinstance(e, Mark)]
    assert (mark.mark, mark.index, mark.funding_rate, mark.interval_h) == (105939.75, 105938.5, 0.0000125, 1.0)
    assert mark.next_funding_ns == T0 + 3_600 * S
    assert [(e.side, e.size) for e in got if isinstance(e, Trade)] == [("buy", 0.2), ("sell", 0.5)]
    assert [(e.side, e.price) for e in got if isinstance(e, Liquidation)] == [("sell", 105940.0)]
    assert [e for e in got if isinstance(e, Heartbeat)][-1].gateway_ns == T0 + S
    assert not [e for e in got if isinstance(e, Unknown | Garbled | Refusal)]


def test_a_lost_level_is_a_gap() -> None:
    frames = [raw for raw in recording("kraken/futures_channels") if b'"feed":"book' in raw and b"event" not in raw]
    del frames[1]
    book = Book(PERP, KRAKEN.rule("linear"))
    outcomes = [
        book.apply(e, T0) for e in events(session("linear", PERP), frames) if isinstance(e, BookSnapshot | BookDelta)
    ]
    assert outcomes == [Outcome.APPLIED, Outcome.GAP]


def test_an_error_means_the_oldest_request_without_an_answer() -> None:
    gone = instrument("kraken.linear", "GONE/USD:USD", "PF_GONEUSD")
    reader = session("linear", PERP, gone)
    reader.subscribe()
    ok = '{"event":"subscribed","feed":"%s","product_ids":["PF_XBTUSD"]}'
    events(reader, [(ok % feed).encode() for feed in ("book", "trade", "ticker")])
    refused = events(reader, [b'{"event":"error","message":"Invalid product id"}'] * 4)
    assert [(e.channel, e.symbol) for e in refused if isinstance(e, Refusal)] == [
        (Channel.BOOK, gone.symbol),
        (Channel.TRADES, gone.symbol),
        (Channel.LIQUIDATIONS, gone.symbol),
        (Channel.MARK, gone.symbol),
        (None, None),
    ]
