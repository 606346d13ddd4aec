"""The routes board: what is in a row, what is bright, what is gone."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.cells import cell_len

from feeds.frame import Frame, Percentiles, RestMs, RouteRow
from feeds.model import State
from tests.tui.scripted import SECOND, changed, frame, history
from tui.history import HistoryBuffer
from tui.lines import Line
from tui.panes.route_columns import COLUMNS, columns_for
from tui.panes.routes import routes_lines
from tui.panes.state_strip import Strips
from tui.state_look import GLYPHS
from tui.view import View


def view(shown: Frame, **changes: object) -> View:
    return structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes)


def board(shown: Frame, width: int = 118, height: int = 20, **changes: object) -> list[Line]:
    return routes_lines(view(shown, **changes), width, height, Strips())


def with_first(shown: Frame, **changes: object) -> Frame:
    return changed(shown, routes=(structs.replace(shown.routes[0], **changes), *shown.routes[1:]))


def role_of(line: Line, text: str) -> str:
    return next(role for part, role in line.parts if part.strip() == text)


def test_a_row_says_glyph_word_cause_and_since() -> None:
    text = board(frame("1011", 45))[2].text
    assert text.startswith("▌▲ binance.linear congested gateway   00:24")
    assert " 781 " in text


def test_missing_values_are_dashes_in_every_column() -> None:
    row = RouteRow(
        route="new.spot", venue="new", product="spot", state=State.UNKNOWN, cause=None, score=None, since_ns=0
    )
    shown = changed(frame("calm"), routes=(row,))
    columns, _ = columns_for(400, 14)
    line = board(shown, width=400)[2]
    figures = [part.strip() for part, _ in line.parts[3 : 3 + len(columns)]]
    counters = {"state", "why", "since", "gaps", "recon"}
    assert len(columns) == len(COLUMNS)
    assert [f for f, c in zip(figures, columns, strict=True) if c.key not in counters] == ["–"] * (len(columns) - 5)


@pytest.mark.parametrize(
    ("value", "baseline", "bright"),
    [(842.0, 24.0, True), (3200.0, 3000.0, False), (5.0, 1.0, False), (50.0, None, False), (None, 24.0, False)],
)
def test_bright_only_against_its_own_normal(value: float | None, baseline: float | None, bright: bool) -> None:
    shown = with_first(frame("calm"), rest_ms=RestMs(p50=value), baseline_rest_ms=baseline)
    rest = board(shown)[2].parts[7]
    assert ("bright" in rest[1]) is bright


def test_a_figure_that_a_reason_names_is_bright() -> None:
    line = board(frame("1011", 45), width=200)[2]
    errors = line.parts[3 + [c.key for c in columns_for(200, 14)[0]].index("errors")]
    assert errors == ("    12", "bright bold")


def test_a_silent_feed_dims_then_gives_way_to_its_age() -> None:
    age = Percentiles(p50=21.0, p99=48.0)
    fresh = board(with_first(frame("calm"), feed_age_ms=age, silence_ms=40.0))[2]
    old = board(with_first(frame("calm"), feed_age_ms=age, silence_ms=4_000.0))[2]
    gone = board(with_first(frame("calm"), feed_age_ms=age, silence_ms=12_400.0))[2]
    assert role_of(fresh, "21") == "text"
    assert role_of(old, "21") == "faint"
    assert "21" not in [part.strip() for part, _ in gone.parts]
    assert role_of(gone, "12 s") == "bright bold"


def test_a_route_without_connection_shows_no_feed_age() -> None:
    line = board(with_first(frame("calm"), connected=False, silence_ms=100.0))[2]
    assert line.parts[3 + 8][0].strip() == "–"


def test_when_the_collector_is_long_gone_only_what_was_remains() -> None:
    shown = frame("calm")
    line = board(shown, age_s=30.0)[2]
    assert "was ok" in line.text
    assert GLYPHS[State.OK] not in line.text
    assert not any(c.isdigit() for c in line.text)


@pytest.mark.parametrize("width", [60, 78, 80, 100, 118, 120, 150, 200, 240])
def test_rows_and_header_are_as_wide_as_each_other_and_fit(width: int) -> None:
    lines = board(frame("1011", 45), width=width, height=8)
    widths = {cell_len(line.text) for line in lines[2:8]}
    assert len(widths) == 1
    assert widths.pop() <= max(width, 72)


def test_columns_of_80_are_the_ones_that_matter() -> None:
    keys = [c.key for c in columns_for(80, 14)[0]]
    assert {"state", "why", "since", "rest50", "age50"} <= set(keys)
    assert len(columns_for(200, 14)[0]) > len(columns_for(120, 14)[0]) > len(keys)


def test_a_number_that_grows_moves_no_column() -> None:
    small = board(with_first(frame("calm"), rest_ms=RestMs(p50=9.0, p99=90.0)))[2]
    large = board(with_first(frame("calm"), rest_ms=RestMs(p50=12_345.0, p99=99_999.0)))[2]
    assert [cell_len(p) for p, _ in small.parts] == [cell_len(p) for p, _ in large.parts]


def test_a_changed_state_lights_its_row_once() -> None:
    shown = frame("1011", 45)
    fresh = with_first(shown, since_ns=shown.t_ns - SECOND)
    assert board(fresh)[2].background == "pulse"
    assert board(shown)[2].background == "select"


def test_the_board_scrolls_to_the_highlighted_route() -> None:
    lines = board(frame("many", 45), height=12, route="phemex.spot")
    assert any(line.background == "select" and "phemex.spot" in line.text for line in lines)
    assert "of 30" in lines[0].text


def test_the_rest_of_the_board_says_why() -> None:
    text = "\n".join(line.text for line in board(frame("1011", 45)))
    assert "because" in text
    assert "first byte p50 781 ms, baseline 24" in text


def test_hostile_names_and_texts_stay_text() -> None:
    shown = with_first(frame("1011", 45), route="[red]evil[/]\x1b[2J\u202e", notes=("[link=x]\x07",))
    text = "".join(line.text for line in board(shown))
    assert "[red]evil[/][2J" in text
    assert not any(c in text for c in "\x1b\x07\u202e")


def test_filter_without_a_match_says_how_to_leave() -> None:
    assert "esc shows all" in board(frame("calm"), query="zzz")[1].text


def test_looking_back_shows_what_was_and_nothing_else() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("1011", 45, length_s=600))
    lines = routes_lines(structs.replace(view(frame("1011", 45)), history=buffer, back_s=40), 118, 20, Strips())
    assert "as it was at 21:03:05" in lines[0].text
    row = next(line.text for line in lines if "binance.linear" in line.text)
    assert "● binance.linear ok" in row
    assert "3h12" in row  # since when it was ok, also before what is remembered
    assert "gateway" not in row
    assert "because" not in "".join(line.text for line in lines)
