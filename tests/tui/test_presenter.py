"""What the presenter keeps of the collector's messages and of the user's choices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feeds.link_messages import Command, Goodbye, Past, Shown
from tests.tui.scripted import changed, frame, history
from tui.presenter import Presenter
from tui.selection import chosen_route, chosen_symbol


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


def test_freeze_holds_the_picture_while_history_goes_on(presenter: Presenter) -> None:
    presenter.freeze()
    presenter.receive(Shown(frame("1011", 50)))
    assert presenter.view.frame is not None
    assert presenter.view.frame.t_ns == frame("1011", 45).t_ns
    assert len(presenter.view.history) == 125
    presenter.freeze()
    assert presenter.view.frame.t_ns == frame("1011", 50).t_ns


def test_silence_makes_the_collector_lost_and_a_frame_brings_it_back(presenter: Presenter, clock: Clock) -> None:
    clock.now_s += 1.9
    presenter.tick()
    assert not presenter.view.lost
    clock.now_s += 0.2
    presenter.tick()
    assert presenter.view.lost
    assert presenter.view.heard_ns == frame("1011", 45).t_ns
    presenter.receive(Shown(frame("1011", 48)))
    presenter.tick()
    assert not presenter.view.lost


def test_goodbye_is_lost_at_once(presenter: Presenter) -> None:
    presenter.receive(Goodbye("stopped"))
    assert presenter.view.lost
    assert presenter.view.goodbye == "stopped"


def test_the_clock_runs_on_between_frames(presenter: Presenter, clock: Clock) -> None:
    clock.now_s += 1.5
    presenter.tick()
    assert presenter.view.now_ns == frame("1011", 45).t_ns + 1_500_000_000


def test_routes_stop_at_the_ends_symbols_go_round(presenter: Presenter) -> None:
    presenter.move_route(-1)
    chosen = chosen_route(presenter.view)
    assert chosen is not None
    assert chosen.route == "binance.linear"
    for _ in range(20):
        presenter.move_route(1)
    chosen = chosen_route(presenter.view)
    assert chosen is not None
    assert chosen.route == "okx.spot"
    seen = []
    for _ in range(5):
        seen.append(chosen_symbol(presenter.view))
        presenter.move_symbol(1)
    assert seen == ["BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"]


def test_look_back_stays_within_what_is_held(presenter: Presenter) -> None:
    presenter.look_back(-1, 900)
    assert presenter.view.back_s == 0
    presenter.look_back(2, 900)
    assert presenter.view.back_s == 14
    presenter.look_back(100, 900)
    assert presenter.view.back_s == 119


def test_escape_undoes_one_thing_at_a_time(presenter: Presenter) -> None:
    presenter.freeze()
    presenter.filter("okx")
    presenter.zoom()
    presenter.look_back(1, 900)
    view = presenter.view
    steps = []
    while presenter.undo():
        steps.append((view.back_s > 0, view.zoomed, view.query, view.frozen))
    assert steps == [
        (False, True, "okx", True),
        (False, False, "okx", True),
        (False, False, "", True),
        (False, False, "", False),
    ]


def test_events_scroll_within_what_there_is(presenter: Presenter) -> None:
    presenter.scroll_events(500)
    assert presenter.view.events_up == len(frame("1011", 45).events) - 1
    presenter.scroll_events(-500)
    assert presenter.view.events_up == 0


def test_keys_before_the_first_frame_do_nothing(clock: Clock, sent: list[Command]) -> None:
    presenter = Presenter(clock, sent.append, lambda: None)
    presenter.move_symbol(1)
    presenter.move_route(1)
    presenter.freeze()
    presenter.requests.flip_side()
    presenter.requests.step_notional(1)
    presenter.make_home()
    presenter.look_back(1, 900)
    assert sent == []
    assert not presenter.view.frozen


def test_a_route_that_goes_gives_the_choice_back_to_the_worst(presenter: Presenter) -> None:
    presenter.pick_route("okx.spot")
    shown = frame("1011", 46)
    presenter.receive(Shown(changed(shown, routes=shown.routes[:2])))
    chosen = chosen_route(presenter.view)
    assert chosen is not None
    assert chosen.route == "binance.linear"
