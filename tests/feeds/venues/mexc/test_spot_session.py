from __future__ import annotations

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
from feeds.venues.base import Answer, Session
from feeds.venues.mexc.venue import Mexc
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


def wire(message: Mapping[str, Any]) -> bytes:
    """A message from JSON to protobuf, with the classes that ccxt generated from MEXC's schema of 2025. Fields that
    were added later are tested with the twin."""
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
"""Kinds of crypto-msg-parser's spot messages: JSON sockets (v2, v3) and REST v2, all retired in 2025 for protobuf."""
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
    """Spot messages of tardis-node are protobuf written as JSON; ccxt's generated classes convert them back."""
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


# sockets


def delta(first: int, last: int) -> BookDelta:
    return BookDelta(symbol="X", bids=[], asks=[], first_seq=first, last_seq=last)


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
