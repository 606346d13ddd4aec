from __future__ import annotations

import pytest

from feeds.sim.market.pair import FeedBook
from feeds.sim.registry import TWINS
from feeds.sim.twin import BookImage
from tests.bench.__main__ import EVERY_ROUTE
from tests.bench.market import NARROW, WHOLE, BenchWorld, depth_of

ROUTES = [f"{name}.{product}" for name, make in TWINS.items() for product in make().facts]


def world(route: str, depth: int) -> BenchWorld:
    return BenchWorld(TWINS[route.partition(".")[0]](), lambda: 1_790_000_000_000_000_000, "1", depth)


def best(image: BookImage) -> tuple[float, float]:
    return float(image.bids[0][0]), float(image.asks[0][0])


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("depth", [NARROW, WHOLE])
def test_a_book_never_crosses_nor_outgrows_its_depth(route: str, depth: int) -> None:
    made = world(route, depth)
    instrument = made.instruments("", None)[0]
    for _ in range(30):
        made.change(instrument, 40)
        image = made.book(instrument)
        bid, ask = best(image)
        assert 0 < bid < ask
        assert max(len(image.bids), len(image.asks)) <= depth


def test_equal_worlds_make_equal_changes() -> None:
    one, other = world("binance.linear", WHOLE), world("binance.linear", WHOLE)
    instrument = one.instruments("", "linear")[0]
    assert [one.change(instrument, 10) for _ in range(5)] == [other.change(instrument, 10) for _ in range(5)]


def test_a_change_is_as_large_as_asked_and_replays_into_the_book() -> None:
    made = world("okx.spot", WHOLE)
    instrument = made.instruments("", "spot")[0]
    followed = FeedBook()
    followed.replace(made.book(instrument))
    for _ in range(20):
        change = made.change(instrument, 200)
        assert (len(change.bids), len(change.asks)) == (200, 200)
        followed.apply(change)
    assert followed.image(None) == made.book(instrument)


def test_a_round_ends_with_a_new_best_bid_that_the_next_round_takes_away() -> None:
    made = world("bybit.linear", NARROW)
    instrument = made.instruments("", "linear")[0]
    book = made.on(instrument)
    seen: list[float] = []
    for _ in range(3):
        made.change(instrument, 40)
        assert book.mark_px is None
        before = best(made.book(instrument))
        made.change(instrument, 0)
        bid, ask = best(made.book(instrument))
        assert book.mark_px == bid
        assert before[0] < bid < ask == before[1]
        seen.append(bid)
    assert seen[0] == seen[2] != seen[1], "a mark that still stands must not end the next round"


@pytest.mark.parametrize("venue", TWINS)
def test_every_venue_has_levels_enough_for_a_batch(venue: str) -> None:
    assert EVERY_ROUTE.levels <= depth_of(venue) <= WHOLE
