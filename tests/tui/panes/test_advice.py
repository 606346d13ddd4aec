"""The advice pane."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import AdviceRow, Excluded, Frame
from tests.tui.scripted import frame
from tui.history import HistoryBuffer
from tui.panes.advice import advice_lines
from tui.view import View


def text(shown: Frame, width: int = 40, height: int = 20, **changes: object) -> str:
    view = structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes)
    return "\n".join(line.text for line in advice_lines(view, width, height))


def with_advice(shown: Frame, **changes: object) -> Frame:
    first: AdviceRow = structs.replace(shown.advice[0], **changes)
    return structs.replace(shown, advice=(first, *shown.advice[1:]))


def test_go_second_split_home_and_why() -> None:
    said = text(frame("1011", 45))
    assert "go    okx.linear      5.9 bp saves 4.7" in said
    assert "2nd   bybit.linear" in said
    assert "split 5.1 bp" in said
    assert "home  binance.linear 10.5 bp" in said
    assert "latency 4.2" in said
    assert "REST 35x its normal" in said


def test_parts_of_the_cost_that_are_nothing_are_left_out() -> None:
    assert "basis" not in text(frame("1011", 45))


def test_what_to_know_of_a_route_is_said_and_roundings_are_not() -> None:
    said = text(
        with_advice(
            frame("calm"),
            flags=(Excluded(route="gate.linear", why="exit closed: BTC cannot be withdrawn"),),
            unallocated=40.0,
        )
    )
    assert "gate.linear: exit closed" in said
    assert "finds no book" not in said
    assert "finds no book" in text(with_advice(frame("calm"), unallocated=40_000.0))


def test_home_as_best_claims_no_saving() -> None:
    said = text(frame("calm"))
    assert "saves" not in said
    assert "home" in said.splitlines()[1]


def test_who_is_out_and_why_in_full() -> None:
    shown = with_advice(
        frame("calm"), excluded=(Excluded(route="mexc.linear", why="silent for 8.4 s on every channel"),)
    )
    assert "silent for 8.4 s on every channel" in " ".join(text(shown).split())


def test_no_usable_route() -> None:
    shown = with_advice(frame("calm"), best=None, best_cost_bps=None, costs=(), split=(), split_cost_bps=None)
    assert "no usable route" in text(shown)


def test_a_home_that_cannot_be_priced_says_why_and_shows_no_number() -> None:
    shown = frame("closed", 45)
    said = text(shown, width=50)
    assert "home  binance.linear down: silent 14 s" in said


def test_what_finds_no_book_is_said() -> None:
    assert "30k finds no book" in text(with_advice(frame("calm"), unallocated=30_000.0))


def test_nothing_is_advised_on_old_books() -> None:
    said = text(frame("1011", 45), age_s=60.0)
    assert "too old to act on" in said
    assert "okx" not in said


def test_never_wider_than_the_pane() -> None:
    for width in (40, 46, 50, 60):
        for scenario in ("1011", "calm", "closed", "many"):
            assert all(len(line) <= width for line in text(frame(scenario, 45), width=width).splitlines())
