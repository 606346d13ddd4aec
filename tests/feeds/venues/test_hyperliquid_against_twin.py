"""Hyperliquid against its simulated self, which was written from the protocol and not from our decoder."""

from __future__ import annotations

from random import Random

import pytest

from feeds.book import Outcome
from feeds.model import (
    Ack,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Instrument,
    Mark,
    Pong,
    Quote,
    Refusal,
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close, TextLevel
from feeds.venues.base import Answer, RestRequest
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS


@pytest.fixture
def line() -> Line:
    return Line("hyperliquid", "linear")


def test_every_channel_is_acknowledged_and_the_book_is_there(line: Line) -> None:
    made = line.start()
    assert strangers(made) == []
    acked = {(e.channel, e.symbol) for e in made if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}
    assert line.apply(made) == [Outcome.APPLIED, Outcome.APPLIED]
    assert line.book.bids == {100.5: 2.0, 100.4: 3.1, 100.0: 1.0}
    assert line.book.asks == {100.6: 0.5, 100.7: 4.0, 101.0: 7.0}


def test_a_thousand_books_are_the_market_as_far_as_it_is_told(line: Line) -> None:
    line.apply(line.start())
    rng = Random(7)
    deep: tuple[dict[float, float], dict[float, float]] = ({}, {})
    kinds: set[int | None] = set()
    for _ in range(1_000):
        mid = 1_000 + rng.randrange(-3, 4)
        sides: list[tuple[TextLevel, ...]] = []
        for step in (-1, 1):
            distances = sorted(rng.sample(range(1, 60), rng.randrange(3, 40)))
            sides.append(tuple((f"{mid + step * d}", f"{rng.randrange(1, 9000) / 1000:.3f}") for d in distances))
        line.world.bids, line.world.asks = sides
        line.world.ns += 550 * MS
        made = line.hear(line.theirs.change(line.sim, line.world.change()))
        books = [e for e in made if isinstance(e, BookSnapshot)]
        kinds |= {e.levels_limit for e in books}
        assert set(line.apply(made)) == {Outcome.APPLIED}
        wholes = [{float(p): float(s) for p, s in side[:20]} for side in sides]
        if len(books) == 2:
            deep = wholes[0], wholes[1]
        assert books
        for ours, truth, below, sign in (
            (line.book.bids, wholes[0], deep[0], -1),
            (line.book.asks, wholes[1], deep[1], 1),
        ):
            top = dict(list(truth.items())[:5])
            assert {price: ours[price] for price in top} == top
            worst = list(top)[-1]
            for price, size in ours.items():
                assert price in top or (below.get(price) == size and (price - worst) * sign > 0) or truth == ours
    assert {None, 20} <= kinds


def test_a_lost_book_is_made_good_by_the_next(line: Line) -> None:
    line.apply(line.start())
    line.world.bids = (("100.45", "9.000"),)
    line.world.change()  # never reaches the feed
    line.world.ns += 550 * MS
    assert set(line.apply(line.hear(line.theirs.change(line.sim, line.world.change())))) == {Outcome.APPLIED}
    assert line.book.bids == {100.45: 9.0}
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED, Outcome.APPLIED]


def test_other_channels_arrive_with_the_time_of_the_block(line: Line) -> None:
    line.start()
    engine_ns = line.world.ns - 3 * MS
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    frames += line.theirs.mark(line.sim, line.world.mark(line.sim))
    made = line.hear(frames)
    assert strangers(made) == []
    [quote] = [e for e in made if isinstance(e, Quote)]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (100.5, 2.0, 100.6, 0.5)
    assert (quote.engine_ns, quote.gateway_ns) == (engine_ns // MS * MS, None)
    [trade] = [e for e in made if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side) == (100.5, 0.2, "buy")
    assert trade.engine_ns == (line.world.ns - 2 * MS) // MS * MS
    [mark] = [e for e in made if isinstance(e, Mark)]
    assert (mark.mark, mark.index, mark.funding_rate) == (100.55, 100.52, 0.0001)


def test_pings_are_answered(line: Line) -> None:
    ping = line.ours.ping(42)
    assert ping is not None
    assert line.say([ping]) == [Pong()]


def test_books_go_on_in_a_market_that_stands_still(line: Line) -> None:
    line.start()
    told = 0
    for _ in range(20):
        line.world.ns += S
        told += len(line.apply(line.hear(line.theirs.tick(line.world.ns))))
    assert told == 20 + 3  # the fast ones, and the usual ones of three slots of five seconds


def test_a_symbol_that_is_gone_is_refused_and_its_neighbours_live(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USDC:USDC", venue_id="GONE", base="GONE", quote="USDC", tick=1,
        lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan("linear", both)
    line.ours = line.venue.session(plan, both)
    made = line.start()  # the line fails when the socket is closed
    refused = {(e.channel, e.symbol) for e in made if isinstance(e, Refusal)}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert {(e.channel, e.symbol) for e in made if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in plan.subscriptions if s.symbol != gone.symbol
    }
    assert set(line.apply(made)) == {Outcome.APPLIED}
    unchecked = b'{"method":"subscribe","subscription":{"type":"bbo","coin":"GONE"}}'
    assert list(line.theirs.receive(unchecked, line.world.ns)) == [Close(1006)]


@pytest.mark.parametrize("raw", [b"hello", b"{}", b"[]", b'{"method":"dance"}', b'{"method":"subscribe"}', b"\xff"])
def test_they_refuse_nonsense_in_words_that_we_understand(line: Line, raw: bytes) -> None:
    line.start()
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
    headers = {key.lower(): value for key, value in response.headers.items()}
    answer = Answer(status=response.status, headers=headers, body=body)
    for probe in line.venue.probes("linear", [line.instrument]):
        assert line.venue.read_probe("linear", probe, answer).fault is fault


def test_probes_snapshots_and_status_are_read(line: Line) -> None:
    def ask(request: RestRequest | None) -> Answer:
        assert request is not None
        assert request.body is not None
        return line.rest(request.path, request.method, request.body.encode())

    for probe in line.venue.probes("linear", [line.instrument]):
        reading = line.venue.read_probe("linear", probe, ask(probe.request))
        assert reading.fault is None
        assert reading.server_ns is not None
        assert 0 <= line.world.ns - reading.server_ns < reading.server_resolution_ns
    book = line.venue.read_snapshot(
        "linear", line.instrument, ask(line.venue.snapshot_request("linear", line.instrument))
    )
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))
    status = line.venue.status_request("linear")
    assert line.venue.read_status("linear", ask(status)) == ()
    line.world.announced = [StatusNotice(state="ongoing", text="network upgrade")]
    [notice] = line.venue.read_status("linear", ask(status))
    assert (notice.state, notice.text) == ("ongoing", '["network upgrade"]')


def test_events_of_other_instruments_do_not_leak(line: Line) -> None:
    line.start()
    other = line.world.instruments("hyperliquid", "linear")[1]
    frames = [*line.theirs.change(other, line.world.change()), *line.theirs.top(other, line.world.top())]
    assert list[Event](line.hear(frames)) == []
