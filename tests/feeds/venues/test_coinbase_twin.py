"""Coinbase against its simulated self, which was written from the protocol and not from our decoder."""

from __future__ import annotations

from random import Random

import pytest

from feeds.book import Outcome
from feeds.model import Ack, BookDelta, Channel, Event, Fault, Heartbeat, Instrument, Refusal, Trade
from feeds.sim.twin import Close
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS


@pytest.fixture
def line() -> Line:
    return Line("coinbase", "spot")


def test_every_channel_is_acknowledged_and_the_book_is_there(line: Line) -> None:
    events = line.start()
    assert strangers(events) == []
    assert {(e.channel, e.symbol) for e in events if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in line.plan.subscriptions
    }
    assert line.apply(events) == [Outcome.APPLIED]
    assert line.book.bids == {100.5: 2.0, 100.4: 3.1, 100.0: 1.0}
    assert line.book.asks == {100.6: 0.5, 100.7: 4.0, 101.0: 7.0}


def test_a_thousand_changes_among_other_messages_lead_to_the_same_book(line: Line) -> None:
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
        between = [*line.theirs.tick(line.world.ns), *line.theirs.trades(line.sim, [line.world.trade(9)])]
        assert strangers(line.hear(between)) == []
        events = line.hear(line.theirs.change(line.sim, line.world.change(*batch)))
        assert line.apply(events) == [Outcome.APPLIED]
    assert (line.book.bids, line.book.asks) == (bids, asks)


def test_a_lost_change_is_a_gap_and_asking_again_mends_it(line: Line) -> None:
    line.apply(line.start())
    line.world.change()  # never reaches the feed
    lost = line.hear(line.theirs.change(line.sim, line.world.change(asks=[("100.65", "2.000")])))
    assert line.apply(lost) == [Outcome.GAP, Outcome.SKIPPED]
    assert not line.book.bids
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    after = line.hear(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "9.000")])))
    assert line.apply(after) == [Outcome.APPLIED]
    assert line.book.bids[100.5] == 9.0


def test_both_of_the_venues_times_arrive(line: Line) -> None:
    line.start()
    [delta] = line.hear(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "9.000")])))
    assert isinstance(delta, BookDelta)
    assert (delta.engine_ns, delta.gateway_ns) == (line.world.ns - 3 * MS, line.world.ns - MS)
    events = line.hear(line.theirs.trades(line.sim, [line.world.trade(8), line.world.trade(9)]))
    trades = [e for e in events if isinstance(e, Trade)]
    assert [(t.trade_id, t.side, t.price, t.size) for t in trades] == [
        ("8", "buy", 100.5, 0.2),
        ("9", "buy", 100.5, 0.2),
    ]
    assert (trades[0].engine_ns, trades[0].gateway_ns) == (line.world.ns - 2 * MS, line.world.ns)
    assert list[Event](line.hear(line.theirs.top(line.sim, line.world.top()))) == []


def test_a_quiet_line_beats_each_second(line: Line) -> None:
    line.start()
    for _ in range(100):
        line.world.ns += S
        [beat] = line.hear(line.theirs.tick(line.world.ns))
        assert beat == Heartbeat(gateway_ns=line.world.ns)


def test_a_cut_comes_without_a_word(line: Line) -> None:
    assert [type(f) for f in line.theirs.farewell(planned=True)] == [Close]


def test_a_symbol_that_is_gone_is_refused_and_its_neighbours_live(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USD", venue_id="GONE-USD", base="GONE", quote="USD", tick=1,
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


@pytest.mark.parametrize("raw", [b"hello", b"[]", b'{"type":"dance"}', b'{"type":"subscribe","channel":"dance"}'])
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


def test_probes_and_snapshots_are_read(line: Line) -> None:
    for probe in line.venue.probes(line.product, [line.instrument]):
        reading = line.venue.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        if probe.gives_time:
            assert reading.server_ns == line.world.ns
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))
    assert book.engine_ns == line.world.ns - 3 * MS
    assert line.venue.status_request(line.product) is None


def test_events_of_other_instruments_do_not_leak(line: Line) -> None:
    line.start()
    other = line.world.instruments("coinbase", line.product)[1]
    frames = [*line.theirs.change(other, line.world.change()), *line.theirs.trades(other, [line.world.trade(1)])]
    assert list[Event](line.hear(frames)) == []
