"""Dividing an order: nothing lost, nothing invented, never dearer than one route."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.advise.pricing import MarketConditions, PricedOrder, price_route
from feeds.advise.route_cost import RouteCost
from feeds.advise.settings import AdviceSettings
from feeds.advise.split import _spend_rest, best_split, by_venue
from feeds.model import Side
from tests.feeds.advise.routes import view

CALM = MarketConditions(1.0, 20.0, 20.0)


def make(route: str, notional: float, side: Side = "buy", **changes: Any) -> RouteCost:
    order = PricedOrder(side=side, notional=notional, currency="USDT", reference=100_000.0, conditions=CALM)
    found = price_route(route, view(route, **changes), order, AdviceSettings())
    assert found is not None
    return found


def test_two_thin_books_are_better_than_one() -> None:
    routes = [make("okx.linear", 1e6, size=1.0), make("bybit.linear", 1e6, size=1.0)]
    split = best_split(routes, 1e6)
    single = min(x.cost(1e6).total_bps for x in routes)
    assert {part.route for part in split.parts} == {"okx.linear", "bybit.linear"}
    assert split.cost_bps is not None and split.cost_bps < single - 0.1
    assert split.parts[0].amount == pytest.approx(split.parts[1].amount, rel=0.01)


def test_the_dearer_book_is_left_alone_while_the_cheaper_one_lasts() -> None:
    cheap = make("okx.linear", 1e5, size=50.0)
    dear = make("bybit.linear", 1e5, size=50.0, listing={"taker_fee": 0.001})
    assert [part.route for part in best_split([dear, cheap], 1e5).parts] == ["okx.linear"]


def test_what_the_books_cannot_take_stays_unallocated() -> None:
    # 20 levels of 0.01 coins each: about 20 000 on either
    routes = [make("okx.linear", 1e5, size=0.01), make("bybit.linear", 1e5, size=0.01)]
    split = best_split(routes, 1e5)
    assert split.allocated == pytest.approx(40_000, rel=0.01)
    assert split.unallocated == 1e5 - split.allocated


def test_nothing_to_trade_on_leaves_everything() -> None:
    split = best_split([], 5_000.0)
    assert (split.parts, split.unallocated, split.cost_bps) == ((), 5_000.0, None)


def test_a_part_below_a_venues_minimum_goes_elsewhere() -> None:
    big = make("okx.linear", 1e6, size=9.0, count=40)
    picky = make("bybit.linear", 1e6, spread_bps=0.1, size=0.1, count=2, listing={"min_size": 5.0})
    split = best_split([big, picky], 1e6)
    assert [part.route for part in split.parts] == ["okx.linear"]
    assert split.unallocated < 200


def test_of_two_parts_below_their_minimums_the_smaller_one_gives_way() -> None:
    cheap = make("okx.linear", 3e5, size=0.1, count=10)
    more = make("bybit.linear", 3e5, size=0.3, listing={"taker_fee": 0.0006, "min_size": 1.9})
    less = make("kraken.linear", 3e5, size=0.3, listing={"taker_fee": 0.00063, "min_size": 1.9})
    assert {part.route for part in best_split([cheap, more, less], 3e5).parts} == {"okx.linear", "bybit.linear"}


def test_one_route_alone_when_its_minimum_spoils_the_best_division() -> None:
    # divided freely each would get a part below its minimum; bybit alone would be dearer than okx alone
    picky = make("okx.linear", 1.2e5, size=0.5, listing={"min_size": 1.0})
    flat = make("bybit.linear", 1.2e5, spread_bps=0.38, size=5.0, listing={"min_size": 1.0})
    assert [part.route for part in best_split([picky, flat], 1.2e5).parts] == ["okx.linear"]


def test_a_minimum_in_money_is_kept_too() -> None:
    routes = [make("okx.linear", 50.0, listing={"lot": 1e-5, "min_size": 1e-5, "min_notional": 100.0})]
    assert best_split(routes, 99.0).parts == ()
    assert best_split(routes, 110.0).parts != ()


def test_the_rest_of_coarse_lots_goes_to_the_fine_ones() -> None:
    coarse = make("okx.linear", 100_500.0, size=9.0, listing={"lot": 1.0, "contract_size": 1.0, "min_size": 1.0})
    fine = make("bybit.linear", 100_500.0, size=9.0, listing={"taker_fee": 0.0006})
    split = best_split([coarse, fine], 100_500.0)
    amounts = by_venue(split)
    assert amounts["okx"] == pytest.approx(100_000, rel=1e-3)
    assert amounts["bybit"] == pytest.approx(400, abs=110)
    assert split.unallocated < 101


def test_a_lot_too_many_is_given_back_where_it_is_dearest() -> None:
    """What rounding of running sums could do; the books have to be unlucky for it."""
    cheap, dear = make("okx.linear", 1e5), make("bybit.linear", 1e5, listing={"taker_fee": 0.001})
    lots = {"okx.linear": 500, "bybit.linear": 500}
    _spend_rest([cheap, dear], lots, cheap.amount_of(500) + dear.amount_of(500) - 0.001)
    assert lots == {"okx.linear": 500, "bybit.linear": 499}


ROUTES = ("binance.linear", "okx.linear", "bybit.linear", "kraken.linear")
books = st.fixed_dictionaries(
    {
        "mid": st.floats(99_900, 100_100),
        "spread_bps": st.floats(0.01, 20),
        "size": st.floats(0.001, 20),
        "count": st.integers(1, 30),
        "listing": st.fixed_dictionaries(
            {
                "lot": st.sampled_from([1e-5, 0.001, 0.01, 0.1]),
                "min_size": st.one_of(st.none(), st.floats(0.001, 3)),
                "min_notional": st.one_of(st.none(), st.floats(1, 1e5)),
                "taker_fee": st.floats(-0.0002, 0.001),
            }
        ),
    }
)


@settings(deadline=None)
@given(
    sides=st.lists(books, min_size=1, max_size=4),
    notional=st.floats(1, 5e6),
    side=st.sampled_from(["buy", "sell"]),
    order=st.randoms(use_true_random=False),
)
def test_money_is_conserved_and_never_wasted(
    sides: list[dict[str, Any]], notional: float, side: Side, order: Any
) -> None:
    routes = [make(route, notional, side, **book) for route, book in zip(ROUTES, sides, strict=False)]
    split = best_split(routes, notional)

    # conservation, exactly
    assert math.fsum([*(part.amount for part in split.parts), split.unallocated]) == notional
    assert sum(part.amount for part in split.parts) + split.unallocated == notional
    assert split.unallocated >= 0

    # every part is one that the venue would take, and no more than its book has
    by_route = {x.route: x for x in routes}
    for part in split.parts:
        assert by_route[part.route].allowed(part.lots)
        assert part.amount <= by_route[part.route].capacity
        assert part.amount == by_route[part.route].amount_of(part.lots)

    # never dearer than one route, unless that one leaves more over
    for single in routes:
        lots = single.lots_for(notional)
        if not single.allowed(lots):
            continue
        left = notional - single.amount_of(lots)
        assert split.cost_bps is not None
        assert split.cost_bps <= single.average_bps(lots) + 1e-6 or split.unallocated < left

    # the order in which routes are given changes nothing
    shuffled = list(routes)
    order.shuffle(shuffled)
    assert best_split(shuffled, notional) == split


@settings(deadline=None)
@given(sides=st.lists(books, min_size=2, max_size=4), notional=st.floats(1_000, 5e6))
def test_one_route_less_never_places_more(sides: list[dict[str, Any]], notional: float) -> None:
    fine = [{**book, "listing": {**book["listing"], "min_size": None, "min_notional": None}} for book in sides]
    routes = [make(route, notional, **book) for route, book in zip(ROUTES, fine, strict=False)]
    everything, less = best_split(routes, notional), best_split(routes[1:], notional)
    # up to what a lot of every route is worth
    slack = sum(x.lot * 100_200 for x in routes)
    assert everything.unallocated <= less.unallocated + slack
    if everything.unallocated < slack and less.unallocated < slack and less.cost_bps is not None:
        assert everything.cost_bps is not None
        assert everything.cost_bps * everything.allocated <= less.cost_bps * less.allocated + 30 * slack


fine_books = st.fixed_dictionaries(
    {
        "mid": st.floats(99_900, 100_100),
        "spread_bps": st.floats(0.01, 20),
        "size": st.floats(0.01, 20),
        "count": st.integers(1, 30),
        "listing": st.fixed_dictionaries(
            {"lot": st.just(1e-6), "min_size": st.none(), "taker_fee": st.floats(-0.0002, 0.001)}
        ),
    }
)
"""Lots so fine, and no minimums, that rounding costs next to nothing."""
ROUNDING_BPS = 0.05


@settings(deadline=None)
@given(
    sides=st.lists(fine_books, min_size=1, max_size=4),
    notional=st.floats(1_000, 5e6),
    factor=st.floats(1, 50),
    side=st.sampled_from(["buy", "sell"]),
)
def test_a_larger_order_is_never_cheaper_per_unit(
    sides: list[dict[str, Any]], notional: float, factor: float, side: Side
) -> None:
    routes = [make(route, notional * factor, side, **book) for route, book in zip(ROUTES, sides, strict=False)]
    small, large = best_split(routes, notional), best_split(routes, notional * factor)
    assert small.cost_bps is not None and large.cost_bps is not None
    assert large.cost_bps >= small.cost_bps - ROUNDING_BPS


@settings(deadline=None)
@given(
    sides=st.lists(fine_books, min_size=2, max_size=4),
    notional=st.floats(1_000, 5e6),
    side=st.sampled_from(["buy", "sell"]),
)
def test_taking_a_route_away_never_lowers_the_cost(sides: list[dict[str, Any]], notional: float, side: Side) -> None:
    routes = [make(route, notional, side, **book) for route, book in zip(ROUTES, sides, strict=False)]
    everything = best_split(routes, notional)
    for gone in routes:
        rest = best_split([route for route in routes if route is not gone], notional)
        assert rest.unallocated >= everything.unallocated - 1.0
        # where less is placed, what is placed may well be the cheaper part
        if rest.unallocated <= everything.unallocated + 1.0:
            assert rest.cost_bps is not None and everything.cost_bps is not None
            assert rest.cost_bps >= everything.cost_bps - ROUNDING_BPS
