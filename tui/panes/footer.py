"""Keys and tabs: what can be pressed, and which pane is shown where only one fits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.format import clean, fit
from tui.lines import Line, Part, line
from tui.view import PANES, View

_NAMES = {
    "routes": "Routes",
    "spreads": "Spreads",
    "depth": "Depth",
    "rtt": "Round trip",
    "advice": "Advice",
    "events": "Events",
}


def tabs_line(view: View, width: int) -> Line:
    """The panes of a small screen, or of a zoomed one."""
    parts: list[Part] = [(" ", "text")]
    short = width < 76
    for index, name in enumerate(PANES, 1):
        word = _NAMES[name][:6] if short else _NAMES[name]
        current = name == view.pane
        parts += [(f" {index} ", "key"), (f"{word} ", "title bold underline" if current else "muted")]
    return line(*parts)


def footer_line(keys: Sequence[tuple[str, str]], width: int, notice: str = "") -> Line:
    """What the keys do; the ones that do not fit are in the help. A notice takes the place of all but the last."""
    if notice:
        return line((" ", "text"), (fit(clean(notice), width - 2), "bright bold"), background="bar")
    parts: list[Part] = [(" ", "text")]
    used = 1
    last = keys[-1] if keys else ("", "")
    last_cells = cell_len(last[0]) + cell_len(last[1]) + 3
    for key, word in keys:
        cells = cell_len(key) + cell_len(word) + 3
        if (key, word) != last and used + cells + last_cells > width:
            continue
        parts += [(key, "key"), (f" {word}  ", "muted")]
        used += cells
    return line(*parts, background="bar")
