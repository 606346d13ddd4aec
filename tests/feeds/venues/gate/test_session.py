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
from feeds.venues.gate.venue import Gate
from feeds.venues.sequence import Contiguous, SequenceRule
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

NOW_S = 1_790_000_000
GATE = Gate(lambda: NOW_S + 0.9)
SPOT = instrument("gate.spot", "BTC/USDT", "BTC_USDT")
SWAP = instrument("gate.linear", "ETH/USDT:USDT", "ETH_USDT", contract_size=0.01)
MS = 1_000_000
T0 = NOW_S * 1_000 * MS


def session(product: Product, *instruments: Instrument) -> Session:
    return GATE.session(GATE.plan(product, instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


# captures


class FromRest(Contiguous):
    """The rule of ``order_book_update``: the channel of the captures, which still exists but is not subscribed by
    Detour."""

    rest_snapshot = True


class OlderGate(Gate):
    def rule(self, product: Product) -> SequenceRule:
        return FromRest()


@needs_wire
@pytest.mark.parametrize(
    ("product", "capture", "kinds"),
    [
        ("spot", "gate/spot_cryptofeed_20210422", {"Trade": 3}),
        ("linear", "gate/perp_cryptofeed_20230524", {"Quote": 36}),
    ],
)
def test_captures_rebuild_to_the_recorded_books(product: Product, capture: str, kinds: dict[str, int]) -> None:
    found = [instrument(f"gate.{product}", name.replace("_", "/"), name) for name in truth(capture)]
    rebuilt = rebuild(OlderGate(), product, capture, found)
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert kinds.items() <= rebuilt.kinds.items()
    for one in found:
        expected = truth(capture)[one.venue_id]
        book = rebuilt.books[one.symbol]
        assert (book.applied, book.skipped) == (expected.updates_applied, expected.updates_dropped_before_snapshot)
        assert not rebuilt.outcomes[one.symbol][Outcome.GAP]
        assert_ends_in(book, expected)


RETIRED = {
    "method": "the websocket of v3, gone: numbered methods and no channels",
}
OFF_THE_SOCKET = ("open interest statistics: a REST path that nobody here asks",)
DECODED: dict[str, type[Event]] = {
    "obu": BookDelta,
    "order_book_update": BookDelta,
    "book_ticker": Quote,
    "trades": Trade,
    "tickers": Mark,
}
UNUSED = {"spot.tickers", "candlesticks", "order_book"}


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"gate/isolated_{n}")]


def name_in(result: Any) -> str:
    row = result
    while isinstance(row, list):
        row = row[0]
    name: str = next((row[key] for key in ("contract", "currency_pair", "c", "s") if key in row), "X_USDT")
    return name.split(".")[1] if name.startswith("ob.") else name


@needs_wire
def test_every_isolated_message_of_v4_decodes() -> None:
    seen: set[str] = set()
    for record in isolated():
        message = decoded(record.raw)
        if not isinstance(message, dict) or "channel" not in message:
            continue
        kind, _, channel = message["channel"].partition(".")
        one = instrument("gate", "X/Y", name_in(message["result"]))
        got = session("spot" if kind == "spot" else "linear", one).receive(record.raw, 0)
        if message["event"] == "subscribe":
            assert all(isinstance(e, Ack) for e in got)
        elif channel in UNUSED or message["channel"] in UNUSED:
            assert got == ()
        else:
            seen.add(channel)
            wanted = BookSnapshot if message["result"].__class__ is dict and "full" in message["result"] else None
            assert {type(e) for e in got} == {wanted or DECODED[channel]}, record.src
    assert seen == DECODED.keys()


@needs_wire
def test_messages_of_retired_versions_are_unknown_and_survived() -> None:
    old = [r.raw for r in isolated() if isinstance(m := decoded(r.raw), dict) and RETIRED.keys() & m.keys()]
    assert len(old) == 10
    assert {type(e) for e in events(session("spot", SPOT), old)} == {Unknown}


@needs_wire
def test_nothing_in_the_captures_is_left_out_without_a_reason() -> None:
    rest: list[object] = []
    for record in isolated():
        message = decoded(record.raw)
        if isinstance(message, list) or not {"channel", "asks", *RETIRED} & message.keys():
            rest.append(message)
    assert all(isinstance(message, list) and "open_interest" in message[0] for message in rest)
    assert len(rest) == 2 * len(OFF_THE_SOCKET)


# books


def test_a_book_begins_before_its_acknowledgement_and_goes_on_over_bare_ids() -> None:
    reader = session("spot", SPOT)
    reader.subscribe()
    got = events(reader, recording("gate/spot_channels"))
    book = Book(SPOT, GATE.rule("spot"))
    outcomes = [book.apply(e, T0) for e in got if isinstance(e, BookSnapshot | BookDelta)]
    assert outcomes == [Outcome.APPLIED] * 4
    first = got[0]
    assert isinstance(first, BookSnapshot)
    assert (first.seq, first.levels_limit) == (5000, 400)
    assert (first.engine_ns, first.gateway_ns) == (T0 + 95 * MS, T0 + 100 * MS)
    assert got[1] == Ack(channel=Channel.BOOK, symbol="BTC/USDT")
    assert (book.bids, book.asks, book.seq) == ({60000.0: 9.0}, {60000.2: 1.1}, 5020)


def test_a_lost_message_is_a_gap_until_a_whole_book_comes() -> None:
    frames = [raw for raw in recording("gate/spot_channels") if b'"spot.obu"' in raw and b'"result":{"t"' in raw]
    book = Book(SPOT, GATE.rule("spot"))
    got = events(session("spot", SPOT), [frames[0], *frames[2:]])
    assert [book.apply(e, T0) for e in got if isinstance(e, BookSnapshot | BookDelta)] == [
        Outcome.APPLIED,
        Outcome.GAP,
        Outcome.APPLIED,
    ]


# the other channels


def test_spot_channels() -> None:
    reader = session("spot", SPOT)
    reader.subscribe()
    got = events(reader, recording("gate/spot_channels"))
    [quote] = [e for e in got if isinstance(e, Quote)]
    assert (quote.bid, quote.ask, quote.bid_size, quote.ask_size) == (60000.1, 60000.2, 0.25, 1.1)
    assert (quote.engine_ns, quote.gateway_ns) == (T0 + 305 * MS, T0 + 310 * MS)
    [trade] = [e for e in got if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side, trade.trade_id) == (60000.1, 0.4, "sell", "309143071")
    assert trade.engine_ns is not None
    assert abs(trade.engine_ns - (T0 + 313_457_800)) <= 1_000  # a microsecond of the venue's 100 ns
    [pong] = [e for e in got if isinstance(e, Pong)]
    assert (pong.token, pong.server_out_ns) == (None, T0 + 330 * MS)
    [notice] = [e for e in got if isinstance(e, Notice)]
    assert notice.reconnect_within_s == 10.0
    assert not [e for e in got if isinstance(e, Unknown | Garbled)]


@pytest.mark.parametrize("channel", ["public_liquidates", "trades", "tickers"])
def test_a_row_alone_and_rows_in_a_list_say_the_same(channel: str) -> None:
    """The documents show liquidations as a list, messages of 2025 a single object."""
    row = {
        "contract": SWAP.venue_id,
        "price": 117000.5,
        "size": -100,
        "id": 7,
        "time_ms": 1754000000123,
        "create_time_ms": 1754000000123,
        "mark_price": "117000.5",
    }
    got = []
    for result in (row, [row]):
        raw = msgspec.json.encode(
            {"time_ms": 1754000000200, "channel": f"futures.{channel}", "event": "update", "result": result}
        )
        got.append([msgspec.to_builtins(event) for event in session("linear", SWAP).receive(raw, 1)])
    assert got[0] == got[1]
    if channel == "public_liquidates":
        [sold] = got[0]
        assert (sold["price"], sold["size"], sold["side"]) == (117000.5, 100.0, "sell")


def test_futures_channels() -> None:
    got = events(session("linear", SWAP), recording("gate/futures_channels"))
    assert not [e for e in got if isinstance(e, Unknown | Garbled)]
    snapshot, delta, quote = got[:3]
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(delta, BookDelta)
    assert isinstance(quote, Quote)
    assert (snapshot.levels_limit, snapshot.bids, snapshot.asks) == (50, [(4364.8, 1053.5)], [(4365.04, 0.25)])
    assert (delta.first_seq, delta.last_seq, delta.asks) == (701, 720, ())
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (4364.7, 62.0, None, None)
    [trade] = [e for e in got if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side, trade.engine_ns) == (4364.7, 108.5, "sell", T0 + 138 * MS)
    assert Heartbeat(channel=Channel.TRADES, symbol=SWAP.symbol, gateway_ns=T0 + 140 * MS) in got  # the internal one
    closed = [e for e in got if isinstance(e, Liquidation)]
    assert [(e.side, e.size, e.engine_ns) for e in closed] == [
        ("sell", 124.5, T0 + 123 * MS),
        ("buy", 3.0, T0 + 456 * MS),
        ("buy", 3.0, T0),
    ]
    [mark] = [e for e in got if isinstance(e, Mark)]
    assert (mark.mark, mark.index, mark.funding_rate) == (4364.75, 4364.36, -0.000114)
    assert (mark.next_funding_ns, mark.interval_h) == (None, None)
    assert [type(e) for e in got[-2:]] == [Pong, Notice]


def test_a_size_that_was_rounded_to_nothing_is_unknown_and_not_zero() -> None:
    raw = b'{"channel":"futures.book_ticker","event":"update","result":{"s":"ETH_USDT","b":"1","B":"0","a":"2","A":3}}'
    [quote] = events(session("linear", SWAP), [raw])
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask_size) == (1.0, None, 3.0)
    raw = (
        b'{"channel":"futures.trades","event":"update","result":[{"size":0,"id":1,"price":"2","contract":"ETH_USDT"}]}'
    )
    assert events(session("linear", SWAP), [raw]) == [Heartbeat(channel=Channel.TRADES, symbol=SWAP.symbol)]


def test_strangers_are_named() -> None:
    raw = recording("gate/futures_channels")[0].replace(b"ETH_USDT", b"XRP_USDT")
    assert events(session("linear", SWAP), [raw]) == [Unknown(what="futures.obu of ob.XRP_USDT.50")]
    raw = b'{"channel":"futures.novelty","event":"update","result":{}}'
    assert events(session("linear", SWAP), [raw]) == [Unknown(what="futures.novelty update")]


# requests


def test_requests_carry_the_time_and_ten_names_at_most() -> None:
    many = [instrument("gate.linear", f"C{n}/USDT:USDT", f"C{n}_USDT") for n in range(45)]
    plans = GATE.plan("linear", many)
    assert [(p.label, p.path) for p in plans] == [("public", "/v4/ws/usdt"), ("public-2", "/v4/ws/usdt")]
    assert plans[0].headers == {"X-Gate-Size-Decimal": "1"}
    asked = [decoded(p) for p in GATE.session(plans[0], many).subscribe()]
    assert len(asked) == 20
    assert {a["time"] for a in asked} == {NOW_S}
    assert [a["id"] for a in asked] == list(range(1, 21))
    assert asked[0]["channel"] == "futures.obu"
    assert asked[0]["payload"] == [f"ob.C{n}_USDT.400" for n in range(10)]
    assert {a["channel"] for a in asked} == {
        f"futures.{name}" for name in ("obu", "book_ticker", "trades", "public_liquidates", "tickers")
    }
    [plan] = GATE.plan("spot", [SPOT])
    assert (plan.path, plan.headers) == ("/ws/v4/", {})
    assert [decoded(p)["channel"] for p in GATE.session(plan, [SPOT]).subscribe()] == [
        "spot.obu",
        "spot.book_ticker",
        "spot.trades",
    ]
    assert GATE.plan("spot", []) == []


def test_a_fresh_book_is_had_by_leaving_and_coming_back() -> None:
    reader = session("spot", SPOT)
    left, back = [decoded(p) for p in reader.resubscribe(Channel.BOOK, "BTC/USDT")]
    assert (left["event"], back["event"]) == ("unsubscribe", "subscribe")
    assert left["payload"] == back["payload"] == ["ob.BTC_USDT.400"]
    assert reader.resubscribe(Channel.BOOK, "DOGE/USDT") == ()
    assert reader.resubscribe(Channel.STATUS, "BTC/USDT") == ()
    ping = reader.ping(7)
    assert ping is not None
    assert decoded(ping) == {"time": NOW_S, "channel": "spot.ping"}


def refusal(asked: dict[str, Any], code: int, text: str) -> bytes:
    said = {"error": {"code": code, "message": text}, "result": {"status": "fail"}}
    return msgspec.json.encode({**asked, "time_ms": 1, **said})


def replies(got: Sequence[Event]) -> list[dict[str, Any]]:
    return [decoded(e.payload) for e in got if isinstance(e, Reply)]


def test_neighbours_of_an_unknown_name_are_asked_for_again_by_themselves() -> None:
    gone = instrument("gate.spot", "GONE/USDT", "GONE_USDT")
    reader = session("spot", SPOT, gone)
    tickers = decoded(reader.subscribe()[1])
    assert tickers["payload"] == ["BTC_USDT", "GONE_USDT"]
    singles = replies(reader.receive(refusal(tickers, 2, "unknown currency pair: GONE_USDT"), 0))
    assert [one["payload"] for one in singles] == [["BTC_USDT"], ["GONE_USDT"]]
    ack = msgspec.json.encode({**singles[0], "result": {"status": "success"}})
    assert reader.receive(ack, 0) == [Ack(channel=Channel.BBO, symbol="BTC/USDT")]
    refused = reader.receive(refusal(singles[1], 2, "unknown currency pair: GONE_USDT"), 0)
    # the book's channel acknowledges any name and then sends nothing
    assert [(e.channel, e.symbol, e.fault) for e in refused if isinstance(e, Refusal)] == [
        (Channel.BBO, "GONE/USDT", Fault.BAD_REQUEST),
        (Channel.BOOK, "GONE/USDT", Fault.BAD_REQUEST),
    ]


def test_a_service_error_is_asked_again_later() -> None:
    reader = session("spot", SPOT)
    asked = decoded(reader.subscribe()[0])
    [refused] = reader.receive(refusal(asked, 3, "service error"), 0)
    assert isinstance(refused, Refusal)
    assert (refused.fault, refused.code) == (Fault.OVERLOAD, "3")
    pong = recording("gate/spot_channels")[7]
    assert replies(reader.receive(pong, 29_000 * MS)) == []
    [again] = replies(reader.receive(pong, 31_000 * MS))
    assert (again["event"], again["payload"]) == ("subscribe", asked["payload"])


def test_an_error_of_nothing_we_asked_names_no_channel() -> None:
    [refused] = session("spot", SPOT).receive(b'{"error":{"code":1,"message":"invalid argument struct"}}', 0)
    assert isinstance(refused, Refusal)
    assert (refused.channel, refused.fault) == (None, Fault.BAD_REQUEST)


# REST

CLOCK, BOOK = GATE.probes("linear", [SWAP])


# hostile input

SAMPLES = [raw for name in ("spot_channels", "futures_channels") for raw in recording(f"gate/{name}")]
SAMPLES += [
    refusal({"id": 1, "channel": "spot.obu", "event": "subscribe"}, 2, "unknown"),
    b'{"channel":"futures.order_book_update","event":"update","result":{"t":1,"s":"ETH_USDT","U":1,"u":2,'
    b'"b":[{"p":"54672.1","s":"0"}],"a":[["1","2"]],"l":"100"}}',
]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    for product, one in (("spot", SPOT), ("linear", SWAP)):
        reader = session("spot" if product == "spot" else "linear", one)
        reader.subscribe()
        assert_sound(reader.receive(raw, T0))
