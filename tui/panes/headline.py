"""The headline as one or two lines."""

from __future__ import annotations

from rich.cells import cell_len

from tui.format import fit, wrap
from tui.headline import headline
from tui.lines import Line, line
from tui.view import View


def headline_lines(view: View, width: int, height: int) -> list[Line]:
    """The one sentence, on one line where it fits, else on ``height`` of them; what to do is brighter."""
    said = headline(view)
    background = "banner" if said.tone == "lost" else ""
    key = f"{said.key} " if said.key and view.frame is not None else ""
    room = width - 3
    if cell_len(said.text) + len(key) + 2 <= room:
        gap = room - cell_len(said.text) - len(key)
        return [
            line(
                (f" {said.glyph} ", f"{said.role} bold"),
                (said.what, said.role if said.tone != "good" else "text"),
                (f" {said.act}" if said.act else "", "bright bold" if said.tone == "bad" else "text"),
                (" " * gap, "text"),
                (key, "muted"),
                background=background,
            )
        ]
    words = wrap(said.text, room)
    if height > 1 and max(cell_len(said.what), cell_len(said.act)) <= room:
        words = [said.what, said.act] if said.act else [said.what]
    words = [*words[: height - 1], fit(" ".join(words[height - 1 :]), room)] if len(words) > height else words
    roles = (said.role if said.tone != "good" else "text", "bright bold" if said.tone == "bad" else "text")
    lines: list[Line] = []
    seen = 0
    for index, text in enumerate(words):
        # the boundary between what and act may fall inside this line
        cut = max(0, min(len(text), len(said.what) - seen))
        lead = f" {said.glyph} " if index == 0 else "   "
        lines.append(
            line((lead, f"{said.role} bold"), (text[:cut], roles[0]), (text[cut:], roles[1]), background=background)
        )
        seen += len(text) + 1
    return lines
