"""Binance as it speaks: captured messages rebuild the recorded books, and nothing that arrives can do harm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Fault,
    Garbled,
    Instrument,
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
from feeds.venues._binance_wire import READERS
from feeds.venues.base import Answer, Session, Subscription, Venue, VenueError
from feeds.venues.binance import Binance
from tests.feeds.venues.wire import (
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

VENUE: Venue = Binance()
SPOT = [
    instrument("binance.spot", "BTC/USDT", "BTCUSDT", taker_fee=0.001),
    instrument("binance.spot", "ETH/USDT", "ETHUSDT", taker_fee=0.001),
]
LINEAR = [instrument("binance.linear", "BTC/USDT:USDT", "BTCUSDT")]
PERP = "BTC/USDT:USDT"
MS = 1_000_000


def session(product: Product, instruments: Sequence[Instrument], socket: int = 0) -> Session:
    return VENUE.session(VENUE.plan(product, instruments)[socket], instruments)


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def sent(payloads: Sequence[str | bytes]) -> list[dict[str, Any]]:
    assert all(isinstance(p, str) for p in payloads), "Binance reads text frames only"
    return [json.loads(p) for p in payloads]


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
    """The best price of our book at a quote's own update id is the quote's, wherever both name the same id."""
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
    """Why a captured message is not of the protocol that we are served, None when it is."""
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


# ---- sockets


def test_spot_needs_one_socket_and_futures_the_two_their_streams_are_split_over() -> None:
    spot = VENUE.plan("spot", SPOT)
    assert [(p.label, p.path) for p in spot] == [("public", "/stream")]
    assert sent(session("spot", SPOT).subscribe()) == [
        {
            "method": "SUBSCRIBE",
            "params": [
                f"{s}@{kind}" for s in ("btcusdt", "ethusdt") for kind in ("depth@100ms", "bookTicker", "trade")
            ],
            "id": 1,
        }
    ]
    linear = VENUE.plan("linear", LINEAR)
    assert [(p.label, p.path) for p in linear] == [("public", "/public/stream"), ("market", "/market/stream")]
    assert sent(session("linear", LINEAR, 0).subscribe())[0]["params"] == ["btcusdt@depth@100ms", "btcusdt@bookTicker"]
    assert sent(session("linear", LINEAR, 1).subscribe())[0]["params"] == [
        "btcusdt@aggTrade",
        "btcusdt@forceOrder",
        "btcusdt@markPrice@1s",
    ]
    base = VENUE.products["linear"].ws
    assert VENUE.dial_url(linear[1], base, None) == "wss://fstream.binance.com/market/stream"
    assert VENUE.plan("spot", []) == []


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_many_instruments_spread_over_sockets_within_the_venues_limits(product: Product) -> None:
    many = [instrument(f"binance.{product}", f"C{n}/USDT", f"C{n}USDT") for n in range(450)]
    plans = VENUE.plan(product, many)
    facts = VENUE.products[product]
    assert all(0 < len(p.subscriptions) <= facts.max_streams for p in plans)
    assert len({p.label for p in plans}) == len(plans)
    asked = Counter(s for p in plans for s in p.subscriptions)
    assert set(asked.values()) == {1}
    assert {s.channel for s in asked} == set(facts.push_ms)
    assert len(asked) == len(many) * len(facts.push_ms)
    for plan in plans:
        frames = sent(VENUE.session(plan, many).subscribe())
        assert all(len(frame["params"]) <= 200 for frame in frames)
        assert sum(len(frame["params"]) for frame in frames) == len(plan.subscriptions)
        assert len({frame["id"] for frame in frames}) == len(frames)


def test_a_silent_stream_is_asked_for_again_under_new_ids() -> None:
    reader = session("linear", LINEAR)
    first = sent(reader.subscribe())[0]["id"]
    again = sent(reader.resubscribe(Channel.BBO, PERP))
    assert [(m["method"], m["params"]) for m in again] == [
        ("UNSUBSCRIBE", ["btcusdt@bookTicker"]),
        ("SUBSCRIBE", ["btcusdt@bookTicker"]),
    ]
    assert len({first, *(m["id"] for m in again)}) == 3
    assert events(reader, [json.dumps({"result": None, "id": again[0]["id"]}).encode()]) == []
    acked = events(reader, [json.dumps({"result": None, "id": again[1]["id"]}).encode()])
    assert acked == [Ack(channel=Channel.BBO, symbol=PERP)]
    assert reader.resubscribe(Channel.MARK, PERP) == ()  # lives on the other socket


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


# ---- sequence rules against a model of the venue


class Change(NamedTuple):
    id: int
    bid: bool
    price: float
    size: float


def market(product: Product, steps: list[tuple[int, bool, int, int]]) -> list[Change]:
    """Single changes; futures ids are shared by all symbols and leave holes, spot's are contiguous."""
    changes, last = [], 1000
    for jump, bid, ticks, size in steps:
        last += 1 + (jump if product == "linear" else 0)
        changes.append(Change(last, bid, float(100 - ticks) if bid else float(101 + ticks), float(size)))
    return changes


def state(changes: Sequence[Change], upto: int) -> tuple[dict[float, float], dict[float, float]]:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for change in changes:
        if change.id <= upto:
            (bids if change.bid else asks)[change.price] = change.size
    return {p: s for p, s in bids.items() if s}, {p: s for p, s in asks.items() if s}


def batches(changes: Sequence[Change], sizes: Sequence[int]) -> list[BookDelta]:
    deltas: list[BookDelta] = []
    at, before = 0, changes[0].id - 1
    for size in [*sizes, len(changes)]:
        batch = changes[at : at + size]
        if not batch:
            break
        at += size
        deltas.append(
            BookDelta(
                symbol=PERP,
                bids=[(c.price, c.size) for c in batch if c.bid],
                asks=[(c.price, c.size) for c in batch if not c.bid],
                first_seq=batch[0].id,
                last_seq=batch[-1].id,
                prev_seq=before,
            )
        )
        before = batch[-1].id
    return deltas


def pictured(changes: Sequence[Change], at: int, limit: int) -> BookSnapshot:
    bids, asks = state(changes, at)
    return BookSnapshot(
        symbol=PERP,
        bids=sorted(bids.items(), reverse=True)[:limit],
        asks=sorted(asks.items())[:limit],
        seq=at,
        levels_limit=limit,
    )


def agrees(book: Book, changes: Sequence[Change], upto: int) -> None:
    """Inside its known range the book is the venue's, level by level."""
    bids, asks = state(changes, upto)
    ladder = book.ladder()
    assert {p: s for p, s in book.bids.items() if p >= ladder.bid_known} == {
        p: s for p, s in bids.items() if p >= ladder.bid_known
    }
    assert {p: s for p, s in book.asks.items() if p <= ladder.ask_known} == {
        p: s for p, s in asks.items() if p <= ladder.ask_known
    }


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 8), st.integers(0, 4)), min_size=12, max_size=40
)


@pytest.mark.parametrize("product", ["spot", "linear"])
@given(steps=STEPS, sizes=st.lists(st.integers(1, 4), max_size=20), limit=st.sampled_from([2, 4, 100]), data=st.data())
def test_every_snapshot_of_the_streams_time_syncs_and_widens_without_loss(
    product: Product, steps: list[tuple[int, bool, int, int]], sizes: list[int], limit: int, data: st.DataObject
) -> None:
    changes = market(product, steps)
    deltas = batches(changes, sizes)
    book = Book(LINEAR[0], VENUE.rule(product))
    ids = st.sampled_from([c.id for c in changes])
    moments = ids if product == "spot" else st.integers(changes[0].id, changes[-1].id)
    taken, arrives = data.draw(moments), data.draw(st.integers(0, len(deltas)))
    refresh_from = data.draw(st.integers(arrives, len(deltas)))
    refreshed = data.draw(st.integers(refresh_from, len(deltas)))
    seen = deltas[refresh_from - 1].last_seq if refresh_from else changes[0].id - 1
    all_ids = range(changes[0].id, changes[-1].id + 1) if product == "linear" else [c.id for c in changes]
    later = [i for i in all_ids if seen is not None and i >= seen]
    taken_again = data.draw(st.sampled_from(later)) if later else None
    for position in range(len(deltas) + 1):
        if position == arrives:
            assert book.apply(pictured(changes, taken, limit), position) is Outcome.APPLIED
        if position == refresh_from:
            book.await_snapshot()
        if position == refreshed and taken_again is not None:
            assert book.apply(pictured(changes, taken_again, limit), position) is not Outcome.GAP
        if position < len(deltas):
            outcome = book.apply(deltas[position], position)
            assert outcome is not Outcome.GAP
            if outcome is Outcome.APPLIED and book.seq is not None:
                agrees(book, changes, book.seq)
    assert book.synced
    agrees(book, changes, changes[-1].id)


@pytest.mark.parametrize("product", ["spot", "linear"])
@given(steps=STEPS, sizes=st.lists(st.integers(1, 3), min_size=3, max_size=20), data=st.data())
def test_a_lost_message_is_always_noticed(
    product: Product, steps: list[tuple[int, bool, int, int]], sizes: list[int], data: st.DataObject
) -> None:
    changes = market(product, steps)
    deltas = batches(changes, sizes)
    lost = data.draw(st.integers(1, len(deltas) - 2))
    book = Book(LINEAR[0], VENUE.rule(product))
    book.apply(pictured(changes, changes[0].id - 1, 100), 0)
    outcomes = [book.apply(delta, 0) for number, delta in enumerate(deltas) if number != lost]
    assert outcomes[:lost] == [Outcome.APPLIED] * lost
    assert outcomes[lost] is Outcome.GAP
    assert not book.synced and not book.bids and not book.asks


def test_the_first_event_after_a_snapshot_spot() -> None:
    rule = VENUE.rule("spot")
    outcomes = {}
    for first, last in ((95, 100), (96, 101), (100, 101), (101, 103), (102, 104)):
        outcomes[first, last] = rule.first(100, BookDelta(symbol="", bids=(), asks=(), first_seq=first, last_seq=last))
    assert [step.name for step in outcomes.values()] == ["SKIP", "APPLY", "APPLY", "APPLY", "GAP"]


def test_the_first_event_after_a_snapshot_linear() -> None:
    rule = VENUE.rule("linear")
    named = []
    for first, last, prev in (
        (95, 99, 90),
        (95, 100, 90),
        (100, 105, 99),
        (102, 105, 100),
        (103, 105, 98),
        (103, 105, 101),
    ):
        event = BookDelta(symbol="", bids=(), asks=(), first_seq=first, last_seq=last, prev_seq=prev)
        named.append(rule.first(100, event).name)
    assert named == ["SKIP", "APPLY", "APPLY", "APPLY", "APPLY", "GAP"]
    follows = BookDelta(symbol="", bids=(), asks=(), first_seq=110, last_seq=120, prev_seq=105)
    assert (rule.following(105, follows).name, rule.following(109, follows).name) == ("APPLY", "GAP")
    assert rule.rest_snapshot and rule.depth_limit is None


def test_only_the_first_event_may_overlap_on_futures() -> None:
    book = Book(LINEAR[0], VENUE.rule("linear"))
    book.apply(BookSnapshot(symbol=PERP, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)], seq=100), 0)
    for first, last, prev, outcome in ((95, 105, 90, Outcome.APPLIED), (104, 120, 103, Outcome.GAP)):
        event = BookDelta(symbol=PERP, bids=(), asks=(), first_seq=first, last_seq=last, prev_seq=prev)
        assert book.apply(event, 0) is outcome


# ---- REST


@pytest.mark.parametrize(
    ("product", "time_path", "book_path", "weight"),
    [
        ("spot", "/api/v3/time", "/api/v3/depth?symbol=BTCUSDT&limit=5", 5),
        ("linear", "/fapi/v1/time", "/fapi/v1/depth?symbol=BTCUSDT&limit=5", 2),
    ],
)
def test_probes_are_cheap_and_the_first_tells_the_time(
    product: Product, time_path: str, book_path: str, weight: float
) -> None:
    time, book = VENUE.probes(product, SPOT if product == "spot" else LINEAR)
    assert (time.request.path, time.request.weight, time.gives_time) == (time_path, 1, True)
    assert (book.request.path, book.request.weight, book.gives_time) == (book_path, weight, False)
    assert [p.name for p in VENUE.probes(product, [])] == ["time"]
    reading = VENUE.read_probe(product, time, answer({"serverTime": 1793000000123}, x_mbx_used_weight_1m="25"))
    assert reading.fault is None and reading.server_ns == 1_793_000_000_123 * MS and reading.weight_used == 25
    depth = {"lastUpdateId": 1, "bids": [["4.00", "431.0"]], "asks": [["4.01", "12.0"]]}
    reading = VENUE.read_probe(product, book, answer(depth))
    assert reading.fault is None and reading.server_ns is None and reading.weight_used is None


ERRORS = [
    (429, {"code": -1003, "msg": "Too many requests"}, Fault.OUR_LIMIT, "-1003"),
    (418, {"code": -1003, "msg": "Way too much; IP banned until 1793000099999."}, Fault.OUR_LIMIT, "-1003"),
    (418, b"", Fault.OUR_LIMIT, ""),
    (429, b"<html>", Fault.OUR_LIMIT, ""),
    (451, {"code": 0, "msg": "Service unavailable from a restricted location"}, Fault.GEO_BLOCK, "0"),
    (403, b"<html>The distribution is configured to block access from your country.</html>", Fault.GEO_BLOCK, ""),
    (403, b"<html>Request blocked.</html>", Fault.REFUSED, ""),
    (503, {"code": -1008, "msg": "Server is currently overloaded"}, Fault.OVERLOAD, "-1008"),
    (429, {"code": -1008, "msg": "Request throttled by system-level protection"}, Fault.OVERLOAD, "-1008"),
    (503, b"Service Unavailable.", Fault.OVERLOAD, ""),
    (503, {"code": 0, "msg": "Unavailable"}, Fault.OVERLOAD, "0"),
    (500, {"code": -1001, "msg": "Internal error"}, Fault.OVERLOAD, "-1001"),
    (502, b"<html>Bad Gateway</html>", Fault.OVERLOAD, ""),
    (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, Fault.OVERLOAD, "-1007"),
    (408, b"", Fault.OVERLOAD, ""),
    (400, {"code": -1016, "msg": "This service is no longer available."}, Fault.MAINTENANCE, "-1016"),
    (400, {"code": -1121, "msg": "Invalid symbol."}, Fault.BAD_REQUEST, "-1121"),
    (404, b"", Fault.BAD_REQUEST, ""),
    (200, {"code": -1003, "msg": "Too many requests"}, Fault.OUR_LIMIT, "-1003"),
    (200, b"<html>captive portal</html>", Fault.UNKNOWN, ""),
    (200, {"serverTime": "soon"}, Fault.UNKNOWN, ""),
    (200, b"", Fault.UNKNOWN, ""),
    (302, b"", Fault.UNKNOWN, ""),
]


@pytest.mark.parametrize(("status", "body", "fault", "code"), ERRORS)
@pytest.mark.parametrize("product", ["spot", "linear"])
def test_whose_fault_an_error_answer_is(product: Product, status: int, body: object, fault: Fault, code: str) -> None:
    probe = VENUE.probes(product, LINEAR)[0]
    reading = VENUE.read_probe(product, probe, answer(body, status, retry_after="17"))
    assert (reading.fault, reading.code) == (fault, code)
    assert reading.retry_after_s == 17 and reading.server_ns is None
    with pytest.raises(VenueError):
        VENUE.read_snapshot(product, LINEAR[0], answer(body, status))
    if product == "spot":
        with pytest.raises(VenueError):
            VENUE.read_status(product, answer(body, status))


@given(body=st.binary(max_size=100), status=st.sampled_from([200, 400, 418, 429, 451, 503, 999]))
def test_no_answer_makes_a_probe_raise(body: bytes, status: int) -> None:
    for probe in VENUE.probes("spot", SPOT):
        reading = VENUE.read_probe("spot", probe, answer(body, status, x_mbx_used_weight_1m="nan"))
        assert reading.fault is not None and reading.weight_used is None


def test_snapshots_say_how_far_they_reach() -> None:
    request = VENUE.snapshot_request("spot", SPOT[0])
    assert request is not None
    assert (request.path, request.weight) == ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50)
    request = VENUE.snapshot_request("linear", LINEAR[0])
    assert request is not None
    assert (request.path, request.weight) == ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20)
    body = {
        "lastUpdateId": 7,
        "E": 1793000000110,
        "T": 1793000000100,
        "bids": [["4.0", "431"]],
        "asks": [["4.1", "12"]],
    }
    assert VENUE.read_snapshot("linear", LINEAR[0], answer(body)) == BookSnapshot(
        symbol=PERP,
        bids=[(4.0, 431.0)],
        asks=[(4.1, 12.0)],
        seq=7,
        engine_ns=1_793_000_000_100 * MS,
        gateway_ns=1_793_000_000_110 * MS,
        levels_limit=1000,
    )
    with pytest.raises(VenueError, match="BTCUSDT"):
        VENUE.read_snapshot("linear", LINEAR[0], answer({**body, "bids": [["nan", "1"]]}))


def test_symbols_are_quoted_in_paths() -> None:
    request = VENUE.snapshot_request("spot", instrument("binance.spot", "币安人生/USDT", "币安人生USDT"))
    assert request is not None and request.path.isascii() and "limit=1000" in request.path


def test_official_status_comes_from_spot_for_the_whole_venue() -> None:
    request = VENUE.status_request("spot")
    assert request is not None and request.path == "/sapi/v1/system/status"
    assert VENUE.status_request("linear") is None
    assert VENUE.read_status("spot", answer({"status": 0, "msg": "normal"})) == ()
    (notice,) = VENUE.read_status("spot", answer({"status": 1, "msg": "system_maintenance"}))
    assert (notice.state, notice.text, notice.products) == ("ongoing", "system maintenance", ())


def test_facts_hang_together() -> None:
    assert set(VENUE.products) == {"spot", "linear", "inverse"} == set(VENUE.ccxt)
    for product, facts in VENUE.products.items():
        instruments = SPOT if product == "spot" else LINEAR
        planned = {s.channel for plan in VENUE.plan(product, instruments) for s in plan.subscriptions}
        assert planned == set(facts.push_ms) and set(facts.quiet_s) <= planned
        assert facts.lifetime_s == 86_400
        assert not facts.rest.endswith("/") and not facts.ws.endswith("/")
    assert (VENUE.products["spot"].sends.weight, VENUE.products["linear"].sends.weight) == (5, 10)
    assert VENUE.read_close(1008) is Fault.OUR_LIMIT and VENUE.read_close(1006) is None
    assert Subscription(Channel.LIQUIDATIONS, PERP) in VENUE.plan("linear", LINEAR)[1].subscriptions
