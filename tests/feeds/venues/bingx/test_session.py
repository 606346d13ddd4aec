from __future__ import annotations

import gzip
import json
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
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Answer, Session
from feeds.venues.bingx.venue import Bingx
from tests.feeds.venues.captures import Record, events, instrument, needs_wire, recording, records
from tests.feeds.venues.mutations import assert_sound, hostile

BINGX = Bingx()
BTC = instrument("bingx.linear", "BTC/USDT:USDT", "BTC-USDT", tick=0.1, lot=0.0001)
SPOT = instrument("bingx.spot", "BTC/USDT", "BTC-USDT", tick=0.01, lot=0.000001)
MS = 1_000_000
T0 = 1_790_126_400_000 * MS


def session(product: Product, *instruments: Instrument) -> Session:
    return BINGX.session(BINGX.plan(product, instruments)[0], instruments)


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def ack(name: str) -> bytes:
    return json.dumps({"id": f"sub:{name}", "code": 0, "msg": "", "dataType": "", "data": None}).encode()


def data(name: str, row: object) -> bytes:
    return json.dumps({"code": 0, "dataType": name, "data": row}).encode()


def book(action: str, seq: int, bids: object = (), asks: object = ()) -> bytes:
    row = {"action": action, "lastUpdateId": seq, "time": 1_790_126_400_000 + seq, "bids": bids, "asks": asks}
    return data("BTC-USDT@incrDepth", row)


# captures

NEVER_ASKED = ("kline_1m", "kline_2hour", "ticker", "lastPrice", "depth20@100ms")
READ = {"bookTicker": Quote, "trade": Trade}


def captured(kind: str) -> list[Record]:
    return [r for r in records("bingx/isolated_jkorf") if r.t == kind]


@needs_wire
def test_every_captured_frame_decodes() -> None:
    """None is of a retired version, and none is part of a continuous book, so there is no recorded book to compare
    with."""
    seen: set[str] = set()
    for record in captured("recv"):
        message = json.loads(record.data or "")
        product: Product = "spot" if record.market == "spot" else "linear"
        if "dataType" not in message:
            assert message["id"] == "|1|"  # the answer to a request of another client
            continue
        name, _, kind = message["dataType"].partition("@")
        one = instrument(f"bingx.{product}", f"{name}/X", name)
        ours = session(product, one)
        ours.receive(ack(f"{name}@{kind}"), 0)
        found = [
            list(ours.receive(record.raw, 0)) for _ in range(2)
        ]  # the first may be old, and is read as a heartbeat
        seen.add(kind)
        if kind in NEVER_ASKED:
            assert found == [[], []]
        else:
            assert [type(e) for e in found[0]] == [Heartbeat]
            assert [type(e) for e in found[1]] == [READ[kind]], record.src
    assert seen == {*NEVER_ASKED, *READ}


# own recordings


def test_perpetual_channels() -> None:
    got = events(session("linear", BTC), recording("bingx/swap_channels"))
    symbol = BTC.symbol
    assert got == [
        Ack(channel=Channel.BOOK, symbol=symbol),
        BookSnapshot(
            symbol=symbol, bids=[(86669.2, 2.5365), (86669.1, 0.4)], asks=[(86669.3, 1.2), (86669.9, 3.0)],
            seq=1234567, engine_ns=T0, levels_limit=1024,
        ),
        BookDelta(
            symbol=symbol, bids=[(86669.2, 0.0)], asks=[(86669.9, 2.0), (86669.2, 0.5)], last_seq=1234573,
            engine_ns=T0 + 205 * MS, checksum=0,
        ),
        Ack(channel=Channel.BBO, symbol=symbol),
        Heartbeat(channel=Channel.BBO, symbol=symbol),
        Quote(
            symbol=symbol, bid=86669.1, bid_size=0.4, ask=86669.2, ask_size=0.5, seq=1234580,
            engine_ns=T0 + 596 * MS, gateway_ns=T0 + 618 * MS,
        ),
        Ack(channel=Channel.TRADES, symbol=symbol),
        Heartbeat(channel=Channel.TRADES, symbol=symbol),
        Trade(symbol=symbol, price=86669.2, size=0.0421, side="buy", engine_ns=T0 + 700 * MS),
        Trade(symbol=symbol, price=86669.1, size=0.1, side="sell", engine_ns=T0 + 701 * MS),
        Ack(channel=Channel.MARK, symbol=symbol),
        Mark(symbol=symbol, mark=86668.7, gateway_ns=T0 + 800 * MS),
        Reply(payload="Pong"),
        Heartbeat(),
    ]  # fmt: skip


def test_spot_channels() -> None:
    got = events(session("spot", SPOT), recording("bingx/spot_channels"))
    symbol = SPOT.symbol
    assert got == [
        Ack(channel=Channel.BOOK, symbol=symbol),
        BookSnapshot(
            symbol=symbol, bids=[(86669.2, 0.25365)], asks=[(86669.9, 0.3), (86669.31, 0.12)], seq=13565694850,
            levels_limit=1000,
        ),
        BookDelta(symbol=symbol, bids=[(86669.2, 0.0), (86669.0, 1.0)], asks=(), last_seq=13565694851, checksum=0),
        Ack(channel=Channel.BBO, symbol=symbol),
        Heartbeat(channel=Channel.BBO, symbol=symbol),
        Quote(symbol=symbol, bid=86669.0, bid_size=1.0, ask=86669.31, ask_size=0.12, gateway_ns=T0 + 210 * MS),
        Ack(channel=Channel.TRADES, symbol=symbol),
        Heartbeat(channel=Channel.TRADES, symbol=symbol),
        Trade(
            symbol=symbol, price=86669.0, size=0.007146, side="sell", trade_id="33685717",
            engine_ns=T0 + 912 * MS, gateway_ns=T0 + 951 * MS,
        ),
        Reply(payload='{"pong":"2177c68e4d0e45679965f482929b59c2","time":"2026-09-22T16:27:36.323+0800"}'),
        Heartbeat(),
    ]  # fmt: skip


def test_compressed_frames_read_the_same_and_bombs_are_refused() -> None:
    frames = recording("bingx/swap_channels")
    plain, packed = session("linear", BTC), session("linear", BTC)
    assert events(packed, [gzip.compress(raw) for raw in frames]) == events(plain, frames)
    bomb = gzip.compress(b'{"dataType":"' + b" " * (5 << 20) + b'"}')
    assert [type(e) for e in packed.receive(bomb, 0)] == [Garbled]
    assert [type(e) for e in packed.receive(gzip.compress(b"Ping")[:-4], 0)] == [Garbled]


# books


def test_ids_that_skip_lose_nothing_and_old_ones_are_dropped() -> None:
    ours, held = session("linear", BTC), Book(BTC, BINGX.rule("linear"))
    frames = [
        ack("BTC-USDT@incrDepth"),
        book("all", 100, [["10", "1"], ["9", "1"]], [["11", "1"]]),
        book("update", 109, [["10", "2"]]),
        book("update", 109, [["10", "5"]]),
        book("update", 104, [["10", "7"]]),
        book("update", 110, [["9", "0.0000"]]),
    ]
    outcomes = [held.apply(e, 1) for e in events(ours, frames) if isinstance(e, BookSnapshot | BookDelta)]
    applied, skipped = Outcome.APPLIED, Outcome.SKIPPED
    assert outcomes == [applied, applied, skipped, skipped, applied]
    assert (held.bids, held.asks, held.seq) == ({10.0: 2.0}, {11.0: 1.0}, 110)


def test_a_crossed_book_shows_what_the_ids_cannot_and_is_asked_for_anew() -> None:
    ours, held = session("linear", BTC), Book(BTC, BINGX.rule("linear"))
    frames = [
        ack("BTC-USDT@incrDepth"),
        book("all", 100, [["10", "1"]], [["11", "1"], ["12", "1"]]),
        # the message that removed 11 was lost
        book("update", 102, [["11", "3"]]),
        book("update", 103, [["10", "2"]]),
    ]
    outcomes = [held.apply(e, 1) for e in events(ours, frames) if isinstance(e, BookSnapshot | BookDelta)]
    assert outcomes == [Outcome.APPLIED, Outcome.BAD_CHECKSUM, Outcome.SKIPPED]
    assert not held.synced
    assert not held.bids
    requests = [json.loads(p) for p in ours.resubscribe(Channel.BOOK, BTC.symbol)]
    assert [(r["reqType"], r["dataType"]) for r in requests] == [
        ("unsub", "BTC-USDT@incrDepth"),
        ("sub", "BTC-USDT@incrDepth"),
    ]
    [_, again] = events(ours, [ack("BTC-USDT@incrDepth"), book("all", 104, [["11", "3"]], [["12", "1"]])])
    assert isinstance(again, BookSnapshot)
    assert held.apply(again, 1) is Outcome.APPLIED
    assert (held.bids, held.asks) == ({11.0: 3.0}, {12.0: 1.0})


def test_levels_pushed_out_of_a_full_book_are_forgotten() -> None:
    held = Book(BTC, BINGX.rule("linear"))
    held.apply(BookSnapshot(symbol=BTC.symbol, bids=[(n, 1.0) for n in range(1, 1025)], asks=[], seq=1), 1)
    delta = BookDelta(symbol=BTC.symbol, bids=[(2000.0, 1.0)], asks=(), last_seq=2, checksum=0)
    assert held.apply(delta, 1) is Outcome.APPLIED
    assert (len(held.bids), min(held.bids), max(held.bids)) == (1024, 2, 2000)


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "0", "", "1e400", None, []])
def test_absurd_prices_are_refused(price: object) -> None:
    for raw in (book("all", 1, [[price, "1"]]), data("BTC-USDT@trade", [{"p": price, "q": "1", "T": 1, "m": True}])):
        assert [type(e) for e in session("linear", BTC).receive(raw, 0)] == [Garbled]


# requests and answers


def test_one_topic_a_request() -> None:
    asked = [json.loads(p) for p in session("linear", BTC).subscribe()]
    assert {a["reqType"] for a in asked} == {"sub"}
    assert [a["dataType"] for a in asked] == [
        f"BTC-USDT@{n}" for n in ("incrDepth", "bookTicker", "trade", "markPrice")
    ]
    assert len({a["id"] for a in asked}) == len(asked)
    assert [json.loads(p)["dataType"] for p in session("spot", SPOT).subscribe()] == [
        f"BTC-USDT@{n}" for n in ("incrDepth", "bookTicker", "trade")
    ]


def test_a_repeated_subscription_is_the_ping_and_any_answer_to_it_the_pong() -> None:
    for product, one, topic in (("linear", BTC, "BTC-USDT@markPrice"), ("spot", SPOT, "BTC-USDT@lastPrice")):
        ours = session(product, one)  # type: ignore[arg-type]  # a literal in a loop
        asked = json.loads(str(ours.ping(77)))
        assert (asked["reqType"], asked["dataType"]) == ("sub", topic)
        assert list(ours.receive(json.dumps({"id": asked["id"], "code": 0, "msg": ""}).encode(), 0)) == [Pong(token=77)]
        late = json.dumps({"id": asked["id"], "code": 100205, "msg": "REPEAT_REQUEST"}).encode()
        assert list(ours.receive(late, 0)) == [Pong(token=77)]
    assert BINGX.session(BINGX.plan("spot", [SPOT])[0], []).ping(1) is None


@pytest.mark.parametrize(
    ("code", "text", "fault"),
    [
        (80015, "dataType not support", Fault.BAD_REQUEST),
        (80403, "your topic num over max 200", Fault.OUR_LIMIT),
        (100410, "rate limited", Fault.OUR_LIMIT),
        (100410, "The current system is busy, please try again later", Fault.OVERLOAD),
        (100500, "", Fault.OVERLOAD),
        (80016, "service busy", Fault.OVERLOAD),
        (100421, "This pair is currently restricted from API trading", Fault.REFUSED),
        (4242, "?", Fault.UNKNOWN),
    ],
)
def test_refusals_say_whose_fault_they_are(code: int, text: str, fault: Fault) -> None:
    raw = json.dumps({"id": "sub:BTC-USDT@trade", "code": code, "msg": text, "dataType": "BTC-USDT@trade"}).encode()
    expected = Refusal(channel=Channel.TRADES, symbol=BTC.symbol, fault=fault, code=str(code), text=text)
    ours = session("linear", BTC)
    assert list(ours.receive(raw, 0)) == [expected]
    later = list(ours.receive(b"Ping", 60_000_000_000))
    again = [json.loads(e.payload)["dataType"] for e in later[2:] if isinstance(e, Reply)]
    assert again == (["BTC-USDT@trade"] if fault in (Fault.OVERLOAD, Fault.OUR_LIMIT) else [])
    body = answer({"code": code, "msg": text, "data": {}})
    reading = BINGX.read_probe("linear", BINGX.probes("linear", [])[0], body)
    assert (reading.fault, reading.code, reading.text) == (fault, str(code), text)
    assert reading.retry_after_s == (300.0 if fault is Fault.OUR_LIMIT else None)


def test_what_leaks_from_a_refused_subscription_is_never_shown() -> None:
    refusal = json.dumps({"id": "sub:BTC-USDT@incrDepth", "code": 80015, "msg": "dataType not support"}).encode()
    leak = book("all", 1, [["10", "1"]], [["11", "1"]])
    for frames in ([leak, refusal, leak], [refusal, leak, leak]):
        assert [type(e) for e in events(session("linear", BTC), frames)] == [Refusal]


def test_data_before_its_answer_waits_for_it_but_not_for_ever() -> None:
    first, second = book("all", 1, [["10", "1"]], [["11", "1"]]), book("update", 2, [["10", "2"]])
    ours = session("linear", BTC)
    assert [type(e) for e in events(ours, [first, ack("BTC-USDT@incrDepth")])] == [Ack, BookSnapshot]
    assert [type(e) for e in events(session("linear", BTC), [first, second])] == [BookSnapshot, BookDelta]


def test_topics_of_others_and_strange_messages_are_counted() -> None:
    ours = session("linear", BTC)
    odd: list[Any] = [{"code": 0, "dataType": "ETH-USDT@trade", "data": []}, {"hello": 1}, {"id": "x", "code": 0}]
    assert [type(e) for raw in odd for e in ours.receive(json.dumps(raw).encode(), 0)] == [Unknown] * 3
    for raw in (b"", b"{", b"P", b"Pong", b"[]", b"null", b"\xff\xfe", book("some", 1), data("BTC-USDT@trade", 7)):
        assert [type(e) for e in ours.receive(raw, 0)] == [Garbled], raw


# hostile bytes

PRODUCTS: list[tuple[Product, Instrument, str]] = [
    ("linear", BTC, "bingx/swap_channels"),
    ("spot", SPOT, "bingx/spot_channels"),
]


@settings(max_examples=300, deadline=None)
@given(raws=hostile([raw for *_, name in PRODUCTS for raw in recording(name)]))
def test_no_bytes_raise_and_nothing_absurd_comes_out(raws: bytes) -> None:
    for product, one, name in PRODUCTS:
        ours = session(product, one)
        events(ours, recording(name)[:1])
        for raw in (raws, gzip.compress(raws)):
            assert_sound(ours.receive(raw, 0))
