"""Inverse contracts, without sockets: contracts of dollars in messages, quote currency in the ladder."""

from __future__ import annotations

import pytest
from msgspec import structs

from feeds.books.book import Outcome
from feeds.books.ladder import derive
from feeds.venues.registry import VENUES
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line

DOLLARS = {"binance": 100.0, "okx": 100.0, "bybit": 1.0, "deribit": 1.0}
"""Dollars of one unit of size, for Bitcoin."""


@pytest.fixture(params=DOLLARS)
def line(request: pytest.FixtureRequest) -> Line:
    made = Line(request.param, "inverse")
    unit = DOLLARS[request.param]
    assert float(made.sim.contract_size) == unit
    made.instrument = structs.replace(made.instrument, inverse=True, contract_size=unit)
    return made


def test_every_venue_with_inverse_contracts_is_here() -> None:
    assert {name for name, venue in VENUES.items() if "inverse" in venue.products} == DOLLARS.keys()


def test_depth_and_cost_are_in_dollars(line: Line) -> None:
    line.apply(line.start())
    if line.venue.rule("inverse").rest_snapshot:
        wanted = line.venue.snapshot_request("inverse", line.instrument)
        assert wanted is not None
        snapshot = line.venue.read_snapshot("inverse", line.instrument, line.rest(wanted.path))
        assert line.book.apply(snapshot, line.world.ns) is Outcome.APPLIED
    change = line.world.change(bids=[("100.50", "6")], asks=[("100.60", "0")])
    frames = list(line.theirs.change(line.sim, change))
    line.world.ns += 1_000 * MS
    assert line.apply(line.deliver([*frames, *line.theirs.tick(line.world.ns)])) == [Outcome.APPLIED]
    assert (max(line.book.bids), line.book.bids[100.5], min(line.book.asks)) == (100.5, 6.0, 100.7)
    ladder = derive(line.book.bids, line.book.asks, line.instrument)
    unit = DOLLARS[line.venue.name]
    bid_depth, ask_depth = ladder.depth(1_000.0)
    assert bid_depth == pytest.approx((6 + 3.1 + 1) * unit)
    assert ask_depth == pytest.approx((4 + 7) * unit)
    fill = ladder.walk("buy", 2 * unit)
    assert fill is not None
    assert fill.average_px == pytest.approx(100.7)
    assert fill.filled_base == pytest.approx(2 * unit / 100.7)
