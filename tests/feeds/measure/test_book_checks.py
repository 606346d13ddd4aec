"""Checks of books, and that a step of our wall clock moves no interval."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from feeds.books.route_books import PairState, RouteBooks
from feeds.clock import SECOND
from feeds.measure.book_checks import BookChecks
from feeds.model import BookDelta, BookSnapshot, Event, Liquidation, Quote, Trade
from feeds.samples import BookSample
from feeds.venues.sequence import Unsequenced
from tests.feeds.advise.routes import instrument
from tests.feeds.loopback import FakeClock

ROUTE, SYMBOL = "fake.spot", "BTC/USDT"
HOUR_S = 3600.0


class Checked:
    """A book under its checks, on a clock moved by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.widened: list[str] = []
        self.books = RouteBooks(
            ROUTE,
            SimpleNamespace(rule=lambda product: Unsequenced()),
            "spot",
            [instrument(ROUTE, symbol=SYMBOL, venue_id=SYMBOL, settle=None)],
            resync=lambda symbol, origin: None,
            notice=lambda text, within_s: None,
            log_event=lambda code, text: None,
        )
        self.checks = BookChecks(self.books, 5.0, self.widened.append)

    @property
    def pair(self) -> PairState:
        return self.books.pairs[SYMBOL]

    def come(self, *events: Event) -> None:
        origin = SimpleNamespace(label="public")
        self.books.events(origin, events, self.clock.time_ns(), self.clock.monotonic_ns())

    def book(self, mid: float = 100.0) -> None:
        bids, asks = ([(mid + sign * (0.05 + n / 10), 1.0) for n in range(20)] for sign in (-1, 1))
        self.come(BookSnapshot(symbol=SYMBOL, bids=bids, asks=asks))

    def quote(self, mid: float) -> None:
        self.come(Quote(symbol=SYMBOL, bid=mid - 0.05, bid_size=1.0, ask=mid + 0.05, ask_size=1.0))

    def trade(self) -> None:
        self.come(Trade(symbol=SYMBOL, price=100.0, size=1.0, side="buy"))

    def sample(self) -> BookSample:
        return self.checks.sample(SYMBOL, self.clock.time_ns(), self.clock.monotonic_ns())


@pytest.mark.parametrize("step_s", [0.0, HOUR_S, -HOUR_S])
def test_a_step_of_the_wall_clock_moves_no_interval(step_s: float) -> None:
    it = Checked()
    it.book()
    it.come(Liquidation(symbol=SYMBOL, price=100.0, size=2.0, side="sell"))
    it.clock.advance(0.5)
    it.clock.wall_ns += int(step_s * SECOND)
    assert it.sample().age_ms == 500.0
    assert it.checks.frozen(it.clock.monotonic_ns()) == 0
    for _ in range(3):
        it.trade()
    it.clock.advance(9.0)
    assert it.checks.frozen(it.clock.monotonic_ns()) == 0, "two limits of 5 s are not over"
    assert it.pair.liquidated(it.clock.monotonic_ns()) == 200.0
    it.clock.advance(1.0)
    assert it.checks.frozen(it.clock.monotonic_ns()) == 1


@pytest.mark.parametrize("step_s", [0.0, HOUR_S, -HOUR_S])
def test_a_fresh_quote_that_contradicts_the_book_disagrees_in_the_third_sample(step_s: float) -> None:
    it = Checked()
    found = []
    for _ in range(4):
        it.book(100.0)
        it.quote(101.0)
        it.clock.wall_ns += int(step_s * SECOND)
        it.clock.advance(0.9)
        found.append(it.sample().disagrees)
    assert found == [False, False, True, True]
    it.clock.advance(0.2)
    assert not it.sample().disagrees, "an old quote says nothing"


def test_a_quote_near_the_book_agrees() -> None:
    it = Checked()
    for _ in range(4):
        it.book(100.0)
        it.quote(100.1)
        assert not it.sample().disagrees


def test_a_book_that_changes_is_not_frozen() -> None:
    it = Checked()
    it.book()
    for n in range(20):
        it.trade()
        it.come(BookDelta(symbol=SYMBOL, bids=[(99.0, 1.0 + n)], asks=[]))
        it.clock.advance(1.0)
        assert it.checks.frozen(it.clock.monotonic_ns()) == 0


def test_a_narrow_book_is_widened_once_in_a_while() -> None:
    it = Checked()
    bids, asks = [(99.0, 1.0)], [(101.0, 1.0)]
    it.come(BookSnapshot(symbol=SYMBOL, bids=bids, asks=asks, levels_limit=1))
    it.checks.keep_wide(SYMBOL, it.clock.monotonic_ns())
    it.checks.keep_wide(SYMBOL, it.clock.monotonic_ns())
    assert it.widened == [SYMBOL]
    it.clock.advance(301.0)
    it.checks.keep_wide(SYMBOL, it.clock.monotonic_ns())
    assert it.widened == [SYMBOL, SYMBOL]
