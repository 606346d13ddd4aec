"""BingX against its simulated self, which was written from the protocol and other people's clients."""

from __future__ import annotations

from random import Random

import pytest
from msgspec import structs

from feeds.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Trade,
)
from feeds.sim.twin import Close
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS
PRODUCTS: list[Product] = ["spot", "linear"]


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("bingx", request.param)


def test_every_channel_is_acknowledged_and_none_refused(line: Line) -> None:
    events = line.start()
    assert strangers(events) == []
    found = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert found == {(s.channel, s.symbol) for s in line.plan.subscriptions}
    assert {channel for channel, _ in found} == set(line.venue.products[line.product].push_ms)


def test_thousands_of_changes_keep_the_book_equal_to_theirs(line: Line) -> None:
    rng = Random(line.product)
    mine: dict[str, dict[str, str]] = {"bids": dict(line.world.bids), "asks": dict(line.world.asks)}
    assert line.apply(line.start()) == [Outcome.APPLIED]
    steps = set()
    for _ in range(3_000):
        changed = {
            name: [
                (f"{start + sign * rng.randrange(40) / 10:.2f}", rng.choice(("0", "1.000", "2.500", "0.0004")))
                for _ in range(rng.randrange(1, 4))
            ]
            for name, start, sign in (("bids", 100.5, -1), ("asks", 100.6, 1))
        }
        for name, levels in changed.items():
            mine[name] |= dict(levels)
        line.world.ns += 200 * MS
        before = line.book.seq
        change = line.world.change(**changed)
        assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
        assert before is not None
        assert line.book.seq is not None
        steps.add(line.book.seq - before)
    for name, ours in (("bids", line.book.bids), ("asks", line.book.asks)):
        assert ours == {float(price): float(size) for price, size in mine[name].items() if size != "0"}
    if line.product == "linear":
        assert min(steps) > 1
        assert line.book.engine_ns == (line.world.ns - 3 * MS) // MS * MS
    else:
        assert steps == {1}
        assert line.book.engine_ns is None


def test_a_lost_removal_is_noticed_when_it_crosses_the_book_and_mended(line: Line) -> None:
    line.apply(line.start())
    line.world.change(asks=[("100.60", "0")])  # never reaches the feed
    line.world.asks = line.world.asks[1:]
    change = line.world.change(asks=[("101.00", "1.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]  # the ids do not tell
    change = line.world.change(bids=[("100.60", "2.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.BAD_CHECKSUM]
    assert not line.book.bids
    line.world.bids = (("100.60", "2.000"), *line.world.bids)
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    assert (max(line.book.bids), min(line.book.asks)) == (100.6, 100.7)
    change = line.world.change(bids=[("100.65", "1.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    assert max(line.book.bids) == 100.65


def test_best_prices_trades_and_marks_arrive_and_the_stale_ones_at_the_start_do_not(line: Line) -> None:
    assert not [e for e in line.start() if isinstance(e, Quote | Trade)]
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    frames += line.theirs.mark(line.sim, line.world.mark(line.sim))
    events = line.hear(frames)
    assert strangers(events) == []
    [quote] = [e for e in events if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (100.5, 2.0, 100.6, 0.5)
    [trade] = [e for e in events if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side) == (100.5, 0.2, "buy")
    assert trade.engine_ns == line.world.ns - 2 * MS
    assert quote.gateway_ns == line.world.ns - MS
    marks = [e.mark for e in events if isinstance(e, Mark)]
    if line.product == "linear":
        assert (quote.engine_ns, trade.gateway_ns, marks) == (line.world.ns - 3 * MS, None, [100.55])
    else:
        assert (quote.engine_ns, trade.gateway_ns, marks) == (None, line.world.ns, [])


def test_pings_keep_a_line_alive_for_minutes_and_ours_are_answered(line: Line) -> None:
    line.start()
    beats = 0
    for second in range(200):
        line.world.ns += S
        events = line.hear(line.theirs.tick(line.world.ns))  # would fail on a close
        assert strangers(events) == []
        beats += sum(isinstance(e, Heartbeat) and e.channel is None for e in events)
        if second % 10 == 0:
            ping = line.ours.ping(second)
            assert ping is not None
            assert line.say([ping]) == [Pong(token=second)]
    assert beats == 40


def test_a_line_that_does_not_answer_is_cut_though_it_speaks(line: Line) -> None:
    line.start()
    for second in range(1, 40):
        line.world.ns += S
        ping = line.ours.ping(second)
        assert ping is not None
        line.say([ping])
        if any(isinstance(out, Close) for out in line.theirs.tick(line.world.ns)):
            assert second == 31
            return
    pytest.fail("never cut")


def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(line: Line) -> None:
    gone = structs.replace(line.instrument, symbol="GONE/USDT", venue_id="GONE-USDT", base="GONE")
    both: list[Instrument] = [gone, line.instrument]
    [plan] = line.venue.plan(line.product, both)
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}
    assert all(e.fault is Fault.BAD_REQUEST for e in events if isinstance(e, Refusal))
    assert line.apply(events) == [Outcome.APPLIED]


def test_garbage_in_between_costs_nothing(line: Line) -> None:
    line.apply(line.start())
    for raw in (b"{garbage", b"\x00\xff", b"\x1f\x8bnot gzip", b"Pang"):
        assert [type(e) for e in line.ours.receive(raw, line.world.ns)] == [Garbled]
    change = line.world.change(bids=[("100.55", "1.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    assert line.say(["nonsense", '[{"id":"1"}]']) == []
    assert not [e for e in line.hear(line.theirs.tick(line.world.ns)) if isinstance(e, BookSnapshot | BookDelta)]


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [
        ("overload", 503, Fault.OVERLOAD),
        ("overload", 200, Fault.OVERLOAD),
        ("limit", 429, Fault.OUR_LIMIT),
        ("limit", 200, Fault.OUR_LIMIT),
        ("timeout", 504, Fault.OVERLOAD),
        ("geo", 403, Fault.GEO_BLOCK),
        ("ban", 403, Fault.REFUSED),
        ("ban", 429, Fault.OUR_LIMIT),
        ("maintenance", 503, Fault.MAINTENANCE),
    ],
)
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    answer = Answer(status=response.status, headers={}, body=body)
    for probe in line.venue.probes(line.product, [line.instrument]):
        assert line.venue.read_probe(line.product, probe, answer).fault is fault


def test_probes_and_snapshots_are_read(line: Line) -> None:
    clock, small = line.venue.probes(line.product, [line.instrument])
    reading = line.venue.read_probe(line.product, clock, line.rest(clock.request.path))
    assert (reading.fault, reading.weight_used) == (None, 1.0)
    assert reading.server_ns == line.world.ns // MS * MS
    assert line.venue.read_probe(line.product, small, line.rest(small.request.path)).fault is None
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0][0], book.asks[0][0]) == (100.5, 100.6)
    line.apply(line.start())
    if line.product == "spot":
        assert book.seq == line.book.seq  # spot's REST counts as its stream does
    else:
        assert (book.seq, book.engine_ns) == (None, line.book.engine_ns)
