"""Phases of the round trip: one scale, nothing drawn that was not measured."""

from __future__ import annotations

from msgspec import structs

from feeds.frame import Phases
from tests.tui.scripted import frame
from tui.panes.route_page.phases import phases


def test_phases_share_one_scale() -> None:
    row = structs.replace(
        frame("calm").routes[0], warm=Phases(first_byte=100.0, body=50.0), cold=Phases(first_byte=100.0, connect=25.0)
    )
    bars = {line.text[7:18].strip() + line.text[1:5].strip(): line.text.count("█") for line in phases(row, 80)}
    assert bars["first bytewarm"] > 0
    assert abs(bars["first bytewarm"] - 2 * bars["body"]) <= 1


def test_phases_that_were_not_measured_are_not_drawn() -> None:
    text = "\n".join(line.text for line in phases(frame("warmup").routes[0], 80))
    assert "warm  not measured yet" in text
    unmeasured = structs.replace(frame("calm").routes[0], warm=Phases(), cold=Phases())
    assert "no probe has come back yet" in "\n".join(line.text for line in phases(unmeasured, 80))


def test_the_venues_own_time_stands_beside_the_road() -> None:
    row = structs.replace(frame("calm").routes[0], venue_time_ms=22.0)
    assert "venue's own time 22 ms" in "\n".join(line.text for line in phases(row, 80))
    unknown = structs.replace(row, venue_time_ms=None)
    assert "own time" not in "\n".join(line.text for line in phases(unknown, 80))
