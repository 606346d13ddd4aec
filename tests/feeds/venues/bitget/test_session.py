from __future__ import annotations

import zlib
from heapq import nlargest, nsmallest
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
from feeds.venues.bitget.venue import Bitget
from tests.feeds.venues.captures import assert_ends_in, events, instrument, needs_wire, recording, records, truth
from tests.feeds.venues.mutations import assert_sound, hostile

BITGET = Bitget()
SPOT = instrument("bitget.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("bitget.linear", "BTC/USDT:USDT", "BTCUSDT", tick=0.1)
ETH = instrument("bitget.linear", "ETH/USDT:USDT", "ETHUSDT")
SYMBOL = PERP.symbol
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(product: Product, *instruments: Instrument) -> Session:
    return BITGET.session(BITGET.plan(product, instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


# captures

CONTINUOUS = "bitget/cryptofeed_20220407_v1"
PRODUCTS: dict[str, Product] = {"sp": "spot", "mc": "linear"}
KINDS = {"sp": "SPOT", "mc": "USDT-FUTURES"}


@needs_wire
def test_books_of_the_retired_v1_under_the_names_of_v2_end_in_the_recorded_truth_and_its_checksums() -> None:
    """v1 was switched off on 2025-11-28; v2 has the same rows and only renamed the kinds (``sp``, ``mc``). Checksums
    were sent in 2022 and no longer in 2026: here they check decoder and book, in the product they are not used."""
    expected = truth(CONTINUOUS)
    books: dict[str, Book] = {}
    sessions: dict[str, Session] = {}
    for kind, product in PRODUCTS.items():
        names = [key.partition(":")[2] for key in expected if key.startswith(kind)]
        listed = [instrument(f"bitget.{product}", f"{name[:-4]}/USDT", name) for name in names]
        sessions[kind] = BITGET.session(BITGET.plan(product, listed)[0], listed)
        books |= {f"{kind}:{one.venue_id}": Book(one, BITGET.rule(product)) for one in listed}
    spelled: dict[tuple[str, str, float], tuple[str, str]] = {}
    right = dict.fromkeys(books, 0)
    for record in records(CONTINUOUS):
        if record.t != "recv" or '"channel":"books"' not in (record.data or "") or '"event"' in (record.data or ""):
            continue
        message = decoded(record.raw)
        kind, row = message["arg"]["instType"], message["data"][0]
        key = f"{kind}:{message['arg']['instId']}"
        book = books[key]
        raw = record.raw.replace(f'"instType":"{kind}"'.encode(), f'"instType":"{KINDS[kind]}"'.encode())
        for event in sessions[kind].receive(raw, 0):
            assert isinstance(event, BookSnapshot | BookDelta)
            assert event.checksum is None
            assert book.apply(event, 0) is Outcome.APPLIED
        for side in ("bids", "asks"):
            spelled |= {(key, side, float(price)): (price, size) for price, size in row[side]}
        bids = [spelled[key, "bids", price] for price in nlargest(25, book.bids)]
        asks = [spelled[key, "asks", price] for price in nsmallest(25, book.asks)]
        pairs = [pair for i in range(25) for best in (bids, asks) for pair in best[i : i + 1]]
        crc = zlib.crc32(":".join(text for pair in pairs for text in pair).encode())
        right[key] += (crc - (1 << 32) if crc >= 1 << 31 else crc) == row["checksum"]
    assert right == {key: one.checksums_ok for key, one in expected.items()}
    assert sum(right.values()) == 637
    for key, book in books.items():
        assert_ends_in(book, expected[key])


RETIRED = {
    "table": "v1 of the swap sockets of 2021: another envelope",
    "code": "answers of REST v1, off since 2025-11-28",
    "arg": "websocket v1 (kinds sp and mc), off since 2025-11-28",
}
NO_ROUTE = ("USDC-FUTURES", "COIN-FUTURES")
"""Kinds that Detour has no route for; their messages are read like those of USDT-FUTURES."""
SEEN: dict[str, set[type[Event]]] = {
    "books": {BookSnapshot, BookDelta},
    "books1": {Quote},
    "trade": {Trade, Heartbeat, Ack},
    "publicTrade": {Trade, Heartbeat},
    "ticker": {Mark, Ack},
    "liquidation": {Heartbeat},
}


@needs_wire
def test_every_isolated_message_of_v2_and_v3_decodes() -> None:
    seen: dict[str, set[type[Event]]] = {}
    count = 0
    for record in records("bitget/isolated_tardis-node"):
        message = decoded(record.raw)
        arg = message["arg"]
        name, topic = arg.get("instId") or arg.get("symbol") or "XUSDT", arg.get("channel") or arg["topic"]
        raw = record.raw
        for kind in NO_ROUTE:
            raw = raw.replace(kind.encode(), b"USDT-FUTURES")
        product: Product = "spot" if arg["instType"].lower() == "spot" else "linear"
        got = session(product, instrument("bitget.x", "X/Y", name)).receive(raw, 0)
        if topic == "books15":
            assert got == ()  # never asked for
        else:
            assert len(got) == len(message.get("data", [0])) or topic == "liquidation", record.raw
            seen.setdefault(topic, set()).update(type(event) for event in got)
        count += 1
    assert count == 32
    assert {topic: kinds - {Ack} for topic, kinds in seen.items()} == {t: kinds - {Ack} for t, kinds in SEEN.items()}


@needs_wire
def test_messages_of_retired_versions_are_survived() -> None:
    kinds: set[str] = set()
    for record in records("bitget/isolated_crypto-msg-parser"):
        kinds.add(next(key for key in RETIRED if key in decoded(record.raw)))
        for reader in (session("spot", SPOT), session("linear", PERP)):
            assert {type(event) for event in reader.receive(record.raw, 0)} <= {Unknown}, record.src
    assert kinds == set(RETIRED)


@needs_wire
def test_liquidations_are_told_in_quote_currency() -> None:
    """In the one captured message both amounts are the price times a whole number of lots."""
    [raw] = [r.raw for r in records("bitget/isolated_tardis-node") if '"liquidation"' in (r.data or "")]
    listed = [instrument("bitget.linear", f"{name}/USDT:USDT", f"{name}USDT") for name in ("APE", "IP")]
    ape, ip = events(session("linear", *listed), [raw])
    assert isinstance(ape, Liquidation)
    assert isinstance(ip, Liquidation)
    assert [ape.size, ip.size] == pytest.approx([83.1, 286.5], rel=1e-9)


def test_an_absurd_liquidation_is_refused() -> None:
    raw = recording("bitget/futures_channels")[6].replace(b'"price":"60000"', b'"price":"1e-300"')
    assert [type(e) for e in session("linear", PERP).receive(raw, 0)] == [Garbled]


# books


def test_a_missing_update_empties_the_book_and_so_does_a_restart() -> None:
    book = Book(PERP, BITGET.rule("linear"))
    got = events(session("linear", PERP), recording("bitget/books_gap_and_restart"))
    assert got[0] == Ack(channel=Channel.BOOK, symbol=SYMBOL)
    outcomes = []
    for event in got[1:]:
        assert isinstance(event, BookSnapshot | BookDelta)
        outcomes.append(book.apply(event, 1))
        if len(outcomes) == 2:
            assert (book.bids, book.asks) == ({60000.1: 0.5, 60000.2: 0.7}, {60000.4: 1.0})
            assert book.seq == 1304314508780744709  # more than a double can tell apart
            assert (book.engine_ns, book.gateway_ns) == (T0 + 150 * MS, T0 + 152 * MS)
        if outcomes[-1] is Outcome.GAP:
            assert not book.bids
            assert not book.asks
    assert outcomes == [
        Outcome.APPLIED, Outcome.APPLIED, Outcome.GAP, Outcome.SKIPPED, Outcome.APPLIED, Outcome.GAP,
    ]  # fmt: skip


def test_a_snapshot_says_how_deep_it_can_be() -> None:
    modern = events(session("linear", PERP), recording("bitget/books_gap_and_restart"))[1]
    classic = events(session("spot", SPOT), recording("bitget/classic_spot"))[1]
    assert isinstance(modern, BookSnapshot)
    assert isinstance(classic, BookSnapshot)
    assert (modern.levels_limit, classic.levels_limit) == (1000, 500)


def test_version_2_differs_in_names_only() -> None:
    ack, snapshot, delta, trade, refusal = events(session("spot", SPOT), recording("bitget/classic_spot"))
    assert ack == Ack(channel=Channel.TRADES, symbol="BTC/USDT")
    book = Book(SPOT, BITGET.rule("spot"))
    for event in (snapshot, delta):
        assert isinstance(event, BookSnapshot | BookDelta)
        assert book.apply(event, 1) is Outcome.APPLIED
    assert (book.bids, book.asks, book.seq) == ({60000.1: 0.5}, {}, 124)
    assert trade == Trade(
        symbol="BTC/USDT",
        price=60000.2,
        size=0.001,
        side="sell",
        trade_id="1235670816495050754",
        engine_ns=T0 + 300 * MS,
        gateway_ns=T0 + 306 * MS,
    )
    assert isinstance(refusal, Refusal)
    assert (refusal.channel, refusal.fault, refusal.code) == (None, Fault.BAD_REQUEST, "30001")


# other channels


def test_futures_channels() -> None:
    got = events(session("linear", PERP), recording("bitget/futures_channels"))
    quote, history, first, second, mark, change, nothing, long, short, foreign = got
    assert quote == Quote(
        symbol=SYMBOL,
        bid=None,
        bid_size=None,
        ask=60000.2,
        ask_size=7.5,
        seq=1304314508780744719,
        engine_ns=T0 + 101 * MS,
        gateway_ns=T0 + 104 * MS,
    )
    assert history == Heartbeat(channel=Channel.TRADES, symbol=SYMBOL, gateway_ns=T0 + 102 * MS)
    assert isinstance(first, Trade)
    assert isinstance(second, Trade)  # oldest first, and past trades are not sent twice
    assert [(t.price, t.size, t.side, t.engine_ns) for t in (first, second)] == [
        (60000.2, 0.4, "buy", T0 + 106 * MS),
        (60000.3, 0.1, "buy", T0 + 107 * MS),
    ]
    assert mark == Mark(
        symbol=SYMBOL,
        mark=60001.5,
        index=60020.4381686055379793,
        funding_rate=-0.00003,
        next_funding_ns=1_790_006_400_000 * MS,
        gateway_ns=T0 + 110 * MS,
    )
    assert change == Mark(symbol=SYMBOL, mark=60001.6, gateway_ns=T0 + 410 * MS)
    assert nothing == Heartbeat(channel=Channel.MARK, symbol=SYMBOL, gateway_ns=T0 + 710 * MS)
    assert long == Liquidation(
        symbol=SYMBOL, price=60000.0, size=0.13, side="sell", engine_ns=T0 + 800 * MS, gateway_ns=T0 + 1000 * MS
    )  # the side on the wire is that of the position
    assert short == Liquidation(
        symbol=SYMBOL, price=60500.5, size=1.0, side="buy", engine_ns=T0 + 802 * MS, gateway_ns=T0 + 1000 * MS
    )
    assert foreign == Heartbeat(channel=Channel.LIQUIDATIONS, gateway_ns=T0 + 2000 * MS)


def test_a_trade_pushed_again_is_told_once() -> None:
    reader = session("linear", PERP)
    raw = recording("bitget/futures_channels")[2]
    assert [type(e) for e in reader.receive(raw, 0)] == [Trade, Trade, Trade]
    assert [type(e) for e in reader.receive(raw, 0)] == [Heartbeat]


def test_the_same_name_of_another_product_is_not_ours() -> None:
    reader = session("spot", SPOT)
    assert {type(e) for e in events(reader, recording("bitget/books_gap_and_restart")[1:])} == {Unknown}
    raw = recording("bitget/classic_spot")[1].replace(b"BTCUSDT", b"ETHUSDT")
    assert [type(e) for e in reader.receive(raw, 0)] == [Unknown]


@pytest.mark.parametrize(
    "price", ['"nan"', '"NaN"', '"inf"', '"-Infinity"', '"-1"', '"0"', "null", '""', '"1e400"', "[]"]
)
def test_absurd_prices_and_sizes_are_refused(price: str) -> None:
    reader = session("linear", PERP)
    bids = [f'[[{price},"1"]]'] + ([f'[["60000",{price}]]'] if price != '"0"' else [])
    for levels in bids:
        head = (
            '{"action":"update","arg":{"instType":"usdt-futures","topic":"books","symbol":"BTCUSDT"},"data":[{"a":[],'
        )
        raw = head + f'"b":{levels},"ts":"1"}}]}}'
        assert [type(e) for e in reader.receive(raw.encode(), 0)] == [Garbled]


@pytest.mark.parametrize("price", ["nan", "-1", "1e400", "x"])
def test_an_absurd_mark_price_is_refused_and_an_unknown_one_missing(price: str) -> None:
    raw = recording("bitget/futures_channels")[4].decode()
    assert [type(e) for e in session("linear", PERP).receive(raw.replace("60001.6", price).encode(), 0)] == [Garbled]
    [event] = session("linear", PERP).receive(raw.replace("60001.6", "0").encode(), 0)
    assert isinstance(event, Heartbeat)


# control


def test_requests_are_few_and_small() -> None:
    listed = [instrument("bitget.linear", f"C{n}/USDT:USDT", f"C{n}USDT") for n in range(12)]
    sent = session("linear", *listed).subscribe()
    assert [len(decoded(payload)["args"]) for payload in sent] == [16, 16, 16, 1]
    assert max(map(len, sent)) < 4096
    first = decoded(sent[0])
    assert first["op"] == "subscribe"
    assert first["args"][0] == {"instType": "usdt-futures", "topic": "books", "symbol": "C0USDT"}
    assert decoded(sent[-1])["args"] == [{"instType": "usdt-futures", "topic": "liquidation"}]


def test_a_fresh_snapshot_is_asked_for_by_leaving_and_joining() -> None:
    reader = session("spot", SPOT)
    arg = {"instType": "spot", "topic": "books", "symbol": "BTCUSDT"}
    asked = [decoded(payload) for payload in reader.resubscribe(Channel.BOOK, "BTC/USDT")]
    assert asked == [{"op": "unsubscribe", "args": [arg]}, {"op": "subscribe", "args": [arg]}]
    assert reader.resubscribe(Channel.BOOK, "NOPE/USDT") == ()
    assert reader.resubscribe(Channel.STATUS, "BTC/USDT") == ()
    left = msgspec.json.encode({"event": "unsubscribe", "arg": arg, "connId": "a1"})
    assert reader.receive(left, 0) == ()


def test_pings_are_bare_text() -> None:
    reader = session("spot", SPOT)
    assert reader.ping(7) == "ping"
    assert reader.receive(b"pong", 0) == (Pong(),)


def error(code: int, text: str, **arg: str) -> bytes:
    return msgspec.json.encode({"event": "error", "code": code, "msg": text} | ({"arg": arg} if arg else {}))


@pytest.mark.parametrize(
    ("raw", "symbol", "channel"),
    [
        (error(30001, "x", instType="usdt-futures", topic="books", symbol="ETHUSDT"), ETH.symbol, Channel.BOOK),
        (error(30001, "instType:usdt-futures,topic:books1,symbol:ETHUSDT doesn't exist"), ETH.symbol, Channel.BBO),
        (error(30001, "instType:x,channel:trade,instId:ETHUSDT doesn't exist"), ETH.symbol, Channel.TRADES),
        (error(30001, "topic:liquidation doesn't exist"), None, Channel.LIQUIDATIONS),
        (error(30016, "Param error"), None, None),  # several requests wait for an answer: not known whose this is
    ],
)
def test_whom_an_error_concerns(raw: bytes, symbol: str | None, channel: Channel | None) -> None:
    reader = session("linear", PERP, ETH)
    reader.subscribe()
    [refusal] = reader.receive(raw, 0)
    assert isinstance(refusal, Refusal)
    assert (refusal.symbol, refusal.channel, refusal.fault) == (symbol, channel, Fault.BAD_REQUEST)


def test_an_error_without_a_name_concerns_the_only_one_that_waits() -> None:
    reader = session("spot", SPOT)
    [payload] = reader.subscribe()
    for arg in decoded(payload)["args"][:2]:
        [ack] = reader.receive(msgspec.json.encode({"event": "subscribe", "arg": arg, "connId": "a1"}), 0)
        assert isinstance(ack, Ack)
    [refusal] = reader.receive(error(30001, "doesn't exist"), 0)
    assert isinstance(refusal, Refusal)
    assert (refusal.symbol, refusal.channel) == ("BTC/USDT", Channel.TRADES)


def test_too_many_requests_are_asked_again_later_and_not_at_once() -> None:
    reader = session("linear", PERP, ETH)
    reader.subscribe()
    [refusal] = reader.receive(error(30006, "too many requests"), 0)
    assert isinstance(refusal, Refusal)
    assert refusal.fault is Fault.OUR_LIMIT
    assert reader.receive(b"pong", 29_000 * MS) == (Pong(),)
    later = reader.receive(b"pong", 31_000 * MS)
    [reply] = [e for e in later if isinstance(e, Reply)]
    assert len(decoded(reply.payload)["args"]) == 9
    assert reader.receive(b"pong", 90_000 * MS) == (Pong(),)


# hostile input

SAMPLES = [
    raw for n in ("books_gap_and_restart", "futures_channels", "classic_spot") for raw in recording(f"bitget/{n}")
] + [error(30001, "topic:books,symbol:BTCUSDT doesn't exist"), b"pong"]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session("linear", PERP, ETH)
    reader.subscribe()
    assert_sound(reader.receive(raw, T0))
