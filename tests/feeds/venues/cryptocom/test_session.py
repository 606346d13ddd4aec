from __future__ import annotations

from random import Random
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
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.cryptocom.venue import Cryptocom
from feeds.venues.sequence import Unsequenced
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.captures import assert_ends_in, events, instrument, needs_wire, recording, records, truth
from tests.feeds.venues.line import Line, unexpected
from tests.feeds.venues.mutations import hostile

VENUE = Cryptocom()
BTC = instrument("cryptocom.linear", "BTC/USD:USD", "BTCUSD-PERP")
ETH = instrument("cryptocom.linear", "ETH/USD:USD", "ETHUSD-PERP")
T0 = 1_790_000_000_000 * MS
RETIRED = "cryptocom/cryptofeed_20211124"
"""v2, whole books of 150 levels without numbers: retired by the venue, still decoded."""


def session(*instruments: Any) -> Any:
    return VENUE.session(VENUE.plan("linear", instruments)[0], instruments)


@pytest.fixture(params=["spot", "linear"])
def line(request: pytest.FixtureRequest) -> Line:
    product: Product = request.param
    return Line("cryptocom", product)


@needs_wire
def test_even_the_retired_protocols_books_end_in_the_truth() -> None:
    expected = truth(RETIRED)
    options = [instrument("cryptocom.spot", name, name) for name in expected]
    reader = VENUE.session(VENUE.plan("spot", options)[0], options)
    books = {one.symbol: Book(one, Unsequenced()) for one in options}
    for record in records(RETIRED):
        for event in reader.receive(record.raw, 0) if record.t == "recv" else ():
            assert not isinstance(event, Garbled | Unknown)
            if isinstance(event, BookSnapshot):
                books[event.symbol].apply(event, 0)
    for name, book in books.items():
        assert_ends_in(book, msgspec.structs.replace(expected[name], last_seq=None))


@needs_wire
def test_every_isolated_message_decodes() -> None:
    seen = set()
    for record in records("cryptocom/isolated_tardis-node"):
        name = msgspec.json.decode(record.raw).get("result", {}).get("instrument_name", "BTC_USDT")
        one = instrument("cryptocom.linear", name, name)
        for event in events(session(one), [record.raw]):
            assert not isinstance(event, Garbled | Unknown | Refusal), record.data
            seen.add(type(event))
    assert {BookSnapshot, BookDelta, Quote} <= seen


def test_a_gap_empties_the_book_and_both_times_are_read() -> None:
    book = Book(BTC, VENUE.rule("linear"))
    got: list[Any] = events(session(BTC), recording("cryptocom/books_gap"))
    outcomes = [book.apply(e, 1) for e in got]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.GAP, Outcome.APPLIED]
    assert (book.engine_ns, book.gateway_ns, book.seq) == (T0 + 301 * MS, T0 + 308 * MS, 72560688900)
    assert (book.bids, book.asks) == ({31613.5: 0.7}, {31614.0: 0.5})


def test_channels() -> None:
    reader = session(BTC)
    frames = recording("cryptocom/channels")
    got: list[Any] = events(reader, frames)
    assert [type(e) for e in got] == [Quote, Quote, Heartbeat, Trade, Trade, Mark, Mark, Mark, Reply, Heartbeat]
    quote = got[1]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (31600.0, 5.4, None, None)
    assert quote.gateway_ns is None, "a ticker's time is that of a trade: a quiet market is not a late one"
    assert [(e.side, e.price, e.engine_ns) for e in got[3:5]] == [
        ("sell", 31603.0, T0 + 3 * MS), ("buy", 31603.5, T0 + 4 * MS + 17),
    ]  # fmt: skip
    mark, index, funding = got[5:8]
    assert (mark.mark, mark.index, index.mark, index.index) == (31606.3, None, None, 31605.1)
    assert (funding.funding_rate, funding.interval_h) == (-7e-06, 1.0)
    assert funding.next_funding_ns == (T0 // (3600 * 1000 * MS) + 1) * 3600 * 1000 * MS
    assert msgspec.json.decode(got[8].payload) == {"id": 1790000000005, "method": "public/respond-heartbeat"}


def test_a_bad_name_is_found_by_halves_and_its_neighbours_live(line: Line) -> None:
    gone = msgspec.structs.replace(line.instrument, symbol="GONE/USD", venue_id="GONEUSD-PERP")
    both = [gone, line.instrument]
    [plan] = VENUE.plan(line.product, both)
    line.ours = VENUE.session(plan, both)
    got = line.send(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in got if isinstance(e, Refusal) and e.channel}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert {e.symbol for e in got if isinstance(e, Ack)} == {line.instrument.symbol}
    assert line.apply(got) == [Outcome.APPLIED]


def test_ten_thousand_changes_a_gap_and_a_resync(line: Line) -> None:
    start = line.start()
    assert unexpected(start) == []
    assert {(e.channel, e.symbol) for e in start if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in line.plan.subscriptions
    }
    assert line.apply(start) == [Outcome.APPLIED]
    rng = Random(7)
    bids, asks = ({float(p): float(s) for p, s in side} for side in (line.world.bids, line.world.asks))
    for _ in range(10_000):
        batch: list[list[tuple[str, str]]] = [[], []]
        for side, book, base in ((batch[0], bids, 80.0), (batch[1], asks, 101.0)):
            for step in rng.sample(range(195), rng.randrange(3)):
                price, size = f"{base + step / 10:.2f}", rng.choice(["0", f"{rng.randrange(1, 9000) / 1000:.3f}"])
                side.append((price, size))
                book[float(price)] = float(size)
                if size == "0":
                    del book[float(price)]
        line.world.ns += 50 * MS
        got = line.apply(line.deliver(line.theirs.change(line.sim, line.world.change(*batch))))
        assert got in ([], [Outcome.APPLIED])  # levels beyond 50 are not sent
    assert line.book.bids == dict(sorted(bids.items(), reverse=True)[:50])
    assert line.book.asks == dict(sorted(asks.items())[:50])
    line.world.change()  # never reaches the feed
    lost = line.deliver(line.theirs.change(line.sim, line.world.change(asks=[("100.65", "2.000")])))
    assert line.apply(lost) == [Outcome.GAP]
    assert line.apply(line.send(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))) == [Outcome.APPLIED]


def test_pings_come_back_and_heartbeats_are_answered(line: Line) -> None:
    line.start()
    ping = line.ours.ping(42)
    assert ping is not None
    assert line.send([ping]) == [Pong(token=42)]
    alive: list[Event] = []
    for _ in range(70):
        line.world.ns += 1_000 * MS
        alive += line.deliver(line.theirs.tick(line.world.ns))  # fails on a Close
    assert [e for e in alive if not isinstance(e, BookDelta)] == [Heartbeat(), Heartbeat()]


def test_a_book_that_does_not_change_says_so_and_is_not_called_late(line: Line) -> None:
    line.apply(line.start())
    line.world.ns += 6_000 * MS
    [nothing] = line.deliver(line.theirs.tick(line.world.ns))
    assert isinstance(nothing, BookDelta)
    assert (nothing.bids, nothing.asks) == ([], [])
    assert (nothing.engine_ns, nothing.gateway_ns) == (None, line.world.ns), (
        "its last change is 6 s old: no lag of theirs"
    )
    assert line.apply([nothing]) == [Outcome.APPLIED]
    changed = line.deliver(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "9.000")])))
    assert line.apply(changed) == [Outcome.APPLIED]
    assert line.book.bids[100.5] == 9.0


def test_what_passes_is_asked_again_a_second_later() -> None:
    reader = session(BTC)
    ask = msgspec.json.decode(reader.subscribe()[0])
    busy = msgspec.json.encode({"id": ask["id"], "code": 42901, "method": "subscribe", "message": "TOO_MANY"})
    [refused] = reader.receive(busy, 0)
    assert (refused.fault, refused.channel) == (Fault.OUR_LIMIT, None)
    beat = b'{"id":1,"method":"public/heartbeat","code":0}'
    assert len(reader.receive(beat, 900 * MS)) == 2
    again = msgspec.json.decode(reader.receive(beat, 1_001 * MS)[2].payload)
    assert again["params"] == ask["params"]


SAMPLES = [raw for n in ("books_gap", "channels") for raw in recording(f"cryptocom/{n}")]


@settings(max_examples=200, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session(BTC, ETH)
    reader.subscribe()
    for event in reader.receive(raw, T0):
        if isinstance(event, BookSnapshot | BookDelta):
            assert all(0 < price < 1e18 and 0 <= size < 1e18 for price, size in (*event.bids, *event.asks))
        elif isinstance(event, Quote):
            assert all(value is None or 0 < value < 1e18 for value in (event.bid, event.ask))
        elif isinstance(event, Trade):
            assert 0 < event.price < 1e18
