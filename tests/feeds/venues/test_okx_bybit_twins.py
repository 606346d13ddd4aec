"""OKX and Bybit against their simulated selves, which were written from the protocol by other hands."""

from __future__ import annotations

import pytest

from feeds.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Event,
    Fault,
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Product,
    Quote,
    Refusal,
    Trade,
)
from feeds.sim.twin import Close, SimLiquidation
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

VENUES = ("okx", "bybit")
PRODUCTS: tuple[Product, ...] = ("spot", "linear", "inverse")
ROUTES = [(name, product) for name in VENUES for product in PRODUCTS]
S = 1_000 * MS


@pytest.fixture(params=ROUTES, ids=".".join)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(*request.param)


def test_every_channel_is_acknowledged_and_none_refused(line: Line) -> None:
    events = line.say(line.ours.subscribe())
    assert strangers(events) == []
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}
    assert {Channel.BOOK, Channel.BBO, Channel.TRADES} <= set(line.venue.products[line.product].push_ms)


def test_the_book_follows_theirs_and_a_lost_change_is_noticed_and_mended(line: Line) -> None:
    book, apply = line.book, line.apply
    assert apply(line.say(line.ours.subscribe())) == [Outcome.APPLIED]
    assert max(book.bids) == 100.5
    change = line.world.change(bids=[("100.55", "1.500")], asks=[("100.60", "0")])
    line.world.ns += S
    assert apply(line.hear([*line.theirs.change(line.sim, change), *line.theirs.tick(line.world.ns)])) == [
        Outcome.APPLIED
    ]
    assert (max(book.bids), min(book.asks)) == (100.55, 100.7)
    line.world.change()  # never reaches the feed
    line.world.ns += S
    change = line.world.change(asks=[("100.65", "2.000")])
    lost = line.hear([*line.theirs.change(line.sim, change), *line.theirs.tick(line.world.ns)])
    assert apply(lost) == [Outcome.GAP]
    assert not book.bids
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert apply(again) == [Outcome.APPLIED]
    assert max(book.bids) == 100.5


def test_best_prices_trades_and_liquidations_arrive_with_engine_times(line: Line) -> None:
    line.say(line.ours.subscribe())
    line.world.ns += S
    line.world.change()
    engine_ns = line.world.ns - 2 * MS
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    frames += line.theirs.liquidation(line.sim, closing)
    line.world.ns += S
    events = line.hear([*frames, *line.theirs.tick(line.world.ns)])
    assert strangers(events) == []
    quotes = [e for e in events if isinstance(e, Quote)]
    assert [(q.bid, q.ask) for q in quotes] == [(100.5, 100.6)]
    assert [(e.price, e.side) for e in events if isinstance(e, Trade)][-1] == (100.5, "buy")
    liquidations = [e for e in events if isinstance(e, Liquidation)]
    if line.product == "spot":
        assert liquidations == []
    else:
        assert [(e.side, e.price) for e in liquidations] == [("sell", 99.0)]
        assert liquidations[0].engine_ns == engine_ns // MS * MS


def test_marks_and_funding_merge(line: Line) -> None:
    events = line.say(line.ours.subscribe())
    line.world.ns += 61 * S
    events += line.hear([*line.theirs.mark(line.sim, line.world.mark(line.sim)), *line.theirs.tick(line.world.ns)])
    marks = [e for e in events if isinstance(e, Mark)]
    if line.product == "spot":
        assert marks == []
        return
    assert 100.55 in {m.mark for m in marks}
    assert 0.0001 in {m.funding_rate for m in marks}
    assert 8.0 in {m.interval_h for m in marks}


def test_pings_are_answered(line: Line) -> None:
    ping = line.ours.ping(42)
    assert ping is not None
    assert [type(e) for e in line.say([ping])] == [Pong]


def test_silence_is_broken_by_signs_of_life(line: Line) -> None:
    line.say(line.ours.subscribe())
    line.hear(line.theirs.top(line.sim, line.world.top()))
    alive: list[Event] = []
    for _ in range(70):
        line.world.ns += S
        line.say([line.ours.ping(1) or ""])
        alive += line.hear(line.theirs.tick(line.world.ns))
    assert strangers(alive) == []
    if line.venue.name == "okx":
        assert any(isinstance(e, BookDelta) and e.prev_seq == e.last_seq for e in alive)
    else:
        assert any(isinstance(e, Heartbeat) and e.channel is Channel.BBO for e in alive)


def test_okx_announces_its_cut() -> None:
    line = Line("okx", "linear")
    frames = [f for f in line.theirs.farewell(planned=True) if not isinstance(f, Close)]
    [notice] = line.hear(frames)
    assert isinstance(notice, Notice)
    assert notice.reconnect_within_s == 60.0


@pytest.mark.parametrize("name", VENUES)
def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(name: str) -> None:
    line = Line(name, "linear")
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USDT:USDT", venue_id="GONE-USDT-SWAP", base="GONE", quote="USDT",
        tick=1, lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan("linear", both)
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}


FAULTS = [
    ("overload", 503, {Fault.OVERLOAD}),
    ("limit", 429, {Fault.OUR_LIMIT}),
    ("geo", 403, {Fault.GEO_BLOCK, Fault.REFUSED}),  # the CDN before OKX says "Forbidden" and nothing else
    ("maintenance", 503, {Fault.MAINTENANCE, Fault.OVERLOAD}),
]


@pytest.mark.parametrize(("kind", "status", "faults"), FAULTS)
@pytest.mark.parametrize("name", VENUES)
def test_their_error_bodies_mean_what_they_should(name: str, kind: str, status: int, faults: set[Fault]) -> None:
    line = Line(name, "linear")
    if (name, kind) == ("bybit", "limit"):
        status = 403  # Bybit's 429 is the system protecting itself
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    headers = {key.lower(): value for key, value in response.headers.items()}
    answer = Answer(status=response.status, headers=headers, body=body)
    for probe in line.venue.probes("linear", [line.instrument]):
        assert line.venue.read_probe("linear", probe, answer).fault in faults


def test_probes_snapshots_and_status_are_read(line: Line) -> None:
    for probe in line.venue.probes(line.product, [line.instrument]):
        reading = line.venue.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        if probe.gives_time:
            assert reading.server_ns is not None
            assert abs(reading.server_ns - line.world.ns) <= MS
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0][0], book.asks[0][0]) == (100.5, 100.6)
    status = line.venue.status_request(line.product)
    assert status is not None
    assert line.venue.read_status(line.product, line.rest(status.path)) == ()
