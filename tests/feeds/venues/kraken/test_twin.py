"""Kraken against its simulator twin, which was written from the documents and not from our decoder."""

from __future__ import annotations

from random import Random

import pytest
from msgspec import structs

from feeds.books.book import Outcome
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
    Trade,
)
from feeds.sim.twin import Change, Close, SimLiquidation
from feeds.venues.base import Answer
from feeds.venues.kraken.venue import UNIFIED_STARTS_S, Kraken
from feeds.venues.registry import VENUES
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, unexpected

S = 1_000 * MS
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.fixture(autouse=True)
def before_march_2027(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date at which derivatives still have the websocket v1."""
    monkeypatch.setitem(VENUES, "kraken", Kraken(lambda: UNIFIED_STARTS_S - 1))


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("kraken", request.param)


@pytest.fixture
def spot() -> Line:
    return Line("kraken", "spot")


def test_every_channel_is_acknowledged_and_the_book_is_there(line: Line) -> None:
    events = line.start()
    assert unexpected(events) == []
    assert {(e.channel, e.symbol) for e in events if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in line.plan.subscriptions
    }
    assert line.apply(events) == [Outcome.APPLIED]
    assert line.book.bids == {100.5: 2.0, 100.4: 3.1, 100.0: 1.0}
    assert line.book.asks == {100.6: 0.5, 100.7: 4.0, 101.0: 7.0}


def test_a_thousand_changes_lead_to_the_same_book(line: Line) -> None:
    line.apply(line.start())
    rng = Random(7)
    bids, asks = ({float(p): float(s) for p, s in side} for side in (line.world.bids, line.world.asks))
    for _ in range(1_500):
        batch: list[list[tuple[str, str]]] = [[], []]
        for side, book, base in ((batch[0], bids, 80.0), (batch[1], asks, 101.0)):
            for step in sorted(rng.sample(range(195), rng.randrange(3))):
                price, size = f"{base + step / 10:.2f}", rng.choice(["0", f"{rng.randrange(1, 9000) / 1000:.3f}"])
                side.append((price, size))
                book[float(price)] = float(size)
                if size == "0":
                    del book[float(price)]
        line.world.ns += 50 * MS
        events = line.deliver(line.theirs.change(line.sim, line.world.change(*batch)))
        assert set(line.apply(events)) <= {Outcome.APPLIED}
    assert (line.book.bids, line.book.asks) == (bids, asks)


def test_levels_that_fall_out_and_come_back_follow_the_depth(spot: Line) -> None:
    """The market has more levels than are subscribed: levels that drop out are not deleted, and checksums must still
    agree."""
    spot.world.bids = tuple((f"{100 - n / 10:.2f}", "1.000") for n in range(501))
    spot.apply(spot.start())
    assert (len(spot.book.bids), min(spot.book.bids)) == (500, 50.1)
    [pushed] = spot.apply(spot.deliver(spot.theirs.change(spot.sim, spot.world.change(bids=[("100.50", "3.000")]))))
    assert pushed is Outcome.APPLIED
    assert (len(spot.book.bids), min(spot.book.bids)) == (500, 50.2)
    spot.apply(spot.deliver(spot.theirs.change(spot.sim, spot.world.change(bids=[("100.50", "0"), ("99.00", "0")]))))
    assert (len(spot.book.bids), min(spot.book.bids)) == (500, 50.0)


def test_a_lost_change_is_noticed_and_asking_again_mends_it(line: Line) -> None:
    line.apply(line.start())
    line.world.change()  # never reaches the feed; the book behind it has moved on
    line.world.bids = (("100.50", "2.500"), *line.world.bids[1:])
    lost = line.apply(line.deliver(line.theirs.change(line.sim, line.world.change(asks=[("100.70", "2.000")]))))
    assert lost == [Outcome.BAD_CHECKSUM if line.product == "spot" else Outcome.GAP]
    assert not line.book.bids
    again = line.send(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert unexpected(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    assert line.book.bids[100.5] == 2.5


def test_a_wrong_checksum_is_noticed(spot: Line) -> None:
    spot.apply(spot.start())
    change: Change = structs.replace(spot.world.change(bids=[("100.50", "1.000")]), wrong_checksum=True)
    assert spot.apply(spot.deliver(spot.theirs.change(spot.sim, change))) == [Outcome.BAD_CHECKSUM]


def test_other_channels_arrive_with_the_venues_times(line: Line) -> None:
    line.start()
    line.world.change()
    engine_ns = line.world.ns - 2 * MS
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    frames += line.theirs.liquidation(line.sim, closing)
    frames += line.theirs.mark(line.sim, line.world.mark(line.sim))
    events = line.deliver(frames)
    assert unexpected(events) == []
    trade = next(e for e in events if isinstance(e, Trade))
    assert (trade.price, trade.size, trade.side, trade.engine_ns) == (100.5, 0.2, "buy", engine_ns)
    quotes = [e for e in events if isinstance(e, Quote)]
    marks = [e for e in events if isinstance(e, Mark)]
    closed = [(e.side, e.price, e.size, e.engine_ns) for e in events if isinstance(e, Liquidation)]
    if line.product == "spot":
        assert [(q.bid, q.bid_size, q.ask, q.ask_size) for q in quotes] == [(100.5, 2.0, 100.6, 0.5)]
        assert quotes[0].engine_ns == line.world.ns - 3 * MS
        assert not marks
        assert not closed
        return
    assert closed == [("sell", 99.0, 0.3, engine_ns)]
    assert [(m.mark, m.index, m.funding_rate, m.interval_h) for m in marks] == [(100.55, 100.52, 0.0000125, 1.0)]


def test_a_ping_brings_the_times_at_which_they_had_it(spot: Line) -> None:
    ping = spot.ours.ping(42)
    assert ping is not None
    [pong] = spot.send([ping])
    assert isinstance(pong, Pong)
    assert (pong.token, pong.server_in_ns) == (42, spot.world.ns)
    assert pong.server_out_ns == spot.world.ns + 48_000


def test_a_quiet_line_beats(line: Line) -> None:
    line.start()
    for _ in range(70):
        line.world.ns += S
        beats = line.deliver(line.theirs.tick(line.world.ns))
        assert [type(e) for e in beats] == [Heartbeat]


def test_a_planned_cut(line: Line) -> None:
    frames = line.theirs.farewell(planned=True)
    assert isinstance(frames[-1], Close)
    notices = line.deliver([f for f in frames if not isinstance(f, Close)])
    assert all(isinstance(e, Notice) for e in notices)
    assert len(notices) == (1 if line.product == "spot" else 0)


def test_a_symbol_that_is_gone_is_refused_and_its_neighbours_live(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USD", venue_id="PF_GONEUSD", base="GONE", quote="USD", tick=1,
        lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan(line.product, both)
    line.ours = line.venue.session(plan, both)
    events = line.start()
    refused = {(e.channel, e.symbol) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol}
    assert line.apply(events) == [Outcome.APPLIED]


@pytest.mark.parametrize("raw", [b"hello", b"[]", b'{"method":"dance","event":"dance"}'])
def test_they_refuse_nonsense_in_words_that_we_understand(line: Line, raw: bytes) -> None:
    [event] = line.send([raw])
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
        if probe.gives_time:
            assert reading.server_ns is not None
            assert 0 <= line.world.ns - reading.server_ns < reading.server_resolution_ns
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))
    status = line.venue.status_request(line.product)
    if status is not None:
        assert list(line.venue.read_status(line.product, line.rest(status.path))) == []


def test_events_of_other_instruments_do_not_leak(line: Line) -> None:
    line.start()
    other = line.world.instruments("kraken", line.product)[1]
    frames = [*line.theirs.change(other, line.world.change(bids=[("1.00", "1.000")]))]
    frames += line.theirs.top(other, line.world.top())
    assert list[Event](line.deliver(frames)) == []
