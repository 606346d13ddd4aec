from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

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
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.htx.mbp_rule import KEPT_DELTAS, MbpRule, MbpSync
from feeds.venues.htx.session import HtxSession
from feeds.venues.htx.venue import Htx
from feeds.venues.sequence import Step
from tests.feeds.venues.captures import events, instrument, needs_wire, recording, records

HTX = Htx()
SPOT = instrument("htx.spot", "BTC/USDT", "btcusdt")
SWAP = instrument("htx.linear", "BTC/USDT:USDT", "BTC-USDT", contract_size=0.001)
MS = 1_000_000
S = 1_000 * MS
T0 = 1_790_000_000 * S
MBP = "market.btcusdt.mbp.150"
ASK_BOOK = {"req": MBP, "id": f"req {MBP}"}


def session(one: Instrument, label: str) -> HtxSession:
    product: Product = "spot" if one.route == "htx.spot" else "linear"
    [plan] = [plan for plan in HTX.plan(product, [one]) if plan.label == label]
    made = HTX.session(plan, [one])
    made.subscribe()
    return made


def replies(found: Sequence[Event]) -> list[Any]:
    return [msgspec.json.decode(event.payload) for event in found if isinstance(event, Reply)]


def frame(**fields: object) -> bytes:
    return gzip.compress(
        msgspec.json.encode({key.replace("_", "-"): value for key, value in fields.items()}), mtime=0
    )  # else test names change each second


# the spot book

FRAMES = recording("htx/spot_mbp")


def test_the_first_book_is_asked_for_and_what_came_before_it_is_laid_on_it() -> None:
    line = session(SPOT, "book")
    found = events(line, FRAMES[:5], T0)
    assert replies(found) == [ASK_BOOK]
    assert [type(event) for event in found] == [Ack, Reply, BookSnapshot]
    first = found[-1]
    assert isinstance(first, BookSnapshot)
    assert (first.seq, first.levels_limit, first.gateway_ns) == (100041, 150, T0 + 310 * MS)
    assert {price: size for price, size in first.bids if size} == {60000.1: 0.5, 59998.0: 2.0, 60000.2: 1.25}
    assert {price: size for price, size in first.asks if size} == {60000.8: 0.25, 1.2e7: 0.0001}
    book = Book(SPOT, HTX.rule("spot"))
    assert book.apply(first, T0) is Outcome.APPLIED
    for event in events(line, FRAMES[5:], T0):
        assert isinstance(event, BookDelta)
        assert book.apply(event, T0) is Outcome.APPLIED
    assert (max(book.bids), min(book.asks), book.seq) == (60000.1, 60000.7, 100063)
    assert book.gateway_ns == T0 + 500 * MS
    assert events(line, FRAMES[4:5], T0) == []  # a second answer is ignored
    assert replies(events(line, [b'{"ping":1}'], T0 + 9 * S)) == [{"pong": 1}]  # no more requests


def test_a_first_book_that_is_older_than_all_that_was_kept_is_asked_for_again_after_a_second() -> None:
    line = session(SPOT, "book")
    too_old = msgspec.json.decode(FRAMES[4])
    too_old["data"]["seqNum"] = 99_000
    found = events(line, [*FRAMES[:4], msgspec.json.encode(too_old)], T0)
    assert [type(event) for event in found] == [Ack, Reply]
    assert events(line, [FRAMES[5]], T0 + S - 1) == []
    assert replies(events(line, [FRAMES[6]], T0 + S)) == [ASK_BOOK]
    assert events(line, [b'{"ping":1}'], T0 + S) == [
        Reply(payload='{"pong":1}'),
        Heartbeat(gateway_ns=MS),
    ]  # once a second
    [first] = events(line, [FRAMES[4]], T0 + S + 100 * MS)
    assert isinstance(first, BookSnapshot)
    assert first.seq == 100063


def test_a_delta_that_was_lost_while_waiting_makes_those_before_it_useless() -> None:
    line = session(SPOT, "book")
    events(line, [FRAMES[0], FRAMES[1], FRAMES[3]], T0)
    assert events(line, [FRAMES[4]], T0) == []
    later = msgspec.json.decode(FRAMES[4])
    later["data"]["seqNum"] = 100_027
    [first] = events(line, [msgspec.json.encode(later)], T0)
    assert isinstance(first, BookSnapshot)
    assert first.seq == 100041


def test_numbers_that_began_anew_while_waiting_do_not_stand_in_the_way() -> None:
    line = session(SPOT, "book")
    before = msgspec.json.decode(FRAMES[1])
    before["tick"] |= {"seqNum": 900_000, "prevSeqNum": 899_990}
    [_, _, first] = events(
        line, [FRAMES[0], msgspec.json.encode(before), *FRAMES[2:4], FRAMES[4].replace(b"100010", b"100027")], T0
    )
    assert isinstance(first, BookSnapshot)
    assert first.seq == 100041


def test_a_first_book_ahead_of_the_stream_skips_what_it_holds() -> None:
    rule = HTX.rule("spot")
    old = BookDelta(symbol="", bids=(), asks=(), prev_seq=5, last_seq=9)
    over = BookDelta(symbol="", bids=(), asks=(), prev_seq=9, last_seq=12)
    after = BookDelta(symbol="", bids=(), asks=(), prev_seq=12, last_seq=15)
    assert [rule.first(11, d) for d in (old, over, after)] == [Step.SKIP, Step.APPLY, Step.GAP]
    assert [rule.following(12, d) for d in (old, over, after)] == [Step.GAP, Step.GAP, Step.APPLY]
    assert rule.first(None, after) is Step.GAP
    assert MbpRule().first(11, BookDelta(symbol="", bids=(), asks=())) is Step.GAP


def test_a_venue_that_never_answers_is_asked_for_a_minute_and_remembers_no_more_than_that() -> None:
    line = session(SPOT, "book")
    asked = len(replies(events(line, FRAMES[:1], T0)))
    for second in range(1, 300):
        asked += len(replies(events(line, [FRAMES[1]], T0 + second * S)))
    assert asked == 61
    sync = MbpSync()
    for n in range(2 * KEPT_DELTAS):
        sync.keep(BookDelta(symbol="", bids=((1.0, 1.0),), asks=(), prev_seq=n, last_seq=n + 1))
    assert sync.apply_to(BookSnapshot(symbol="", bids=(), asks=(), seq=0)) is None
    assert sync.apply_to(BookSnapshot(symbol="", bids=(), asks=(), seq=KEPT_DELTAS)) is not None


def test_after_a_gap_the_book_is_subscribed_to_and_asked_for_anew() -> None:
    line = session(SPOT, "book")
    events(line, FRAMES[:5], T0)
    sent = [msgspec.json.decode(payload) for payload in line.resubscribe(Channel.BOOK, "BTC/USDT")]
    assert sent == [{"unsub": MBP, "id": MBP}, {"sub": MBP, "id": MBP}]
    gone = b'{"id":"market.btcusdt.mbp.150","status":"ok","unsubbed":"market.btcusdt.mbp.150","ts":1790000000600}'
    found = events(line, [gone, FRAMES[0], *FRAMES[1:5]], T0 + 9 * S)
    assert [type(event) for event in found] == [Ack, Reply, BookSnapshot]


def test_too_many_requests_at_once_are_our_limit_and_asked_again() -> None:
    line = session(SPOT, "book")
    events(line, FRAMES[:2], T0)
    refusal = frame(
        id=f"req {MBP}", status="error", err_code="bad-request", err_msg=f"429 too many request topic is {MBP}"
    )
    [said] = events(line, [refusal], T0)
    assert isinstance(said, Refusal)
    assert (said.fault, said.channel) == (Fault.OUR_LIMIT, None)  # the subscription itself lives on
    assert replies(events(line, [FRAMES[2]], T0 + S)) == [ASK_BOOK]
    unknown = frame(id=f"req {MBP}", status="error", err_code="bad-request", err_msg="invalid symbol btcusdt")
    [said] = events(line, [unknown], T0 + S)
    assert isinstance(said, Refusal)
    assert (said.fault, said.channel, said.symbol) == (Fault.BAD_REQUEST, Channel.BOOK, "BTC/USDT")
    assert events(line, [FRAMES[3]], T0 + 9 * S) == []


@needs_wire
def test_real_messages_of_2020_sync_though_the_book_came_after_newer_deltas() -> None:
    real = [r.raw for r in records("htx/isolated_tardis-node") if ".mbp.150" in (r.data or "")]
    line = session(SPOT, "book")
    found = events(line, [FRAMES[0], *real], T0)
    assert [type(event) for event in found] == [Ack, Reply, BookSnapshot, BookDelta]
    first, odd = found[2:]
    assert isinstance(first, BookSnapshot)
    assert isinstance(odd, BookDelta)
    assert first.seq == 109409288226
    assert dict(first.bids)[9134.4] == 0.164064
    book = Book(SPOT, HTX.rule("spot"))
    assert [book.apply(first, T0), book.apply(odd, T0)] == [Outcome.APPLIED, Outcome.GAP]


# the swap book


def test_swap_books_count_versions_on_this_connection() -> None:
    found = events(session(SWAP, "public"), recording("htx/swap_public"), T0)
    book = Book(SWAP, HTX.rule("linear"))
    steps = [book.apply(event, T0) for event in found if isinstance(event, BookSnapshot | BookDelta)]
    assert steps == [Outcome.APPLIED] * 3
    assert (book.bids, book.asks) == ({60000.1: 40.0, 60000.0: 7.0}, {60001.0: 12.0})
    assert (book.seq, book.engine_ns, book.gateway_ns) == (1512469, T0 + 72 * MS, T0 + 73 * MS)
    ahead = BookDelta(symbol=SWAP.symbol, bids=(), asks=(), first_seq=1512471, last_seq=1512471)
    assert book.apply(ahead, T0) is Outcome.GAP


def test_a_book_message_written_in_another_order_reads_the_same() -> None:
    tick = {"asks": [[101, 2]], "bids": [[100, 0]], "event": "update", "version": 8, "ts": 1_790_000_000_000}
    usual = {"ch": "market.BTC-USDT.depth.size_150.high_freq", "tick": tick, "ts": 1_790_000_000_001}
    line = session(SWAP, "public")
    [event] = line.receive(frame(**usual), T0)
    assert isinstance(event, BookDelta)
    assert (event.asks, event.last_seq, event.gateway_ns) == ([(101.0, 2.0)], 8, 1_790_000_000_001 * MS)
    assert line.receive(frame(**dict(reversed(usual.items()))), T0) == (event,)


def test_a_swap_book_is_subscribed_to_anew_in_increments() -> None:
    sent = session(SWAP, "public").resubscribe(Channel.BOOK, SWAP.symbol)
    topic = "market.BTC-USDT.depth.size_150.high_freq"
    assert [msgspec.json.decode(payload) for payload in sent] == [
        {"unsub": topic, "id": topic},
        {"sub": topic, "id": topic, "data_type": "incremental"},
    ]


@pytest.mark.parametrize(
    ("kind", "limit"), [("depth.size_20.high_freq", 20), ("depth.step0", 150), ("depth.step6", None)]
)
def test_whole_books_are_snapshots(kind: str, limit: int | None) -> None:
    tick = {"bids": [[1, 2]], "asks": [], "version": 9, "ts": 1790000000000}
    [book] = events(session(SWAP, "public"), [frame(ch=f"market.BTC-USDT.{kind}", ts=1790000000001, tick=tick)], T0)
    assert isinstance(book, BookSnapshot)
    assert (book.seq, book.levels_limit, book.engine_ns) == (9, limit, T0)


# the other channels


def test_best_prices_and_trades_of_both_products() -> None:
    spot = events(session(SPOT, "public"), recording("htx/spot_public"), T0)
    swap = events(session(SWAP, "public"), recording("htx/swap_public"), T0)
    [quote] = [event for event in spot if isinstance(event, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (60000.1, 0.00097, 60000.8, 1.502181)
    assert (quote.engine_ns, quote.gateway_ns) == (T0 + 99 * MS, T0 + 101 * MS)
    [quote] = [event for event in swap if isinstance(event, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (60000.1, 40.0, 60001.0, 12.0)
    assert (quote.engine_ns, quote.gateway_ns) == (T0 + 79 * MS, T0 + 80 * MS)
    trades = [event for event in spot if isinstance(event, Trade)]
    # the long ids do not fit 64 bits
    assert [(t.trade_id, t.side, t.price, t.size) for t in trades] == [
        ("102523573486", "sell", 60000.1, 0.006754),
        ("102523573487", "buy", 60000.8, 1.0),
    ]
    assert (trades[0].engine_ns, trades[0].gateway_ns) == (T0 + 173 * MS, T0 + 175 * MS)
    [trade] = [event for event in swap if isinstance(event, Trade)]
    assert (trade.size, trade.trade_id) == (196.0, "1000219512747480000")  # contracts, not coins
    # a trade without a side (2022) is a heartbeat, not a trade
    assert Heartbeat(channel=Channel.TRADES, symbol=SWAP.symbol, gateway_ns=T0 + 95 * MS) in swap


def test_an_empty_side_has_no_best_price() -> None:
    bare: dict[str, object] = {"bid": 0, "bidSize": 0, "ask": 2, "askSize": 1}
    [quote] = events(session(SPOT, "public"), [frame(ch="market.btcusdt.bbo", ts=1, tick=bare)], T0)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask) == (None, None, 2.0)
    bare = {"ask": [2, 1], "bid": None}
    [quote] = events(session(SWAP, "public"), [frame(ch="market.BTC-USDT.bbo", ts=1, tick=bare)], T0)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (None, None, 2.0, 1.0)


def test_marks_funding_and_liquidations() -> None:
    [ack, mark] = events(session(SWAP, "index"), recording("htx/swap_index"), T0)
    assert ack == Ack(channel=Channel.MARK, symbol=SWAP.symbol)
    assert mark == Mark(symbol=SWAP.symbol, mark=60000.12, gateway_ns=T0 + 831 * MS)
    found = events(session(SWAP, "notification"), recording("htx/swap_notification"), T0)
    assert [event.channel for event in found if isinstance(event, Ack)] == [Channel.MARK, Channel.LIQUIDATIONS]
    [funding] = [event for event in found if isinstance(event, Mark)]
    assert (funding.mark, funding.funding_rate) == (None, -0.000220068774978695)
    assert funding.next_funding_ns == T0 + 6_400 * S  # when it is paid, not when it was computed
    [closed] = [event for event in found if isinstance(event, Liquidation)]
    assert (closed.side, closed.size, closed.price) == ("sell", 432.0, 59990.5)  # contracts
    assert (closed.engine_ns, closed.gateway_ns) == (T0 + 2172 * MS, T0 + 2214 * MS)
    assert not [event for event in found if isinstance(event, Unknown | Garbled | Refusal)]


# control


def test_pings_are_answered_with_their_own_number_and_tell_the_venues_clock() -> None:
    line = session(SPOT, "public")
    [reply, life] = events(line, [frame(ping=1790000000050)], T0)
    assert reply == Reply(payload='{"pong":1790000000050}')
    assert life == Heartbeat(gateway_ns=T0 + 50 * MS)
    [reply, life] = events(line, [frame(ping=(1 << 62) - 1)], T0)  # answered, but no clock
    assert reply == Reply(payload='{"pong":4611686018427387903}')
    assert life == Heartbeat(gateway_ns=None)
    [reply, life] = events(session(SWAP, "notification"), [frame(op="ping", ts="1790000000500")], T0)
    assert reply == Reply(payload='{"op":"pong","ts":"1790000000500"}')
    assert life == Heartbeat(gateway_ns=T0 + 500 * MS)
    assert line.ping(7) is None


def test_a_bad_symbol_is_refused_beside_good_ones() -> None:
    refusals: list[tuple[str, Instrument, bytes]] = [
        (
            "public",
            SPOT,
            frame(id="market.btcusdt.bbo", status="error", err_code="bad-request", err_msg="invalid symbol"),
        ),
        (
            "public",
            SWAP,
            frame(id="market.BTC-USDT.bbo", status="error", err_code="bad-request", err_msg="invalid topic"),
        ),
        ("notification", SWAP, frame(op="sub", topic="public.BTC-USDT.funding_rate", err_code=2011, err_msg="no such")),
    ]
    for label, one, raw in refusals:
        [refusal] = events(session(one, label), [raw], T0)
        assert isinstance(refusal, Refusal)
        assert (refusal.fault, refusal.symbol) == (Fault.BAD_REQUEST, one.symbol)
        assert refusal.channel in (Channel.BBO, Channel.MARK)


def test_what_is_refused_for_the_moment_is_asked_again() -> None:
    line = session(SPOT, "public")
    busy = frame(id="market.btcusdt.bbo", status="error", err_code="gateway-internal-error", err_msg="x")
    [refusal] = events(line, [busy], T0)
    assert isinstance(refusal, Refusal)
    assert refusal.fault is Fault.OVERLOAD
    found = events(line, [frame(ping=5)], T0 + 30 * S)
    assert {"sub": "market.btcusdt.bbo", "id": "market.btcusdt.bbo"} in replies(found)


@pytest.mark.parametrize(
    "raw",
    [
        frame(status="error", ts=1, err_code="bad-request", err_msg="not json, is not json string"),
        frame(op="error", ts=1790000000000),
        frame(op="close", ts=1790000000000),
    ],
)
def test_a_complaint_about_nothing_in_particular_refuses_no_channel(raw: bytes) -> None:
    [refusal] = events(session(SWAP, "notification"), [raw], T0)
    assert isinstance(refusal, Refusal)
    assert (refusal.channel, refusal.symbol) == (None, None)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (frame(ch="market.btcusdt.kline.1min", ts=1, tick={}), None),
        (frame(ch="market.btcusdt.detail", ts=1, tick={}), None),
        (frame(ch="market.ethusdt.bbo", ts=1, tick={}), Unknown),
        (frame(ch="market.btcusdt.novelty", ts=1, tick={}), Unknown),
        (frame(ch="nothing", ts=1), Unknown),
        (frame(op="novelty", ts=1), Unknown),
        (frame(something=1), Unknown),
        (frame(op="notify", topic="public.BTC-USDT.novelty", data=[]), Unknown),
        (frame(ch="market.btcusdt.bbo", ts=1, tick={"bid": -1}), Garbled),
        (frame(ch="market.btcusdt.trade.detail", ts=1, tick={}), Garbled),
        (gzip.compress(b"not json", mtime=0), Garbled),
        (b"\x1f\x8b\x08", Garbled),
        (b"", Garbled),
        (gzip.compress(b" " * (5 << 20), mtime=0), Garbled),  # more than any frame may become
    ],
)
def test_what_we_do_not_know_is_counted_and_what_is_no_message_too(raw: bytes, kind: type | None) -> None:
    assert [type(event) for event in events(session(SPOT, "public"), [raw], T0)] == ([] if kind is None else [kind])
