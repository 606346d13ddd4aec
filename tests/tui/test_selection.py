"""Order, choice and filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from feeds.frame import Frame, RestMs
from feeds.model import SEVERITY, State
from tests.tui.scripted import changed, frame
from tui.history import HistoryBuffer
from tui.selection import chosen_route, chosen_symbol, matches, ordered, pairs_of, step
from tui.view import View


def with_states(*states: State) -> Frame:
    shown = frame("calm")
    return changed(shown, routes=tuple(structs.replace(r, state=s) for r, s in zip(shown.routes, states, strict=True)))


@given(st.lists(st.sampled_from(list(State)), min_size=6, max_size=6))
def test_worst_first_then_home_then_name(states: list[State]) -> None:
    rows = ordered(with_states(*states))
    ranks = [(-SEVERITY[r.state], r.route != "binance.linear", r.route) for r in rows]
    assert ranks == sorted(ranks)


@given(st.lists(st.floats(0, 1e5), min_size=6, max_size=6))
def test_no_number_moves_a_row(values: list[float]) -> None:
    shown = frame("1011", 45)
    noisy = tuple(
        structs.replace(r, rest_ms=RestMs(p50=v), score=int(v) % 100) for r, v in zip(shown.routes, values, strict=True)
    )
    before = [r.route for r in ordered(shown)]
    assert [r.route for r in ordered(changed(shown, routes=noisy))] == before


def test_the_worst_is_chosen_until_one_is_picked() -> None:
    view = View(history=HistoryBuffer(), frame=frame("1011", 45))
    chosen = chosen_route(view)
    assert chosen is not None
    assert chosen.route == "binance.linear"
    view.route = "okx.spot"
    chosen = chosen_route(view)
    assert chosen is not None
    assert chosen.route == "okx.spot"


def test_the_symbol_of_home_comes_first() -> None:
    shown = changed(frame("calm"), symbols=("BTC/USDT", "BTC/USDT:USDT"))
    assert chosen_symbol(View(history=HistoryBuffer(), frame=shown)) == "BTC/USDT:USDT"
    assert chosen_symbol(View(history=HistoryBuffer(), frame=shown, symbol="BTC/USDT")) == "BTC/USDT"
    assert chosen_symbol(View(history=HistoryBuffer(), frame=shown, symbol="GONE/USDT")) == "BTC/USDT:USDT"


def test_pairs_leave_out_what_is_not_listed() -> None:
    routes = [p.route for p in pairs_of(frame("calm"), "BTC/USDT")]
    assert routes == ["binance.spot", "bybit.spot", "okx.spot"]


@pytest.mark.parametrize(
    ("query", "hit"), [("okx", True), ("OKX spot", True), ("spot okx", True), ("okx linear", False), ("", True)]
)
def test_filter_wants_every_word(query: str, hit: bool) -> None:
    assert matches("okx.spot ok", query) is hit


def test_step_goes_round() -> None:
    assert step(("a", "b"), "b", 1) == "a"
    assert step(("a", "b"), None, 1) == "a"
    assert step((), None, 1) is None
