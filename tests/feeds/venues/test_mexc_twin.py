"""MEXC against its simulated self, which writes its protobuf by hand and shares nothing with the decoder."""

from __future__ import annotations

from random import Random

import pytest

from feeds.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Fault,
    Garbled,
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
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    made = Line("mexc", request.param)
    made.world.bids = (("100.50", "2.000"), ("100.40", "3.000"), ("100.00", "1.000"))
    made.world.asks = (("100.60", "5.000"), ("100.70", "4.000"), ("101.00", "7.000"))
    return made


def snapshot(line: Line) -> list[Outcome]:
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    return line.apply([line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))])


def change(line: Line, **sides: list[tuple[str, str]]) -> list[Outcome]:
    line.world.ns += 200 * MS
    return line.apply(line.hear(line.theirs.change(line.sim, line.world.change(**sides))))


def test_every_channel_is_acknowledged_and_none_refused(line: Line) -> None:
    events = line.start()
    assert strangers(events) == []
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}


def test_a_thousand_changes_keep_the_book_equal_to_theirs(line: Line) -> None:
    line.start()
    assert change(line, bids=[("100.50", "2.000")]) == [Outcome.BUFFERED]  # the snapshot is late
    assert snapshot(line) == [Outcome.APPLIED]
    rng = Random(line.product)
    mine = {"bids": dict(line.world.bids), "asks": dict(line.world.asks)}
    for _ in range(1_500):
        sides: dict[str, list[tuple[str, str]]] = {}
        for side, base in (("bids", 8_000), ("asks", 10_060)):
            prices = rng.sample(range(base, base + 2_000), rng.randint(0, 3))
            sides[side] = [(f"{n / 100:.2f}", rng.choice(("0", f"{rng.randint(1, 9_000)}.000"))) for n in prices]
            mine[side].update(sides[side])
        assert change(line, **sides) == [Outcome.APPLIED]
    for side, held in (("bids", line.book.bids), ("asks", line.book.asks)):
        assert held == {float(p): float(s) for p, s in mine[side].items() if float(s)}


def test_a_lost_change_is_a_gap_and_a_new_snapshot_mends_it(line: Line) -> None:
    line.start()
    snapshot(line)
    line.world.change()  # never reaches the feed
    assert change(line, asks=[("100.65", "2.000")]) == [Outcome.GAP]
    assert not line.book.bids
    assert Outcome.APPLIED in snapshot(line)
    assert max(line.book.bids) == 100.5
    assert change(line, asks=[("100.65", "3.000")]) == [Outcome.APPLIED]
    assert line.book.asks[100.65] == 3.0


def test_resubscribing_is_understood(line: Line) -> None:
    line.start()
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    # on spot the answer to leaving a topic looks like that to joining it
    acked = {(e.channel, e.symbol) for e in again if isinstance(e, Ack)}
    assert acked == {(Channel.BOOK, line.instrument.symbol)}


def test_times_are_told_apart_where_mexc_tells_them(line: Line) -> None:
    """A spot message that only removes names the time of an order long past: that is no lag, and is not read as one."""
    line.start()
    change(line, bids=[("100.30", "5.000")])
    line.world.ns += 60 * S
    batch = line.world.change(bids=[("100.30", "0")])
    [delta] = line.hear(line.theirs.change(line.sim, batch))
    assert isinstance(delta, BookDelta)
    assert delta.gateway_ns == batch.gateway_ns // MS * MS
    assert delta.engine_ns == (None if line.product == "spot" else batch.engine_ns // MS * MS)
    [trade] = line.hear(line.theirs.trades(line.sim, [line.world.trade(8)]))
    assert isinstance(trade, Trade)
    assert (trade.price, trade.side) == (100.5, "buy")
    assert trade.engine_ns == (line.world.ns - 2 * MS) // MS * MS
    assert trade.gateway_ns == line.world.ns // MS * MS


def test_quotes_on_spot_and_marks_on_perpetuals(line: Line) -> None:
    events = line.start()
    line.world.ns += S
    events += line.hear(line.theirs.top(line.sim, line.world.top()))
    events += line.hear(line.theirs.mark(line.sim, line.world.mark(line.sim)))
    quotes = [(q.bid, q.bid_size, q.ask, q.ask_size) for q in events if isinstance(q, Quote)]
    marks = [e for e in events if isinstance(e, Mark)]
    if line.product == "spot":
        assert quotes == [(100.5, 2.0, 100.6, 5.0)]
        assert marks == []
        return
    assert quotes == []
    assert {m.mark for m in marks} == {None, 100.55}
    assert {m.index for m in marks} == {None, 100.52}
    assert {m.funding_rate for m in marks} == {None, 0.0001}


def test_pings_are_answered_and_keep_the_socket_open(line: Line) -> None:
    line.start()
    for _ in range(20):
        line.world.ns += 10 * S
        [pong] = line.say([line.ours.ping(1) or ""])
        assert isinstance(pong, Pong)
        if line.product == "linear":
            assert pong.server_out_ns == line.world.ns // MS * MS
        assert not any(isinstance(frame, Close) for frame in line.theirs.tick(line.world.ns))


def test_garbage_in_between_is_counted_and_survived(line: Line) -> None:
    line.start()
    snapshot(line)
    assert [type(e) for e in line.hear([b"\xff\xff\xff", "{", b"\x0a\x7fx"])] == [Garbled] * 3
    assert change(line, bids=[("100.45", "1.000")]) == [Outcome.APPLIED]


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(product: Product) -> None:
    line = Line("mexc", product)
    pair = "GONE/USDT" if product == "spot" else "GONE/USDT:USDT"
    gone = Instrument(
        route=line.instrument.route, symbol=pair, venue_id=pair.split(":")[0].replace("/", "_"), base="GONE",
        quote="USDT", tick=1, lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan(product, both)
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [
        ("overload", 503, Fault.OVERLOAD),
        ("timeout", 500, Fault.OVERLOAD),
        ("limit", 429, Fault.OUR_LIMIT),
        ("limit", 200, Fault.OUR_LIMIT),
        ("geo", 403, Fault.REFUSED),
        ("maintenance", 503, Fault.MAINTENANCE),
    ],
)
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    answer = Answer(status=response.status, headers=response.headers, body=body)
    for probe in line.venue.probes(line.product, [line.instrument]):
        assert line.venue.read_probe(line.product, probe, answer).fault is fault


def test_probes_and_snapshots_are_read(line: Line) -> None:
    for probe in line.venue.probes(line.product, [line.instrument]):
        reading = line.venue.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        if probe.gives_time:
            assert reading.server_ns is not None
            assert abs(reading.server_ns - line.world.ns) <= MS
    for wanted in (
        line.venue.snapshot_request(line.product, line.instrument),
        line.venue.deep_snapshot_request(line.product, line.instrument),
    ):
        assert wanted is not None
        book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
        assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 5.0))
