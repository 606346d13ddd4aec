"""The headline on one line or two."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.tui.scripted import view
from tui.panes.headline import headline_lines


def test_the_headline_keeps_all_its_words_on_two_lines() -> None:
    lines = headline_lines(view(), 80, 2)
    assert len(lines) == 2
    words = " ".join(line.text for line in lines).replace("▲", "").split()
    assert words[0] == "binance.linear"
    assert words[-2:] == ["4.7", "bp."]


def test_what_to_do_is_brighter_than_what_is_wrong() -> None:
    (line,) = headline_lines(view(), 160, 1)
    assert [role for text, role in line.parts if "okx.linear" in text] == ["bright bold"]


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
@pytest.mark.parametrize("scenario", ["1011", "uplink", "many", "empty"])
def test_never_wider_than_the_screen(width: int, scenario: str) -> None:
    for shown in headline_lines(view(scenario), width, 1 if width >= 160 else 2):
        assert cell_len(shown.text) <= width
