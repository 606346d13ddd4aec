"""What a pane hands to the screen: lines of (text, role). Roles are names of ``theme.py``; no pane names a colour."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from rich.cells import cell_len

from tui.format import fit

Part: TypeAlias = tuple[str, str]
"""Text and role, e.g. ``("842", "state.congested bold")``."""


class Line(NamedTuple):
    """One line. ``background`` is a name of ``theme.py``; ``""`` is the screen's own."""

    parts: tuple[Part, ...] = ()
    background: str = ""

    @property
    def text(self) -> str:
        return "".join(part for part, _ in self.parts)


EMPTY = Line()


def line(*parts: Part, background: str = "") -> Line:
    return Line(tuple(part for part in parts if part[0]), background)


def cut(whole: Line, width: int) -> Line:
    """The line in at most ``width`` cells."""
    parts: list[Part] = []
    room = width
    for text, role in whole.parts:
        cells = cell_len(text)
        parts.append((text if cells <= room else fit(text, room), role))
        room -= cells
        if room <= 0:
            break
    return line(*parts, background=whole.background)


def note(text: str, role: str = "muted") -> Line:
    """A line of plain words, indented like a table's rows."""
    return Line(((f" {text}", role),))


def title(width: int, number: int | None, name: str, detail: str = "", *, current: bool = False) -> Line:
    """A pane's first line: a rule with its number, name and what it shows; brighter when the pane is the chosen one."""
    head = f" {number} " if number is not None else " "
    name_text = f"{name} "
    room = max(0, width - 1 - cell_len(head) - cell_len(name_text) - 1)
    detail_text = fit(f" {detail} ", min(room, cell_len(detail) + 2)) if detail and room > 4 else ""
    rule = max(0, room + 1 - cell_len(detail_text))
    return line(
        ("─", "rule"),
        (head, "key"),
        (name_text, "title bold" if current else "title"),
        (detail_text, "muted"),
        ("─" * rule, "rule.current" if current else "rule"),
    )
