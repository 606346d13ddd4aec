from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, Session
from feeds.venues.coinbase.venue import Coinbase
from tests.feeds.venues.captures import (
    assert_ends_in,
    events,
    instrument,
    needs_wire,
    rebuild,
    recording,
    records,
    truth,
)
from tests.feeds.venues.mutations import assert_sound, hostile

COINBASE = Coinbase()
BTC = instrument("coinbase.spot", "BTC/USD", "BTC-USD", lot=1e-8)
BTC_USDC = instrument("coinbase.spot", "BTC/USDC", "BTC-USDC", lot=1e-8)
ETH = instrument("coinbase.spot", "ETH/USD", "ETH-USD", lot=1e-8)
GONE = instrument("coinbase.spot", "GONE/USD", "GONE-USD")
S, MS, US = 1_000_000_000, 1_000_000, 1_000
T0 = 1_791_579_600 * S  # 9 October 2026, 21:00 UTC
FRAMES = recording("coinbase/spot_channels")


def session(*instruments: Instrument) -> Session:
    return COINBASE.session(COINBASE.plan("spot", instruments)[0], instruments)


def sent(payloads: Sequence[Payload]) -> list[Any]:
    return [json.loads(payload) for payload in payloads]


def taken(book: Book, reader: Session, frames: Sequence[bytes]) -> list[Outcome]:
    got = events(reader, frames)
    return [
        book.apply(e, T0) for e in got if isinstance(e, BookSnapshot | BookDelta) and e.symbol == book.instrument.symbol
    ]


# captures

CAPTURE = "coinbase/cryptofeed_20260809_advanced"


@needs_wire
def test_the_capture_of_the_advanced_feed_rebuilds_to_the_recorded_books() -> None:
    """Complete books, 5 MB in the first message, and one counter for all channels."""
    rebuilt = rebuild(COINBASE, "spot", CAPTURE, [BTC, ETH])
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert (rebuilt.kinds["Heartbeat"], rebuilt.kinds["Trade"]) == (25 + 2, 79)
    for one in (BTC, ETH):
        expected = truth(CAPTURE)[one.venue_id]
        assert rebuilt.outcomes[one.symbol] == {Outcome.APPLIED: expected.updates_applied + 1}
        assert_ends_in(rebuilt.books[one.symbol], expected)


@needs_wire
def test_a_trades_side_is_the_makers() -> None:
    """Not documented. Shown by the prices: takers buy above the middle of the book and sell below it."""
    reader = session(BTC, ETH)
    books = {one.symbol: Book(one, COINBASE.rule("spot")) for one in (BTC, ETH)}
    found: Counter[bool] = Counter()
    for record in records(CAPTURE):
        if record.t != "recv":
            continue
        for event in reader.receive(record.raw, 0):
            match event:
                case BookSnapshot() | BookDelta():
                    books[event.symbol].apply(event, 0)
                case Trade() if books[event.symbol].synced:
                    book = books[event.symbol]
                    middle = (max(book.bids) + min(book.asks)) / 2
                    found[(event.price > middle) is (event.side == "buy")] += 1
                case _:
                    pass
    assert found[True] > 10 * found[False]
    assert sum(found.values()) == 78


NOT_SPOKEN = {
    "coinbase/cryptofeed_20210417_exchange": "the Exchange feed: its fuller channels want a login, nothing is numbered",
    "coinbase/isolated_crypto-msg-parser": "the Exchange feed, 2021 and 2022",
    "coinbase/isolated_tardis-node": "the Exchange feed, and Coinbase International, which has ended",
}


@needs_wire
@pytest.mark.parametrize("capture", NOT_SPOKEN)
def test_other_feeds_are_unknown_and_survived(capture: str) -> None:
    reader = session(BTC)
    kinds = Counter(type(e) for r in records(capture) if r.t == "recv" for e in reader.receive(r.raw, 0))
    assert kinds.keys() <= {Unknown, Garbled}
    assert kinds[Unknown] > 5 or capture.endswith("parser")
    assert kinds[Garbled] <= 1


# the socket


def test_channels_with_both_of_the_venues_times() -> None:
    reader = session(BTC, GONE)
    reader.subscribe()
    got = events(reader, FRAMES[:-1])
    book = Book(BTC, COINBASE.rule("spot"))
    deltas = [e for e in got if isinstance(e, BookSnapshot | BookDelta)]
    assert [book.apply(e, T0) for e in deltas] == [Outcome.APPLIED] * 3
    assert (book.bids, book.asks, book.seq) == ({68900.0: 2.0}, {68902.0: 0.7}, 9)
    assert [(e.engine_ns, e.gateway_ns) for e in deltas] == [
        (None, T0 + 123_457 * US),
        (T0 + S + 451 * MS, T0 + S + 456_789 * US),
        (None, T0 + 2 * S + 456_789 * US),
    ]
    assert [e for e in got if isinstance(e, Ack)] == [
        Ack(channel=Channel.BOOK, symbol="BTC/USD"),
        Ack(channel=Channel.TRADES, symbol="BTC/USD"),
    ]
    trades = [e for e in got if isinstance(e, Trade)]
    assert [(t.trade_id, t.side, t.size) for t in trades] == [("1068572091", "buy", 0.2), ("1068572092", "buy", 0.3)]
    assert (trades[0].engine_ns, trades[0].gateway_ns) == (T0 + S + 450 * MS, T0 + S + 460 * MS)
    past, beat = [e for e in got if isinstance(e, Heartbeat)]
    assert (past.channel, beat.channel, beat.gateway_ns) == (Channel.TRADES, None, T0 + 2 * S)
    assert not [e for e in got if isinstance(e, Unknown | Garbled | Refusal)]


def test_a_number_that_is_skipped_empties_every_book_until_it_is_asked_for_again() -> None:
    reader = session(BTC, ETH)
    reader.subscribe()
    eth = [raw.replace(b"BTC-USD", b"ETH-USD") for raw in FRAMES]
    ours, other = Book(BTC, COINBASE.rule("spot")), Book(ETH, COINBASE.rule("spot"))
    taken(ours, reader, [FRAMES[0]])
    taken(other, reader, [eth[0].replace(b'"sequence_num":0', b'"sequence_num":1')])
    assert ours.synced
    assert other.synced
    got = events(reader, [FRAMES[7]])  # a heartbeat after a gap: the lost message may have been any book's
    for book in (ours, other):
        [outcome] = [book.apply(e, T0) for e in got if isinstance(e, BookDelta) and e.symbol == book.instrument.symbol]
        assert outcome is Outcome.GAP
        assert not book.bids
    later = FRAMES[5].replace(b'"sequence_num":5', b'"sequence_num":8')
    assert taken(ours, reader, [later]) == [Outcome.SKIPPED]
    leave, ask = sent(reader.resubscribe(Channel.BOOK, "BTC/USD"))
    assert leave == {"type": "unsubscribe", "product_ids": ["BTC-USD"], "channel": "level2"}
    assert ask == leave | {"type": "subscribe"}
    again = [FRAMES[0].replace(b'"sequence_num":0', b'"sequence_num":9')]
    again += [FRAMES[5].replace(b'"sequence_num":5', b'"sequence_num":10')]
    assert taken(ours, reader, again) == [Outcome.APPLIED] * 2


def test_a_message_that_cannot_be_read_is_a_lost_one() -> None:
    reader = session(BTC)
    book = Book(BTC, COINBASE.rule("spot"))
    taken(book, reader, [FRAMES[0]])
    spoilt = FRAMES[5].replace(b'"sequence_num":5', b'"sequence_num":1').replace(b"68902", b"NaN")
    assert taken(book, reader, [spoilt]) == [Outcome.GAP]


def test_a_pair_in_usdc_is_the_pair_in_dollars() -> None:
    reader = session(BTC_USDC, BTC, instrument("coinbase.spot", "USDT/USDC", "USDT-USDC"))
    books, trades, beats = sent(reader.subscribe())
    assert books == {"type": "subscribe", "product_ids": ["BTC-USD", "USDT-USDC"], "channel": "level2"}
    assert trades["channel"] == "market_trades"
    assert beats == {"type": "subscribe", "channel": "heartbeats"}
    got = events(reader, FRAMES[:7])
    for kind in (BookSnapshot, Trade):
        assert {e.symbol for e in got if isinstance(e, kind)} == {"BTC/USD", "BTC/USDC"}
    assert {e.symbol for e in got if isinstance(e, Ack)} == {"BTC/USD", "BTC/USDC"}
    request = COINBASE.snapshot_request("spot", BTC_USDC)
    assert request is not None
    assert "product_id=BTC-USD&" in request.path


def test_one_bad_product_is_found_by_asking_for_each_alone() -> None:
    reader = session(BTC, GONE)
    reader.subscribe()
    error = FRAMES[-1]
    replies = reader.receive(error, 0)
    assert [json.loads(e.payload)["product_ids"] for e in replies if isinstance(e, Reply)] == [
        ["BTC-USD"],
        ["GONE-USD"],
    ]
    assert len([e for e in reader.receive(error, 0) if isinstance(e, Reply)]) == 2  # the trades' request
    events(reader, [FRAMES[0], FRAMES[3]])  # BTC is there, of both channels
    refused = [e for _ in range(3) for e in reader.receive(error, 0)]
    assert [(e.channel, e.symbol, e.fault) for e in refused if isinstance(e, Refusal)] == [
        (Channel.BOOK, "GONE/USD", Fault.BAD_REQUEST),
        (Channel.TRADES, "GONE/USD", Fault.BAD_REQUEST),
        (None, None, Fault.BAD_REQUEST),
    ]


def test_who_is_too_fast_asks_again_later() -> None:
    reader = session(BTC)
    reader.subscribe()
    [refusal] = reader.receive(b'{"type":"error","message":"rate limit exceeded"}', 0)
    assert isinstance(refusal, Refusal)
    assert (refusal.channel, refusal.fault) == (Channel.BOOK, Fault.OUR_LIMIT)
    later = reader.receive(FRAMES[7], 31 * S)
    assert [json.loads(e.payload)["channel"] for e in later if isinstance(e, Reply)] == ["level2"]


@settings(max_examples=400, deadline=None)
@given(hostile(FRAMES))
def test_hostile_bytes_never_raise(raw: bytes) -> None:
    assert_sound(session(BTC).receive(raw, T0))
