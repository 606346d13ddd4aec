from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from feeds.books.book import Book, Outcome
from feeds.books.ladder import derive
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
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Session
from feeds.venues.deribit.venue import Deribit
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

DERIBIT = Deribit()
BTC = instrument("deribit.inverse", "BTC/USD:BTC", "BTC-PERPETUAL", tick=0.5, lot=10, inverse=True)
ETH = instrument("deribit.inverse", "ETH/USD:ETH", "ETH-PERPETUAL", tick=0.05, lot=1, inverse=True)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(*instruments: Instrument) -> Session:
    return DERIBIT.session(DERIBIT.plan("inverse", instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


def reply(number: int, **said: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, **said, "usIn": 1, "usOut": 2, "usDiff": 1})


# captures

CAPTURE = "deribit/cryptofeed_20210722"


@needs_wire
def test_capture_rebuilds_to_the_recorded_books() -> None:
    expected = truth(CAPTURE)
    options = [instrument("deribit.inverse", name, name.split(".")[1], inverse=True) for name in expected]
    rebuilt = rebuild(DERIBIT, "inverse", CAPTURE, options)
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["BookSnapshot"] == len(expected) == 10
    assert rebuilt.kinds["Mark"] == 89
    for name, book in rebuilt.books.items():
        assert rebuilt.outcomes[name] == {Outcome.APPLIED: expected[name].updates_applied + expected[name].snapshots}
        assert_ends_in(book, expected[name])


EXPECTED: dict[str, type[Event]] = {"book": BookSnapshot, "quote": Quote, "trades": Trade, "ticker": Mark}
OVER_REST = 7
"""Answers to ``get_order_book`` and ``get_book_summary_by_instrument``."""


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"deribit/isolated_{n}")]


def names_in(message: Any) -> set[str]:
    data = message["params"]["data"]
    return {row.get("instrument_name", "?") for row in (data if isinstance(data, list) else [data])}


@needs_wire
def test_every_isolated_message_decodes() -> None:
    """None is of a retired version: the channels of 2019 are those of today."""
    seen: dict[str, int] = {}
    skipped = 0
    for record in isolated():
        message = decoded(record.raw)
        if "params" not in message:
            skipped += 1
            continue
        channel = message["params"]["channel"]
        kind, *how = channel.split(".")
        seen[kind] = seen.get(kind, 0) + 1
        got = session(*(instrument("deribit.inverse", f"{n}/X", n) for n in names_in(message))).receive(record.raw, 0)
        if kind == "chart" or len(how) == 4:  # candles, and books of the best 20: not subscribed
            assert list(got) == []
            continue
        assert {type(e) for e in got} - {Liquidation} == {
            BookDelta if '"prev_change_id"' in (record.data or "") and '"snapshot"' not in (record.data or "")
            else EXPECTED[kind]
        }, record.src  # fmt: skip
    assert seen.keys() == {*EXPECTED, "chart"}
    assert skipped == OVER_REST


@needs_wire
def test_liquidated_side_is_that_of_the_order_that_was_forced() -> None:
    rows = [r for r in isolated() if '"liquidation"' in (r.data or "")]
    got = [e for r in rows for e in session(BTC).receive(r.raw, 0) if isinstance(e, Liquidation)]
    # T: the taker sold. M: the taker bought from an order that sold
    assert [(e.side, e.price, e.size) for e in got] == [("sell", 4469.5, 1120), ("sell", 4458.5, 2500)]


# books


def test_a_missing_change_empties_the_book_until_the_next_snapshot() -> None:
    book = Book(BTC, DERIBIT.rule("inverse"))
    outcomes = []
    for event in events(session(BTC), recording("deribit/books_gap")):
        assert isinstance(event, BookSnapshot | BookDelta)
        outcomes.append(book.apply(event, 1))
        if len(outcomes) == 2:
            assert (book.bids, book.asks) == ({60000.0: 1000.0}, {60000.5: 40.0, 60001.0: 1500.0})
            assert book.engine_ns == T0 + 201 * MS
        if outcomes[-1] is Outcome.GAP:
            assert not book.bids
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.GAP, Outcome.APPLIED]
    assert (book.bids, book.asks, book.seq) == ({60000.0: 700.0}, {}, 70000050)


def test_what_is_deleted_is_gone_whatever_amount_stands_beside_it() -> None:
    raw = recording("deribit/books_gap")[1].replace(b'"delete",59999.5,0.0', b'"delete",59999.5,20.0')
    [event] = events(session(BTC), [raw])
    assert isinstance(event, BookDelta)
    assert event.bids == [(59999.5, 0.0), (60000.0, 1000.0)]


def test_sizes_of_inverse_contracts_are_dollars() -> None:
    ladder = derive({60_000.0: 1_500.0}, {60_001.0: 90.0}, BTC)
    assert ladder.depth(10.0) == (1_500.0, 90.0)
    fill = ladder.walk("sell", 600.0)
    assert fill is not None
    assert fill.filled_base == pytest.approx(0.01)


def test_a_book_written_in_another_order_reads_the_same() -> None:
    raw = recording("deribit/books_gap")[1]
    other = msgspec.json.encode(dict(reversed(decoded(raw).items())))
    assert list(session(BTC).receive(other, 0)) == list(session(BTC).receive(raw, 0))


# other channels


def test_channels() -> None:
    got = events(session(BTC), recording("deribit/channels"))
    symbol = BTC.symbol
    assert got == [
        Quote(symbol=symbol, bid=60000.0, bid_size=133440.0, ask=60000.5, ask_size=99470.0, engine_ns=T0 + 101 * MS),
        Quote(symbol=symbol, bid=None, bid_size=None, ask=60000.5, ask_size=99470.0, engine_ns=T0 + 102 * MS),
        Trade(
            symbol=symbol, price=60000.0, size=10.0, side="sell", trade_id="403691824", engine_ns=T0 + 103 * MS
        ),
        Trade(symbol=symbol, price=60000.5, size=20.0, side="buy", trade_id="403691825", engine_ns=T0 + 104 * MS),
        Liquidation(symbol=symbol, price=60000.5, size=20.0, side="buy", engine_ns=T0 + 104 * MS),
        Liquidation(symbol=symbol, price=60000.5, size=20.0, side="sell", engine_ns=T0 + 104 * MS),
        Mark(
            symbol=symbol, mark=60001.11, index=59990.75, funding_rate=-1.7e-05, interval_h=8.0,
            gateway_ns=T0 + 105 * MS,
        ),
        Notice(text="btc_usd locked"),
        Notice(text="maintenance begins"),
        Heartbeat(),
    ]  # fmt: skip


def test_data_of_an_instrument_we_never_asked_for_is_unknown() -> None:
    frames = [*recording("deribit/books_gap"), *recording("deribit/channels")[:4]]
    assert {type(e) for e in events(session(ETH), frames)} == {Unknown}


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "0", "null", '""', "1e400", "[]", '"60000"'])
def test_absurd_prices_are_refused(price: str) -> None:
    raw = recording("deribit/books_gap")[0].replace(b"60000.0", price.encode())
    assert [type(e) for e in events(session(BTC), [raw])] == [Garbled]


# requests and answers


def test_one_request_for_all_channels_and_a_heartbeat() -> None:
    beat, ask = (decoded(p) for p in session(BTC, ETH).subscribe())
    assert (beat["method"], beat["params"]) == ("public/set_heartbeat", {"interval": 10})
    assert ask["method"] == "public/subscribe"
    names = [pattern.format(i.venue_id) for i in (BTC, ETH)
             for pattern in ("book.{}.100ms", "quote.{}", "trades.{}.100ms", "ticker.{}.100ms")]  # fmt: skip
    assert sorted(ask["params"]["channels"]) == sorted([*names, "platform_state"])
    assert beat["id"] != ask["id"]


def test_names_missing_from_the_answer_are_refused_and_their_neighbours_live() -> None:
    reader = session(BTC, ETH)
    ask = decoded(reader.subscribe()[1])
    granted = [name for name in ask["params"]["channels"] if "ETH" not in name]
    got = reader.receive(reply(ask["id"], result=granted[::-1]), 0)
    assert {(e.channel, e.symbol) for e in got if isinstance(e, Ack)} == {
        (channel, None if channel is Channel.STATUS else BTC.symbol) for channel in Channel
    }
    refused = [e for e in got if isinstance(e, Refusal)]
    assert {(e.channel, e.symbol) for e in refused} == {
        (channel, ETH.symbol) for channel in Channel if channel is not Channel.STATUS
    }
    assert {e.fault for e in refused} == {Fault.BAD_REQUEST}
    assert len(got) == 11


def test_resubscribing_unsubscribes_first() -> None:
    reader = session(BTC)
    off, on = (decoded(p) for p in reader.resubscribe(Channel.BOOK, BTC.symbol))
    assert (off["method"], on["method"]) == ("public/unsubscribe", "public/subscribe")
    assert off["params"] == on["params"] == {"channels": ["book.BTC-PERPETUAL.100ms"]}
    assert events(reader, [reply(off["id"], result=["book.BTC-PERPETUAL.100ms"])]) == []
    [ack] = events(reader, [reply(on["id"], result=["book.BTC-PERPETUAL.100ms"])])
    assert ack == Ack(channel=Channel.BOOK, symbol=BTC.symbol)
    assert reader.resubscribe(Channel.BOOK, "DOGE/USD") == ()


def test_pings_come_back_with_the_venues_two_times() -> None:
    reader = session(BTC)
    ping = decoded(reader.ping(7) or "")
    assert (ping["method"], ping["id"]) == ("public/test", 7)
    raw = b'{"jsonrpc":"2.0","id":7,"result":{"version":"1.2.26"},"usIn":1790000000000126,"usOut":1790000000000174}'
    assert events(reader, [raw]) == [
        Pong(token=7, server_in_ns=T0 + 126_000, server_out_ns=T0 + 174_000),
    ]


def test_the_venues_own_test_is_answered_at_once() -> None:
    reader = session(BTC)
    raw = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    alive, back = events(reader, [raw])
    assert alive == Heartbeat()
    assert isinstance(back, Reply)
    sent = decoded(back.payload)
    assert sent["method"] == "public/test"
    assert events(reader, [reply(sent["id"], result={"version": "1.2.26"})]) == []  # and no ping of ours


def test_a_request_that_fails_is_halved_until_the_culprit_stands_alone() -> None:
    reader = session(BTC)
    waiting = [decoded(reader.subscribe()[1])]
    refused: list[Refusal] = []
    acked: set[Channel | None] = set()
    while waiting:
        ask = waiting.pop()
        names = ask["params"]["channels"]
        bad = "quote.BTC-PERPETUAL" in names
        said: dict[str, Any] = {"error": {"code": -32602, "message": "Invalid params"}} if bad else {"result": names}
        for event in reader.receive(reply(ask["id"], **said), 0):
            if isinstance(event, Reply):
                waiting.append(decoded(event.payload))
            elif isinstance(event, Refusal):
                refused.append(event)
            else:
                assert isinstance(event, Ack)
                acked.add(event.channel)
    assert [(e.channel, e.symbol, e.fault, e.code) for e in refused] == [
        (Channel.BBO, BTC.symbol, Fault.BAD_REQUEST, "-32602")
    ]
    assert acked == set(Channel) - {Channel.BBO}


@pytest.mark.parametrize("code", [10028, 10040, 10041, 10047, 11051])
def test_what_passes_is_asked_again_later(code: int) -> None:
    reader = session(BTC)
    ask = decoded(reader.subscribe()[1])
    [refused] = reader.receive(reply(ask["id"], error={"code": code, "message": "busy"}), 0)
    assert isinstance(refused, Refusal)
    assert refused.channel is None
    test = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
    assert list(reader.receive(test, 29_000 * MS)) == [Heartbeat()]
    _, again = reader.receive(test, 31_000 * MS)
    assert isinstance(again, Reply)
    assert decoded(again.payload)["params"] == ask["params"]


# REST

TIME, BOOK = DERIBIT.probes("inverse", [BTC])


# hostile input

SAMPLES = [raw for n in ("books_gap", "channels") for raw in recording(f"deribit/{n}")]
SAMPLES += [reply(1_000_000_002, result=["quote.BTC-PERPETUAL"]), reply(5, error={"code": 10028, "message": "x"})]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session(BTC, ETH)
    reader.subscribe()
    assert_sound(reader.receive(raw, T0))
