"""Bitfinex against its simulated self, which was written from the protocol and other people's clients."""

from __future__ import annotations

from random import Random

import pytest
from msgspec import structs

from feeds.book import Outcome
from feeds.model import (
    Ack,
    Channel,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
)
from feeds.sim.twin import Close, SimLiquidation
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("bitfinex", request.param)


def test_every_channel_is_acknowledged_and_none_refused(line: Line) -> None:
    events = line.start()
    assert strangers(events) == []
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}


def test_books_and_best_prices_follow_theirs_through_thousands_of_changes(line: Line) -> None:
    """Every checksum agrees on the way, sizes with tails and below a millionth included."""
    assert set(line.apply(line.start())) == {Outcome.APPLIED}
    bids, asks = dict(line.world.bids), dict(line.world.asks)
    rng = Random("bitfinex")
    for n in range(3_000):
        line.world.ns += 50 * MS
        side, low = (bids, 9_000) if n % 2 else (asks, 10_060)
        price = f"{rng.randrange(low, low + 1_000) / 100:.2f}"
        size = "0" if rng.random() < 0.4 else f"{rng.randrange(1, 10 ** rng.randrange(1, 12)) / 1e8:.8f}"
        if size == "0":
            if side.pop(price, None) is None:
                continue
        else:
            side[price] = size
        change = line.world.change(**{"bids" if n % 2 else "asks": [(price, size)]})
        events = line.hear(line.theirs.change(line.sim, change))
        assert set(line.apply(events)) <= {Outcome.APPLIED}
        for quote in events:
            if isinstance(quote, Quote):
                assert (quote.bid, quote.ask) == (max(map(float, bids)), min(map(float, asks)))
    for ours, theirs in ((line.book.bids, bids), (line.book.asks, asks)):
        levels = sorted(((float(p), float(s)) for p, s in theirs.items()), reverse=ours is line.book.bids)
        assert dict(levels[:250]) == ours


def test_a_lost_change_is_noticed_and_mended(line: Line) -> None:
    line.apply(line.start())
    line.world.change()  # never reaches the feed
    line.world.ns += S
    change = line.world.change(asks=[("100.65", "2.000")])
    frames = [str(frame).encode() for frame in line.theirs.change(line.sim, change)]
    events = [event for raw in frames for event in line.ours.receive(raw, line.world.ns)]
    assert line.apply(events)[0] is Outcome.GAP
    asked = [e.payload for e in events if isinstance(e, Reply)]  # best prices are mended at once
    assert [type(e) for e in line.say(asked) if isinstance(e, Quote)] == [Quote]
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED, Outcome.APPLIED]
    change = line.world.change(bids=[("100.50", "0")])
    assert set(line.apply(line.hear(line.theirs.change(line.sim, change)))) == {Outcome.APPLIED}
    assert max(line.book.bids) == 100.4


def test_a_wrong_checksum_empties_the_book(line: Line) -> None:
    line.apply(line.start())
    change = structs.replace(line.world.change(bids=[("100.50", "0")]), wrong_checksum=True)
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED, Outcome.BAD_CHECKSUM]
    assert not line.book.bids
    assert line.apply(line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol)))[0] is Outcome.APPLIED


def test_trades_liquidations_and_marks_arrive_once_with_their_times(line: Line) -> None:
    line.start()
    line.world.ns += S
    engine_ns = line.world.ns - 2 * MS
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    frames = [
        *line.theirs.trades(line.sim, [line.world.trade(8)]),
        *line.theirs.liquidation(line.sim, closing),
        *line.theirs.mark(line.sim, line.world.mark(line.sim)),
    ]
    events = line.hear(frames)
    assert strangers(events) == []
    [trade] = [e for e in events if isinstance(e, Trade)]
    assert (trade.price, trade.size, trade.side, trade.engine_ns) == (100.5, 0.2, "buy", engine_ns // MS * MS)
    assert trade.gateway_ns == line.world.ns // MS * MS
    liquidations = [(e.side, e.price, e.size) for e in events if isinstance(e, Liquidation)]
    marks = [(e.mark, e.index, e.funding_rate) for e in events if isinstance(e, Mark)]
    derivative = line.product == "linear"
    assert liquidations == ([("sell", 99.0, 0.3)] if derivative else [])
    assert marks == ([(100.55, 100.52, 0.0001)] if derivative else [])


def test_pings_tell_the_time_and_quiet_channels_beat(line: Line) -> None:
    line.start()
    [pong] = line.say([line.ours.ping(9) or ""])
    assert isinstance(pong, Pong)
    assert (pong.token, pong.server_out_ns) == (9, line.world.ns // MS * MS)
    line.world.ns += 15 * S
    beats = line.hear(line.theirs.tick(line.world.ns))
    assert {type(e) for e in beats} == {Heartbeat}
    assert len(beats) == len(line.plan.subscriptions)


def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE", venue_id="tGONE:UST", base="GONE", quote="USDT", tick=1, lot=1,
        taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan(line.product, both)
    line.ours = line.venue.session(plan, both)
    events = line.start()
    refused = {(e.channel, e.symbol, e.fault) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, "GONE", Fault.BAD_REQUEST) for s in plan.subscriptions if s.symbol == "GONE"}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != "GONE"}


def test_garbage_is_survived_on_both_sides(line: Line) -> None:
    line.apply(line.start())
    [refusal] = line.say([b"\xff{"])
    assert isinstance(refusal, Refusal)
    assert [type(e) for e in line.hear([b"\xff\xfe"])] == [Garbled]
    change = line.world.change(bids=[("100.50", "0")])
    assert set(line.apply(line.hear(line.theirs.change(line.sim, change)))) == {Outcome.APPLIED}


def test_a_planned_cut_is_announced(line: Line) -> None:
    line.start()
    notice, close = line.theirs.farewell(planned=True)
    assert isinstance(close, Close)
    [event] = line.hear([notice])
    assert getattr(event, "reconnect_within_s", None) == 0.0


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [
        ("overload", 503, Fault.OVERLOAD),
        ("overload", 500, Fault.OVERLOAD),
        ("limit", 429, Fault.OUR_LIMIT),
        ("ban", 429, Fault.OUR_LIMIT),
        ("geo", 403, Fault.GEO_BLOCK),
        ("maintenance", 503, Fault.MAINTENANCE),
        ("timeout", 524, Fault.OVERLOAD),
    ],
)
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    answer = Answer(status=response.status, headers={}, body=body)
    [probe] = line.venue.probes(line.product, [line.instrument])
    assert line.venue.read_probe(line.product, probe, answer).fault is fault


def test_probes_books_status_and_transfers_are_read(line: Line) -> None:
    [probe] = line.venue.probes(line.product, [line.instrument])
    assert line.venue.read_probe(line.product, probe, line.rest(probe.request.path)).fault is None
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    status = line.venue.status_request(line.product)
    assert wanted is not None
    assert status is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))
    assert line.venue.read_status(line.product, line.rest(status.path)) == ()
    [asked] = line.venue.transfer_requests(["BTC"])
    rails = line.venue.read_transfers(line.rest(asked.path))
    assert {rail.coin for rail in rails} >= {"BTC", "ETH", "USDT", "USDC"}
    assert all(rail.deposit and rail.withdraw for rail in rails)
