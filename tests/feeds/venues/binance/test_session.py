"""Binance's session: captured messages rebuild the recorded books, and no input can do harm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Fault,
    Garbled,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Product,
    Quote,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.binance.session import READERS
from tests.feeds.venues.binance.examples import LINEAR, MS, PERP, SPOT, VENUE, answer, session
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

# ---- real captures


class Capture(NamedTuple):
    product: Product
    name: str
    unknown: dict[str, int]


CONTINUOUS = [
    # candles were part of these two recordings; we never subscribe them
    Capture("spot", "binance/spot_cryptofeed_20211012", {"stream kline_1m": 2}),
    Capture("linear", "binance/usdm_cryptofeed_20210722", {"stream kline_1m": 67}),
    Capture("spot", "binance/spot_hftbacktest_ethusdt_20240808", {}),
    Capture("linear", "binance/usdm_hftbacktest_ethusdt_20240718", {}),
    Capture("linear", "binance/usdm_hftbacktest_ethusdt_20240808", {}),
]


@needs_wire
@pytest.mark.parametrize("capture", CONTINUOUS, ids=lambda c: c.name.split("/")[1])
def test_captured_books_end_in_the_recorded_truth(capture: Capture) -> None:
    product, name, unknown = capture
    expected = truth(name)
    rebuilt = rebuild(VENUE, product, name, [instrument(f"binance.{product}", key, key) for key in expected])
    assert rebuilt.garbled == Counter() and rebuilt.unknown == Counter(unknown)
    assert rebuilt.kinds["BookSnapshot"] == sum(book.snapshots for book in expected.values())
    for key, want in expected.items():
        book = rebuilt.books[key]
        assert_ends_in(book, want)
        assert rebuilt.outcomes[key][Outcome.GAP] == want.gaps == 0
        assert (book.applied, book.skipped) == (want.updates_applied, want.updates_dropped_before_snapshot)
        assert book.buffered == 0 and not book.ladder().crossed


@needs_wire
@pytest.mark.parametrize("capture", CONTINUOUS[2:], ids=lambda c: c.name.split("/")[1])
def test_captured_books_agree_with_the_quotes_beside_them(capture: Capture) -> None:
    """Where book and quote have the same update id, their best prices are the same."""
    product, name, _ = capture
    traded = [instrument(f"binance.{product}", "ETHUSDT", "ETHUSDT")]
    book, reader = Book(traded[0], VENUE.rule(product)), session(product, traded)
    tops: dict[int, tuple[float | None, float | None]] = {}
    compared = 0
    for number, record in enumerate(records(name)):
        if number > 8_000:
            break
        if record.t == "http":
            book.apply(VENUE.read_snapshot(product, traded[0], answer(record.raw)), 0)
            continue
        for event in reader.receive(record.raw, 0):
            if isinstance(event, Quote) and event.seq is not None:
                tops[event.seq] = event.bid, event.ask
            elif isinstance(event, BookDelta):
                book.apply(event, 0)
                if book.synced and book.seq in tops:
                    ladder = book.ladder()
                    assert (ladder.best_bid, ladder.best_ask) == tops[book.seq]
                    compared += 1
    assert compared > 20


OUTSIDE: dict[str, str] = {
    "inverse": "COIN-margined futures are another product",
    "option": "options are another product",
    "all symbols": "per-symbol streams are subscribed; the others carry rows of other products",
    "ticker": "24 h statistics are not subscribed",
    "kline": "candles are not subscribed",
    "top": "partial books are not subscribed, the diff stream is",
    "open interest": "a REST answer that is never asked for",
}


def outside(record: Record) -> str | None:
    """Why a captured message is not of the protocol that we use. None: it is."""
    market, message = record.market or "", json.loads(record.data or "")
    stream = str(message.get("stream", ""))
    kind = stream.partition("@")[2]
    for group, belongs in {
        "inverse": market.startswith("inverse"),
        "option": market == "option",
        "all symbols": stream.startswith("!"),
        "ticker": kind == "ticker",
        "kline": kind.startswith("kline"),
        "top": kind in ("depth5", "depth10", "depth20"),
        "open interest": "openInterest" in message,
    }.items():
        if belongs:
            return group
    return None


@needs_wire
@pytest.mark.parametrize(
    ("name", "of_ours"), [("binance/isolated_crypto-msg-parser", 11), ("binance/isolated_tardis-node", 18)]
)
def test_isolated_captures_decode_or_are_known_to_be_of_something_else(name: str, of_ours: int) -> None:
    served = 0
    for record in records(name):
        message = json.loads(record.data or "")
        product: Product = (
            "linear" if "linear" in (record.market or "") or "futures" in (record.market or "") else "spot"
        )
        stream = str(message.get("stream", ""))
        venue_id = stream.partition("@")[0].upper()
        traded = [instrument(f"binance.{product}", venue_id, venue_id)]
        reader = VENUE.session(VENUE.plan(product, traded)[0], traded)
        got = reader.receive(record.raw, 0)
        why = outside(record)
        if why is not None:
            assert why in OUTSIDE
            assert not any(isinstance(event, Garbled) for event in got), record.data
        elif "lastUpdateId" in message:
            book = VENUE.read_snapshot(product, traded[0], answer(record.raw))
            assert book.seq == message["lastUpdateId"] and len(book.bids) == len(book.asks) == 3
            served += 1
        else:
            assert stream.partition("@")[2] in READERS
            assert not any(isinstance(event, Unknown | Garbled) for event in got), record.data
            assert got or message["data"].get("X") == "INSURANCE_FUND"
            assert all(getattr(event, "symbol", None) == venue_id for event in got)
            served += 1
    assert served == of_ours


# ---- messages


def test_spot_messages() -> None:
    reader = session("spot", SPOT)
    reader.subscribe()
    got = events(reader, recording("binance/spot_stream"))
    acks, rest = got[:6], got[6:]
    assert acks == [Ack(channel=s.channel, symbol=s.symbol) for s in VENUE.plan("spot", SPOT)[0].subscriptions]
    assert rest == [
        BookDelta(
            symbol="BTC/USDT",
            bids=[(99990.1, 0.5), (99990.0, 0.0)],
            asks=[(99990.2, 1.25)],
            first_seq=1001,
            last_seq=1004,
            gateway_ns=1_793_000_000_100 * MS,
        ),
        Quote(symbol="BTC/USDT", bid=99990.1, bid_size=0.5, ask=99990.2, ask_size=1.25, seq=1005),
        Trade(
            symbol="BTC/USDT",
            price=99990.2,
            size=0.1,
            side="buy",
            trade_id="5001",
            engine_ns=1_793_000_000_160 * MS,
            gateway_ns=1_793_000_000_161 * MS,
        ),
        Trade(
            symbol="BTC/USDT",
            price=99990.1,
            size=0.2,
            side="sell",
            trade_id="5002",
            engine_ns=1_793_000_000_160 * MS,
            gateway_ns=1_793_000_000_162 * MS,
        ),
        Quote(symbol="ETH/USDT", bid=None, bid_size=None, ask=3000.0, ask_size=2.0, seq=77),
        Notice(text="Binance will close this connection: server shutdown", reconnect_within_s=600.0),
    ]
    assert events(reader, [b'{"e":"serverShutdown","E":1793000000200}']) == rest[-1:]


def test_futures_book_messages_carry_both_clocks() -> None:
    reader = session("linear", LINEAR)
    reader.subscribe()
    got = events(reader, recording("binance/linear_public"))
    assert got == [
        Ack(channel=Channel.BOOK, symbol=PERP),
        Ack(channel=Channel.BBO, symbol=PERP),
        BookDelta(
            symbol=PERP,
            bids=[(100000.1, 10.0)],
            asks=[(100000.2, 0.0)],
            first_seq=900157,
            last_seq=900160,
            prev_seq=900149,
            engine_ns=1_793_000_000_101 * MS,
            gateway_ns=1_793_000_000_105 * MS,
        ),
        Quote(
            symbol=PERP,
            bid=100000.1,
            bid_size=10.0,
            ask=100000.3,
            ask_size=4.0,
            seq=900161,
            engine_ns=1_793_000_000_111 * MS,
            gateway_ns=1_793_000_000_112 * MS,
        ),
    ]


def test_futures_trades_liquidations_and_marks() -> None:
    reader = session("linear", LINEAR, 1)
    reader.subscribe()
    got = events(reader, recording("binance/linear_market"))
    assert got[3:] == [
        Trade(
            symbol=PERP,
            price=100000.3,
            size=0.1,
            side="sell",
            trade_id="5933014",
            engine_ns=1_793_000_000_123 * MS,
            gateway_ns=1_793_000_000_223 * MS,
        ),
        Liquidation(
            symbol=PERP,
            price=99500.5,
            size=0.012,
            side="sell",
            engine_ns=1_793_000_000_299 * MS,
            gateway_ns=1_793_000_000_300 * MS,
        ),
        Mark(
            symbol=PERP,
            mark=100000.15,
            index=99998.62659091,
            funding_rate=-0.00003816,
            next_funding_ns=1_793_030_400_000 * MS,
            gateway_ns=1_793_000_001_000 * MS,
        ),
        Mark(symbol=PERP, mark=100000.15, gateway_ns=1_793_000_002_000 * MS),
    ]


def test_refusals_name_what_was_refused() -> None:
    reader = session("linear", LINEAR)
    reader.subscribe()
    got = events(reader, recording("binance/refusals"))
    assert [(type(e), getattr(e, "channel", None)) for e in got] == [
        (Refusal, Channel.BOOK),
        (Refusal, Channel.BBO),
        (Refusal, None),
        (Refusal, None),
        (Refusal, None),
    ]
    refusals = [e for e in got if isinstance(e, Refusal)]
    assert [r.fault for r in refusals] == [Fault.BAD_REQUEST] * 4 + [Fault.OUR_LIMIT]
    assert [r.code for r in refusals] == ["2", "2", "2", "3", "-1003"]
    assert refusals[0].symbol == PERP and "unknown variant" in refusals[0].text


def test_the_echo_of_the_stream_server() -> None:
    reader = session("spot", SPOT)
    reader.subscribe()
    ping = reader.ping(1)
    assert isinstance(ping, str)
    assert json.loads(ping) == {"method": "LIST_SUBSCRIPTIONS", "id": 1}
    assert events(reader, [b'{"result":["btcusdt@depth@100ms"],"id":1}']) == [Pong(token=1)]
    assert events(reader, [b'{"result":[],"id":77}']) == [Pong(token=77)]
    assert len(events(reader, [b'{"result":null,"id":1}'])) == 6  # the ack of the subscription is still an ack
    assert events(reader, [b'{"result":null,"id":1}']) == []


def test_garbage_is_counted_and_survived() -> None:
    reader = session("spot", SPOT)
    frames = recording("binance/garbage")
    got = events(reader, frames)
    assert len(got) == len(frames) and {type(e) for e in got} == {Garbled}
    assert events(reader, [b'{"stream":"btcusdt@depth@100ms","data":' + b"[" * 100_000])[0].__class__ is Garbled
    assert events(reader, [b'{"stream":"btcusdt@bookTicker","data":{"s":"\xff"}}'])[0].__class__ is Garbled
    assert [type(e) for e in events(reader, recording("binance/spot_stream")[1:3])] == [BookDelta, Quote]


def test_unknown_messages_are_named_shortly_and_not_remembered() -> None:
    reader = session("spot", SPOT)
    frames = [
        b'{"stream":"btcusdt@kline_1m","data":{}}',
        b'{"stream":"dogeusdt@trade","data":{}}',
        b'{"stream":"!ticker@arr","data":[]}',
        b'{"e":"somethingNew"}',
        b"{}",
        json.dumps({"stream": "x" * 10_000, "data": {}}).encode(),
    ]
    got = events(reader, frames)
    assert [e.what for e in got if isinstance(e, Unknown)][:5] == [
        "stream kline_1m",
        "symbol dogeusdt",
        "stream arr",
        "event somethingNew",
        "message without stream",
    ]
    assert len(got) == len(frames) and all(len(e.what) <= 120 for e in got if isinstance(e, Unknown))


@given(
    raw=st.one_of(st.binary(max_size=200), st.sampled_from(recording("binance/spot_stream"))), cut=st.integers(0, 300)
)
def test_no_bytes_raise(raw: bytes, cut: int) -> None:
    assert isinstance(session("spot", SPOT).receive(raw[:cut], 0), Sequence)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("eEsUuTbaBAptqmXori"), inner, max_size=8)
    ),
    max_leaves=12,
)


@given(
    stream=st.sampled_from([f"btcusdt@{kind}" for kind in READERS] + ["!serverShutdown", "", "@"]),
    data=JSON,
    extra=st.dictionaries(st.sampled_from(["result", "id", "code", "msg", "error", "e"]), JSON, max_size=3),
    named=st.booleans(),
)
def test_no_json_raises_and_no_event_carries_an_impossible_number(
    stream: str, data: Any, extra: dict[str, Any], named: bool
) -> None:
    message = {"stream": stream, "data": data, **extra} if named else {"data": data, **extra}
    for event in session("spot", SPOT).receive(json.dumps(message).encode(), 0):
        match event:
            case BookDelta():
                assert all(0 < p < 1e18 and 0 <= s < 1e18 for side in (event.bids, event.asks) for p, s in side)
            case Trade() | Liquidation():
                assert 0 < event.price < 1e18 and 0 < event.size < 1e18
            case Quote():
                assert all(v is None or 0 <= v < 1e18 for v in (event.bid, event.ask, event.bid_size, event.ask_size))
            case Mark():
                assert event.mark is None or 0 < event.mark < 1e18
