"""Notes of a route: official notices and oddities, in whole sentences."""

from __future__ import annotations

from feeds.frame import RouteRow
from tui.format import clean, wrap
from tui.lines import Line, line, title


def notes(row: RouteRow, width: int) -> list[Line]:
    if not row.notes:
        return []
    lines = [title(width, None, "Notes", "official notices and oddities")]
    for text in row.notes:
        lines += [
            line((" " if i else " · ", "muted"), (("  " if i else "") + part, "text"))
            for i, part in enumerate(wrap(clean(text), width - 4))
        ]
    return lines
