from __future__ import annotations

import zlib
from collections.abc import Sequence
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
from feeds.venues.okx.venue import Okx
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

OKX = Okx()
SPOT = instrument("okx.spot", "BTC/USDT", "BTC-USDT")
SWAP = instrument("okx.linear", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(product: Product, *instruments: Instrument) -> Session:
    return OKX.session(OKX.plan(product, instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


# captures

CAPTURE = "okx/cryptofeed_20220513"
CAPTURED = (
    instrument("okx.spot", "BTC/USDT", "BTC-USDT"),
    instrument("okx.inverse", "UNI/USD:UNI", "UNI-USD-SWAP", contract_size=10, inverse=True),
    instrument("okx.inverse", "BTC/USD:BTC-220527", "BTC-USD-220527", contract_size=100, inverse=True),
)


@needs_wire
def test_capture_rebuilds_to_the_recorded_books() -> None:
    rebuilt = rebuild(OKX, "spot", CAPTURE, CAPTURED)
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["Trade"] == 74
    for one in CAPTURED:
        expected = truth(CAPTURE)[one.venue_id]
        assert rebuilt.outcomes[one.symbol] == {Outcome.APPLIED: expected.updates_applied + expected.snapshots}
        assert_ends_in(rebuilt.books[one.symbol], expected)


@needs_wire
def test_books_agree_with_the_checksums_that_okx_still_sent_in_2022() -> None:
    """Checksums were sent in 2022 and are 0 since 2026-06: here they check decoder and book, in the product they are
    not used."""
    reader = session("spot", *CAPTURED)
    books = {i.venue_id: Book(i, OKX.rule("spot")) for i in CAPTURED}
    spelled: dict[tuple[str, str, float], tuple[str, str]] = {}
    right = dict.fromkeys(books, 0)
    for record in records(CAPTURE):
        if record.t != "recv" or '"action"' not in (record.data or ""):
            continue
        message = decoded(record.raw)
        name, row = message["arg"]["instId"], message["data"][0]
        for side in ("bids", "asks"):
            spelled |= {(name, side, float(price)): (price, size) for price, size, *_ in row[side]}
        for event in reader.receive(record.raw, 0):
            assert isinstance(event, BookSnapshot | BookDelta)
            assert event.checksum is None
            books[name].apply(event, 0)
        book = books[name]
        bids = [spelled[name, "bids", price] for price in nlargest(25, book.bids)]
        asks = [spelled[name, "asks", price] for price in nsmallest(25, book.asks)]
        pairs = [pair for i in range(25) for best in (bids, asks) for pair in best[i : i + 1]]
        crc = zlib.crc32(":".join(text for pair in pairs for text in pair).encode())
        assert (crc - (1 << 32) if crc >= 1 << 31 else crc) == row["checksum"]
        right[name] += 1
    assert right == {i.venue_id: truth(CAPTURE)[i.venue_id].checksums_ok for i in CAPTURED}


RETIRED = {
    "table": "okex v3, gone: other envelope and channel names",
    "generated": "made by tardis.dev out of REST answers, never on OKX's wire",
}
EXPECTED: dict[str, type[Event]] = {
    "bbo-tbt": Quote,
    "books-l2-tbt": BookSnapshot,
    "trades": Trade,
    "trades-all": Trade,
    "mark-price": Mark,
    "funding-rate": Mark,
    "liquidation-orders": Liquidation,
}
UNUSED = {"books5", "candle1m", "index-tickers", "open-interest", "price-limit", "tickers"}


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"okx/isolated_{n}")]


def retired(message: dict[str, Any]) -> str | None:
    return RETIRED["table"] if "table" in message else RETIRED["generated"] if "generated" in message["arg"] else None


@needs_wire
def test_every_isolated_message_of_v5_decodes() -> None:
    seen: dict[str, int] = {}
    for record in isolated():
        message = decoded(record.raw)
        if "code" in message or retired(message):
            continue
        channel = message["arg"]["channel"]
        inst_id = message["arg"].get("instId") or message["data"][0]["instId"]
        got = session("linear", instrument("okx.linear", "X/Y:Y", inst_id)).receive(record.raw, 0)
        seen[channel] = seen.get(channel, 0) + 1
        if "event" in message:
            assert got == (Ack(channel=Channel.TRADES, symbol="X/Y:Y"),)
        elif channel in UNUSED:
            assert got == ()
        else:
            wanted = BookDelta if message.get("action") == "update" else EXPECTED[channel]
            assert [type(e) for e in got] == [wanted], record.src
    assert seen.keys() == EXPECTED.keys() | UNUSED


@needs_wire
def test_messages_of_retired_versions_are_unknown_and_survived() -> None:
    reader = session("spot", SPOT)
    old = [r.raw for r in isolated() if "code" not in (m := decoded(r.raw)) and retired(m)]
    assert len(old) > 25
    assert {type(e) for e in events(reader, old)} == {Unknown}


# books


def test_heartbeat_and_reset_keep_the_book() -> None:
    book = Book(SPOT, OKX.rule("spot"))
    got = events(session("spot", SPOT), recording("okx/books_heartbeat_and_reset"))
    assert got[0] == Ack(channel=Channel.BOOK, symbol="BTC/USDT")
    outcomes = [book.apply(e, 1) for e in got if isinstance(e, BookSnapshot | BookDelta)]
    assert outcomes == [Outcome.APPLIED] * 5
    assert book.bids == {60000.1: 0.5}
    assert book.asks == {60000.3: 2.0, 60000.4: 1.0}
    assert book.seq == 9
    assert book.gateway_ns == 1_790_000_060_400 * MS
    assert book.engine_ns is None  # `books` tells the gateway's time only


def test_a_book_message_written_in_another_order_reads_the_same() -> None:
    row = {"asks": [["101", "2", "0", "1"]], "bids": [["100", "0", "0", "0"]], "ts": "1790000000000", "seqId": 8}
    usual = {
        "arg": {"channel": "books", "instId": "BTC-USDT-SWAP"},
        "action": "update",
        "data": [{**row, "prevSeqId": 7}],
    }
    other = dict(reversed(usual.items()))
    [event] = session("linear", SWAP).receive(msgspec.json.encode(usual), T0)
    assert isinstance(event, BookDelta)
    assert (event.asks, event.prev_seq, event.last_seq) == ([(101.0, 2.0)], 7, 8)
    assert session("linear", SWAP).receive(msgspec.json.encode(other), T0) == [event]


def test_a_missing_update_empties_the_book_until_the_next_snapshot() -> None:
    book = Book(SPOT, OKX.rule("spot"))
    got = events(session("spot", SPOT), recording("okx/books_gap"))
    outcomes = []
    for event in got:
        assert isinstance(event, BookSnapshot | BookDelta)
        outcomes.append(book.apply(event, 1))
        if outcomes[-1] is Outcome.GAP:
            assert not book.bids
            assert not book.asks
    assert outcomes == [Outcome.APPLIED, Outcome.GAP, Outcome.SKIPPED, Outcome.APPLIED]
    assert (book.bids, book.asks) == ({60000.0: 1.0}, {60000.3: 7.0})


def test_a_snapshot_says_how_deep_it_can_be() -> None:
    snapshot = events(session("spot", SPOT), recording("okx/books_gap"))[0]
    assert isinstance(snapshot, BookSnapshot)
    assert snapshot.levels_limit == 400


# other channels


def test_swap_channels() -> None:
    quote, trade, mark, funding, short, long, foreign, notice = events(
        session("linear", SWAP), recording("okx/swap_channels")
    )
    symbol = "BTC/USDT:USDT"
    assert quote == Quote(
        symbol=symbol, bid=None, bid_size=None, ask=60000.2, ask_size=727.0, seq=363996337, engine_ns=T0 + 101 * MS
    )
    assert trade == Trade(
        symbol=symbol, price=60000.1, size=3.0, side="sell", trade_id="130639474", engine_ns=T0 + 102 * MS
    )
    assert mark == Mark(symbol=symbol, mark=60001.5, gateway_ns=T0 + 103 * MS)
    assert funding == Mark(
        symbol=symbol,
        funding_rate=-0.0001875,
        next_funding_ns=1_790_006_400_000 * MS,
        interval_h=8.0,
        gateway_ns=T0 + 104 * MS,
    )
    assert short == Liquidation(symbol=symbol, price=60500.5, size=13.0, side="buy", engine_ns=T0 + 105 * MS)
    assert long == Liquidation(symbol=symbol, price=59500.0, size=2.0, side="sell", engine_ns=T0 + 100 * MS)
    assert foreign == Heartbeat(
        channel=Channel.LIQUIDATIONS
    )  # a liquidation of another symbol shows that the channel works
    assert notice == Notice(text="ongoing: Trading service maintenance")


def test_both_sides_of_the_best_prices() -> None:
    raw = recording("okx/swap_channels")[0].replace(b'"bids":[]', b'"bids":[["60000.1","55","0","2"]]')
    [quote] = events(session("linear", SWAP), [raw])
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (60000.1, 55.0, 60000.2, 727.0)


def test_funding_not_known_yet_is_missing_and_not_zero() -> None:
    raw = b'{"arg":{"channel":"funding-rate","instId":"BTC-USDT-SWAP"},"data":[{"fundingRate":"","fundingTime":""}]}'
    assert events(session("linear", SWAP), [raw]) == [Mark(symbol="BTC/USDT:USDT")]


def test_data_of_an_instrument_we_never_asked_for_is_unknown() -> None:
    got = events(session("linear", SWAP), recording("okx/books_gap"))
    assert {type(e) for e in got} == {Unknown}


@pytest.mark.parametrize(
    "price", ['"nan"', '"NaN"', '"inf"', '"-Infinity"', '"-1"', '"0"', "null", '""', '"1e400"', "[]"]
)
def test_absurd_prices_and_sizes_are_refused(price: str) -> None:
    reader = session("spot", SPOT)
    bids = [f'[[{price},"1","0","1"]]'] + ([f'[["60000",{price},"0","1"]]'] if price != '"0"' else [])
    for levels in bids:
        head = '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":'
        raw = head + levels + ',"ts":"1"}]}'
        assert [type(e) for e in reader.receive(raw.encode(), 0)] == [Garbled]


# control


def test_one_request_a_symbol_and_one_for_the_whole_product() -> None:
    sent = [decoded(p) for p in session("linear", SWAP).subscribe()]
    assert all(m["op"] == "subscribe" for m in sent)
    assert len({m["id"] for m in sent}) == len(sent) == 2
    assert sent[0]["args"] == [
        {"channel": name, "instId": "BTC-USDT-SWAP"}
        for name in ("books", "bbo-tbt", "trades", "mark-price", "funding-rate")
    ]
    assert sent[1]["args"] == [{"channel": "status"}, {"channel": "liquidation-orders", "instType": "SWAP"}]


def test_resubscribing_asks_for_a_new_snapshot_of_one_channel() -> None:
    reader = session("spot", SPOT)
    off, on = (decoded(p) for p in reader.resubscribe(Channel.BOOK, "BTC/USDT"))
    assert (off["op"], on["op"]) == ("unsubscribe", "subscribe")
    assert off["args"] == on["args"] == [{"channel": "books", "instId": "BTC-USDT"}]
    assert reader.resubscribe(Channel.BOOK, "DOGE/USDT") == ()


def test_pings_are_bare_text() -> None:
    reader = session("spot", SPOT)
    assert reader.ping(7) == "ping"
    assert events(reader, [b"pong"]) == [Pong()]
    assert events(reader, [b"ping"]) == [Reply(payload="pong")]


def refusal(number: str, channel: str, code: str = "60018", name: str = "BTC-USDT-SWAP") -> bytes:
    text = f"Wrong URL or channel:{channel},instId:{name} doesn't exist. Please use the correct URL."
    return msgspec.json.encode({"event": "error", "id": number, "code": code, "msg": text, "connId": "a4d3ae55"})


def asked(got: Sequence[Event]) -> list[str]:
    payloads = [decoded(e.payload) for e in got if isinstance(e, Reply)]
    assert all(len(p["args"]) == 1 for p in payloads)
    return [p["args"][0]["channel"] for p in payloads]


def test_neighbours_of_a_bad_argument_live_on() -> None:
    reader = session("linear", SWAP)
    number = decoded(reader.subscribe()[0])["id"]
    for name in ("books", "trades"):
        ack = {"id": number, "event": "subscribe", "arg": {"channel": name, "instId": "BTC-USDT-SWAP"}}
        assert [type(e) for e in reader.receive(msgspec.json.encode(ack), 0)] == [Ack]
    got = reader.receive(refusal(number, "mark-price"), 0)
    assert asked(got) == ["bbo-tbt", "funding-rate"]  # not acknowledged yet: asked for singly
    assert isinstance(got[-1], Refusal)
    assert (got[-1].channel, got[-1].symbol) == (Channel.MARK, "BTC/USDT:USDT")
    assert (got[-1].fault, got[-1].code) == (Fault.BAD_REQUEST, "60018")
    assert asked(reader.receive(refusal(number, "mark-price"), 0)) == []  # once only


def test_a_request_refused_as_a_whole_is_asked_for_singly() -> None:
    reader = session("spot", SPOT)
    number = decoded(reader.subscribe()[0])["id"]
    raw = msgspec.json.encode({"event": "error", "id": number, "code": "60012", "msg": "Invalid request: {}"})
    got = reader.receive(raw, 0)
    assert asked(got) == ["books", "bbo-tbt", "trades"]
    single = next(decoded(e.payload)["id"] for e in got if isinstance(e, Reply))
    raw = msgspec.json.encode({"event": "error", "id": single, "code": "60012", "msg": "Invalid request: {}"})
    [last] = reader.receive(raw, 0)
    assert isinstance(last, Refusal)
    assert (last.channel, last.symbol) == (Channel.BOOK, "BTC/USDT")


def test_overload_and_too_frequent_are_asked_again_later_and_not_at_once() -> None:
    reader = session("spot", SPOT)
    number = decoded(reader.subscribe()[0])["id"]
    raw = msgspec.json.encode({"event": "error", "id": number, "code": "60014", "msg": "Requests too frequent"})
    [refused] = reader.receive(raw, 0)
    assert isinstance(refused, Refusal)
    assert refused.fault is Fault.OUR_LIMIT
    assert asked(reader.receive(b"pong", 29_000 * MS)) == []
    assert asked(reader.receive(b"pong", 31_000 * MS)) == ["books", "bbo-tbt", "trades"]
    assert asked(reader.receive(b"pong", 90_000 * MS)) == []


def test_a_service_upgrade_is_announced_with_its_time() -> None:
    raw = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade."}'
    [notice] = events(session("spot", SPOT), [raw])
    assert isinstance(notice, Notice)
    assert notice.reconnect_within_s == 60.0


# hostile input

SAMPLES = [raw for n in ("books_heartbeat_and_reset", "swap_channels") for raw in recording(f"okx/{n}")]
SAMPLES += [refusal("1", "books"), b"pong"]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session("linear", SWAP, SPOT)
    reader.subscribe()
    assert_sound(reader.receive(raw, T0))
