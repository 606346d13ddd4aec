"""Every decoder agrees with the twin of its venue, for all products, without sockets or time. Contents of books are
tested in ``tests.feeds.matrix``."""

from __future__ import annotations

import pytest
from msgspec import structs

from feeds.books.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Quote,
    Refusal,
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close, SimLiquidation
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import CELLS, Cell
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.agreement import EXPECTED, asked, beside_one_that_is_gone, lines
from tests.feeds.venues.line import Line, unexpected

S = 1_000 * MS
QUIET_S = 200

every_cell = pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])


def test_every_product_has_its_row() -> None:
    assert {cell.route for cell in CELLS} == EXPECTED.keys()


@every_cell
def test_every_channel_is_acknowledged_and_none_refused(cell: Cell) -> None:
    acked: set[Channel | None] = set()
    for line in lines(cell):
        events = line.start()
        assert unexpected(events) == []
        assert ack_of(events) == subscribed(line)
        acked |= {channel for channel, _ in ack_of(events)}
    assert acked == set(cell.facts.push_ms)


@every_cell
def test_a_channel_that_is_asked_for_again_is_acknowledged_again(cell: Cell) -> None:
    for line in lines(cell):
        line.start()
        for channel, symbol in subscribed(line):
            if symbol is not None:
                line.world.ns += S  # within the limits of messages
                again = line.send(line.ours.resubscribe(channel, symbol))
                assert unexpected(again) == []
                assert (channel, symbol) in ack_of(again)


@every_cell
def test_news_arrive_with_their_times(cell: Cell) -> None:
    told = EXPECTED[cell.route]
    events: list[Event] = []
    for line in lines(cell):
        world, news_ns = line.world, line.world.ns + S
        events += [e for e in line.start() if isinstance(e, Mark)]
        world.ns = news_ns
        closing = SimLiquidation(
            price="99.00", size="3.000", side="sell", engine_ns=news_ns - 2 * MS, gateway_ns=news_ns
        )
        frames = [
            *line.theirs.change(line.sim, world.change(bids=[("100.40", "9.000")])),
            *line.theirs.top(line.sim, world.top()),
            *line.theirs.trades(line.sim, [structs.replace(world.trade(8), size="2.000")]),
            *line.theirs.liquidation(line.sim, closing),
        ]
        world.ns += S
        frames += [*line.theirs.mark(line.sim, world.mark(line.sim)), *line.theirs.tick(world.ns)]
        events += line.deliver(frames)
    assert unexpected(events) == []
    change = next(e for e in events if isinstance(e, BookDelta | BookSnapshot))
    assert isinstance(change, BookSnapshot) or change.bids == [(100.4, 9.0)]
    assert times(change) == expected(news_ns - 3 * MS, news_ns - MS, told.book)
    quotes = [(q.bid, q.bid_size, q.ask, q.ask_size, times(q)) for q in events if isinstance(q, Quote)]
    shown = (100.5, 2.0, 100.6, 5.0, expected(news_ns - 3 * MS, news_ns - MS, told.quote or ""))
    assert quotes == ([] if told.quote is None else [shown])
    [trade] = [e for e in events if isinstance(e, Trade) and e.price == 100.5]  # a liquidation may be one too
    assert (trade.size, trade.side, times(trade)) == (2.0, "buy", expected(news_ns - 2 * MS, news_ns, told.trade))
    closed = [e for e in events if isinstance(e, Liquidation)]
    assert len(closed) == (told.liquidation is not None)
    for one in closed:
        assert (one.price, one.size, one.side, one.engine_ns) == (99.0, 3.0, "sell", news_ns - 2 * MS)
        assert (one.gateway_ns is not None) == ("G" in (told.liquidation or ""))
    marks = [e for e in events if isinstance(e, Mark)]
    assert bool(marks) == (told.mark is not None)
    if told.mark is not None:
        *numbers, next_told = told.mark
        for name, number in zip(("mark", "index", "funding_rate", "interval_h"), numbers, strict=True):
            assert {getattr(e, name) for e in marks} - {None} == ({number} - {None}), name
        due_ns = {e.next_funding_ns for e in marks if e.next_funding_ns is not None}
        assert len(due_ns) == next_told
        assert all(0 <= world.mark(line.sim).next_funding_ns - ns < S for ns in due_ns)


@every_cell
def test_pings_are_answered(cell: Cell) -> None:
    told = EXPECTED[cell.route]
    for line in lines(cell):
        line.start()
        ping = line.ours.ping(42)
        assert (ping is None) == (told.pong is None)
        if ping is not None:
            [pong] = line.send([ping])
            assert isinstance(pong, Pong)
            assert tuple(name for name in pong.__struct_fields__ if getattr(pong, name) is not None) == told.pong
            assert pong.token in (None, 42)
            for clock_ns in (pong.server_in_ns, pong.server_out_ns):
                assert clock_ns is None or abs(clock_ns - line.world.ns) < MS


@every_cell
def test_a_quiet_market_keeps_its_connections_and_beats(cell: Cell) -> None:
    every_s = cell.facts.app_ping_s
    for line in lines(cell):
        line.start()
        heard_s = [0]
        for second in range(1, QUIET_S + 1):
            line.world.ns += S
            events = line.deliver(line.theirs.tick(line.world.ns))  # fails on a close
            assert unexpected(events) == []
            heard_s += [second] * bool(events)
            if every_s is not None and second % every_s == 0:
                ping = line.ours.ping(second)
                assert ping is not None
                assert [type(e) for e in line.send([ping])] == [Pong]
        longest_s = max(b - a for a, b in zip(heard_s, [*heard_s[1:], QUIET_S], strict=True))
        assert longest_s == (EXPECTED[cell.route].quiet_s or QUIET_S)


@every_cell
def test_a_planned_cut_is_announced_where_the_venue_does(cell: Cell) -> None:
    told = EXPECTED[cell.route].notice
    for line in lines(cell):
        line.start()
        *words, last = line.theirs.farewell(planned=True)
        assert isinstance(last, Close)
        notices = line.deliver(words)
        assert all(isinstance(e, Notice) for e in notices)
        assert [getattr(e, "reconnect_within_s", None) for e in notices] == list(told or ())


@every_cell
def test_a_symbol_that_is_gone_does_no_harm_to_its_neighbour(cell: Cell) -> None:
    told = EXPECTED[cell.route].gone
    for line in lines(cell):
        gone = beside_one_that_is_gone(cell, line)
        events = line.start()  # fails on a close
        of_gone = {(channel, symbol) for channel, symbol in subscribed(line) if symbol == gone.symbol}
        refusals = [e for e in events if isinstance(e, Refusal)]
        assert {e.fault for e in refusals} <= {Fault.BAD_REQUEST}
        refused = {(e.channel, e.symbol) for e in refusals if e.symbol is not None}
        assert refused == (set() if told == "silent" else of_gone)
        assert ack_of(events) - refused == subscribed(line) - refused
        assert bool(ack_of(events) & of_gone) == (told != "refused")
        events += line.deliver(line.theirs.trades(line.sim, [line.world.trade(8)]))
        data = [e for e in events if isinstance(e, BookSnapshot | Quote | Mark | Trade)]
        assert {e.symbol for e in data} <= {line.instrument.symbol}
        assert set(line.apply(events)) <= {Outcome.APPLIED}


@every_cell
def test_news_of_other_instruments_do_not_leak(cell: Cell) -> None:
    for line in lines(cell):
        line.start()
        other = line.world.instruments(cell.venue, cell.product)[1]
        frames = [
            *line.theirs.change(other, line.world.change(bids=[("1.00", "1.000")])),
            *line.theirs.top(other, line.world.top()),
            *line.theirs.trades(other, [line.world.trade(1)]),
            *line.theirs.mark(other, line.world.mark(other)),
        ]
        assert list[Event](line.deliver(frames)) == []


@pytest.mark.parametrize("raw", [b"hello", b"{}", b"[]", b"\xff{"])
@every_cell
def test_they_refuse_nonsense_in_words_that_we_understand(cell: Cell, raw: bytes) -> None:
    told = EXPECTED[cell.route].nonsense
    for line in lines(cell):
        line.start()
        events = line.send([raw])
        if told is not None:
            assert len(events) == 1
        for event in events:
            assert isinstance(event, Refusal)
            assert (event.channel, event.symbol) == (None, None)
            assert event.fault in (told or Fault.BAD_REQUEST, Fault.UNKNOWN)


@every_cell
def test_probes_and_snapshots_are_read(cell: Cell) -> None:
    line = next(lines(cell))
    weights: list[float | None] = []
    for probe in line.venue.probes(cell.product, [line.instrument]):
        reading = line.venue.read_probe(cell.product, probe, asked(line, probe.request))
        assert reading.fault is None
        assert reading.server_ns is not None or not probe.gives_time
        if reading.server_ns is not None:
            assert abs(reading.server_ns - line.world.ns) < max(MS, reading.server_resolution_ns)
        weights.append(reading.weight_used)
    assert tuple(weights) == EXPECTED[cell.route].weights
    wanted = line.venue.snapshot_request(cell.product, line.instrument)
    assert wanted is not None
    for request in (wanted, line.venue.deep_snapshot_request(cell.product, line.instrument) or wanted):
        book = line.venue.read_snapshot(cell.product, line.instrument, asked(line, request))
        assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 5.0))
        assert book.engine_ns is None or 0 <= line.world.ns - book.engine_ns <= 3 * MS


@every_cell
def test_official_status_is_read(cell: Cell) -> None:
    told = EXPECTED[cell.route].status
    line = next(lines(cell))
    request = line.venue.status_request(cell.product)
    assert (request is None) == (told is None)
    if request is not None:
        assert list(line.venue.read_status(cell.product, asked(line, request))) == []
        line.world.announced = [StatusNotice(state="ongoing", text="Upgrade")]
        [notice] = line.venue.read_status(cell.product, asked(line, request))
        assert (notice.state, notice.products) == told


@pytest.mark.parametrize(
    "cell", [c for c in CELLS if VENUES[c.venue].transfer_requests(["BTC"])], ids=lambda c: c.route
)
def test_coins_are_told_to_come_and_go(cell: Cell) -> None:
    line = next(lines(cell))
    rails = [r for q in line.venue.transfer_requests(["BTC"]) for r in line.venue.read_transfers(asked(line, q))]
    assert "BTC" in {rail.coin for rail in rails}
    assert all(rail.deposit and rail.withdraw for rail in rails)


def ack_of(events: list[Event]) -> set[tuple[Channel | None, str | None]]:
    return {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}


def subscribed(line: Line) -> set[tuple[Channel, str | None]]:
    return {(s.channel, s.symbol) for s in line.plan.subscriptions}


def times(event: BookDelta | BookSnapshot | Quote | Trade) -> tuple[int | None, int | None]:
    return getattr(event, "engine_ns", None), event.gateway_ns


def expected(engine_ns: int, gateway_ns: int, told: str) -> tuple[int | None, int | None]:
    """(engine_ns, gateway_ns), None where the protocol does not carry that time."""
    return engine_ns if "E" in told else None, gateway_ns if "G" in told else None
