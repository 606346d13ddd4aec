"""The header at every width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from feeds.frame import Percentiles, SelfRow
from tests.tui.scripted import changed, frame, view
from tui.panes.header import header_line


def test_header_says_who_where_when_and_how_far_to_trust_it() -> None:
    text = header_line(view(), 160).text
    for words in ("simulated: 1011", "majors", "tokyo-1", "21:03:45 UTC", "uplink ● 1.3 ms", "own lag 0.4 ms"):
        assert words in text
    assert "● 4 clear  ▲ 2 slow  ✕ 0 closed  · 0 unknown" in text


def test_a_narrow_header_keeps_the_counts() -> None:
    assert "●4 ▲2 ✕0 ·0" in header_line(view(), 80).text


def test_own_lateness_is_loud() -> None:
    late = changed(frame("calm"), own=SelfRow(loop_lag_ms=Percentiles(p50=20.0, p99=180.0), witness="up"))
    assert "own lag 180 ms late" in header_line(view(frame=late), 160).text


def test_unmeasured_own_figures_are_dashes() -> None:
    text = header_line(view(frame=changed(frame("calm"), own=SelfRow())), 160).text
    assert "uplink · unknown" in text
    assert "own lag –" in text


def test_frozen_and_looking_back_are_said() -> None:
    text = header_line(view(frozen=True, back_s=5), 200).text
    assert "FROZEN since 21:03:45" in text
    assert "looking at 21:03:40" in text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("scenario", ["1011", "uplink", "many", "empty"])
def test_never_wider_than_the_screen(width: int, scenario: str) -> None:
    assert cell_len(header_line(view(scenario), width).text) <= max(width, 60)
