from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.bitfinex.session import BitfinexSession
from feeds.venues.bitfinex.venue import Bitfinex
from tests.feeds.venues.captures import events, instrument, recording
from tests.feeds.venues.mutations import hostile

BITFINEX = Bitfinex()
SWAP = instrument("bitfinex.linear", "BTC/USDT:USDT", "tBTCF0:USTF0")
SYMBOL = SWAP.symbol
RECORDED = recording("bitfinex/linear")
MS = 1_000_000


def session() -> BitfinexSession:
    [plan] = BITFINEX.plan("linear", [SWAP])
    made = BITFINEX.session(plan, [SWAP])
    made.subscribe()
    return made


def started() -> tuple[BitfinexSession, Book]:
    """After the recording: a book at number 6 of 12."""
    one, book = session(), Book(SWAP, BITFINEX.rule("linear"))
    for event in events(one, RECORDED):
        if isinstance(event, BookSnapshot | BookDelta):
            assert book.apply(event, 0) is Outcome.APPLIED
    return one, book


def sent(found: list[Event]) -> list[dict[str, object]]:
    return [msgspec.json.decode(e.payload) for e in found if isinstance(e, Reply)]


def test_a_recorded_session_gives_what_it_says() -> None:
    found = events(session(), RECORDED)
    assert not [e for e in found if isinstance(e, Unknown | Garbled | Refusal)]
    assert {e.channel for e in found if isinstance(e, Ack)} == set(BITFINEX.products["linear"].push_ms)
    assert [e for e in found if isinstance(e, Trade)] == [
        Trade(
            symbol=SYMBOL, price=5950, size=0.25, side="sell", trade_id="2",
            engine_ns=1790000000190 * MS, gateway_ns=1790000000200 * MS,
        )
    ]  # fmt: skip
    [mark] = [e for e in found if isinstance(e, Mark)]
    assert (mark.mark, mark.index, mark.funding_rate, mark.interval_h) == (6050.25, 6049.5, -0.0002, 8.0)
    assert mark.next_funding_ns == 1790006400000 * MS
    [liquidation] = [e for e in found if isinstance(e, Liquidation)]
    assert (liquidation.side, liquidation.price, liquidation.size) == ("sell", 5940, 0.5)
    assert found[-1] == Pong(token=77, server_out_ns=1790000016000 * MS)
    assert Heartbeat(channel=Channel.BOOK, symbol=SYMBOL, gateway_ns=1790000015300 * MS) in found


def test_a_best_price_that_goes_is_told_with_its_successor() -> None:
    quotes = [e for e in events(session(), RECORDED) if isinstance(e, Quote)]
    assert [(q.bid, q.bid_size, q.ask, q.ask_size) for q in quotes] == [(6000, 1, 6100, 3), (5950, 0.25, 6100, 3)]


def test_a_side_without_anybody_is_told_when_the_venue_has_no_more_to_say() -> None:
    one, _ = started()
    assert one.receive(b"[11,[5950,0,1],13,1790000016000]", 0) == ()
    [quote] = one.receive(b'[11,"cs",5,14,1790000016000]', 0)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, 6100)
    assert one.receive(b'[11,"cs",5,15,1790000016000]', 0) == ()


def test_the_checksum_is_that_of_the_book() -> None:
    """CRC32 of "5950:0.25:6100:-3:5900:2:6200:-0.5", signed."""
    one, book = started()
    [right] = one.receive(b'[10,"cs",-525771577,13,1790000016000]', 0)
    assert isinstance(right, BookDelta)
    assert book.apply(right, 0) is Outcome.APPLIED
    [wrong] = one.receive(b'[10,"cs",12345,14,1790000016000]', 0)
    assert isinstance(wrong, BookDelta)
    assert book.apply(wrong, 0) is Outcome.BAD_CHECKSUM


def test_a_number_that_is_missing_may_be_of_any_channel_so_that_all_begin_again() -> None:
    one, book = started()
    found = list(one.receive(b'[12,"te",[3,1790000016000,1,6100],14,1790000016001]', 0))  # 13 is missing
    assert [type(e) for e in found] == [Trade, Reply, Reply]
    assert [(p["event"], p.get("len")) for p in sent(found)] == [("unsubscribe", None), ("subscribe", "1")]
    [delta] = one.receive(b"[10,[5950,1,0.5],15,1790000016002]", 0)
    assert isinstance(delta, BookDelta)
    assert book.apply(delta, 0) is Outcome.GAP
    leave, enter = (msgspec.json.decode(p) for p in one.resubscribe(Channel.BOOK, SYMBOL))
    assert (leave, enter["len"]) == ({"event": "unsubscribe", "chanId": 10}, "250")
    [again] = one.resubscribe(Channel.BOOK, SYMBOL)  # the answer that is awaited may never come
    assert msgspec.json.decode(again) == enter
    assert one.receive(b"[10,[5950,1,0.75],16,1790000016003]", 0) == ()  # of the channel that was unsubscribed
    [_, snapshot, delta] = events(
        one,
        [
            RECORDED[2].replace(b'"chanId":10', b'"chanId":20'),
            b"[20,[[6000,2,1],[6100,1,-3]],17,1790000016004]",
            b"[20,[6000,1,0.5],18,1790000016005]",
        ],
    )
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(delta, BookDelta)
    assert [book.apply(e, 0) for e in (snapshot, delta)] == [Outcome.APPLIED] * 2
    assert book.bids == {6000: 0.5}


def test_a_garbled_message_is_a_lost_one() -> None:
    one, book = started()
    [garbled] = one.receive(b"[10,[5950,1,nope],13,1790000016002]", 0)
    assert isinstance(garbled, Garbled)
    found = one.receive(b"[10,[5950,1,0.5],14,1790000016002]", 0)
    assert isinstance(found[0], BookDelta)
    assert book.apply(found[0], 0) is Outcome.GAP


def test_an_empty_book_is_a_book() -> None:
    one = session()
    [_, snapshot] = events(one, [RECORDED[2], b"[10,[],1,1790000000001]"])
    assert snapshot == BookSnapshot(
        symbol=SYMBOL, bids=[], asks=[], seq=1, gateway_ns=1790000000001 * MS, levels_limit=250
    )


def test_fields_appended_to_messages_are_passed_over() -> None:
    one, _ = started()
    [delta] = one.receive(b'[10,[5950,1,0.5,"new"],13,1790000016002,"book","BTCF0:USTF0"]', 0)
    assert isinstance(delta, BookDelta)
    assert (delta.last_seq, list(delta.bids)) == (13, [(5950, 0.5)])


@pytest.mark.parametrize(
    ("code", "fault"),
    [(10300, Fault.BAD_REQUEST), (10302, Fault.BAD_REQUEST), (10305, Fault.OUR_LIMIT), (1, Fault.UNKNOWN)],
)
def test_a_refusal_names_what_was_refused(code: int, fault: Fault) -> None:
    said = {"event": "error", "msg": "no", "code": code, "channel": "trades", "symbol": "tBTCF0:USTF0"}
    [refusal] = session().receive(msgspec.json.encode(said), 0)
    assert refusal == Refusal(channel=Channel.TRADES, symbol=SYMBOL, fault=fault, code=str(code), text="no")


def test_a_second_subscription_is_the_first_one() -> None:
    said = {"event": "error", "msg": "dup", "code": 10301, "channel": "trades", "symbol": "tBTCF0:USTF0"}
    assert session().receive(msgspec.json.encode(said), 0) == (Ack(channel=Channel.TRADES, symbol=SYMBOL),)


def test_what_the_venue_says_about_itself() -> None:
    one, _ = started()
    assert one.receive(b'{"event":"info","code":20051,"msg":"Stopping"}', 0) == (
        Notice(text="the server restarts", reconnect_within_s=0.0),
    )
    assert one.receive(b'{"event":"info","code":20060,"msg":"Maintenance"}', 0) == (Notice(text="maintenance"),)
    assert one.receive(b'{"event":"info","version":2,"platform":{"status":0}}', 0) == (Notice(text="maintenance"),)
    found = list(one.receive(b'{"event":"info","code":20061,"msg":"over"}', 0))
    assert found[0] == Notice(text="maintenance is over")
    assert [p["event"] for p in sent(found)] == ["unsubscribe", "subscribe"] * 5
    assert session().receive(b'{"event":"conf","status":"FAILED","flags":1}', 0) == (
        Refusal(fault=Fault.BAD_REQUEST, text="flags: FAILED"),
    )


def test_without_flags_books_still_follow() -> None:
    one, book = session(), Book(SWAP, BITFINEX.rule("linear"))
    found = events(one, [RECORDED[2], b"[10,[[6000,2,1],[6100,1,-3]]]", b"[10,[6000,0,1]]", b"[10,[6200,1,-1]]"])
    assert [book.apply(e, 0) for e in found if isinstance(e, BookSnapshot | BookDelta)] == [Outcome.APPLIED] * 3
    assert (book.bids, book.asks) == ({}, {6100: 3, 6200: 1})


@settings(max_examples=300)
@given(hostile(RECORDED))
def test_hostile_bytes_never_raise(raw: bytes) -> None:
    one, book = started()
    for event in one.receive(raw, 0):
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event, 0)
            for price, size in (*book.bids.items(), *book.asks.items()):
                assert 0 < price < 1e18
                assert 0 < size < 1e18
        elif isinstance(event, Quote):
            assert event.bid is None or event.bid > 0
