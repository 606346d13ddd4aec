"""HTX against its simulated self, which was written from the protocol and other people's clients."""

from __future__ import annotations

from random import Random

import pytest

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
    Liquidation,
    Mark,
    Product,
    Quote,
    Refusal,
    Reply,
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close, SimLiquidation
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS, START_NS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS
BOOKS: list[tuple[Product, str]] = [("spot", "book"), ("linear", "public")]
SOCKETS: list[tuple[Product, str]] = [*BOOKS, ("spot", "public"), ("linear", "index"), ("linear", "notification")]


@pytest.fixture(params=BOOKS, ids=".".join)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("htx", *request.param)


def test_every_channel_is_acknowledged_and_none_refused() -> None:
    acked: dict[str, set[Channel | None]] = {"spot": set(), "linear": set()}
    for product, label in SOCKETS:
        line = Line("htx", product, label)
        events = line.start()
        assert strangers(events) == []
        found = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
        assert found == {(s.channel, s.symbol) for s in line.plan.subscriptions}
        acked[product] |= {channel for channel, _ in found}
        assert acked[product] <= set(line.venue.products[line.product].push_ms)
    assert acked["spot"] == set(line.venue.products["spot"].push_ms)
    assert acked["linear"] == set(line.venue.products["linear"].push_ms)


def test_a_thousand_changes_keep_the_book_equal_to_theirs(line: Line) -> None:
    rng = Random(line.product)
    mine: dict[str, dict[str, str]] = {"bids": dict(line.world.bids), "asks": dict(line.world.asks)}
    assert line.apply(line.start()) == [Outcome.APPLIED]
    for _ in range(1_200):
        changed = {
            name: [
                (f"{start + sign * rng.randrange(40) / 10:.2f}", rng.choice(("0", "1.000", "2.500", "0.0004")))
                for _ in range(rng.randrange(1, 4))
            ]
            for name, start, sign in (("bids", 100.5, -1), ("asks", 100.6, 1))
        }
        for name, levels in changed.items():
            mine[name] |= dict(levels)
        line.world.ns += 30 * MS
        change = line.world.change(**changed)
        assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    for name, ours in (("bids", line.book.bids), ("asks", line.book.asks)):
        assert ours == {float(price): float(size) for price, size in mine[name].items() if size != "0"}
    assert line.book.engine_ns == ((line.world.ns - 3 * MS) // MS * MS if line.product == "linear" else None)
    assert line.book.gateway_ns == line.world.ns - MS


def test_a_lost_change_is_noticed_and_mended(line: Line) -> None:
    line.apply(line.start())
    line.world.change()  # never reaches the feed
    change = line.world.change(asks=[("100.65", "2.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.GAP]
    assert not line.book.bids
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    assert max(line.book.bids) == 100.5
    change = line.world.change(bids=[("100.55", "1.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    assert max(line.book.bids) == 100.55


@pytest.mark.parametrize("heard_first", [True, False])
def test_a_spot_book_is_caught_up_whatever_came_before_it(heard_first: bool) -> None:
    line = Line("htx", "spot", "book")
    frames = [out for payload in line.ours.subscribe() for out in line.theirs.receive(str(payload).encode(), 0)]
    for n in range(20):
        change = line.world.change(bids=[(f"100.5{n % 5}", f"{n + 1}.000")])
        frames += line.theirs.change(line.sim, change)
    if heard_first:  # the answer is older than what we have: laid under it
        asked = [event for raw in frames if isinstance(raw, bytes) for event in line.ours.receive(raw, line.world.ns)]
        assert [type(event) for event in asked] == [Ack, Reply]
        assert line.apply(line.say([e.payload for e in asked if isinstance(e, Reply)])) == [Outcome.APPLIED]
    else:  # the answer overtook the stream: what it holds is skipped
        outcomes = line.apply(line.hear(frames))
        assert outcomes == [Outcome.APPLIED, *[Outcome.SKIPPED] * 17, *[Outcome.APPLIED] * 3]
    new = {100.5: 16.0, 100.51: 17.0, 100.52: 18.0, 100.53: 19.0, 100.54: 20.0}
    assert line.book.bids == new | {100.4: 3.1, 100.0: 1.0}


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_best_prices_and_trades_arrive_with_engine_times(product: Product) -> None:
    line = Line("htx", product, "public")
    line.start()
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    events = line.hear(frames)
    assert strangers(events) == []
    [quote] = [e for e in events if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (100.5, 2.0, 100.6, 0.5)
    assert (quote.engine_ns, quote.gateway_ns) == (line.world.ns - 3 * MS, line.world.ns - MS)
    [trade] = [e for e in events if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side) == (100.5, 0.2, "buy")
    assert (trade.engine_ns, trade.gateway_ns) == (line.world.ns - 2 * MS, line.world.ns)


def test_marks_funding_and_liquidations() -> None:
    index, notification = Line("htx", "linear", "index"), Line("htx", "linear", "notification")
    marks: list[Mark] = []
    for line in (index, notification):
        line.start()
        found = line.hear(line.theirs.mark(line.sim, line.world.mark(line.sim)))
        assert strangers(found) == []
        marks += [e for e in found if isinstance(e, Mark)]
    assert [(m.mark, m.funding_rate, m.next_funding_ns) for m in marks] == [
        (100.55, None, None),
        (None, 0.0001, (START_NS + 3_600_000 * MS) // MS * MS),
    ]
    closing = SimLiquidation(price="99.00", size="3", side="sell", engine_ns=START_NS, gateway_ns=START_NS + MS)
    [closed] = notification.hear(notification.theirs.liquidation(notification.sim, closing))
    assert isinstance(closed, Liquidation)
    assert (closed.price, closed.size, closed.side) == (99.0, 3.0, "sell")
    assert (closed.engine_ns, closed.gateway_ns) == (START_NS, START_NS + MS)


@pytest.mark.parametrize(("product", "label"), SOCKETS)
def test_pings_keep_a_line_alive_for_minutes(product: Product, label: str) -> None:
    line = Line("htx", product, label)
    line.start()
    beats = 0
    for _ in range(200):
        line.world.ns += S
        events = line.hear(line.theirs.tick(line.world.ns))  # would fail on a close
        assert strangers(events) == []
        for event in events:
            if isinstance(event, Heartbeat):
                beats += 1
                assert event.gateway_ns == line.world.ns // MS * MS
    assert beats == 40


@pytest.mark.parametrize(("product", "label"), SOCKETS)
def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(product: Product, label: str) -> None:
    line = Line("htx", product, label)
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USDT", venue_id="GONE-USDT" if product == "linear" else "goneusdt",
        base="GONE", quote="USDT", tick=1, lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = [plan for plan in line.venue.plan(product, both) if plan.label == label]
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}
    assert all(e.fault is Fault.BAD_REQUEST for e in events if isinstance(e, Refusal))


def test_garbage_in_between_costs_nothing(line: Line) -> None:
    line.apply(line.start())
    for raw in (b"{garbage", b"\x00\xff", b"\x1f\x8bnot gzip"):
        assert [type(e) for e in line.ours.receive(raw, line.world.ns)] == [Garbled]
    change = line.world.change(bids=[("100.55", "1.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    said = line.say(["nonsense"])
    assert [type(e) for e in said] == [Refusal]
    assert not [e for e in said if isinstance(e, BookSnapshot | BookDelta)]


@pytest.mark.parametrize(
    ("kind", "status", "faults"),
    [
        ("overload", 503, {Fault.OVERLOAD}),
        ("overload", 500, {Fault.OVERLOAD}),
        ("limit", 429, {Fault.OUR_LIMIT}),
        ("limit", 200, {Fault.OUR_LIMIT}),
        ("timeout", 200, {Fault.OVERLOAD}),
        ("geo", 403, {Fault.GEO_BLOCK}),
        ("ban", 403, {Fault.REFUSED}),
        ("maintenance", 503, {Fault.MAINTENANCE}),
    ],
)
@pytest.mark.parametrize("product", ["spot", "linear"])
def test_their_error_bodies_mean_what_they_should(kind: str, status: int, faults: set[Fault], product: Product) -> None:
    line = Line("htx", product, "public")
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    answer = Answer(status=response.status, headers={}, body=body)
    for probe in line.venue.probes(product, [line.instrument]):
        assert line.venue.read_probe(product, probe, answer).fault in faults


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_probes_snapshots_and_status_are_read(product: Product) -> None:
    line = Line("htx", product, "public")
    for probe in line.venue.probes(product, [line.instrument]):
        reading = line.venue.read_probe(product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        if probe.gives_time:
            assert reading.server_ns is not None
            assert abs(reading.server_ns - line.world.ns) <= MS
            assert (reading.weight_used is not None) == (product == "linear")
    wanted = line.venue.snapshot_request(product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0][0], book.asks[0][0], book.engine_ns) == (100.5, 100.6, line.world.ns - 3 * MS)
    status = line.venue.status_request(product)
    assert status is not None
    assert line.venue.read_status(product, line.rest(status.path)) == ()
    end_ns = START_NS + 60 * S
    line.world.announced = [StatusNotice(state="ongoing", text="Upgrade", begin_ns=START_NS, end_ns=end_ns)]
    [notice] = line.venue.read_status(product, line.rest(status.path))
    assert (notice.state, notice.products, notice.end_ns) == ("ongoing", (product,), end_ns // MS * MS)


def test_a_line_that_does_not_answer_is_cut_and_we_know_why() -> None:
    line = Line("htx", "spot", "public")
    for second in range(1, 30):
        for frame in line.theirs.tick(START_NS + second * S):
            if isinstance(frame, Close):
                assert second == 16
                assert line.venue.read_close(frame.code) is Fault.OUR_LIMIT
                return
    pytest.fail("never cut")
