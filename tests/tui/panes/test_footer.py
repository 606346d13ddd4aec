"""Footer and tabs at every width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.tui.scripted import view
from tui.bindings import KEYS, footer_keys
from tui.panes.footer import footer_line, tabs_line


def test_the_footer_never_loses_quit() -> None:
    for width in (30, 60, 80, 160):
        assert footer_line(footer_keys(KEYS, "board"), width).text.rstrip().endswith("q quit")


def test_a_notice_takes_the_footer() -> None:
    assert "asked for buy" in footer_line(footer_keys(KEYS, "board"), 80, "asked for buy").text


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 200])
def test_never_wider_than_the_screen(width: int) -> None:
    assert cell_len(footer_line(footer_keys(KEYS, "board"), width).text) <= width
    assert cell_len(tabs_line(view(), max(width, 70)).text) <= max(width, 70)
