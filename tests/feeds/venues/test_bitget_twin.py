"""Bitget against its simulated self, which was written from the protocol and other people's clients."""

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
    Liquidation,
    Mark,
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

S = 1_000 * MS
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.fixture(params=PRODUCTS)
def line(request: pytest.FixtureRequest) -> Line:
    return Line("bitget", request.param)


def test_every_channel_is_acknowledged_and_none_refused(line: Line) -> None:
    events = line.say(line.ours.subscribe())
    assert strangers(events) == []
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert acked == {(s.channel, s.symbol) for s in line.plan.subscriptions}


def test_the_book_follows_theirs_through_thousands_of_changes(line: Line) -> None:
    assert line.apply(line.say(line.ours.subscribe())) == [Outcome.APPLIED]
    bids, asks = dict(line.world.bids), dict(line.world.asks)
    rng = Random("bitget")
    for n in range(3_000):
        line.world.ns += 50 * MS
        side, low = (bids, 9_000) if n % 2 else (asks, 10_060)
        price = f"{rng.randrange(low, low + 1_000) / 100:.2f}"
        size = "0" if rng.random() < 0.4 else f"{rng.randrange(1, 10_000) / 1000:.3f}"
        news = [(price, size)]
        if size == "0":
            if side.pop(price, None) is None:
                continue
        else:
            side[price] = size
        change = line.world.change(**{"bids" if n % 2 else "asks": news})
        assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    for ours, theirs in ((line.book.bids, bids), (line.book.asks, asks)):
        assert ours == {float(price): float(size) for price, size in theirs.items()}


def test_a_lost_change_is_noticed_and_mended(line: Line) -> None:
    line.apply(line.say(line.ours.subscribe()))
    line.world.change()  # never reaches the feed
    line.world.ns += S
    change = line.world.change(asks=[("100.65", "2.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.GAP]
    assert not line.book.bids
    change = line.world.change(asks=[("100.66", "2.000")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.SKIPPED]
    again = line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert strangers(again) == []
    assert line.apply(again) == [Outcome.APPLIED]
    change = line.world.change(bids=[("100.50", "0")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
    assert max(line.book.bids) == 100.4


def test_a_wrong_checksum_changes_nothing_since_none_is_sent(line: Line) -> None:
    line.apply(line.say(line.ours.subscribe()))
    change = line.world.change(bids=[("100.50", "0")])
    [delta] = line.hear(line.theirs.change(line.sim, change))
    assert isinstance(delta, BookDelta)
    assert delta.checksum is None


def test_best_prices_trades_and_liquidations_arrive_with_both_times(line: Line) -> None:
    line.say(line.ours.subscribe())
    line.world.ns += S
    line.world.change()
    engine_ns = line.world.ns - 2 * MS
    frames = [*line.theirs.top(line.sim, line.world.top()), *line.theirs.trades(line.sim, [line.world.trade(8)])]
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    frames += line.theirs.liquidation(line.sim, closing)
    events = line.hear([*frames, *line.theirs.tick(line.world.ns)])
    assert strangers(events) == []
    [quote] = [e for e in events if isinstance(e, Quote)]
    assert (quote.bid, quote.ask, quote.bid_size) == (100.5, 100.6, 2.0)
    assert quote.engine_ns is not None
    assert quote.gateway_ns is not None
    assert 0 < quote.gateway_ns - quote.engine_ns <= 3 * MS
    [trade] = [e for e in events if isinstance(e, Trade)]
    assert (trade.price, trade.side, trade.engine_ns) == (100.5, "buy", engine_ns // MS * MS)
    liquidations = [e for e in events if isinstance(e, Liquidation)]
    if line.product == "spot":
        assert liquidations == []
    else:
        [liquidation] = liquidations
        assert (liquidation.side, liquidation.price) == ("sell", 99.0)
        assert liquidation.size == pytest.approx(0.3)
        assert liquidation.engine_ns == engine_ns // MS * MS


def test_marks_and_funding(line: Line) -> None:
    marks = [e for e in line.say(line.ours.subscribe()) if isinstance(e, Mark)]
    if line.product == "spot":
        assert marks == []
        return
    [mark] = marks
    assert (mark.mark, mark.index, mark.funding_rate) == (100.55, 100.52, 0.0001)
    assert mark.next_funding_ns == line.world.mark(line.sim).next_funding_ns // MS * MS


def test_keepalive_saves_the_connection_and_silence_loses_it(line: Line) -> None:
    for _ in range(30):
        line.world.ns += 10 * S
        assert [type(e) for e in line.say([line.ours.ping(1) or ""])] == [Pong]
        assert line.hear(line.theirs.tick(line.world.ns)) == []
    line.world.ns += 121 * S
    assert [type(out) for out in line.theirs.tick(line.world.ns)] == [Close]


def test_a_symbol_that_is_gone_is_refused_and_its_neighbour_lives(line: Line) -> None:
    gone = Instrument(
        route=line.instrument.route, symbol="GONE", venue_id="GONEUSDT", base="GONE", quote="USDT", tick=1, lot=1,
        taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = line.venue.plan(line.product, both)
    line.ours = line.venue.session(plan, both)
    events = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol, e.fault) for e in events if isinstance(e, Refusal)}
    acked = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
    assert refused == {(s.channel, "GONE", Fault.BAD_REQUEST) for s in plan.subscriptions if s.symbol == "GONE"}
    assert acked == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol != "GONE"}


def test_garbage_is_survived_on_both_sides(line: Line) -> None:
    line.apply(line.say(line.ours.subscribe()))
    [refusal] = line.say([b"\xff{"])
    assert isinstance(refusal, Refusal)
    assert [type(e) for e in line.hear([b"\xff\xfe"])] == [Garbled]
    change = line.world.change(bids=[("100.50", "0")])
    assert line.apply(line.hear(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [
        ("overload", 503, Fault.OVERLOAD),
        ("overload", 500, Fault.OVERLOAD),
        ("limit", 429, Fault.OUR_LIMIT),
        ("geo", 403, Fault.GEO_BLOCK),
        ("ban", 403, Fault.REFUSED),
        ("maintenance", 503, Fault.MAINTENANCE),
        ("timeout", 400, Fault.OVERLOAD),
    ],
)
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
        assert reading.server_ns is not None
        assert abs(reading.server_ns - line.world.ns) <= MS
        assert reading.weight_used == 1.0
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0][0], book.asks[0][0]) == (100.5, 100.6)
