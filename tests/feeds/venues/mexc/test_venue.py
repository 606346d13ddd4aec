from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from ccxt.protobuf.mexc.PushDataV3ApiWrapper_pb2 import PushDataV3ApiWrapper
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings

from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Fault,
    Garbled,
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
from feeds.venues.base import Answer, Session, VenueError
from feeds.venues.mexc.venue import Mexc
from feeds.venues.sequence import Step
from tests.feeds.venues.captures import events, instrument, needs_wire, recording, records
from tests.feeds.venues.mutations import assert_sound, hostile

MEXC = Mexc()
SPOT = instrument("mexc.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("mexc.linear", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(*instruments: Instrument) -> Session:
    product: Product = "spot" if instruments[0].settle is None else "linear"
    return MEXC.session(MEXC.plan(product, instruments)[0], instruments)


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


def wire(message: Mapping[str, Any]) -> bytes:
    """The protobuf of a message in its JSON form, by the classes that ccxt generated from MEXC's schema. That schema
    is of 2025: fields which came later are left to the twin's tests."""
    raw: bytes = ParseDict(dict(message), PushDataV3ApiWrapper()).SerializeToString()
    return raw


def push(body: str, content: Mapping[str, Any], **more: str) -> bytes:
    head = {"channel": "spot@x@BTCUSDT", "symbol": "BTCUSDT", "sendTime": "1790000000012"}
    return wire({**head, body: content, **more})


DEPTH = {
    "asks": [{"price": "100.6", "quantity": "0"}],
    "bids": [{"price": "100.5", "quantity": "1.25"}],
    "fromVersion": "43296363236",
    "toVersion": "43296363255",
}


# captures

RETIRED = ("spot", "spot_update", "spot_sample_2")
"""Markets of crypto-msg-parser's spot messages: JSON sockets (v2, v3) and REST v2, all gone since protobuf in 2025."""
UNASKED = {"push.kline", "push.depth.full"}
DECODED: Mapping[str, Sequence[type]] = {
    "push.depth": [BookDelta],
    "push.deal": [Trade],
    "push.fair.price": [Mark],
    "push.index.price": [Mark],
    "push.funding.rate": [Mark],
    "push.ticker": [Mark],
    "depth": [BookDelta],
    "bookTicker": [Quote],
    "deals": [Trade],
}


@needs_wire
def test_isolated_messages_decode_with_no_unknown_type() -> None:
    """tardis-node's spot messages are protobuf shown as JSON: turned back by ccxt's generated classes."""
    seen: Counter[str] = Counter()
    for record in [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"mexc/isolated_{n}")]:
        if record.market in RETIRED:
            seen["retired"] += 1
            continue
        message = msgspec.json.decode(record.raw)
        if "code" in message:
            seen["REST"] += 1
            book = MEXC.read_snapshot("linear", PERP, Answer(status=200, headers={}, body=record.raw))
            assert book.bids[0][0] < book.asks[0][0]
            assert book.seq is not None
            continue
        channel = message["channel"]
        raw = record.raw
        if channel.startswith("spot@"):
            raw, channel = wire(message), channel.split("@")[1].split(".")[2]
        symbol = "X/USDT" if channel in ("depth", "deals", "bookTicker") else "X/USDT:USDT"
        one = instrument("mexc.x", symbol, message["symbol"])
        found = session(one).receive(raw, 0)
        seen[channel] += 1
        if channel in UNASKED:
            assert found == (), raw
        else:
            assert {type(event) for event in found} == set(DECODED[channel]), raw
    assert set(seen) == {"retired", "REST", *UNASKED, *DECODED}
    assert (seen["retired"], seen["REST"]) == (8, 2)


# spot


def test_a_spot_book_change_keeps_its_range_and_its_times() -> None:
    [delta] = session(SPOT).receive(push("publicAggreDepths", DEPTH, createTime="1790000000002"), 0)
    assert delta == BookDelta(
        symbol="BTC/USDT",
        bids=[(100.5, 1.25)],
        asks=[(100.6, 0.0)],
        first_seq=43296363236,
        last_seq=43296363255,
        engine_ns=T0 + 2 * MS,
        gateway_ns=T0 + 12 * MS,
    )


def test_spot_quotes_and_trades() -> None:
    ticker = {"bidPrice": "100.5", "bidQuantity": "1", "askPrice": "", "askQuantity": ""}
    deals = [{"price": "100.5", "quantity": "0.1", "tradeType": kind, "time": "1790000000010"} for kind in (1, 2)]
    quote, buy, sell = events(
        session(SPOT), [push("publicAggreBookTicker", ticker), push("publicAggreDeals", {"deals": deals})]
    )
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.ask_size, quote.seq, quote.engine_ns) == (100.5, None, None, None, None)
    assert isinstance(buy, Trade)
    assert isinstance(sell, Trade)
    assert (buy.side, sell.side, buy.trade_id) == ("buy", "sell", None)
    assert (buy.engine_ns, buy.gateway_ns) == (T0 + 10 * MS, T0 + 12 * MS)


@pytest.mark.parametrize(
    "body",
    [
        DEPTH | {"fromVersion": ""},
        DEPTH | {"toVersion": "-1"},
        DEPTH | {"toVersion": "9" * 40},
        DEPTH | {"asks": [{"price": "nan", "quantity": "1"}]},
        DEPTH | {"asks": [{"price": "0", "quantity": "1"}]},
        DEPTH | {"bids": [{"price": "1", "quantity": "-1"}]},
        DEPTH | {"bids": [{"price": "1e400", "quantity": "1"}]},
        DEPTH | {"bids": [{"price": "", "quantity": ""}]},
    ],
)
def test_numbers_that_are_none_are_garbled(body: Mapping[str, Any]) -> None:
    assert [type(e) for e in session(SPOT).receive(push("publicAggreDepths", body), 0)] == [Garbled]


def test_a_flood_of_levels_is_refused() -> None:
    many = [{"price": str(n + 1), "quantity": "1"} for n in range(20_001)]
    raw = push("publicAggreDepths", DEPTH | {"asks": many})
    assert [type(e) for e in session(SPOT).receive(raw, 0)] == [Garbled]


def test_a_push_without_its_symbol_is_found_by_its_channel_and_a_strangers_is_unknown() -> None:
    body = {"publicAggreDepths": DEPTH}
    topic = "spot@public.aggre.depth.v3.api.pb@10ms@"
    assert [type(e) for e in session(SPOT).receive(wire({"channel": topic + "BTCUSDT"} | body), 0)] == [BookDelta]
    assert [type(e) for e in session(SPOT).receive(wire({"channel": topic + "NOPEUSDT"} | body), 0)] == [Unknown]
    assert [type(e) for e in session(SPOT).receive(wire({"channel": topic + "BTCUSDT"}), 0)] == [Unknown]
    assert session(SPOT).receive(push("publicSpotKline", {"interval": "Min1"}), 0) == ()


def reply(words: str) -> bytes:
    return msgspec.json.encode({"id": 0, "code": 0, "msg": words})


def topics(venue_id: str) -> list[str]:
    return [f"spot@public.aggre.{kind}.v3.api.pb@10ms@{venue_id}" for kind in ("depth", "bookTicker", "deals")]


def test_failures_look_like_acknowledgements_and_are_told_apart_by_their_words() -> None:
    gone = instrument("mexc.spot", "龙虾/USDT", "龙虾USDT")
    reader = session(SPOT, gone)
    assert [msgspec.json.decode(p)["params"] for p in reader.subscribe()] == [topics("BTCUSDT"), topics("龙虾USDT")]
    good, bad = ",".join(topics("BTCUSDT")), ",".join(topics("龙虾USDT"))
    words = f"Subscribed successful! [{good}]. Not Subscribed successfully! [{bad}].  Reason： Blocked! "
    found = reader.receive(reply(words), 0)
    assert {(e.channel, e.symbol) for e in found if isinstance(e, Ack)} == {
        (c, "BTC/USDT") for c in (Channel.BOOK, Channel.BBO, Channel.TRADES)
    }
    assert {(e.channel, e.symbol, e.fault) for e in found if isinstance(e, Refusal)} == {
        (c, "龙虾/USDT", Fault.BAD_REQUEST) for c in (Channel.BOOK, Channel.BBO, Channel.TRADES)
    }
    assert reader.receive(reply("PONG"), 29_000 * MS) == (Pong(),)
    again = [e.payload for e in reader.receive(reply("PONG"), 31_000 * MS) if isinstance(e, Reply)]
    assert [msgspec.json.decode(p)["params"] for p in again] == [[t] for t in topics("龙虾USDT")]


def test_other_words_are_a_refusal_of_nothing_in_particular() -> None:
    reader = session(SPOT)
    assert [(e.channel, e.text) for e in reader.receive(reply("msg format invalid"), 0) if isinstance(e, Refusal)] == [
        (None, "msg format invalid")
    ]
    assert reader.receive(reply("spot@public.aggre.depth.v3.api.pb@10ms@OLDUSDT"), 0) == []
    over = f"Not Subscribed successfully! [{topics('BTCUSDT')[0]}]. Reason: subscriptions exceed limit"
    assert [e.fault for e in reader.receive(reply(over), 0) if isinstance(e, Refusal)] == [Fault.OUR_LIMIT]


# perpetuals


def test_every_channel_of_perpetuals() -> None:
    reader = session(PERP)
    reader.subscribe()
    found = events(reader, recording("mexc/linear_channels"))
    ack, merged, single, sell, buy, older, fair, index, funding, ticker, pong = found
    assert ack == Ack(channel=Channel.BOOK, symbol="BTC/USDT:USDT")
    assert merged == BookDelta(
        symbol="BTC/USDT:USDT",
        bids=[(75.48, 5.0)],
        asks=[(100.6, 2.0), (100.7, 0.0)],
        first_seq=1001,
        last_seq=1003,
        engine_ns=T0 - 10 * MS,
        gateway_ns=T0 + 12 * MS,
    )
    assert isinstance(single, BookDelta)
    assert (single.first_seq, single.last_seq, single.engine_ns) == (1004, 1004, None)
    assert [(t.side, t.size, t.trade_id) for t in (sell, buy, older) if isinstance(t, Trade)] == [
        ("sell", 49.0, "13064218826"),
        ("buy", 3.0, None),
        ("sell", 8.0, None),
    ]
    marks = [m for m in (fair, index, funding, ticker) if isinstance(m, Mark)]
    assert [(m.mark, m.index, m.funding_rate) for m in marks] == [
        (100.55, None, None),
        (None, 100.52, None),
        (None, None, -0.0001),
        (100.56, 100.53, 0.0002),
    ]
    assert marks[2].next_funding_ns == T0 + 6_400_000 * MS
    assert pong == Pong(server_out_ns=T0 + 700 * MS)


def test_an_acknowledgement_without_a_name_is_of_the_request_that_was_first() -> None:
    eth = instrument("mexc.linear", "ETH/USDT:USDT", "ETH_USDT")
    reader = session(PERP, eth)
    assert len(reader.subscribe()) == 10
    frames = [b'{"channel":"rs.sub.depth","data":"success","ts":1}',
              b'{"channel":"rs.error","data":"Contract [ETH_USDT] not exists","ts":1}',
              b'{"channel":"rs.error","data":"Contract [ETH_USDT] not exists","ts":1}']  # fmt: skip
    assert [(type(e), e.channel, e.symbol) for e in events(reader, frames) if isinstance(e, Ack | Refusal)] == [
        (Ack, Channel.BOOK, "BTC/USDT:USDT"),
        (Refusal, Channel.BOOK, "ETH/USDT:USDT"),
        (Refusal, Channel.TRADES, "ETH/USDT:USDT"),
    ]


def test_compressed_messages_are_read_within_bounds() -> None:
    raw = recording("mexc/linear_channels")[1]
    assert [type(e) for e in session(PERP).receive(gzip.compress(raw), 0)] == [BookDelta]
    bomb = gzip.compress(b" " * (64 << 20))
    assert [type(e) for e in session(PERP).receive(bomb, 0)] == [Garbled]


def test_resubscribing_leaves_the_channel_first() -> None:
    asked = [msgspec.json.decode(p)["method"] for p in session(PERP).resubscribe(Channel.BOOK, PERP.symbol)]
    assert asked == ["unsub.depth", "sub.depth"]
    asked = [msgspec.json.decode(p)["method"] for p in session(SPOT).resubscribe(Channel.BOOK, SPOT.symbol)]
    assert asked == ["UNSUBSCRIPTION", "SUBSCRIPTION"]
    assert list(session(SPOT).resubscribe(Channel.MARK, SPOT.symbol)) == []


# sockets


def test_sockets_stay_within_the_limits() -> None:
    many = [instrument("mexc.spot", f"C{n}/USDT", f"C{n}USDT") for n in range(20)]
    plans = MEXC.plan("spot", many)
    assert [(p.label, len(p.subscriptions)) for p in plans] == [("public", 27), ("public-2", 27), ("public-3", 6)]
    contracts = [instrument("mexc.linear", f"C{n}/USDT:USDT", f"C{n}_USDT") for n in range(60)]
    assert [len(MEXC.session(p, contracts).subscribe()) for p in MEXC.plan("linear", contracts)] == [250, 50]
    assert MEXC.plan("spot", []) == []


def delta(first: int, last: int) -> BookDelta:
    return BookDelta(symbol="X", bids=[], asks=[], first_seq=first, last_seq=last)


def test_ranges_continue_overlap_or_leave_a_gap() -> None:
    rule = MEXC.rule("spot")
    assert rule.rest_snapshot
    steps = [rule.following(100, delta(*r)) for r in ((101, 105), (98, 105), (90, 100), (102, 105))]
    assert steps == [Step.APPLY, Step.APPLY, Step.SKIP, Step.GAP]
    assert rule.first(105, delta(100, 110)) is Step.APPLY


def test_a_venue_that_counts_anew_is_noticed_instead_of_ignored_for_ever() -> None:
    rule = MEXC.rule("linear")
    assert rule.following(5_000_000, delta(1, 3)) is Step.GAP
    assert rule.first(5_000_000, delta(1, 3)) is Step.SKIP


# REST


def test_probes_and_snapshots_of_both_products() -> None:
    time, book = MEXC.probes("spot", [SPOT])
    assert [p.request.path for p in (time, book)] == ["/api/v3/time", "/api/v3/depth?symbol=BTCUSDT&limit=5"]
    assert MEXC.read_probe("spot", time, answer('{"serverTime":1790000000123}')).server_ns == T0 + 123 * MS
    ping, book = MEXC.probes("linear", [PERP])
    assert [p.request.path for p in (ping, book)] == [
        "/api/v1/contract/ping",
        "/api/v1/contract/depth/BTC_USDT?limit=5",
    ]
    good = answer('{"success":true,"code":0,"data":1790000000123}')
    assert MEXC.read_probe("linear", ping, good).server_ns == T0 + 123 * MS
    lobster = MEXC.snapshot_request("spot", instrument("mexc.spot", "龙虾/USDT", "龙虾USDT"))
    assert lobster is not None
    assert lobster.path.isascii()
    raw = '{"lastUpdateId":1112416,"bids":[["15.00","4.5"]],"asks":[["15.10","1.0"]],"timestamp":1790000000000}'
    snapshot = MEXC.read_snapshot("spot", SPOT, answer(raw))
    assert (snapshot.bids, snapshot.asks) == ([(15.0, 4.5)], [(15.1, 1.0)])
    assert (snapshot.seq, snapshot.gateway_ns, snapshot.levels_limit) == (1112416, T0, 1000)


def test_a_deep_book_is_known_by_its_size() -> None:
    deep = MEXC.deep_snapshot_request("linear", PERP)
    assert deep is not None
    assert deep.path.endswith("limit=1500")
    levels = [[1.0 + n, 1, 1] for n in range(1_500)]
    data = {"asks": levels, "bids": [[0.5, 1, 1]], "version": 7, "timestamp": 1}
    raw = msgspec.json.encode({"success": True, "code": 0, "data": data}).decode()
    assert MEXC.read_snapshot("linear", PERP, answer(raw)).levels_limit == 1500


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, '{"success":false,"code":510,"message":"Requests are too frequent"}', Fault.OUR_LIMIT),
        (429, '{"code":429,"msg":"Too Many Requests"}', Fault.OUR_LIMIT),
        (200, '{"success":false,"code":500,"message":"Under maintenance"}', Fault.MAINTENANCE),
        (500, '{"success":false,"code":500,"message":"Internal error"}', Fault.OVERLOAD),
        (200, '{"success":false,"code":501,"message":"System busy"}', Fault.OVERLOAD),
        (503, "<html>Service Unavailable</html>", Fault.OVERLOAD),
        (403, "<HTML>Access Denied</HTML>", Fault.REFUSED),
        (403, "Service unavailable in your region", Fault.GEO_BLOCK),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', Fault.BAD_REQUEST),
        (200, '{"success":false,"code":1001,"message":"Contract does not exist!"}', Fault.BAD_REQUEST),
        (200, '{"success":false,"code":8888,"message":"?"}', Fault.UNKNOWN),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, "{}", Fault.UNKNOWN),
    ],
)
@pytest.mark.parametrize("product", ["spot", "linear"])
def test_what_an_error_answer_means(product: Product, status: int, body: str, fault: Fault) -> None:
    time = MEXC.probes(product, [])[0]
    assert MEXC.read_probe(product, time, answer(body, status)).fault is fault
    one = SPOT if product == "spot" else PERP
    with pytest.raises(VenueError):
        MEXC.read_snapshot(product, one, answer(body, status))


def test_how_long_to_wait_is_read() -> None:
    said = answer('{"code":429,"msg":"Too Many Requests"}', 429, {"retry-after": "2"})
    assert MEXC.read_probe("spot", MEXC.probes("spot", [])[0], said).retry_after_s == 2.0


# hostile input

SAMPLES = [
    *recording("mexc/linear_channels"),
    push("publicAggreDepths", DEPTH),
    push("publicAggreBookTicker", {"bidPrice": "1", "bidQuantity": "2", "askPrice": "3", "askQuantity": "4"}),
    push("publicAggreDeals", {"deals": [{"price": "1", "quantity": "2", "tradeType": 1, "time": "1790000000010"}]}),
    reply(f"Not Subscribed successfully! [{topics('BTCUSDT')[0]}].  Reason： Blocked! "),
]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    for one in (SPOT, PERP):
        reader = session(one)
        reader.subscribe()
        assert_sound(reader.receive(raw, T0))
