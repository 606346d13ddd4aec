"""All routes together, and a symbol's depth over all its books."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from feeds.collector.summary import CLOSED, SLOW, depth_totals, summary
from feeds.frame import Depth, PairRow, RouteRow, SelfRow
from feeds.model import SEVERITY, Cause, Evidence, Reason, State
from tests.feeds.frames import T0_NS, pair_row, route_row

HOME = "okx.spot"
NAMES = ("binance.linear", "bybit.linear", "okx.linear", "okx.spot")


def rows(*states: State, cause: Cause | None = None) -> tuple[RouteRow, ...]:
    return tuple(route_row(name, state=s, cause=cause) for name, s in zip(NAMES, states, strict=False))


def book(route: str, bid: float | None, ask: float | None, **changed: object) -> PairRow:
    return pair_row(route, depth={"10": Depth(bid, ask)}, **changed)


@given(st.lists(st.sampled_from(list(State)), min_size=4, max_size=4))
def test_worst_first_then_home_then_name(states: list[State]) -> None:
    found = summary(rows(*states), HOME, SelfRow())
    severity = {name: SEVERITY[state] for name, state in zip(NAMES, states, strict=True)}
    ranks = [(-severity[name], name != HOME, name) for name in found.worst_first]
    assert ranks == sorted(ranks)
    assert found.clear + found.slow + found.closed + found.unknown == 4


def test_every_state_is_counted_once() -> None:
    assert {State.OK, State.UNKNOWN} | SLOW | CLOSED == set(State)
    assert not SLOW & CLOSED


@pytest.mark.parametrize(
    ("cause", "why"), [(Cause.UPLINK, "uplink_doubtful"), (Cause.SELF, "own_lag"), (Cause.WARMING, "warming")]
)
def test_where_all_are_unknown_the_cause_says_why(cause: Cause, why: str) -> None:
    found = summary(rows(*[State.UNKNOWN] * 4, cause=cause), HOME, SelfRow())
    assert (found.no_verdicts, found.no_verdicts_since_ns) == (why, T0_NS)


def test_one_judged_route_is_a_verdict() -> None:
    found = summary(rows(State.UNKNOWN, State.OK), HOME, SelfRow())
    assert (found.no_verdicts, found.no_verdicts_since_ns) == (None, None)


def test_an_uplink_that_is_down_wins_over_every_verdict() -> None:
    own = SelfRow(uplink="down", uplink_since_ns=7, witness="down", witness_since_ns=5)
    found = summary(rows(State.DOWN, State.OK), HOME, own)
    assert (found.no_verdicts, found.no_verdicts_since_ns) == ("uplink_down", 7)


def test_a_witness_that_does_not_answer_is_no_uplink_that_is_down() -> None:
    found = summary(rows(*[State.OK] * 4), HOME, SelfRow(uplink="up", witness="down", witness_since_ns=7))
    assert (found.no_verdicts, found.no_verdicts_since_ns, found.clear) == (None, None, 4)


@pytest.mark.parametrize(
    ("signal", "cause", "why"),
    [
        ("clock", Cause.SELF, "own_clock"),
        ("unmeasured", Cause.SELF, "own_pause"),
        ("unwatched", Cause.SELF, "unwatched"),
        ("loop_lag_max_last6s_ms", Cause.SELF, "own_lag"),
        ("certificate", Cause.UPLINK, "untrusted"),
    ],
)
def test_what_of_ours_is_in_the_way_is_named(signal: str, cause: Cause, why: str) -> None:
    reason = Reason(signal=signal, evidence=Evidence.OWN, value=None, since_ns=0, text="x")
    routes = tuple(structs.replace(r, reasons=(reason,)) for r in rows(*[State.UNKNOWN] * 4, cause=cause))
    assert summary(routes, HOME, SelfRow()).no_verdicts == why


def test_no_routes_is_said() -> None:
    assert summary((), None, SelfRow()).no_verdicts == "no_routes"


def test_depth_adds_up_live_books_and_takes_the_largest_venue_out() -> None:
    pairs = [book("binance.linear", 6e6, 4e6), book("okx.linear", 3e6, 2e6), book("bybit.linear", 1e6, 2e6)]
    (total,) = depth_totals(("BTC/USDT:USDT",), pairs)
    band = total.bands["10"]
    assert (total.listed, band.books, band.largest) == (3, 3, "binance")
    assert (band.bid, band.ask, band.bid_without, band.ask_without) == (10e6, 8e6, 4e6, 4e6)
    assert band.effective_venues == pytest.approx(18**2 / (10**2 + 5**2 + 3**2))


def test_routes_of_one_venue_are_one_venue() -> None:
    pairs = [book("okx.linear", 5e6, 5e6), book("okx.inverse", 5e6, 5e6)]
    (total,) = depth_totals(("BTC/USDT:USDT",), pairs)
    assert total.bands["10"].effective_venues == pytest.approx(1.0)
    assert total.bands["10"].bid_without == 0.0


def test_stale_books_and_missing_sides_do_not_count() -> None:
    pairs = [
        book("binance.linear", 6e6, 4e6, state="stale"),
        book("okx.linear", None, 2e6),
        book("bybit.linear", 1e6, 2e6),
        book("gate.linear", 1e6, 2e6, state="absent"),
    ]
    (total,) = depth_totals(("BTC/USDT:USDT",), pairs)
    assert (total.listed, total.bands["10"].books) == (3, 1)


def test_a_stand_in_counts_for_the_watched_symbol() -> None:
    pairs = [book("kraken.linear", 1e6, 2e6, symbol="BTC/USDC:USDC", stands_for="BTC/USDT:USDT")]
    (total,) = depth_totals(("BTC/USDT:USDT",), pairs)
    assert total.bands["10"].books == 1


def test_without_a_live_book_there_is_no_sum() -> None:
    (total,) = depth_totals(("BTC/USDT:USDT",), [book("okx.linear", 1.0, 1.0, state="waiting")])
    assert (total.listed, total.bands) == (1, {})
