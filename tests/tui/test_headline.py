"""The one sentence: what is wrong, since when, whose fault, what to do, at what price."""

from __future__ import annotations

import pytest
from msgspec import structs

from feeds.frame import Frame
from feeds.model import Cause, State
from tests.tui.scripted import SECOND, changed, frame
from tui.headline import headline
from tui.history import HistoryBuffer
from tui.view import View


def view(shown: Frame | None, **changes: object) -> View:
    made = View(history=HistoryBuffer(), frame=shown, now_ns=0 if shown is None else shown.t_ns)
    return structs.replace(made, **changes)


def test_names_route_state_time_fault_remedy_and_price() -> None:
    said = headline(view(frame("1011", 45)))
    assert said.glyph == "▲"
    assert said.what.startswith("binance.linear is congested since 21:03:21, by its gateway")
    assert "(1 more not clear)" in said.what
    assert said.act == "Sell 100k BTC/USDT:USDT on okx.linear: 5.9 bp all in, saves 4.7 bp."


def test_all_clear_says_so_and_what_is_cheapest() -> None:
    said = headline(view(frame("calm")))
    assert said.tone == "good"
    assert said.text.startswith("6 routes clear; ")
    assert "is cheapest to sell 100k BTC/USDT:USDT" in said.text


def test_an_unknown_route_is_not_counted_as_clear() -> None:
    shown = frame("calm")
    first = structs.replace(shown.routes[0], state=State.UNKNOWN, cause=Cause.WARMING)
    said = headline(view(changed(shown, routes=(first, *shown.routes[1:]))))
    assert said.text.startswith("5 routes clear, 1 not known yet;")


def test_own_uplink_down_accuses_nobody() -> None:
    said = headline(view(frame("uplink", 30)))
    assert said.tone == "unknown"
    assert said.text == "Our uplink is down since 21:03:20: no verdicts on venues."
    assert "binance" not in said.text


def test_a_witness_that_is_down_beside_venues_that_answer_is_said_as_that() -> None:
    shown = frame("calm")
    said = headline(view(changed(shown, own=structs.replace(shown.own, witness="down", witness_ms=None))))
    assert said.tone == "good"
    assert said.text.startswith("6 routes clear, though the witness of our own line does not answer; ")


def test_own_uplink_down_wins_over_a_bad_route() -> None:
    shown = changed(frame("1011", 45), own=frame("uplink", 30).own)
    assert headline(view(shown)).tone == "unknown"


@pytest.mark.parametrize(
    ("cause", "words"),
    [(Cause.SELF, "Our own machine is late"), (Cause.UPLINK, "Our uplink is in doubt"), (Cause.WARMING, "Warming up")],
)
def test_cannot_know_says_why(cause: Cause, words: str) -> None:
    shown = frame("warmup")
    routes = tuple(structs.replace(r, cause=cause) for r in shown.routes)
    assert headline(view(changed(shown, routes=routes))).text.startswith(words)


def test_lost_collector_names_the_time_of_its_last_word() -> None:
    shown = frame("1011", 45)
    said = headline(view(shown, age_s=4.0, now_ns=shown.t_ns + 4 * SECOND))
    assert said.tone == "lost"
    assert said.text.startswith("No news from the collector since 21:03:45")
    assert "congested" not in said.text


def test_goodbye_is_quoted_without_its_control_characters() -> None:
    said = headline(view(frame("calm"), goodbye="stopped\x1b[2J by SIGTERM"))
    assert "(stopped[2J by SIGTERM)" in said.text


def test_before_the_first_frame() -> None:
    assert headline(view(None)).text.startswith("Waiting for the collector")
    assert headline(view(None, goodbye="refused")).text.startswith("No news from the collector (refused)")


def test_no_usable_route_is_said_plainly() -> None:
    shown = frame("closed", 45)
    advice = tuple(structs.replace(a, best=None, best_cost_bps=None) for a in shown.advice)
    assert headline(view(structs.replace(shown, advice=advice))).act == "Sell 100k BTC/USDT:USDT: no usable route."


def test_staying_home_claims_no_saving() -> None:
    shown = frame("1011", 45)
    advice = tuple(structs.replace(a, best=a.home, saving_bps=0.0) for a in shown.advice)
    said = headline(view(structs.replace(shown, advice=advice)))
    assert "at home on binance.linear" in said.act
    assert "saves" not in said.act
    assert said.key == ""


def test_empty_watchlist_points_to_the_key() -> None:
    assert "press w" in headline(view(frame("empty"))).text
