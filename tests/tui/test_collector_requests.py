"""What the user asks of the collector, and the notice that says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feeds.frame import Order
from feeds.link_messages import Command, Goodbye, Past, Shown, UseHome, UseOrder, UseWatchlist
from tests.tui.scripted import frame, history
from tui.presenter import Presenter


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sent() -> list[Command]:
    return []


@pytest.fixture
def presenter(clock: Clock, sent: list[Command]) -> Iterator[Presenter]:
    made = Presenter(clock, sent.append, lambda: None)
    made.receive(Past(history("1011", 45, length_s=120)))
    made.receive(Shown(frame("1011", 45)))
    made.tick()
    yield made


def test_order_steps_up_and_down_the_ladder(presenter: Presenter, sent: list[Command]) -> None:
    presenter.requests.step_notional(1)
    presenter.requests.step_notional(1)
    presenter.requests.step_notional(-1)
    assert sent == [UseOrder("sell", 200_000.0), UseOrder("sell", 500_000.0), UseOrder("sell", 200_000.0)]


def test_an_odd_size_steps_to_its_neighbours(presenter: Presenter, sent: list[Command]) -> None:
    presenter.receive(Shown(frame("1011", 46, order=Order(side="buy", notional=130_000.0))))
    presenter.requests.step_notional(-1)
    assert sent == [UseOrder("buy", 100_000.0)]


def test_what_was_asked_is_forgotten_when_the_collector_will_not(
    presenter: Presenter, clock: Clock, sent: list[Command]
) -> None:
    presenter.requests.step_notional(1)
    clock.now_s += 5
    presenter.receive(Shown(frame("1011", 50)))
    presenter.requests.step_notional(1)
    assert sent == [UseOrder("sell", 200_000.0)] * 2


def test_the_ladder_ends(presenter: Presenter, sent: list[Command]) -> None:
    for _ in range(40):
        presenter.requests.step_notional(-1)
    assert sent[-1] == UseOrder("sell", 100.0)


def test_side_home_and_watchlist_are_asked_for(presenter: Presenter, sent: list[Command]) -> None:
    presenter.requests.flip_side()
    presenter.pick_route("okx.linear")
    presenter.make_home()
    presenter.requests.use_watchlist("alts")
    assert sent == [UseOrder("buy", 100_000.0), UseHome("okx.linear"), UseWatchlist("alts")]


def test_nothing_is_asked_of_a_collector_that_is_gone(presenter: Presenter, sent: list[Command]) -> None:
    presenter.receive(Goodbye("stopped"))
    presenter.make_home()
    assert sent == []
    assert presenter.notice.text == "no collector to ask"


def test_notices_go_by_themselves(presenter: Presenter, clock: Clock) -> None:
    presenter.make_home()
    assert presenter.notice.text == "asked for binance.linear as home"
    clock.now_s += 5
    assert presenter.notice.text == ""
