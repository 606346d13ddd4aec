"""Where to trade: who is out and why, who is cheapest, and that the suggestion keeps calm."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.advise.adviser import Adviser, advise
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.frame import AdviceRow, Order
from feeds.model import Cause, Evidence, Reason, State
from tests.feeds.advise.routes import SECOND, SYMBOL, view, with_gaps

BINANCE, OKX, BYBIT = "binance.linear", "okx.linear", "bybit.linear"
BUY = Order(side="buy", notional=100_000.0)
SETTINGS = AdviceSettings()
SLOW = Reason(
    signal="rest_p50_ms",
    evidence=Evidence.REST,
    value=842.0,
    baseline=24.0,
    since_ns=0,
    points=40,
    text="first byte p50 842 ms, baseline 24",
)


def three(**changes: RouteView) -> dict[str, RouteView]:
    """Three faultless routes; binance is the home and the cheapest by a hair."""
    views = {
        BINANCE: view(BINANCE, size=50.0),
        OKX: view(OKX, size=50.0, listing={"taker_fee": 0.00052}),
        BYBIT: view(BYBIT, size=50.0, listing={"taker_fee": 0.00055}),
    }
    return views | {f"{name}.linear": changed for name, changed in changes.items()}


def ask(views: dict[str, RouteView], order: Order = BUY, home: str | None = BINANCE, symbol: str = SYMBOL) -> AdviceRow:
    return advise(order, symbol, with_gaps(views), SETTINGS, 60 * SECOND, home=home)


def out(row: AdviceRow) -> dict[str, str]:
    return {excluded.route: excluded.why for excluded in row.excluded}


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


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": State.DOWN, "cause": Cause.GATEWAY}, "down (gateway) for 60 s"),
        ({"state": State.HALTED, "cause": Cause.PLANNED}, "halted (planned) for 60 s"),
        ({"state": State.UNKNOWN, "cause": Cause.WARMING}, "unknown (warming) for 60 s"),
        ({"state": State.STALLED, "reasons": (SLOW,)}, "stalled for 60 s: first byte p50 842 ms, baseline 24"),
        ({"state": State.SUSPECT, "cause": Cause.PRICE}, "its prices cannot be trusted: suspect (price) for 60 s"),
        ({"instrument": None}, f"{SYMBOL} is not among its known instruments"),
        ({"instrument": None, "state": State.UNKNOWN, "cause": Cause.UPLINK}, "unknown (uplink) for 60 s"),
        ({"listing": {"active": False}}, f"the venue does not trade {SYMBOL} at present"),
        ({"ladder": None}, "no book yet"),
        ({"synced": False}, "its book is being rebuilt"),
        ({"fresh": False}, "its book is stale"),
        ({"feed_age_ms": 7_300.0}, "its data is 7.3 s old"),
        ({"spread_bps": -1.0}, "its book is crossed"),
        ({"count": 0}, "a side of its book is empty"),
        ({"mid": 99_000.0}, "its price is 100 bp below the others"),
        ({"mid": 101_000.0}, "its price is 100 bp above the others"),
        ({"listing": {"quote": "USDC"}}, "quoted in USDC, and what that costs in USDT is not known"),
        ({"listing": {"min_size": 50.0}}, "less than its smallest order would be filled"),
    ],
)
def test_a_route_that_must_not_be_used_is_out_with_the_reason(changes: dict[str, Any], why: str) -> None:
    row = ask(three(binance=view(BINANCE, **{"size": 50.0, **changes})))
    assert out(row) == {BINANCE: why}
    assert row.best == OKX
    assert row.home_cost_bps is None and row.saving_bps is None
    assert row.why == f"binance.linear is out: {why}"
    assert BINANCE not in {part.route for part in row.split}
    assert "binance" not in {entry.without for entry in row.n_minus_1}


def test_a_congested_home_that_nothing_can_be_compared_with_is_not_suggested() -> None:
    """All others are unknown, as they are when our own clock stepped: that home is left over is no advice."""
    congested = view(BINANCE, size=50.0, state=State.CONGESTED, cause=Cause.GATEWAY, reasons=(SLOW,))
    views = {name: view(name, state=State.UNKNOWN, cause=Cause.SELF) for name in (OKX, BYBIT)} | {BINANCE: congested}
    row = ask(views)
    assert (row.best, row.saving_bps) == (None, None)
    assert [cost.route for cost in row.costs] == [BINANCE], "its price is still shown"
    assert row.why.startswith("only binance.linear can be judged now, and it is congested (gateway)")
    watched = WatchSession()
    watched.ask(three())
    assert watched.ask(views).best is None
    assert ask(views | {BINANCE: view(BINANCE, size=50.0)}).best == BINANCE


def test_of_two_prices_nobody_can_tell_which_is_wrong() -> None:
    row = ask({BINANCE: view(BINANCE, size=50.0), OKX: view(OKX, mid=102_000.0, size=50.0)})
    assert row.excluded == ()
    # but the dear one is not made cheap by measuring it against itself
    assert row.best == BINANCE


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


# the suggestion's calm


class WatchSession:
    """An adviser asked once a second."""

    def __init__(self) -> None:
        self.adviser = Adviser(SETTINGS)
        self.second = 0

    def ask(self, views: dict[str, RouteView], order: Order = BUY) -> AdviceRow:
        self.second += 1
        return self.adviser.advise(order, SYMBOL, with_gaps(views), self.second * SECOND, home=BINANCE)


def dear(fee_bps: float) -> RouteView:
    return view(BINANCE, size=50.0, listing={"taker_fee": fee_bps / 1e4})


def test_nobody_is_sent_away_for_less_than_the_margin() -> None:
    watched = WatchSession()
    rows = [watched.ask(three(binance=dear(5.4))) for _ in range(10)]
    assert {row.best for row in rows} == {BINANCE}
    # the table still shows who is cheapest
    assert rows[-1].costs[0].route == OKX


def test_a_new_suggestion_needs_the_margin_for_a_while() -> None:
    watched = WatchSession()
    watched.ask(three())
    rows = [watched.ask(three(binance=dear(12.0))) for _ in range(5)]
    assert [row.best for row in rows] == [BINANCE] * 3 + [OKX] * 2
    assert rows[0].saving_bps == 0
    assert rows[-1].saving_bps == pytest.approx(6.8)
    assert [row.since_ns for row in rows] == [SECOND] * 3 + [5 * SECOND] * 2


def test_a_small_advantage_must_last_longer() -> None:
    watched = WatchSession()
    watched.ask(three())
    rows = [watched.ask(three(binance=dear(5.6))) for _ in range(40)]
    changed = [row.best for row in rows].index(OKX)
    assert 20 <= changed <= 31


def test_a_short_advantage_starts_again() -> None:
    watched = WatchSession()
    for second in range(20):
        row = watched.ask(three(binance=dear(5.0 if second % 3 == 0 else 7.0)))
        assert row.best == BINANCE


def test_two_routes_that_take_turns_in_being_better_do_not_stop_the_change() -> None:
    watched = WatchSession()
    watched.ask(three())
    rows = []
    for second in range(5):
        better = view(OKX if second % 2 else BYBIT, size=50.0, listing={"taker_fee": 0.0003})
        rows.append(watched.ask(three(binance=dear(7.0)) | {(OKX if second % 2 else BYBIT): better}))
    assert rows[-1].best != BINANCE


def test_a_route_that_cannot_be_used_any_more_is_left_at_once() -> None:
    watched = WatchSession()
    watched.ask(three())
    row = watched.ask(three(binance=view(BINANCE, state=State.DOWN)))
    assert (row.best, row.since_ns) == (OKX, 2 * SECOND)


def test_home_is_not_taken_back_for_a_hair() -> None:
    watched = WatchSession()
    watched.ask(three(binance=view(BINANCE, state=State.DOWN)))
    rows = [watched.ask(three()) for _ in range(10)]
    assert {row.best for row in rows} == {OKX}
    rows = [watched.ask(three(binance=dear(1.0))) for _ in range(5)]
    assert rows[-1].best == BINANCE


def test_without_any_route_there_is_no_suggestion_and_no_since() -> None:
    watched = WatchSession()
    watched.ask(three())
    gone = {name: msgspec.structs.replace(each, fresh=False) for name, each in three().items()}
    row = watched.ask(gone)
    assert (row.best, row.since_ns) == (None, None)
    assert watched.ask(three()).since_ns == 3 * SECOND


def test_another_order_is_judged_afresh() -> None:
    watched = WatchSession()
    watched.ask(three())
    assert watched.ask(three(binance=dear(7.0))).best == BINANCE
    assert watched.ask(three(binance=dear(7.0)), Order(side="sell", notional=5_000.0)).best == OKX


def test_what_is_forgotten_is_suggested_afresh() -> None:
    watched = WatchSession()
    watched.ask(three())
    watched.adviser.forget(SYMBOL)
    assert watched.ask(three(binance=dear(7.0))).best == OKX
