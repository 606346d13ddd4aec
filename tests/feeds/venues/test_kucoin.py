from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from feeds.book import Book, Outcome
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
from feeds.venues.base import Answer, Contiguous, SequenceRule, Session, VenueError
from feeds.venues.kucoin import Kucoin
from tests.feeds.venues.mutations import hostile
from tests.feeds.venues.wire import (
    assert_ends_in,
    events,
    instrument,
    needs_wire,
    rebuild,
    recording,
    records,
    truth,
)

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


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


# captures


class FromRest(Contiguous):
    """How the classic ``level2`` syncs: the channel of the capture, served still, but not the one we ask for."""

    rest_snapshot = True


class ClassicKucoin(Kucoin):
    def rule(self, product: Product) -> SequenceRule:
        return FromRest()


CAPTURE = "kucoin/spot_cryptofeed_20210425"


@needs_wire
def test_the_capture_rebuilds_to_the_recorded_books() -> None:
    found = [instrument("kucoin.spot", name.replace("-", "/"), name) for name in truth(CAPTURE)]
    rebuilt = rebuild(ClassicKucoin(), "spot", CAPTURE, found, session=session("spot", "classic", found))
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["Trade"] == 5
    assert rebuilt.kinds["Quote"] == 474
    for one in found:
        expected, book = truth(CAPTURE)[one.venue_id], rebuilt.books[one.symbol]
        assert (book.applied, book.skipped) == (expected.updates_applied, expected.updates_dropped_before_snapshot)
        assert not rebuilt.outcomes[one.symbol][Outcome.GAP]
        assert_ends_in(book, expected)


DECODED: dict[str, type[Event]] = {
    "/market/match": Trade,
    "/contractMarket/execution": Trade,
    "/market/level2": BookDelta,
    "/contractMarket/level2": BookDelta,
    "/spotMarket/level2Depth5": BookSnapshot,
    "/contractMarket/level2Depth5": BookSnapshot,
    "/market/ticker": Quote,
    "/contractMarket/tickerV2": Quote,
    "/contract/instrument": Mark,
}
RETIRED = {
    "/spotMarket/level3": "orders one by one: closed to the public",
    "/contractMarket/level3v2": "orders one by one: closed to the public",
}
UNUSED = {"/market/candles", "/contractMarket/candle", "/market/snapshot", "/contractMarket/snapshot"}
FUTURES = ("XBTUSDTM", "XBTUSDM", "XBTMH21", "XBTMM21", "XBTMM22", "MYROUSDTM", "AUCTIONUSDTM")


@needs_wire
def test_isolated_messages_decode_with_no_unknown_type() -> None:
    seen: Counter[str] = Counter()
    for record in [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"kucoin/isolated_{n}")]:
        message = msgspec.json.decode(record.raw)
        if "code" in message:
            continue  # REST, read below
        topic, _, name = message.get("topic", "").partition(":")
        name = message["subject"] if name == "all" else name
        product: Product = "spot" if "-" in name else "linear"
        one = instrument(f"kucoin.{product}", f"{name}/USDT", name)
        found = session(product, "classic", [one]).receive(record.raw, 0)
        found = [event for event in found if not isinstance(event, Reply)]
        if not topic:
            assert not any(isinstance(e, Unknown | Garbled | Refusal) for e in found), record.raw
        elif topic in RETIRED or topic in UNUSED:
            assert found == [], record.raw
        else:
            assert [type(event) for event in found] == [DECODED[topic]], record.raw
        seen[topic] += 1
    assert set(seen) == {"", *DECODED, *RETIRED, *UNUSED}


@needs_wire
def test_isolated_rest_books_are_read() -> None:
    bodies = [r.raw for r in records("kucoin/isolated_crypto-msg-parser") if '"asks"' in (r.data or "") and '"code"' in (r.data or "")]  # fmt: skip  # noqa: E501 - one condition
    assert len(bodies) == 4
    for body in bodies:
        book = KUCOIN.read_snapshot("linear", PERP, Answer(status=200, headers={}, body=body))
        assert book.bids[0][0] < book.asks[0][0]
        assert book.seq is not None
        assert book.engine_ns is not None
        assert 1_654 * 10**15 < book.engine_ns < 1_655 * 10**15


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


# sockets and tokens


def test_sockets_stay_within_the_limits() -> None:
    many = [instrument("kucoin.linear", f"C{n}/USDT:USDT", f"C{n}USDTM") for n in range(120)]
    plans = KUCOIN.plan("linear", many)
    assert [p.label for p in plans] == ["uta", "classic", "uta-2", "classic-2", "uta-3", "classic-3"]
    for plan in plans:
        asked = sent(KUCOIN.session(plan, many).receive(b'{"message":"welcome","type":"welcome"}', 0))
        assert 0 < len(asked) <= (200 if plan.handshake is None else 50)
    asked_for = Counter(s.channel for p in plans for s in p.subscriptions)
    assert asked_for == dict.fromkeys(KUCOIN.products["linear"].push_ms, 120)
    assert KUCOIN.plan("spot", []) == []


BULLET = '{"code":"200000","data":{"token":"2neA+/=&x","instanceServers":[{"endpoint":"%s","pingInterval":18000}]}}'


def test_the_token_becomes_a_url() -> None:
    direct, behind = KUCOIN.plan("spot", [SPOT])
    base = KUCOIN.products["spot"].ws
    assert KUCOIN.dial_url(direct, base, None) == "wss://x-push-spot.kucoin.com/"
    assert behind.handshake is not None
    assert (behind.handshake.method, behind.handshake.path) == ("POST", "/api/v1/bullet-public")
    url = KUCOIN.dial_url(behind, base, answer(BULLET % "wss://ws-api-spot.kucoin.com/"))
    assert url.startswith("wss://ws-api-spot.kucoin.com/?token=2neA%2B%2F%3D%26x&connectId=")
    assert KUCOIN.dial_url(behind, "ws://127.0.0.1:1", answer(BULLET % "ws://127.0.0.1:1/endpoint")).startswith("ws://")


@pytest.mark.parametrize(
    "body",
    [
        BULLET % "ws://ws-api-spot.kucoin.com/",  # without TLS
        BULLET % "file:///etc/passwd",
        BULLET % "wss://",
        BULLET % "//host/",
        BULLET % "wss://[bad/",
        '{"code":"200000","data":{"token":"","instanceServers":[{"endpoint":"wss://a/"}]}}',
        '{"code":"200000","data":{"token":"x","instanceServers":[]}}',
        '{"code":"429000","msg":"Too many requests."}',
        "<html>",
    ],
)
def test_a_bad_token_answer_is_refused(body: str) -> None:
    _, behind = KUCOIN.plan("spot", [SPOT])
    with pytest.raises(VenueError):
        KUCOIN.dial_url(behind, KUCOIN.products["spot"].ws, answer(body))


# REST

TIME, BOOK = KUCOIN.probes("linear", [PERP])
POOL = {"gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "1900", "gw-ratelimit-reset": "12000"}


def test_probes_are_cheap_tell_the_time_and_our_use_of_the_pool() -> None:
    assert (TIME.request.path, BOOK.request.path) == ("/api/v1/timestamp", "/api/v1/level2/depth20?symbol=XBTUSDTM")
    assert [p.request.path for p in KUCOIN.probes("spot", [SPOT])][1].endswith("level2_20?symbol=BTC-USDT")
    reading = KUCOIN.read_probe("linear", TIME, answer('{"code":"200000","data":1790000000123}', headers=POOL))
    assert (reading.fault, reading.server_ns, reading.weight_used) == (None, T0 + 123 * MS, 100.0)
    assert reading.retry_after_s is None
    assert KUCOIN.read_probe("linear", BOOK, answer('{"code":"200000","data":{"bids":[]}}')).fault is None


@pytest.mark.parametrize(
    ("status", "body", "headers", "fault"),
    [
        (429, '{"code":"429000","msg":"Too many requests. System-level rate limit exceeded."}', {}, Fault.OUR_LIMIT),
        (429, '{"code":"429000","msg":"Too many requests."}', POOL | {"gw-ratelimit-remaining": "0"}, Fault.OUR_LIMIT),
        (429, '{"code":"429000","msg":"Too many requests."}', POOL, Fault.OVERLOAD),  # the gateway itself
        (200, '{"code":"200002","msg":"Too many requests"}', {}, Fault.OUR_LIMIT),
        (500, '{"code":"500000","msg":"Internal Server Error"}', {}, Fault.OVERLOAD),
        (200, '{"code":"503000","msg":"Service unavailable"}', {}, Fault.OVERLOAD),
        (503, '{"code":"503000","msg":"system upgrading"}', {}, Fault.MAINTENANCE),
        (200, '{"code":"400100","msg":"Unsupported trading pair."}', {}, Fault.BAD_REQUEST),
        (200, '{"code":"400302","msg":"Our services are currently unavailable in the U.S."}', {}, Fault.GEO_BLOCK),
        (200, '{"code":"200004","msg":"Balance insufficient"}', {}, Fault.UNKNOWN),  # not overload, as some lists say
        (403, "<html>Error 1015 You are being rate limited</html>", {}, Fault.OUR_LIMIT),
        (403, "not available in your country", {}, Fault.GEO_BLOCK),
        (403, "<html>Forbidden</html>", {}, Fault.REFUSED),
        (502, "<html>Bad Gateway</html>", {}, Fault.OVERLOAD),
        (200, "<html>captive portal</html>", {}, Fault.UNKNOWN),
        (200, '{"code":"200000","data":"soon"}', {}, Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, headers: Mapping[str, str], fault: Fault) -> None:
    assert KUCOIN.read_probe("spot", TIME, answer(body, status, headers)).fault is fault


def test_how_long_to_wait_is_read() -> None:
    limited = answer('{"code":"429000","msg":"x"}', 429, POOL | {"gw-ratelimit-remaining": "0"})
    assert KUCOIN.read_probe("spot", TIME, limited).retry_after_s == 12.0
    assert KUCOIN.read_probe("spot", TIME, answer("Error 1015", 403)).retry_after_s == 30.0


def test_snapshots_over_rest() -> None:
    spot, linear = KUCOIN.snapshot_request("spot", SPOT), KUCOIN.snapshot_request("linear", PERP)
    assert spot is not None
    assert linear is not None
    assert spot.path == "/api/v1/market/orderbook/level2_100?symbol=BTC-USDT"
    assert linear.path == "/api/v1/level2/depth100?symbol=XBTUSDTM"
    body = (
        '{"code":"200000","data":{"time":1790000000000,"sequence":"14610502970","bids":[["66976.4","0.69"]],"asks":[]}}'
    )
    book = KUCOIN.read_snapshot("spot", SPOT, answer(body))
    assert (book.bids, book.seq, book.engine_ns, book.levels_limit) == ([(66976.4, 0.69)], 14610502970, T0, 100)
    for bad in ('{"code":"500000","msg":"busy"}', '{"code":"200000"}', '{"code":"200000","data":[]}', "<html>"):
        with pytest.raises(VenueError):
            KUCOIN.read_snapshot("spot", SPOT, answer(bad))


def test_official_status() -> None:
    def read(status: str, words: str = "") -> list[tuple[str, str, tuple[Product, ...]]]:
        body = f'{{"code":"200000","data":{{"status":"{status}","msg":"{words}"}}}}'
        return [(n.state, n.text, n.products) for n in KUCOIN.read_status("linear", answer(body))]

    assert read("open", "upgrade match engine") == []
    assert read("close", "upgrade match engine") == [("ongoing", "trading closed: upgrade match engine", ("linear",))]
    assert read("cancelonly") == [("ongoing", "cancel only", ("linear",))]
    assert read("someday") == [("ongoing", "someday", ("linear",))]
    for bad in ('{"code":"200000","data":{"status":5}}', '{"code":"500000"}', ""):
        with pytest.raises(VenueError):
            KUCOIN.read_status("spot", answer(bad))


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
    ours, book = uta(), Book(PERP, KUCOIN.rule("linear"))
    for event in ours.receive(raw, T0):
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event, T0)
            assert all(0 < p < 1e18 and 0 <= s < 1e18 for p, s in [*event.bids, *event.asks])


@settings(max_examples=150, deadline=None)
@given(hostile(_CLASSIC))
def test_no_bytes_make_a_classic_session_raise(raw: bytes) -> None:
    for event in session("linear", "classic", [PERP, SPOT]).receive(raw, T0):
        if isinstance(event, Trade):
            assert 0 < event.price < 1e18
            assert 0 <= event.size < 1e18
        if isinstance(event, BookDelta):
            assert all(0 < p < 1e18 for p, _ in [*event.bids, *event.asks])


@settings(max_examples=100, deadline=None)
@given(hostile([(BULLET % "wss://a/").encode(), b'{"code":"200000","data":{"status":"close","msg":"x"}}']))
def test_no_rest_body_makes_a_reader_raise_anything_else(raw: bytes) -> None:
    body = Answer(status=200, headers={}, body=raw)
    KUCOIN.read_probe("spot", TIME, body)
    _, behind = KUCOIN.plan("spot", [SPOT])
    for read in (
        lambda: KUCOIN.read_snapshot("spot", SPOT, body),
        lambda: KUCOIN.read_status("spot", body),
        lambda: KUCOIN.dial_url(behind, "wss://x", body),
    ):
        try:
            read()
        except VenueError:
            continue
