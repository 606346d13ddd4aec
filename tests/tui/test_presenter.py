"""What the desk keeps, and what it asks of the collector."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from feeds.frame import Command, Goodbye, Order, Past, Shown, UseHome, UseOrder, UseWatchlist
from tests.tui.scripted import changed, frame, history
from tui.presenter import Desk
from tui.view import chosen_route, chosen_symbol


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
def desk(clock: Clock, sent: list[Command]) -> Iterator[Desk]:
    made = Desk(clock, sent.append, lambda: None)
    made.take(Past(history("1011", 45, length_s=120)))
    made.take(Shown(frame("1011", 45)))
    made.tick()
    yield made


def test_freeze_holds_the_picture_while_history_goes_on(desk: Desk) -> None:
    desk.freeze()
    desk.take(Shown(frame("1011", 50)))
    assert desk.view.frame is not None
    assert desk.view.frame.t_ns == frame("1011", 45).t_ns
    assert len(desk.view.tape) == 125
    desk.freeze()
    assert desk.view.frame.t_ns == frame("1011", 50).t_ns


def test_silence_makes_the_collector_lost_and_a_frame_brings_it_back(desk: Desk, clock: Clock) -> None:
    clock.now_s += 1.9
    desk.tick()
    assert not desk.view.lost
    clock.now_s += 0.2
    desk.tick()
    assert desk.view.lost
    assert desk.view.heard_ns == frame("1011", 45).t_ns
    desk.take(Shown(frame("1011", 48)))
    desk.tick()
    assert not desk.view.lost


def test_goodbye_is_lost_at_once(desk: Desk) -> None:
    desk.take(Goodbye("stopped"))
    assert desk.view.lost
    assert desk.view.goodbye == "stopped"


def test_the_clock_runs_on_between_frames(desk: Desk, clock: Clock) -> None:
    clock.now_s += 1.5
    desk.tick()
    assert desk.view.now_ns == frame("1011", 45).t_ns + 1_500_000_000


def test_order_steps_up_and_down_the_ladder(desk: Desk, sent: list[Command]) -> None:
    desk.step_notional(1)
    desk.step_notional(1)
    desk.step_notional(-1)
    assert sent == [UseOrder("sell", 200_000.0), UseOrder("sell", 500_000.0), UseOrder("sell", 200_000.0)]


def test_an_odd_size_steps_to_its_neighbours(desk: Desk, sent: list[Command]) -> None:
    desk.take(Shown(frame("1011", 46, order=Order(side="buy", notional=130_000.0))))
    desk.step_notional(-1)
    assert sent == [UseOrder("buy", 100_000.0)]


def test_what_was_asked_is_forgotten_when_the_collector_will_not(desk: Desk, clock: Clock, sent: list[Command]) -> None:
    desk.step_notional(1)
    clock.now_s += 5
    desk.take(Shown(frame("1011", 50)))
    desk.step_notional(1)
    assert sent == [UseOrder("sell", 200_000.0)] * 2


def test_the_ladder_ends(desk: Desk, sent: list[Command]) -> None:
    for _ in range(40):
        desk.step_notional(-1)
    assert sent[-1] == UseOrder("sell", 100.0)


def test_side_home_and_watchlist_are_asked_for(desk: Desk, sent: list[Command]) -> None:
    desk.flip_side()
    desk.pick_route("okx.linear")
    desk.make_home()
    desk.use_watchlist("alts")
    assert sent == [UseOrder("buy", 100_000.0), UseHome("okx.linear"), UseWatchlist("alts")]


def test_nothing_is_asked_of_a_collector_that_is_gone(desk: Desk, sent: list[Command]) -> None:
    desk.take(Goodbye("stopped"))
    desk.make_home()
    assert sent == []
    assert desk.notice == "no collector to ask"


def test_notices_go_by_themselves(desk: Desk, clock: Clock) -> None:
    desk.make_home()
    assert desk.notice == "asked for binance.linear as home"
    clock.now_s += 5
    assert desk.notice == ""


def test_routes_stop_at_the_ends_symbols_go_round(desk: Desk) -> None:
    desk.move_route(-1)
    chosen = chosen_route(desk.view)
    assert chosen is not None
    assert chosen.route == "binance.linear"
    for _ in range(20):
        desk.move_route(1)
    chosen = chosen_route(desk.view)
    assert chosen is not None
    assert chosen.route == "okx.spot"
    seen = []
    for _ in range(5):
        seen.append(chosen_symbol(desk.view))
        desk.move_symbol(1)
    assert seen == ["BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"]


def test_look_back_stays_within_what_is_held(desk: Desk) -> None:
    desk.look_back(-1, 900)
    assert desk.view.back_s == 0
    desk.look_back(2, 900)
    assert desk.view.back_s == 14
    desk.look_back(100, 900)
    assert desk.view.back_s == 119


def test_escape_undoes_one_thing_at_a_time(desk: Desk) -> None:
    desk.freeze()
    desk.filter("okx")
    desk.zoom()
    desk.look_back(1, 900)
    view = desk.view
    steps = []
    while desk.leave():
        steps.append((view.back_s > 0, view.zoomed, view.query, view.frozen))
    assert steps == [
        (False, True, "okx", True),
        (False, False, "okx", True),
        (False, False, "", True),
        (False, False, "", False),
    ]


def test_events_scroll_within_what_there_is(desk: Desk) -> None:
    desk.scroll_events(500)
    assert desk.view.events_up == len(frame("1011", 45).events) - 1
    desk.scroll_events(-500)
    assert desk.view.events_up == 0


def test_keys_before_the_first_frame_do_nothing(clock: Clock, sent: list[Command]) -> None:
    desk = Desk(clock, sent.append, lambda: None)
    desk.move_symbol(1)
    desk.move_route(1)
    desk.freeze()
    desk.flip_side()
    desk.step_notional(1)
    desk.make_home()
    desk.look_back(1, 900)
    assert sent == []
    assert not desk.view.frozen


def test_a_route_that_goes_gives_the_choice_back_to_the_worst(desk: Desk) -> None:
    desk.pick_route("okx.spot")
    shown = frame("1011", 46)
    desk.take(Shown(changed(shown, routes=shown.routes[:2])))
    chosen = chosen_route(desk.view)
    assert chosen is not None
    assert chosen.route == "binance.linear"
