"""An order priced everywhere: what each route costs, who is cheapest, the split, what is lost without a venue."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.advise.adviser import advise
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.frame import Order
from feeds.model import Cause, State
from tests.feeds.advise.routes import BINANCE, BUY, BYBIT, OKX, SLOW, SYMBOL, ask, three, view


def test_on_a_calm_day_home_is_best_and_nothing_speaks_against_it() -> None:
    row = ask(three())
    assert (row.best, row.saving_bps, row.why, row.excluded) == (BINANCE, 0.0, "", ())
    assert row.unallocated < 101  # a lot
    assert [cost.route for cost in row.costs] == [BINANCE, OKX, BYBIT]


def test_a_congested_home_is_left_with_the_saving_and_the_reason() -> None:
    slow = view(
        BINANCE, size=50.0, state=State.CONGESTED, cause=Cause.GATEWAY, reasons=(SLOW,), rtt_ms=2500.0, error_share=0.3
    )
    row = ask(three(binance=slow))
    assert row.best == OKX
    assert row.home_cost_bps is not None and row.best_cost_bps is not None
    assert row.saving_bps == row.home_cost_bps - row.best_cost_bps > 3
    assert row.why == "binance.linear is congested (gateway): first byte p50 842 ms, baseline 24"


def test_an_off_price_route_is_not_cheap_by_accident() -> None:
    """Its spread and fee are the lowest, but it asks 10 bp more than everybody else."""
    off = view(BYBIT, mid=100_100.0, spread_bps=0.05, size=50.0, listing={"taker_fee": 0.0004})
    row = ask(three(bybit=off))
    assert row.costs[-1].route == BYBIT
    assert row.costs[-1].price_bps == pytest.approx(10, rel=0.01)


def test_no_route_at_all_leaves_everything_unallocated() -> None:
    row = ask({name: msgspec.structs.replace(each, synced=False) for name, each in three().items()})
    assert (row.best, row.best_cost_bps, row.split, row.costs) == (None, None, (), ())
    assert (row.unallocated, row.hhi, row.n_minus_1) == (BUY.notional, None, ())
    assert len(row.excluded) == 3


def test_a_book_too_thin_for_the_order_is_no_best_route_but_part_of_the_split() -> None:
    thin = {name: view(name, size=0.02) for name in (BINANCE, OKX, BYBIT)}
    row = ask(thin, Order(side="sell", notional=100_000.0))
    assert row.best is None and row.home_cost_bps is None
    assert {part.route for part in row.split} == set(thin)
    assert row.unallocated == 0 or row.unallocated < 100_000 * 0.01
    assert row.why.startswith("binance.linear takes only 39,9")


def test_a_cheap_route_that_takes_only_a_part_stands_behind_those_that_take_it_all() -> None:
    row = ask({BINANCE: view(BINANCE, size=50.0), OKX: view(OKX, size=0.01, listing={"taker_fee": 0.0001})})
    assert [cost.route for cost in row.costs] == [BINANCE, OKX]
    assert row.best == BINANCE and row.costs[1].filled == pytest.approx(20_000, rel=0.01)


def test_requested_is_allocated_plus_unallocated() -> None:
    thin = {name: view(name, size=0.01) for name in (BINANCE, OKX)}
    row = ask(thin)
    assert sum(part.share for part in row.split) * BUY.notional + row.unallocated == pytest.approx(
        BUY.notional, abs=1e-6
    )
    assert row.unallocated > 50_000


def test_n_minus_1_says_what_a_lost_venue_costs() -> None:
    views = {
        BINANCE: view(BINANCE, size=0.2, count=8),
        OKX: view(OKX, size=0.01, listing={"taker_fee": 0.001}),
    }
    without = {entry.without: entry for entry in ask(views).n_minus_1}
    assert set(without) == {"binance", "okx"}
    assert without["okx"].unallocated < 101
    assert without["binance"].unallocated == pytest.approx(80_000, rel=0.01)
    assert without["binance"].cost_bps is not None and without["okx"].cost_bps is not None
    assert without["binance"].cost_bps > without["okx"].cost_bps


def test_a_failure_domain_is_taken_away_together() -> None:
    cloud = AdviceSettings(domains={"one cloud": ("binance", "bybit")})
    row = advise(BUY, SYMBOL, three(), cloud, 0, home=BINANCE)
    entry = next(e for e in row.n_minus_1 if e.without == "one cloud")
    okx = next(c for c in row.costs if c.route == OKX)
    assert entry.cost_bps == pytest.approx(okx.total_bps)


def test_concentration_is_that_of_the_split() -> None:
    assert ask(three()).hhi == 1.0
    equal = {name: view(name, size=0.5) for name in (BINANCE, OKX)}
    assert ask(equal, Order(side="buy", notional=1e6)).hhi == pytest.approx(0.5, rel=0.01)


def test_why_names_the_part_that_makes_home_dearer() -> None:
    views = three(binance=view(BINANCE, size=50.0, listing={"taker_fee": 0.001}))
    assert ask(views).why == "binance.linear costs 4.80 bp more in fee than okx.linear"


def test_without_a_home_nothing_is_compared() -> None:
    row = ask(three(), home=None)
    assert (row.home, row.saving_bps, row.why) == (None, None, "")
    assert row.best == BINANCE


def test_a_home_that_is_not_watched_cannot_be_priced() -> None:
    row = ask(three(), home="kraken.linear")
    assert (row.home, row.home_cost_bps, row.saving_bps) == ("kraken.linear", None, None)


def _takes(given_view: RouteView, order: Order) -> bool:
    ladder = given_view.ladder
    assert ladder is not None
    return float((ladder.ask_quote if order.side == "buy" else ladder.bid_quote)[-1]) >= order.notional


routes_given = st.dictionaries(
    st.sampled_from([BINANCE, OKX, BYBIT, "kraken.linear", "gate.linear"]),
    st.fixed_dictionaries(
        {
            "mid": st.floats(99_000, 101_000),
            "spread_bps": st.floats(-1, 30),
            "size": st.floats(0.0001, 30),
            "count": st.integers(0, 12),
            "state": st.sampled_from(list(State)),
            "feed_age_ms": st.one_of(st.none(), st.floats(-50, 8_000)),
            "rtt_ms": st.one_of(st.none(), st.floats(0, 8_000)),
            "volatility_bps": st.one_of(st.none(), st.floats(0, 50)),
            "error_share": st.one_of(st.none(), st.floats(0, 1)),
            "synced": st.booleans(),
        }
    ),
)


@settings(deadline=None)
@given(given_routes=routes_given, notional=st.floats(1, 1e7), side=st.sampled_from(["buy", "sell"]), seed=st.integers())
def test_every_route_is_priced_or_out_and_the_order_of_asking_changes_nothing(
    given_routes: dict[str, dict[str, Any]], notional: float, side: Any, seed: int
) -> None:
    views = {name: view(name, **body) for name, body in given_routes.items()}
    order = Order(side=side, notional=notional)
    row = ask(views, order)
    assert {c.route for c in row.costs} ^ {e.route for e in row.excluded} == set(views)
    assert sum(p.share for p in row.split) * notional + row.unallocated == pytest.approx(notional, rel=1e-9)
    assert {p.route for p in row.split} <= {c.route for c in row.costs}
    for cost in row.costs:
        assert all(math.isfinite(x) for x in msgspec.structs.astuple(cost)[1:])
        assert 0 < cost.filled <= notional
    whole = [cost for cost in row.costs if _takes(views[cost.route], order)]
    if [views[cost.route].verdict.state for cost in whole] == [State.CONGESTED]:
        whole = []  # nothing to compare it with
    assert (row.best is None) == (not whole)
    assert row.best_cost_bps == min((cost.total_bps for cost in whole), default=None)
    assert row.hhi is None or 1 / 5 - 1e-9 <= row.hhi <= 1 + 1e-9
    names = list(views)
    random.Random(seed).shuffle(names)
    assert ask({name: views[name] for name in names}, order) == row
