"""Two columns of lines as one: the route page and the help."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.lines import Line, cut, line


def beside(left: Sequence[Line], left_width: int, right: Sequence[Line]) -> list[Line]:
    """Two columns of lines as one."""
    joined: list[Line] = []
    for y in range(max(len(left), len(right))):
        mine = cut(left[y], left_width).parts if y < len(left) else ()
        other = right[y].parts if y < len(right) else ()
        used = sum(cell_len(text) for text, _ in mine)
        joined.append(line(*mine, (" " * (left_width + 1 - used), "text"), *other))
    return joined
