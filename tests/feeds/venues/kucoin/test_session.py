from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    Instrument,
    Mark,
    Notice,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Session
from feeds.venues.kucoin.venue import Kucoin
from tests.feeds.venues.captures import (
    events,
    instrument,
    recording,
)
from tests.feeds.venues.mutations import assert_sound, hostile

KUCOIN = Kucoin()
SPOT = instrument("kucoin.spot", "BTC/USDT", "BTC-USDT")
PERP = instrument("kucoin.linear", "BTC/USDT:USDT", "XBTUSDTM", contract_size=0.001)
MS = 1_000_000
S = 1_000 * MS
T0 = 1_790_000_000 * S


def session(product: Product, label: str, instruments: Sequence[Instrument]) -> Session:
    [plan] = [p for p in KUCOIN.plan(product, instruments) if p.label == label]
    return KUCOIN.session(plan, instruments)


def uta(product: Product = "linear") -> Session:
    return session(product, "uta", [SPOT if product == "spot" else PERP])


def classic(product: Product = "linear") -> Session:
    return session(product, "classic", [SPOT if product == "spot" else PERP])


def sent(found: Sequence[Event]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(e.payload) for e in found if isinstance(e, Reply)]


# UTA


@pytest.mark.parametrize("greeting", [b'{"message":"welcome","pingInterval":18000}', b'{"type":"hello"}'])
def test_everything_is_asked_for_after_the_venues_first_word_and_once(greeting: bytes) -> None:
    ours = uta()
    assert list(ours.subscribe()) == []
    asked = sent(ours.receive(greeting, 0))
    assert {m["action"] for m in asked} == {"SUBSCRIBE"}
    assert {m["tradeType"] for m in asked} == {"FUTURES"}
    assert {m["symbol"] for m in asked} == {"XBTUSDTM"}
    assert [(m["channel"], m.get("depth")) for m in asked] == [
        ("obu", "increment@10ms"),
        ("obu", "1"),
        ("mark-price", None),
        ("funding-fee", None),
    ]
    assert len({m["id"] for m in asked}) == 4
    assert sent(ours.receive(greeting, 0)) == []


def test_a_book_with_a_repeat_and_a_gap_is_lost_and_found() -> None:
    book = Book(PERP, KUCOIN.rule("linear"))
    found = events(uta(), recording("kucoin/uta_book_gap"))
    assert [e for e in found if isinstance(e, Ack)] == [Ack(channel=Channel.BOOK, symbol=PERP.symbol)]
    messages = [e for e in found if isinstance(e, BookSnapshot | BookDelta)]
    assert [book.apply(e, 0) for e in messages] == [
        Outcome.SKIPPED,  # before there is a snapshot
        Outcome.APPLIED,
        Outcome.SKIPPED,  # older than the snapshot
        Outcome.APPLIED,  # reaches back behind it, and beyond
        Outcome.APPLIED,
        Outcome.GAP,
        Outcome.APPLIED,
    ]
    assert (book.bids, book.asks, book.seq) == ({90700.9: 4.0}, {90701.2: 57.0}, 25984468430)
    assert (book.engine_ns, book.gateway_ns) == (T0 + 910 * MS, T0 + 914_207_701)


def test_a_number_that_falls_back_is_a_loss_and_no_repeat() -> None:
    rule = KUCOIN.rule("spot")
    restarted = BookDelta(symbol=SPOT.symbol, bids=[], asks=[], first_seq=3, last_seq=4)
    assert rule.following(100, restarted).name == "GAP"
    repeated = BookDelta(symbol=SPOT.symbol, bids=[], asks=[], first_seq=99, last_seq=100)
    assert rule.following(100, repeated).name == "SKIP"


def test_quotes_marks_and_funding_have_the_venues_times() -> None:
    found = [e for e in events(uta(), recording("kucoin/uta_linear_channels")) if not isinstance(e, Reply)]
    assert found == [
        Quote(
            symbol=PERP.symbol,
            bid=90701.1,
            bid_size=13.0,
            ask=90701.2,
            ask_size=57.0,
            seq=25984468414,
            engine_ns=T0 + 10 * MS,
            gateway_ns=T0 + 14_207_701,
        ),
        Mark(symbol=PERP.symbol, mark=90700.15, index=90699.87, gateway_ns=T0 + 1_171_570_181),
        Mark(
            symbol=PERP.symbol,
            funding_rate=-0.000035,
            next_funding_ns=1_790_006_400 * S,
            interval_h=8.0,
            gateway_ns=T0 + 1_172_694_254,
        ),
        Pong(token=7, server_out_ns=T0 + 3_261_396_000),
    ]


@pytest.mark.parametrize("named", ["x7", "7", "p", "p-1", "p" + "9" * 40])
def test_a_pong_to_no_ping_of_ours_has_no_token(named: str) -> None:
    found = uta().receive(f'{{"id":"{named}","type":"pong","ts":1}}'.encode(), 0)
    assert [e.token for e in found if isinstance(e, Pong)] == [None]


def test_an_empty_side_has_no_price() -> None:
    raw = (
        b'{"T":"obu.SPOT","dp":"1","t":"snapshot","P":1,"d":{"s":"BTC-USDT","O":1,"C":1,"M":1,"a":[],"b":[["1","2"]]}}'
    )
    quotes = [e for e in uta("spot").receive(raw, 0) if isinstance(e, Quote)]
    assert [(q.bid, q.ask, q.ask_size) for q in quotes] == [(1.0, None, None)]


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ('"reason":"symbols are not supported for topic obu"', Fault.BAD_REQUEST),
        ('"message":"invalid request data"', Fault.BAD_REQUEST),
        ('"reason":"exceed max subscription count limitation"', Fault.OUR_LIMIT),
        ('"message":"try later"', Fault.UNKNOWN),
    ],
)
def test_a_refused_channel_is_named_and_asked_for_again_later(told: str, fault: Fault) -> None:
    ours = uta()
    ours.receive(b'{"message":"welcome"}', 0)
    [refusal] = ours.receive(f'{{"id":"s1","result":false,{told}}}'.encode(), 5 * S)
    assert isinstance(refusal, Refusal)
    assert (refusal.channel, refusal.symbol, refusal.fault) == (Channel.BBO, PERP.symbol, fault)
    assert sent(ours.receive(b'{"id":"p1","type":"pong","ts":1}', 34 * S)) == []
    [again] = sent(ours.receive(b'{"id":"p2","type":"pong","ts":1}', 36 * S))
    assert (again["id"], again["depth"]) == ("s1", "1")


def test_refused_funding_leaves_the_mark_channel_alone() -> None:
    [refusal] = [
        e
        for e in uta().receive(b'{"id":"s3","result":false,"message":"invalid request data"}', 0)
        if not isinstance(e, Reply)
    ]
    assert isinstance(refusal, Refusal)
    assert refusal.channel is None


def test_resubscribing_takes_one_channel_off_and_on_again() -> None:
    messages = [msgspec.json.decode(p) for p in uta().resubscribe(Channel.BOOK, PERP.symbol)]
    assert [(m["action"], m["channel"], m["depth"], m["symbol"]) for m in messages] == [
        ("UNSUBSCRIBE", "obu", "increment@10ms", "XBTUSDTM"),
        ("SUBSCRIBE", "obu", "increment@10ms", "XBTUSDTM"),
    ]
    assert uta().resubscribe(Channel.LIQUIDATIONS, PERP.symbol) == []
    assert uta().resubscribe(Channel.BOOK, "NO/PE") == []
    # the answer to the first of them says nothing of the channel
    assert [e for e in uta().receive(f'{{"id":"{messages[0]["id"]}","result":true}}'.encode(), 0) if isinstance(e, Ack)] == []  # fmt: skip  # noqa: E501 - one list


def obu(depth: str, asks: str) -> bytes:
    row = f'{{"s":"XBTUSDTM","O":1,"C":1,"a":[{asks}],"b":[]}}'
    return f'{{"T":"obu.FUTURES","dp":"{depth}","t":"snapshot","P":1,"d":{row}}}'.encode()


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b'{"T":"kline.FUTURES","P":1,"d":{}}', "topic kline.FUTURES"),
        (obu("50", ""), "snapshot of depth 50"),
        (b'{"T":"mark-price","P":1,"d":{"s":"ETHUSDTM"}}', "symbol ETHUSDTM"),
        (b'{"type":"what"}', "type what"),
    ],
)  # fmt: skip
def test_unknown_messages_are_named(raw: bytes, what: str) -> None:
    assert [e for e in uta().receive(raw, 0) if not isinstance(e, Reply)] == [Unknown(what=what)]


@pytest.mark.parametrize("number", ["NaN", '"nan"', '"-1"', "-1", '"inf"', "1e400", "null", '""', "[]"])
def test_impossible_prices_are_refused(number: str) -> None:
    [found] = [e for e in uta().receive(obu("1", f'[{number},"1"]'), 0) if not isinstance(e, Reply)]
    assert isinstance(found, Garbled)


# classic


@pytest.mark.parametrize(
    ("product", "topic"), [("spot", "/market/match:BTC-USDT"), ("linear", "/contractMarket/execution:XBTUSDTM")]
)
def test_trades_are_asked_for_after_the_welcome(product: Product, topic: str) -> None:
    ours = classic(product)
    assert list(ours.subscribe()) == []
    [asked] = sent(ours.receive(b'{"id":"x","type":"welcome"}', 0))
    assert (asked["type"], asked["topic"], asked["response"]) == ("subscribe", topic, True)
    assert ours.receive(f'{{"id":"{asked["id"]}","type":"ack"}}'.encode(), 0) == (
        Ack(channel=Channel.TRADES, symbol=SPOT.symbol if product == "spot" else PERP.symbol),
    )
    again = [msgspec.json.decode(p) for p in ours.resubscribe(Channel.TRADES, SPOT.symbol)]
    assert [m["type"] for m in again] == (["unsubscribe", "subscribe"] if product == "spot" else [])


def test_trades_have_the_engines_nanoseconds() -> None:
    frames = recording("kucoin/classic_trades")
    found = [e for e in events(session("linear", "classic", [PERP, SPOT]), frames) if isinstance(e, Trade | Pong)]
    assert found == [
        Trade(
            symbol=PERP.symbol,
            price=72137.3,
            size=5.0,
            side="buy",
            trade_id="1743169228057",
            engine_ns=T0 + 399_000_001,
        ),
        Trade(
            symbol=SPOT.symbol,
            price=72136.9,
            size=0.01022222,
            side="sell",
            trade_id="5c24c5da03aa673885cd67aa",
            engine_ns=T0 + 418_099_033,
        ),
        Pong(token=9, server_out_ns=T0 + 497_236_000),
    ]


@pytest.mark.parametrize(
    ("code", "words", "fault"),
    [
        (404, "topic does not exist", Fault.BAD_REQUEST),
        (509, "exceed max subscription count limitation of 300 per session", Fault.OUR_LIMIT),
        (403, "forbidden", Fault.REFUSED),
        (999, "?", Fault.UNKNOWN),
    ],
)
def test_classic_errors_name_what_they_refuse(code: int, words: str, fault: Fault) -> None:
    raw = f'{{"id":"s0","type":"error","code":{code},"data":"{words}"}}'
    [refusal] = [e for e in classic().receive(raw.encode(), 0) if not isinstance(e, Reply)]
    assert refusal == Refusal(channel=Channel.TRADES, symbol=PERP.symbol, fault=fault, code=str(code), text=words)


def test_an_expired_token_asks_for_a_new_connection() -> None:
    raw = b'{"id":"x","type":"error","code":401,"data":"token is expired"}'
    [notice] = [e for e in classic().receive(raw, 0) if not isinstance(e, Reply)]
    assert notice == Notice(text="token is expired", reconnect_within_s=0.0)


@pytest.mark.parametrize("change", ["1,buy", "1,hold,2", "nan,buy,1", "-1,sell,1", "1,buy,inf", "1,buy,x", "0,buy,1"])
def test_a_change_that_is_none_is_garbled(change: str) -> None:
    raw = f'{{"type":"message","topic":"/contractMarket/level2:XBTUSDTM","data":{{"sequence":1,"change":"{change}"}}}}'
    [found] = [e for e in classic().receive(raw.encode(), 0) if not isinstance(e, Reply)]
    assert isinstance(found, Garbled)


# hostile bytes

_UTA = [*recording("kucoin/uta_book_gap"), *recording("kucoin/uta_linear_channels"), b'{"id":"s0","result":false,"reason":"x"}']  # fmt: skip  # noqa: E501 - one list
_CLASSIC = [
    *recording("kucoin/classic_trades"),
    b'{"type":"message","topic":"/market/level2:BTC-USDT","data":{"changes":{"asks":[["1","2","3"]],"bids":[]},"sequenceEnd":4,"sequenceStart":3,"time":5}}',
    b'{"type":"message","topic":"/contractMarket/level2:XBTUSDTM","data":{"sequence":18,"change":"5000.0,sell,83","timestamp":1551770400000}}',
    b'{"type":"message","topic":"/spotMarket/level1:BTC-USDT","data":{"asks":["2","1"],"bids":["1","1"],"timestamp":1}}',
    b'{"type":"message","topic":"/contract/instrument:XBTUSDTM","subject":"funding.rate","data":{"fundingRate":-0.002966,"timestamp":1}}',
    b'{"id":"s0","type":"error","code":404,"data":"topic does not exist"}',
]


@settings(max_examples=150, deadline=None)
@given(hostile(_UTA))
def test_no_bytes_make_a_uta_session_raise(raw: bytes) -> None:
    assert_sound(uta().receive(raw, T0))


@settings(max_examples=150, deadline=None)
@given(hostile(_CLASSIC))
def test_no_bytes_make_a_classic_session_raise(raw: bytes) -> None:
    assert_sound(session("linear", "classic", [PERP, SPOT]).receive(raw, T0))
