"""That the suggestion stays steady: margins, patience, and leaving at once what cannot be used."""

from __future__ import annotations

import msgspec
import pytest

from feeds.advise.adviser import Adviser
from feeds.advise.route_view import RouteView
from feeds.frame import AdviceRow, Order
from feeds.model import Cause, State
from tests.feeds.advise.routes import (
    BINANCE,
    BUY,
    BYBIT,
    OKX,
    SECOND,
    SETTINGS,
    SLOW,
    SYMBOL,
    ask,
    three,
    view,
    with_gaps,
)


class Seconds:
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
    watched = Seconds()
    rows = [watched.ask(three(binance=dear(5.4))) for _ in range(10)]
    assert {row.best for row in rows} == {BINANCE}
    # the table still shows who is cheapest
    assert rows[-1].costs[0].route == OKX


def test_a_new_suggestion_needs_the_margin_for_a_while() -> None:
    watched = Seconds()
    watched.ask(three())
    rows = [watched.ask(three(binance=dear(12.0))) for _ in range(5)]
    assert [row.best for row in rows] == [BINANCE] * 3 + [OKX] * 2
    assert rows[0].saving_bps == 0
    assert rows[-1].saving_bps == pytest.approx(6.8)
    assert [row.since_ns for row in rows] == [SECOND] * 3 + [5 * SECOND] * 2


def test_a_small_advantage_must_last_longer() -> None:
    watched = Seconds()
    watched.ask(three())
    rows = [watched.ask(three(binance=dear(5.6))) for _ in range(40)]
    changed = [row.best for row in rows].index(OKX)
    assert 20 <= changed <= 31


def test_a_short_advantage_starts_again() -> None:
    watched = Seconds()
    for second in range(20):
        row = watched.ask(three(binance=dear(5.0 if second % 3 == 0 else 7.0)))
        assert row.best == BINANCE


def test_two_routes_that_take_turns_in_being_better_do_not_stop_the_change() -> None:
    watched = Seconds()
    watched.ask(three())
    rows = []
    for second in range(5):
        better = view(OKX if second % 2 else BYBIT, size=50.0, listing={"taker_fee": 0.0003})
        rows.append(watched.ask(three(binance=dear(7.0)) | {(OKX if second % 2 else BYBIT): better}))
    assert rows[-1].best != BINANCE


def test_a_route_that_cannot_be_used_any_more_is_left_at_once() -> None:
    watched = Seconds()
    watched.ask(three())
    row = watched.ask(three(binance=view(BINANCE, state=State.DOWN)))
    assert (row.best, row.since_ns) == (OKX, 2 * SECOND)


def test_home_is_not_taken_back_for_a_hair() -> None:
    watched = Seconds()
    watched.ask(three(binance=view(BINANCE, state=State.DOWN)))
    rows = [watched.ask(three()) for _ in range(10)]
    assert {row.best for row in rows} == {OKX}
    rows = [watched.ask(three(binance=dear(1.0))) for _ in range(5)]
    assert rows[-1].best == BINANCE


def test_without_any_route_there_is_no_suggestion_and_no_since() -> None:
    watched = Seconds()
    watched.ask(three())
    gone = {name: msgspec.structs.replace(each, fresh=False) for name, each in three().items()}
    row = watched.ask(gone)
    assert (row.best, row.since_ns) == (None, None)
    assert watched.ask(three()).since_ns == 3 * SECOND


def test_another_order_is_judged_afresh() -> None:
    watched = Seconds()
    watched.ask(three())
    assert watched.ask(three(binance=dear(7.0))).best == BINANCE
    assert watched.ask(three(binance=dear(7.0)), Order(side="sell", notional=5_000.0)).best == OKX


def test_what_is_forgotten_is_suggested_afresh() -> None:
    watched = Seconds()
    watched.ask(three())
    watched.adviser.forget(SYMBOL)
    assert watched.ask(three(binance=dear(7.0))).best == OKX


def test_a_congested_home_that_nothing_can_be_compared_with_is_not_suggested() -> None:
    """All others are unknown, as they are when our own clock stepped: that home is left over is no advice."""
    congested = view(BINANCE, size=50.0, state=State.CONGESTED, cause=Cause.GATEWAY, reasons=(SLOW,))
    views = {name: view(name, state=State.UNKNOWN, cause=Cause.SELF) for name in (OKX, BYBIT)} | {BINANCE: congested}
    row = ask(views)
    assert (row.best, row.saving_bps) == (None, None)
    assert [cost.route for cost in row.costs] == [BINANCE], "its price is still shown"
    assert row.why.startswith("only binance.linear can be judged now, and it is congested (gateway)")
    watched = Seconds()
    watched.ask(three())
    assert watched.ask(views).best is None
    assert ask(views | {BINANCE: view(BINANCE, size=50.0)}).best == BINANCE


def test_a_clock_that_is_set_neither_hurries_nor_holds_a_suggestion() -> None:
    for set_s in (3_600, -3_600):
        adviser, best, since_ns = Adviser(SETTINGS), list[str | None](), None
        for second in range(60):
            views = three() if second == 0 else three(binance=dear(7.0))
            wall_ns = (10_000 + second + (set_s if second >= 2 else 0)) * SECOND
            row = adviser.advise(BUY, SYMBOL, with_gaps(views), wall_ns, home=BINANCE, mono_ns=(1 + second) * SECOND)
            best.append(row.best)
            since_ns = row.since_ns
        steady = Seconds()
        steady.ask(three())
        assert best == [BINANCE, *(steady.ask(three(binance=dear(7.0))).best for _ in range(59))]
        assert since_ns is not None and 0 < wall_ns - since_ns < 60 * SECOND, "told in today's clock"
