"""Curves to braille cells, through plotext: it rasterises, we keep axes, colours and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tui.lines import Part

_COLOUR = re.compile(r"\x1b\[([\d;]*)m")
_DASH_ON, _DASH_PERIOD = 3, 5
"""In points, two to a column: a dash of a column and a half, a gap of one."""


class Curve(Struct, frozen=True):
    """``points`` are (x in buckets from the left edge, y in the chart's scale, 0 to 1); a missing bucket is a gap."""

    role: str
    points: tuple[tuple[int, float], ...]
    dashed: bool = False


Cells = list[list[tuple[str, str]]]
"""Rows of (character, role)."""


def raster(curves: Sequence[Curve], width: int, height: int, span: int) -> Cells:
    """Draw in order, the last on top, on ``width`` x ``height`` cells; ``span`` buckets fill the width."""
    empty: Cells = [[(" ", "text")] * width for _ in range(height)]
    if width < 2 or height < 1 or not any(curve.points for curve in curves):
        return empty
    text = _plot(curves, width, height, span)
    for y, row in enumerate(text.split("\n")[:height]):
        x, role = 0, "text"
        pieces = _COLOUR.split(row)
        for index, piece in enumerate(pieces):
            if index % 2:
                role = _role(piece, curves)
                continue
            for character in piece:
                if x < width:
                    empty[y][x] = (character, role)
                x += 1
    return empty


def _plot(curves: Sequence[Curve], width: int, height: int, span: int) -> str:
    # imported at the first chart, not at start: 100 ms that the first frame need not wait for
    import plotext

    plotext.terminal.limit(False, False)
    figure: Any = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.axes(False)
    figure.legend(False)
    figure.canvas("default")
    figure.ruler([0, 1], [0, 1]).frequency(0)
    figure.ruler("x").lim(0, max(1, span - 1))
    figure.ruler("y").lim(0, 1)
    for index, curve in enumerate(curves):
        # the colour carries the curve's index through the rasteriser
        marker = plotext.marker("braille", pixel=(1, 1, index + 1))
        points = [p for p in curve.points if not curve.dashed or p[0] % _DASH_PERIOD < _DASH_ON]
        if not points:
            continue
        signal = (
            figure.signal([x for x, _ in points], [y for _, y in points], marker=marker)
            .lines(True)
            .density("full", scope="line")
        )
        for at in range(1, len(points)):
            if points[at][0] - points[at - 1][0] > 1:
                signal.line(at, False)
        figure.draw(signal)
    return str(figure.build().string())


def _role(code: str, curves: Sequence[Curve]) -> str:
    fields = code.split(";")
    if len(fields) == 5 and fields[0] == "38" and fields[4].isdigit():
        index = int(fields[4]) - 1
        if 0 <= index < len(curves):
            return curves[index].role
    return "text"


def parts(cells: Sequence[tuple[str, str]]) -> list[Part]:
    """One row's cells, neighbours of one role joined."""
    joined: list[Part] = []
    for character, role in cells:
        if joined and joined[-1][1] == role:
            joined[-1] = (joined[-1][0] + character, role)
        else:
            joined.append((character, role))
    return joined
