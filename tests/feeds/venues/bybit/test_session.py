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
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Session
from feeds.venues.bybit.venue import Bybit
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
from tests.feeds.venues.mutations import assert_sound, hostile

BYBIT = Bybit()
SPOT = instrument("bybit.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("bybit.linear", "BTC/USDT:USDT", "BTCUSDT")
SYMBOL = "BTC/USDT:USDT"
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(product: Product, *instruments: Instrument) -> Session:
    return BYBIT.session(BYBIT.plan(product, instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


# captures

CAPTURE = "bybit/cryptofeed_20260809_v5"
LINEAR = (
    instrument("bybit.linear", "ETH/USDT:USDT", "ETHUSDT"),
    instrument("bybit.linear", "DOGE/USDT:USDT", "DOGEUSDT"),
)


@needs_wire
@pytest.mark.parametrize(
    ("product", "conn", "instruments"),
    [
        ("linear", "BYBIT.ws.2", LINEAR),
        ("spot", "BYBIT.ws.3", (instrument("bybit.spot", "ETH/USDT", "ETHUSDT"),)),
    ],
)
def test_capture_rebuilds_to_the_recorded_books(
    product: Product, conn: str, instruments: tuple[Instrument, ...]
) -> None:
    rebuilt = rebuild(BYBIT, product, CAPTURE, instruments, conn=conn)
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["Trade"] > 0
    for one in instruments:
        expected = truth(CAPTURE)[f"{conn}:orderbook.200.{one.venue_id}"]
        assert rebuilt.outcomes[one.symbol] == {Outcome.APPLIED: expected.updates_applied + expected.snapshots}
        book = rebuilt.books[one.symbol]
        assert_ends_in(book, expected)
        assert book.engine_ns is not None
        assert book.gateway_ns is not None
        assert 0 <= book.gateway_ns - book.engine_ns < 1_000 * MS


@needs_wire
def test_marks_of_the_capture_merge_to_whole_ones() -> None:
    reader = session("linear", *LINEAR)
    known: dict[str, set[str]] = {}
    for record in records(CAPTURE):
        if record.t == "recv" and record.conn == "BYBIT.ws.2":
            for event in reader.receive(record.raw, 0):
                if isinstance(event, Mark):
                    fields = ("mark", "index", "funding_rate", "next_funding_ns", "interval_h")
                    known.setdefault(event.symbol, set()).update(f for f in fields if getattr(event, f) is not None)
    assert {symbol: len(fields) for symbol, fields in known.items()} == {i.symbol: 5 for i in LINEAR}


RETIRED = {
    "orderBookL2_25": "inverse and linear v2, gone: other rows (price, side, id)",
    "orderBook_200": "the same",
    "trade": "the same; spot v1 too",
    "instrument_info": "the same, later `tickers`",
    "klineV2": "the same",
    "candle": "the same",
    "liquidation": "v5's first liquidation topic, gone: allLiquidation took its place",
    "depth": "spot v1",
    "bookTicker": "spot v1",
}
EXPECTED: dict[tuple[str, str], type[Event]] = {
    ("publicTrade", "snapshot"): Trade,
    ("orderbook.1", "snapshot"): Quote,
    ("orderbook.1", "delta"): Quote,
    ("orderbook.50", "snapshot"): BookSnapshot,
    ("orderbook.50", "delta"): BookDelta,
    ("allLiquidation", "snapshot"): Liquidation,
    ("tickers", "snapshot"): Mark,
    ("tickers", "delta"): Mark,
}


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"bybit/isolated_{n}")]


def retired(topic: str) -> bool:
    return topic.split(".")[0] in RETIRED


@needs_wire
def test_every_isolated_message_of_v5_decodes() -> None:
    seen = set()
    for record in isolated():
        message = decoded(record.raw)
        topic = message.get("topic")
        if topic is None or retired(topic):
            continue
        name, _, venue_id = topic.rpartition(".")
        got = session("linear", instrument("bybit.linear", "X/Y:Y", venue_id)).receive(record.raw, 0)
        seen.add((name, message["type"]))
        kinds = {type(e) for e in got}
        if topic == "tickers.BTCUSDU23" and message["type"] == "delta":  # a dated future: neither mark nor funding
            assert kinds == {Heartbeat}
        else:
            assert kinds == {EXPECTED[name, message["type"]]}, topic
    assert seen == EXPECTED.keys()


@needs_wire
def test_messages_of_retired_versions_are_unknown_and_survived() -> None:
    old = [r.raw for r in isolated() if retired(decoded(r.raw).get("topic", ""))]
    assert len(old) > 40
    kinds = {type(e) for e in events(session("linear", PERP), old)}
    assert kinds <= {Unknown, Garbled}  # spot v1 wrote other types into fields of the same name


@needs_wire
def test_old_acks_and_rest_bodies_emit_no_data() -> None:
    rest = [r.raw for r in isolated() if "topic" not in decoded(r.raw)]
    assert {type(e) for e in events(session("linear", PERP), rest)} <= {Unknown, Ack}


# books


def test_restart_replaces_and_a_jump_empties_the_book() -> None:
    book = Book(PERP, BYBIT.rule("linear"))
    got = events(session("linear", PERP), recording("bybit/book_restart_and_gap"))
    assert isinstance(got[0], BookSnapshot)  # before the ack
    outcomes = []
    for event in got:
        if isinstance(event, BookSnapshot | BookDelta):
            outcomes.append(book.apply(event, 1))
            if event.engine_ns == T0 + 700 * MS:
                assert (book.bids, book.asks) == ({60010.1: 3.0}, {60010.2: 1.0, 60010.3: 1.0})
            if outcomes[-1] is Outcome.GAP:
                assert not book.bids
    assert outcomes == [*[Outcome.APPLIED] * 4, Outcome.GAP, Outcome.APPLIED]
    assert (book.bids, book.asks, book.seq) == ({60010.1: 3.0, 60010.0: 1.0}, {60010.2: 1.0}, 9)
    assert (book.engine_ns, book.gateway_ns) == (T0 + 1_100 * MS, T0 + 1_102 * MS)


def test_u_1_in_a_delta_is_a_snapshot() -> None:
    kinds = [type(e) for e in events(session("linear", PERP), recording("bybit/book_restart_and_gap"))]
    assert kinds == [BookSnapshot, Ack, BookDelta, BookSnapshot, BookDelta, BookDelta, BookSnapshot]


def test_a_lower_number_is_a_loss_and_a_repeat_is_not() -> None:
    """After a restart whose first message was lost: skipping lower numbers as old would freeze the book for ever."""
    rule = BYBIT.rule("linear")
    steps = [
        rule.following(500, BookDelta(symbol=SYMBOL, bids=[], asks=[], last_seq=n)).name for n in (501, 500, 502, 7)
    ]
    assert steps == ["APPLY", "SKIP", "GAP", "GAP"]


def test_time_stamps_as_text_are_read_too() -> None:
    raw = recording("bybit/book_restart_and_gap")[0].replace(b'"ts":1790000000102', b'"ts":"1790000000102"')
    [snapshot] = events(session("linear", PERP), [raw])
    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.gateway_ns, snapshot.levels_limit) == (T0 + 102 * MS, 1000)


# other channels


def test_linear_channels() -> None:
    quote, alive, trade, long, short, mark, funding, unchanged = events(
        session("linear", PERP), recording("bybit/linear_channels")
    )
    assert quote == Quote(
        symbol=SYMBOL,
        bid=60000.1,
        bid_size=0.25,
        ask=60000.2,
        ask_size=1.5,
        seq=7961638724,
        engine_ns=T0 + 100 * MS,
        gateway_ns=T0 + 103 * MS,
    )
    assert alive == Heartbeat(channel=Channel.BBO, symbol=SYMBOL, gateway_ns=T0 + 3_103 * MS)
    assert trade == Trade(  # the block trade beside it, far off the book, is left out
        symbol=SYMBOL,
        price=60000.1,
        size=0.001,
        side="sell",
        trade_id="20f43950-d8dd-5b31-9112-a178eb6023af",
        engine_ns=T0 + 101 * MS,
        gateway_ns=T0 + 105 * MS,
    )
    assert isinstance(long, Liquidation)
    assert isinstance(short, Liquidation)
    assert (long.side, long.price, long.size) == ("sell", 59000.5, 2.0)  # a liquidated long is sold
    assert (short.side, short.engine_ns, short.gateway_ns) == ("buy", T0 + 200 * MS, T0 + 500 * MS)
    assert mark == Mark(
        symbol=SYMBOL,
        mark=60001.5,
        index=60002.25,
        funding_rate=-0.0001,
        next_funding_ns=1_790_006_400_000 * MS,
        interval_h=8.0,
        gateway_ns=T0 + 106 * MS,
    )
    assert funding == Mark(symbol=SYMBOL, funding_rate=-0.0002, gateway_ns=T0 + 206 * MS)  # absent: unchanged
    assert unchanged == Heartbeat(channel=Channel.MARK, symbol=SYMBOL, gateway_ns=T0 + 306 * MS)


def level1(kind: str, update: int, bids: str, asks: str) -> bytes:
    data = f'{{"s":"BTCUSDT","b":{bids},"a":{asks},"u":{update},"seq":1}}'
    return f'{{"topic":"orderbook.1.BTCUSDT","type":"{kind}","ts":1,"data":{data},"cts":1}}'.encode()


def test_old_level_1_deltas_and_empty_sides() -> None:
    """In 2023 deltas were sent. A side without rows is unchanged in a delta, and empty in a snapshot."""
    got = events(
        session("linear", PERP),
        [
            level1("snapshot", 5, '[["10","1"]]', '[["11","1"]]'),
            level1("delta", 6, "[]", '[["11","0"],["12","3"]]'),
            level1("delta", 7, '[["10","0"]]', "[]"),
            level1("snapshot", 8, '[["9","2"]]', "[]"),
        ],
    )
    assert [(q.bid, q.bid_size, q.ask, q.ask_size) for q in got if isinstance(q, Quote)] == [
        (10.0, 1.0, 11.0, 1.0),
        (10.0, 1.0, 12.0, 3.0),
        (None, None, 12.0, 3.0),
        (9.0, 2.0, None, None),
    ]


@pytest.mark.parametrize("bad", ['"nan"', '"inf"', '"-Infinity"', '"-1"', "null", '""', '"1e400"', "[]", "NaN"])
def test_absurd_numbers_are_refused(bad: str) -> None:
    reader = session("linear", PERP)
    frames = [
        level1("snapshot", 1, f'[[{bad},"1"]]', "[]"),
        level1("snapshot", 1, f'[["1",{bad}]]', "[]"),
        level1("delta", 2, f'[[{bad},"1"]]', "[]").replace(b"orderbook.1.", b"orderbook.1000."),
    ]
    assert [type(e) for e in events(reader, frames)] == [Garbled] * 3
    if bad in ('"nan"', '"inf"', '"-Infinity"', '"1e400"'):
        raw = f'{{"topic":"tickers.BTCUSDT","type":"delta","data":{{"fundingRate":{bad}}},"ts":1}}'
        assert [type(e) for e in reader.receive(raw.encode(), 0)] == [Garbled]


# control


def test_one_request_a_symbol() -> None:
    [linear] = session("linear", PERP).subscribe()
    assert decoded(linear)["args"] == [
        "orderbook.1000.BTCUSDT",
        "orderbook.1.BTCUSDT",
        "publicTrade.BTCUSDT",
        "allLiquidation.BTCUSDT",
        "tickers.BTCUSDT",
    ]
    spot = session("spot", SPOT, instrument("bybit.spot", "ETH/USDT", "ETHUSDT")).subscribe()
    assert [len(decoded(p)["args"]) for p in spot] == [3, 3]  # at most 10 a request on spot


def test_resubscribing_asks_for_a_new_snapshot_of_one_channel() -> None:
    reader = session("linear", PERP)
    off, on = (decoded(p) for p in reader.resubscribe(Channel.BOOK, SYMBOL))
    assert (off["op"], on["op"], off["args"], on["args"]) == (
        "unsubscribe",
        "subscribe",
        ["orderbook.1000.BTCUSDT"],
        ["orderbook.1000.BTCUSDT"],
    )
    assert reader.resubscribe(Channel.STATUS, SYMBOL) == ()
    first = level1("snapshot", 5, '[["10","1"]]', '[["11","1"]]')
    assert [type(e) for e in events(reader, [first, first])] == [Quote, Heartbeat]
    reader.resubscribe(Channel.BBO, SYMBOL)
    assert [type(e) for e in events(reader, [first])] == [Quote]  # a fresh snapshot, though nothing has changed


def test_pings_are_matched_where_the_venue_sends_the_token_back() -> None:
    reader = session("linear", PERP)
    assert decoded(reader.ping(100001) or "") == {"req_id": "100001", "op": "ping"}
    linear = b'{"success":true,"ret_msg":"pong","conn_id":"465772b1","req_id":"100001","op":"ping"}'
    spot = b'{"success":true,"ret_msg":"pong","conn_id":"0970e817","op":"ping"}'
    other = b'{"req_id":"2","op":"pong","args":["1675418560633"],"conn_id":"c"}'
    assert events(reader, [linear, spot, other]) == [Pong(token=100001), Pong(), Pong(token=2)]


def answered(success: bool, text: str = "", req_id: str | None = "") -> bytes:
    named = {} if req_id is None else {"req_id": req_id}
    return msgspec.json.encode({"success": success, "ret_msg": text, "conn_id": "c"} | named | {"op": "subscribe"})


def test_acks_are_matched_by_id_and_on_spot_by_order() -> None:
    reader = session("spot", SPOT, instrument("bybit.spot", "ETH/USDT", "ETHUSDT"))
    reader.subscribe()
    second = events(reader, [answered(True, req_id="s2")])
    first = events(reader, [answered(True, "subscribe", req_id=None)])
    assert {e.symbol for e in second if isinstance(e, Ack)} == {"ETH/USDT"}
    assert [(e.channel, e.symbol) for e in first if isinstance(e, Ack)] == [
        (Channel.BOOK, "BTC/USDT"),
        (Channel.BBO, "BTC/USDT"),
        (Channel.TRADES, "BTC/USDT"),
    ]


def asked(got: Sequence[Event]) -> dict[str, str]:
    payloads = [decoded(e.payload) for e in got if isinstance(e, Reply)]
    assert all(len(p["args"]) == 1 for p in payloads)
    return {p["args"][0]: p["req_id"] for p in payloads}


NOT_FOUND = "error:handler not found,topic:allLiquidation.BTCUSDT"


def test_neighbours_of_a_bad_topic_live_on() -> None:
    reader = session("linear", PERP)
    reader.subscribe()
    singles = asked(reader.receive(answered(False, NOT_FOUND), 0))
    assert len(singles) == 5
    acks = events(reader, [answered(True, req_id=singles["orderbook.1000.BTCUSDT"])])
    assert acks == [Ack(channel=Channel.BOOK, symbol=SYMBOL)]
    [refused] = reader.receive(answered(False, NOT_FOUND, singles["allLiquidation.BTCUSDT"]), 0)
    assert isinstance(refused, Refusal)
    assert (refused.channel, refused.symbol, refused.fault) == (Channel.LIQUIDATIONS, SYMBOL, Fault.BAD_REQUEST)
    again = events(reader, [answered(False, "error: already subscribed", singles["tickers.BTCUSDT"])])
    assert again == [Ack(channel=Channel.MARK, symbol=SYMBOL)]


def test_a_valid_topic_refused_after_a_mass_disconnect_is_asked_again_for_two_minutes() -> None:
    reader = session("linear", PERP)
    reader.subscribe()
    req_id = asked(reader.receive(answered(False, NOT_FOUND), 0))["allLiquidation.BTCUSDT"]
    pong = b'{"success":true,"ret_msg":"pong","op":"ping"}'
    waits = []
    for second in range(300):
        now_ns = second * 1_000 * MS
        if req_id:
            assert asked(reader.receive(answered(False, NOT_FOUND, req_id), now_ns)) == {}
        req_id = asked(reader.receive(pong, now_ns)).get("allLiquidation.BTCUSDT", "")
        if req_id:
            waits.append(second)
    assert len(waits) == 4
    assert 110 <= waits[-1] <= 135


# hostile input

SAMPLES = [raw for n in ("book_restart_and_gap", "linear_channels") for raw in recording(f"bybit/{n}")]
SAMPLES += [answered(False, NOT_FOUND), b'{"success":true,"ret_msg":"pong","req_id":"7","op":"ping"}']


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session("linear", PERP)
    reader.subscribe()
    reader.receive(SAMPLES[7], T0)
    assert_sound(reader.receive(raw, T0))
