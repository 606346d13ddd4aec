"""A route's page: every reason with its figures, phases, channels; nothing invented."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.cells import cell_len

from feeds.frame import ChannelRow, Frame, Phases
from feeds.model import State
from tests.tui.scripted import changed, frame, history
from tui.history import HistoryBuffer
from tui.lines import line
from tui.panes.route_page import beside, channels, phases, reasons, route_lines
from tui.view import View, chosen_route


def page(shown: Frame, width: int = 160, **changes: object) -> list[str]:
    buffer = HistoryBuffer()
    buffer.load(history("1011", 45, length_s=120))
    view = structs.replace(View(history=buffer, frame=shown, now_ns=shown.t_ns), **changes)
    return [line.text for line in route_lines(view, chosen_route(view), width, 41)]


def test_every_reason_has_value_normal_ratio_since_and_points() -> None:
    text = "\n".join(page(frame("1011", 45)))
    assert "+32 rest_p50_ms           781       24    33x  21:03:21  rest" in text
    assert "+20 rest_error_share     12 %        –      –  21:03:22  rest" in text
    assert "feed_age_p50_ms" in text


@pytest.mark.parametrize("width", [80, 123, 124, 160, 200])
@pytest.mark.parametrize("scenario", ["1011", "calm", "warmup", "closed"])
def test_nothing_is_wider_than_the_page(width: int, scenario: str) -> None:
    assert max(cell_len(text) for text in page(frame(scenario, 45), width)) <= width


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


def test_channels_show_silence_beside_its_limit() -> None:
    row = structs.replace(
        frame("calm").routes[0],
        channels=(
            ChannelRow(channel="trades:X", msgs_s=None, silence_ms=9_000.0, limit_ms=5_000.0, state="silent"),
            ChannelRow(channel="mark\x1b[31m", msgs_s=None, silence_ms=None, limit_ms=None, state="waiting"),
        ),
    )
    lines = channels(row, 80)
    assert "◆ trades:X" in lines[2].text
    assert "9.0 s    5.0 s" in lines[2].text
    assert lines[3].text.count("–") == 2
    assert "\x1b" not in lines[3].text


def test_no_reasons_are_not_a_verdict() -> None:
    clear = reasons(frame("calm").routes[0], 80)
    assert "nothing speaks against" in clear[1].text
    odd = structs.replace(frame("calm").routes[0], state=State.DOWN)
    assert "no measured reason was given" in reasons(odd, 80)[1].text


def test_a_route_that_went_away_is_said() -> None:
    shown = changed(frame("calm"), routes=())
    assert "not in the picture" in page(shown)[0]


def test_old_figures_are_removed() -> None:
    text = "\n".join(page(frame("1011", 45), age_s=60.0))
    assert "too old" in text
    assert "781" not in text


def test_columns_stand_side_by_side() -> None:
    joined = beside([line(("ab", "text"))], 4, [line(("x", "text")), line(("y", "text"))])
    assert [row.text for row in joined] == ["ab   x", "     y"]
