"""A chart of the last minutes: curves, a ruler on the left, names and last values on the right."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from tui.format import DASH, clock, fit
from tui.history import HistoryBuffer, buckets
from tui.lines import Line, line, note
from tui.panes.raster import Cells, Curve, parts, raster

SPANS_S = (60, 120, 300, 900, 1800)
_LEAST = 1e-9
"""Values below this are drawn as zero: a logarithm of them would stretch the scale."""
_SWATCH = {False: "━━", True: "╍╍"}


class Trace(Struct, frozen=True, kw_only=True):
    """One series to draw: ``name`` on the buffer, ``label`` for people, ``text`` its figure now."""

    name: str
    label: str
    role: str
    text: str
    text_role: str = "text"
    dashed: bool = False
    lost: str | None = None
    """The series whose positive values are marked as lost."""
    bold: bool = False
    peaks: bool = True
    """Several seconds to a point: show the highest of them, else their median."""


class Scale(Struct, frozen=True):
    """Values to heights: ``low`` to ``high``, logarithmic or not."""

    low: float
    high: float
    log: bool

    def height(self, value: float) -> float:
        """0 at ``low``, 1 at ``high``; what lies outside is kept at the edge."""
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))

    def ticks(self, rows: int) -> dict[int, float]:
        """Row (0 at the top) to the round value that stands there."""
        found: dict[int, float] = {}
        values = _log_steps(self.low, self.high) if self.log else _linear_steps(self.high, max(2, rows // 3))
        for value in values:
            row = round((1 - self.height(value)) * (rows - 1))
            if not any(abs(row - other) < 2 for other in found):
                found[row] = value
        return found


def log_scale(values: Sequence[float]) -> Scale:
    """From the 1-3-10 step below the least to the one above the most; never less than a decade."""
    positive = [v for v in values if v > _LEAST] or [10.0]
    low = _step_below(min(positive))
    high = _step_above(max(positive))
    return Scale(low, max(high, low * 10), log=True)


def linear_scale(values: Sequence[float]) -> Scale:
    """From zero to the 1-2-3-5 step above the most."""
    top = max(values, default=0.0)
    if top <= _LEAST:
        return Scale(0.0, 1.0, log=False)
    power = 10.0 ** math.floor(math.log10(top))
    return Scale(0.0, next((s * power for s in (1, 2, 3, 5) if s * power >= top * 1.02), 10 * power), log=False)


def _step_below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return 3 * power if value >= 3 * power else power


def _step_above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return power if value <= power else 3 * power if value <= 3 * power else 10 * power


def _log_steps(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    tens = [10.0**p for p in range(first, last + 1)]
    threes = [3 * ten for ten in tens]
    return [v for v in [high, low, *tens, *threes] if low <= v <= high]


def _linear_steps(high: float, count: int) -> list[float]:
    return [high * i / count for i in range(count, -1, -1)]


def span_for(buffer: HistoryBuffer, widest_s: int, end_s: int) -> int:
    """The shortest span that holds all up to ``end_s``, at most ``widest_s``: a new session fills its chart too."""
    begin_s = buffer.begin_s()
    held = 0 if begin_s is None else end_s - begin_s + 1
    return next((span for span in SPANS_S if span >= held or span >= widest_s), widest_s)


def chart(
    buffer: HistoryBuffer,
    traces: Sequence[Trace],
    *,
    width: int,
    height: int,
    end_s: int,
    span_s: int,
    log: bool,
    back_s: int = 0,
    end: str = "now",
    legend: int = 0,
    caption: str = "",
    decimals: int | None = None,
) -> list[Line]:
    """``height`` lines. ``legend`` is the width of the names on the right, 0 for none; ``back_s`` sets the cursor."""
    rows = height - 1
    gutter = 6
    columns = width - gutter - legend
    if rows < 2 or columns < 8:
        return [note("too small for a chart")]
    wide = max(1, math.ceil(span_s / (columns * 2)))
    first_s = end_s - span_s + 1
    first_bucket = -(-first_s // wide)
    span = end_s // wide - first_bucket + 1
    data = [buckets(buffer.window(t.name, end_s, span_s), first_s, wide, peaks=t.peaks) for t in traces]
    values = [value for points in data for _, value in points]
    if not values:
        return [note("nothing measured yet")]
    scale = log_scale(values) if log else linear_scale(values)
    curves = [
        Curve(t.role, tuple((b - first_bucket, scale.height(v)) for b, v in points), t.dashed)
        for t, points in zip(traces, data, strict=True)
    ]
    cells = raster(curves[::-1], columns, rows, span)
    for trace in traces:
        if trace.lost is not None:
            _mark_lost(cells, buffer, trace, end_s, span_s, columns)
    if back_s:
        _mark_cursor(cells, columns - 1 - round(back_s * (columns - 1) / max(1, span_s - 1)))
    ticks = scale.ticks(rows)
    lines = [
        line(
            (_tick(ticks.get(y), decimals), "muted"),
            ("┤" if y in ticks else "│", "rule"),
            *parts(cells[y]),
            *_legend(traces, y, rows, legend),
        )
        for y in range(rows)
    ]
    lines.append(_foot(width, gutter, columns, span_s, end_s - back_s if back_s else None, caption, end))
    return lines


def _tick(value: float | None, decimals: int | None) -> str:
    if value is None:
        return "     "
    if decimals is None:
        decimals = 0 if value >= 10 or value == 0 else 1 if value >= 1 else 2
    return fit(f"{value:,.{decimals}f}".replace(",", "\u202f"), 5, right=True)


def _mark_lost(cells: Cells, buffer: HistoryBuffer, trace: Trace, end_s: int, span_s: int, columns: int) -> None:
    """A lost probe is a mark on the top edge, not a gap."""
    for offset, value in enumerate(buffer.window(trace.lost or "", end_s, span_s)):
        if value:
            cells[0][offset * (columns - 1) // max(1, span_s - 1)] = ("×", trace.role)


def _mark_cursor(cells: Cells, column: int) -> None:
    for row in cells:
        if 0 <= column < len(row) and row[column][0] == " ":
            row[column] = ("┊", "key")


def _legend(traces: Sequence[Trace], y: int, rows: int, width: int) -> list[tuple[str, str]]:
    if width < 8:
        return []
    if y == rows - 1 and len(traces) > rows:
        return [(fit(f" +{len(traces) - rows + 1} more", width), "muted")]
    if y >= len(traces):
        return [(" " * width, "text")]
    trace = traces[y]
    figure = max(5, len(trace.text))
    mark = " bold" if trace.bold else ""
    return [
        (f" {_SWATCH[trace.dashed]} ", trace.role),
        (fit(trace.label, width - 5 - figure), ("bright" if trace.bold else "text") + mark),
        (" " + fit(trace.text, figure, right=True), trace.text_role if trace.text != DASH else "muted"),
    ]


def _foot(width: int, gutter: int, columns: int, span_s: int, cursor_s: int | None, caption: str, end: str) -> Line:
    ago = f"-{span_s // 60} min"
    end = f"cursor {clock(cursor_s * 1_000_000_000)}" if cursor_s is not None else end
    rule = "─" * max(0, columns - len(ago) - len(end) - 2)
    return line(
        (" " * (gutter - 1), "text"),
        ("└", "rule"),
        (f"{ago} ", "muted"),
        (rule, "rule"),
        (f" {end}", "key" if cursor_s is not None else "muted"),
        (fit(f" {caption}", width - gutter - columns), "muted"),
    )
