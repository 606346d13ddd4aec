"""The widget under every pane: lines in, strips out; only lines that differ are drawn again."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.lines import EMPTY, Line
from tui.theme import DARK, Paint


class LinePane(Widget, can_focus=False):
    """A rectangle of ``Line``. Cells are never laid out by Textual, which is what keeps four frames a second cheap."""

    ALLOW_SELECT = False

    class Sized(Message):
        """The pane has a new size; who draws it must draw it again."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's own name for it
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._strips: list[Strip | None] = []
        self._paint = Paint(DARK)
        self._dimmed = False

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown now, top to bottom."""
        return self._lines

    def show(self, lines: Sequence[Line], paint: Paint, *, dimmed: bool = False) -> None:
        """Show these lines; what does not fit below is not seen, what is missing is empty."""
        if paint is not self._paint or dimmed != self._dimmed:
            self._paint, self._dimmed = paint, dimmed
            self._lines = list(lines)
            self._strips = [None] * len(lines)
            self.refresh()
            return
        width = self.size.width
        changed: list[Region] = []
        for y in range(max(len(lines), len(self._lines))):
            new = lines[y] if y < len(lines) else EMPTY
            if y >= len(self._lines):
                self._lines.append(new)
                self._strips.append(None)
            elif self._lines[y] == new:
                continue
            else:
                self._lines[y] = new
                self._strips[y] = None
            changed.append(Region(0, y, width, 1))
        del self._lines[len(lines) :], self._strips[len(lines) :]
        if changed and width:
            self.refresh(*changed)

    def on_resize(self) -> None:
        self.post_message(self.Sized())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._lines):
            return Strip([Segment(" " * width, self._paint.style("text"))], width)
        strip = self._strips[y]
        if strip is None or strip.cell_length != width:
            strip = self._strips[y] = self._strip(self._lines[y], width)
        return strip

    def _strip(self, line: Line, width: int) -> Strip:
        style = self._paint.style
        segments = [Segment(text, style(role, line.background, dimmed=self._dimmed)) for text, role in line.parts]
        return Strip(segments).adjust_cell_length(width, style("text", line.background))
