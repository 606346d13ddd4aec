from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec import structs

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Mark,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Session
from feeds.venues.hyperliquid.session import HyperliquidSession
from feeds.venues.hyperliquid.venue import Hyperliquid
from tests.feeds.venues.captures import (
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

VENUE = Hyperliquid()
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def perpetual(coin: str) -> Instrument:
    return instrument("hyperliquid.linear", f"{coin}/USDC:USDC", coin, tick=1.0, lot=0.00001)


BTC, ETH = perpetual("BTC"), perpetual("ETH")


def session(*instruments: Instrument) -> HyperliquidSession:
    return VENUE.session(VENUE.plan("linear", instruments)[0], instruments)


def listing(*coins: str) -> bytes:
    universe = [{"name": coin, "szDecimals": 5, "maxLeverage": 40} for coin in coins]
    payload = {"type": "meta", "data": {"universe": universe, "marginTables": []}}
    return msgspec.json.encode({"channel": "post", "data": {"id": 1, "response": {"type": "info", "payload": payload}}})


def asked(sent: Sequence[Event | str | bytes]) -> list[dict[str, Any]]:
    payloads = [e.payload if isinstance(e, Reply) else e for e in sent if isinstance(e, Reply | str | bytes)]
    return [msgspec.json.decode(payload) for payload in payloads]


def book(time_ms: int, bids: Sequence[float], asks: Sequence[float], size: str = "1.0") -> bytes:
    levels = [[{"px": f"{price}", "sz": size, "n": 1} for price in side] for side in (bids, asks)]
    return msgspec.json.encode({"channel": "l2Book", "data": {"coin": "BTC", "time": time_ms, "levels": levels}})


# captures


@needs_wire
def test_the_capture_rebuilds_to_the_recorded_book() -> None:
    capture = "hyperliquid/hftbacktest_btc_20250126"
    rebuilt = rebuild(VENUE, "linear", capture, [BTC])
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    expected = truth(capture)["BTC"]
    assert rebuilt.outcomes[BTC.symbol] == {Outcome.APPLIED: expected.snapshots}
    assert rebuilt.kinds["Trade"] > 8
    ended = rebuilt.books[BTC.symbol]
    assert ended.engine_ns == int(expected.last_seq or 0) * MS  # nothing is numbered: the truth has the time there
    assert_ends_in(ended, structs.replace(expected, last_seq=None))


NOT_SERVED = {
    '"activeSpotAssetCtx"': "spot, which is left out",
    '"@162"': "a spot pair's best prices",
}


@needs_wire
def test_isolated_messages_decode() -> None:
    found = [perpetual(coin) for coin in ("FXS", "BTC", "SHIA", "BANANA", "MOODENG")]
    reader, kinds = session(*found), list[str]()
    for record in records("hyperliquid/isolated_tardis-node"):
        made = reader.receive(record.raw, 0)
        if any(mark in (record.data or "") for mark in NOT_SERVED):
            assert [type(e) for e in made] == [Unknown]
        else:
            assert not [e for e in made if isinstance(e, Unknown | Garbled)], record.data
            kinds += [type(e).__name__ for e in made]
    assert Counter(kinds) == {"Trade": 4, "BookSnapshot": 2, "Mark": 1, "Quote": 1}


# sockets


def test_names_are_checked_on_the_socket_before_any_is_subscribed_to() -> None:
    gone = perpetual("GONE")
    reader = session(BTC, gone, ETH)
    [first] = asked(reader.subscribe())
    assert (first["method"], first["request"]["payload"]) == ("post", {"type": "meta"})
    made = reader.receive(listing("ETH", "BTC", "kPEPE"), T0)
    sent = [each["subscription"] for each in asked(made)]
    assert [s for s in sent if s["coin"] == "BTC"] == [
        {"type": "l2Book", "fast": True, "coin": "BTC"},
        {"type": "l2Book", "coin": "BTC"},
        {"type": "bbo", "coin": "BTC"},
        {"type": "trades", "coin": "BTC"},
        {"type": "activeAssetCtx", "coin": "BTC"},
    ]
    assert {s["coin"] for s in sent} == {"BTC", "ETH"}
    refused = [e for e in made if isinstance(e, Refusal)]
    assert {(e.channel, e.symbol, e.fault) for e in refused} == {
        (channel, gone.symbol, Fault.BAD_REQUEST)
        for channel in (Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.MARK)
    }
    assert reader.resubscribe(Channel.BOOK, gone.symbol) == []
    assert reader.receive(listing("BTC"), T0) == ()


@pytest.mark.parametrize(
    "refusal",
    [
        b'{"channel":"post","data":{"id":1,"response":{"type":"error","payload":"429 Too Many Requests"}}}',
        b'{"channel":"error","data":"Error parsing JSON into valid websocket request: post"}',
    ],
)
def test_a_listing_that_is_refused_leaves_us_with_the_one_of_today(refusal: bytes) -> None:
    reader = session(BTC)
    reader.subscribe()
    assert {each["subscription"]["coin"] for each in asked(reader.receive(refusal, T0))} == {"BTC"}


def test_asking_again_covers_both_books() -> None:
    reader = session(BTC, ETH)
    reader.subscribe()
    reader.receive(listing("BTC", "ETH"), T0)
    again = asked(reader.resubscribe(Channel.BOOK, ETH.symbol))
    assert [(a["method"], a["subscription"].get("fast")) for a in again] == [
        ("unsubscribe", True),
        ("unsubscribe", None),
        ("subscribe", True),
        ("subscribe", None),
    ]
    assert reader.resubscribe(Channel.LIQUIDATIONS, ETH.symbol) == []


def test_a_recording_of_every_channel() -> None:
    made = events(session(BTC), recording("hyperliquid/channels"), T0)
    acks = [e.channel for e in made if isinstance(e, Ack)]
    assert acks == [Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.MARK]
    [whole] = [e for e in made if isinstance(e, BookSnapshot)]
    assert (whole.bids[0], whole.asks[0]) == ((113377.0, 7.6699), (113378.0, 0.11543))
    assert (whole.engine_ns, whole.gateway_ns, whole.levels_limit, whole.seq) == (T0 + 500 * MS, None, 5, None)
    [quote] = [e for e in made if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (113377.0, 7.5, None, None)
    assert quote.engine_ns == T0 + 560 * MS
    assert [(e.price, e.side, e.trade_id) for e in made if isinstance(e, Trade)] == [
        (113378.0, "buy", "103"),
        (113377.0, "sell", "99"),
    ]
    [mark] = [e for e in made if isinstance(e, Mark)]
    assert (mark.mark, mark.index, mark.funding_rate, mark.interval_h) == (113310.0, 113300.0, -0.0000125, 1.0)
    assert (mark.next_funding_ns, mark.gateway_ns) == (None, None)
    assert isinstance(made[-1], Pong)


# the two books


def held(*frames: bytes) -> BookSnapshot:
    [*_, last] = events(session(BTC), frames, T0)
    assert isinstance(last, BookSnapshot)
    return last


DEEP = book(1_000, [100 - n for n in range(20)], [101 + n for n in range(20)])
FAST = [98, 97, 96, 95, 94], [99, 100, 101, 102, 103]


def test_the_fast_book_lies_over_the_deep_one() -> None:
    both = held(DEEP, book(1_500, *FAST, size="2.0"))
    assert [price for price, _ in both.bids] == [98, 97, 96, 95, 94, *range(93, 80, -1)]
    assert [price for price, _ in both.asks] == [99, 100, 101, 102, 103, *range(104, 121)]
    assert dict(both.bids)[94] == 2.0
    assert dict(both.bids)[93] == 1.0
    assert (both.engine_ns, both.levels_limit) == (1_500 * MS, None)
    assert len(held(DEEP, book(1_500, *FAST), book(6_000, range(20, 0, -1), range(21, 41))).bids) == 20


def test_a_deep_book_that_comes_late_goes_under_the_newer_fast_one() -> None:
    late = held(book(1_500, *FAST), DEEP)
    assert late.engine_ns == 1_500 * MS
    assert (late.bids[0][0], len(late.bids)) == (98, 18)


def test_a_deep_book_that_is_no_longer_sent_is_forgotten() -> None:
    alone = held(DEEP, book(13_001, *FAST))
    assert (len(alone.bids), alone.levels_limit) == (5, 5)
    assert len(held(DEEP, book(13_000, *FAST)).bids) > 5


def test_a_price_that_has_run_away_leaves_no_hole_between_the_two() -> None:
    up = held(DEEP, book(1_500, [110, 109, 108, 107, 106], [111, 112, 113, 114, 115]))
    assert [price for price, _ in up.bids] == [110, 109, 108, 107, 106]
    assert [price for price, _ in up.asks] == [111, 112, 113, 114, 115, 116, 117, 118, 119, 120]
    down = held(DEEP, book(1_500, [90, 89, 88, 87, 86], [91, 92, 93, 94, 95]))
    assert [price for price, _ in down.asks] == [91, 92, 93, 94, 95]
    assert len(down.bids) == 10


def test_a_book_of_few_levels_is_whole() -> None:
    thin = held(DEEP, book(1_500, [98, 97], FAST[1]))
    assert [price for price, _ in thin.bids] == [98, 97]
    kept = Book(BTC, VENUE.rule("linear"))
    assert kept.apply(held(book(1_500, [98, 97], [])), T0) is Outcome.APPLIED
    assert (kept.bids, kept.asks) == ({98.0: 1.0, 97.0: 1.0}, {})


def test_first_trades_are_past_ones_again_after_asking_again() -> None:
    reader = session(BTC)
    first, second = [f for f in recording("hyperliquid/channels") if f.startswith(b'{"channel":"trades"')]
    assert len(reader.receive(first, T0)) == 1
    assert [type(e) for e in reader.receive(first, T0)] == [Heartbeat]
    reader.resubscribe(Channel.TRADES, BTC.symbol)
    assert [e.trade_id for e in reader.receive(second, T0) if isinstance(e, Trade)] == ["99"]
    assert reader.receive(b'{"channel":"trades","data":[]}', T0) == ()


def test_what_the_venue_complains_of() -> None:
    reader: Session = session(BTC)
    full = b'{"channel":"error","data":"Cannot track more than 1000 total websocket subscriptions."}'
    [refused] = reader.receive(full, T0)
    assert isinstance(refused, Refusal)
    assert (refused.channel, refused.fault) == (None, Fault.OUR_LIMIT)
    assert reader.receive(b'{"channel":"error","data":"Already subscribed: x"}', T0) == ()
    assert reader.receive(b"Websocket connection established.", T0) == ()
    assert [type(e) for e in reader.receive(b'{"channel":"candle","data":{}}', T0)] == [Unknown]


# hostile input

SAMPLES = [*recording("hyperliquid/channels"), DEEP, listing("BTC", "ETH")]


@settings(max_examples=300, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session(BTC)
    reader.subscribe()
    assert_sound(reader.receive(raw, T0))
