"""Two columns of lines as one."""

from __future__ import annotations

from tui.lines import line
from tui.panes.columns import beside


def test_columns_stand_side_by_side() -> None:
    joined = beside([line(("ab", "text"))], 4, [line(("x", "text")), line(("y", "text"))])
    assert [row.text for row in joined] == ["ab   x", "     y"]
