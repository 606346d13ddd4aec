"""Which panes a terminal shows: everything adds up to its height, nothing jumps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.screens.arrangement import arrange


@given(st.integers(20, 400), st.integers(8, 120), st.integers(0, 60))
def test_rows_fill_the_screen_exactly(width: int, height: int, routes: int) -> None:
    plan = arrange(width, height, routes)
    if plan.rows:
        assert sum(plan.rows) + 2 + plan.headline_height == height
        assert min(plan.rows) >= 4


@pytest.mark.parametrize(
    ("width", "height", "mode", "grid"),
    [
        (80, 24, "small", 0),
        (120, 40, "medium", 4),
        (120, 30, "medium", 4),
        (160, 45, "large", 3),
        (200, 60, "large", 3),
    ],
)
def test_modes(width: int, height: int, mode: str, grid: int) -> None:
    plan = arrange(width, height, 6)
    assert plan.mode == mode
    assert len(plan.rows) == grid
    assert plan.tabs is (grid == 0)


def test_zoom_gives_one_pane_the_screen() -> None:
    assert arrange(160, 45, 6, zoomed=True).rows == ()


def test_more_routes_get_more_rows_up_to_half() -> None:
    tops = [arrange(200, 60, n).rows[0] for n in (6, 15, 30, 60)]
    assert tops == sorted(tops)
    assert tops[-1] <= 28
