"""Header, sentence, tabs and footer at every width."""

from __future__ import annotations

import pytest
from msgspec import structs
from rich.cells import cell_len

from feeds.frame import SelfRow, Spread2
from tests.tui.scripted import changed, frame
from tui.bindings import KEYS, footer_keys
from tui.history import HistoryBuffer
from tui.panes.bars import footer_line, header_line, headline_lines, tabs_line
from tui.view import View


def view(scenario: str = "1011", **changes: object) -> View:
    shown = frame(scenario, 45)
    return structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes)


def test_header_says_who_where_when_and_how_far_to_trust_it() -> None:
    text = header_line(view(), 160).text
    for words in ("simulated: 1011", "majors", "tokyo-1", "21:03:45 UTC", "uplink ● 1.3 ms", "own lag 0.4 ms"):
        assert words in text
    assert "● 4 clear  ▲ 2 slow  ✕ 0 closed  · 0 unknown" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("scenario", ["1011", "uplink", "many", "empty"])
def test_no_bar_is_wider_than_the_screen(width: int, scenario: str) -> None:
    shown = view(scenario)
    height = 1 if width >= 160 else 2
    lines = [header_line(shown, width), *headline_lines(shown, width, height), tabs_line(shown, max(width, 70))]
    lines.append(footer_line(footer_keys(KEYS, "board"), width))
    limits = [max(width, 60), *[width] * (len(lines) - 3), max(width, 70), width]
    assert [cell_len(line.text) <= limit for line, limit in zip(lines, limits, strict=True)] == [True] * len(lines)


def test_a_narrow_header_keeps_the_counts() -> None:
    assert "●4 ▲2 ✕0 ·0" in header_line(view(), 80).text


def test_own_lateness_is_loud() -> None:
    late = changed(frame("calm"), own=SelfRow(loop_lag_ms=Spread2(p50=20.0, p99=180.0), witness="up"))
    assert "own lag 180 ms late" in header_line(view(frame=late), 160).text


def test_unmeasured_own_figures_are_dashes() -> None:
    text = header_line(view(frame=changed(frame("calm"), own=SelfRow())), 160).text
    assert "uplink · unknown" in text
    assert "own lag –" in text


def test_frozen_and_looking_back_are_said() -> None:
    text = header_line(view(frozen=True, back_s=5), 200).text
    assert "FROZEN since 21:03:45" in text
    assert "looking at 21:03:40" in text


def test_the_sentence_keeps_all_its_words_on_two_lines() -> None:
    lines = headline_lines(view(), 80, 2)
    assert len(lines) == 2
    words = " ".join(line.text for line in lines).replace("▲", "").split()
    assert words[0] == "binance.linear"
    assert words[-2:] == ["4.7", "bp."]


def test_what_to_do_is_brighter_than_what_is_wrong() -> None:
    (line,) = headline_lines(view(), 160, 1)
    assert [role for text, role in line.parts if "okx.linear" in text] == ["bright bold"]


def test_the_footer_never_loses_quit() -> None:
    for width in (30, 60, 80, 160):
        assert footer_line(footer_keys(KEYS, "board"), width).text.rstrip().endswith("q quit")


def test_a_notice_takes_the_footer() -> None:
    assert "asked for buy" in footer_line(footer_keys(KEYS, "board"), 80, "asked for buy").text
