"""Deribit against its simulated self, which was written from the protocol and not from our decoder."""

from __future__ import annotations

from random import Random

import pytest

from feeds.book import Outcome
from feeds.model import (
    Ack,
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
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close, Out, SimLiquidation
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

PRODUCTS: tuple[Product, ...] = ("spot", "linear", "inverse")
S = 1_000 * MS


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("deribit", request.param)


def test_every_channel_is_acknowledged_and_the_book_is_there(line: Line) -> None:
    events = line.start()
    assert strangers(events) == []
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}
    assert {s.channel for s in line.plan.subscriptions} == line.venue.products[line.product].push_ms.keys()
    assert line.apply(events) == [Outcome.APPLIED]
    assert line.book.bids == {100.5: 2.0, 100.4: 3.1, 100.0: 1.0}
    assert line.book.asks == {100.6: 0.5, 100.7: 4.0, 101.0: 7.0}


def test_ten_thousand_changes_lead_to_the_same_book(line: Line) -> None:
    line.apply(line.start())
    rng = Random(7)
    bids, asks = ({float(p): float(s) for p, s in side} for side in (line.world.bids, line.world.asks))
    for _ in range(10_000):
        batch: list[list[tuple[str, str]]] = [[], []]
        for side, book, base in ((batch[0], bids, 80.0), (batch[1], asks, 101.0)):
            for step in rng.sample(range(195), rng.randrange(3)):
                price, size = f"{base + step / 10:.2f}", rng.choice(["0", f"{rng.randrange(1, 9000) / 1000:.3f}"])
                if size == "0" and float(price) not in book:
                    continue
                side.append((price, size))
                book[float(price)] = float(size)
                if size == "0":
                    del book[float(price)]
        line.world.ns += 100 * MS
        assert line.apply(line.hear(line.theirs.change(line.sim, line.world.change(*batch)))) == [Outcome.APPLIED]
    assert (line.book.bids, line.book.asks) == (bids, asks)


def test_a_lost_change_is_a_gap_and_asking_again_mends_it(line: Line) -> None:
    line.apply(line.start())
    line.world.change()  # never reaches the feed
    lost = line.hear(line.theirs.change(line.sim, line.world.change(asks=[("100.65", "2.000")])))
    assert line.apply(lost) == [Outcome.GAP]
    assert not line.book.bids
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    assert max(line.book.bids) == 100.5
    right = line.hear(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "9.000")])))
    assert line.apply(right) == [Outcome.APPLIED]
    assert line.book.bids[100.5] == 9.0


def test_other_channels_arrive_with_the_engines_time(line: Line) -> None:
    line.start()
    line.world.change()
    engine_ns = line.world.ns - 2 * MS
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    events = line.hear([*frames, *line.theirs.mark(line.sim, line.world.mark(line.sim))])
    assert strangers(events) == []
    [quote] = [e for e in events if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (100.5, 2.0, 100.6, 0.5)
    assert quote.engine_ns == (engine_ns - MS) // MS * MS
    [trade] = [e for e in events if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side, trade.engine_ns) == (100.5, 0.2, "buy", engine_ns // MS * MS)
    marks = [(e.mark, e.index, e.funding_rate, e.interval_h) for e in events if isinstance(e, Mark)]
    assert marks == ([] if line.product == "spot" else [(100.55, 100.52, 0.0001, 8.0)])


@pytest.mark.parametrize("offset_ms", [0, 1])
def test_a_liquidation_is_told_by_the_side_that_was_forced_whoever_took(line: Line, offset_ms: int) -> None:
    line.start()
    engine_ns = line.world.ns - offset_ms * MS
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    events = line.hear(line.theirs.liquidation(line.sim, closing))
    [closed] = [e for e in events if isinstance(e, Liquidation)]
    assert (closed.side, closed.price, closed.size) == ("sell", 99.0, 0.3)
    assert closed.engine_ns == engine_ns // MS * MS
    assert len([e for e in events if isinstance(e, Trade)]) == 1


def test_pings_are_answered_with_the_venues_two_times(line: Line) -> None:
    ping = line.ours.ping(42)
    assert ping is not None
    [pong] = line.say([ping])
    assert isinstance(pong, Pong)
    assert pong.token == 42
    assert pong.server_in_ns == line.world.ns // 1000 * 1000
    assert pong.server_out_ns is not None
    assert pong.server_out_ns > pong.server_in_ns


def test_a_quiet_socket_is_kept_alive_by_heartbeats_and_our_answers(line: Line) -> None:
    line.start()
    alive: list[Event] = []
    for _ in range(70):
        line.world.ns += S
        alive += line.hear(line.theirs.tick(line.world.ns))
    assert set(map(type, alive)) == {Heartbeat}
    assert len(alive) == 14


def test_a_client_that_does_not_answer_is_cut(line: Line) -> None:
    line.start()
    said: list[Out] = []
    for _ in range(21):
        line.world.ns += S
        said += line.theirs.tick(line.world.ns)
    assert isinstance(said[-1], Close)


def test_a_planned_break_is_announced(line: Line) -> None:
    line.start()
    frames = line.theirs.farewell(planned=True)
    assert line.hear([f for f in frames if not isinstance(f, Close)]) == [Notice(text="maintenance begins")]
    assert isinstance(frames[-1], Close)


def test_a_symbol_that_is_gone_is_refused_and_its_neighbours_live(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USD", venue_id="GONE-PERPETUAL", base="GONE", quote="USD", tick=1,
        lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan(line.product, both)
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}
    assert line.apply(events) == [Outcome.APPLIED]


@pytest.mark.parametrize("raw", [b"hello", b"{}", b"[]", b'{"jsonrpc":"2.0","id":4,"method":"public/dance"}'])
def test_they_refuse_nonsense_in_words_that_we_understand(line: Line, raw: bytes) -> None:
    [event] = line.say([raw])
    assert isinstance(event, Refusal)
    assert (event.channel, event.fault) == (None, Fault.BAD_REQUEST)


FAULTS = [
    ("overload", 503, Fault.OVERLOAD),
    ("overload", 500, Fault.OVERLOAD),
    ("timeout", 504, Fault.OVERLOAD),
    ("limit", 429, Fault.OUR_LIMIT),
    ("geo", 403, Fault.GEO_BLOCK),
    ("ban", 403, Fault.REFUSED),
    ("maintenance", 503, Fault.MAINTENANCE),
]


@pytest.mark.parametrize(("kind", "status", "fault"), FAULTS)
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    answer = Answer(status=response.status, headers={}, body=body)
    for probe in line.venue.probes(line.product, [line.instrument]):
        assert line.venue.read_probe(line.product, probe, answer).fault is fault


def test_probes_snapshots_and_status_are_read(line: Line) -> None:
    for probe in line.venue.probes(line.product, [line.instrument]):
        reading = line.venue.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        assert reading.server_ns is not None
        assert abs(reading.server_ns - line.world.ns) < MS
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0][0], book.asks[0][0]) == (100.5, 100.6)
    assert book.engine_ns == (line.world.ns - 3 * MS) // MS * MS
    status = line.venue.status_request(line.product)
    assert status is not None
    assert line.venue.read_status(line.product, line.rest(status.path)) == ()
    line.world.announced = [StatusNotice(state="ongoing", text="", products=("inverse",))]
    [notice] = line.venue.read_status(line.product, line.rest(status.path))
    assert (notice.state, notice.products) == ("ongoing", ("inverse",))
    line.world.announced = [StatusNotice(state="incident", text="")]
    [notice] = line.venue.read_status(line.product, line.rest(status.path))
    assert (notice.state, notice.products) == ("ongoing", ())


def test_events_of_other_instruments_do_not_leak(line: Line) -> None:
    line.start()
    other = line.world.instruments("deribit", line.product)[1]
    frames = [*line.theirs.change(other, line.world.change()), *line.theirs.top(other, line.world.top())]
    assert list[Event](line.hear(frames)) == []
