"""Numbers, times and foreign text as the screen shows them: pure, fixed width; missing is a dash, never 0."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from feeds.plain_text import plain

DASH = "–"
THIN = "\u202f"
"""Narrow no-break space between thousands: one cell in every terminal we know."""

_SECOND_NS = 1_000_000_000
MAX_CLEAN = 2000
"""Characters; a pane cuts to its own width."""


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """Foreign text without anything that a terminal could obey: control, format and combining characters go.

    Markup needs no escaping here: lines are drawn as segments, which nobody parses.
    """
    if text.isascii() and text.isprintable():
        return text
    return plain(text, MAX_CLEAN)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells, cut with an ellipsis or padded (on the left when ``right``)."""
    if width <= 0:
        return ""
    cells = len(text) if text.isascii() else cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1).rstrip() + "…" + " " * (width - 1 - cell_len(_cut(text, width)))
    gap = " " * (width - cells)
    return gap + text if right else text + gap


def _cut(text: str, width: int) -> str:
    return set_cell_size(text, width - 1).rstrip()


def wrap(text: str, width: int) -> list[str]:
    """``text`` over several lines of at most ``width`` cells, broken at spaces; a longer word is cut."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width or not line:
            line = joined
        else:
            lines.append(line)
            line = word
    lines.append(line)
    return [fit(part, width).rstrip() if cell_len(part) > width else part for part in lines]


def number(value: float | None, decimals: int = 0) -> str:
    """Thousands apart by a thin space: ``3 200``. What rounds to nothing without being nothing is ``<0.01``."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return DASH
    text = f"{value:,.{decimals}f}".replace(",", THIN)
    if not value or text.strip("-0."):
        return text
    least = f"{10**-decimals:.{decimals}f}"
    return f"<{least}" if value > 0 else f">-{least}"


def milliseconds(value: float | None) -> str:
    """Tenths below 10 ms, whole ones above: more digits than that are noise."""
    if value is None:
        return DASH
    return number(value, 1 if abs(value) < 9.95 else 0)


def bps(value: float | None, *, sign: bool = False) -> str:
    """Basis points: two decimals below 1, one below 100, none above."""
    if value is None or value != value:
        return DASH
    size = abs(value)
    text = number(value, 2 if size < 0.995 else 1 if size < 99.95 else 0)
    return f"+{text}" if sign and value > 0 and text[0] != "<" else text


def percent(share: float | None) -> str:
    """A share of 0 to 1 as percent without its sign; below ten with a decimal, so that 0.4 % is not nothing."""
    if share is None:
        return DASH
    value = share * 100
    return "0" if value == 0 else number(value, 1 if value < 9.95 else 0)


def count(value: int | None) -> str:
    return number(value)


def money(value: float | None) -> str:
    """An order's size as people say it: ``100k``, ``2.5M``."""
    if value is None or value != value:
        return DASH
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def millions(value: float | None) -> str:
    """A depth in millions, for columns whose header names the unit."""
    if value is None:
        return DASH
    size = value / 1e6
    return number(size, 2 if size < 0.995 else 1 if size < 99.95 else 0)


def duration(span_ns: int | None) -> str:
    """``00:15``, ``59:59``, ``3h12``, ``2d04``: at most five cells below 100 days."""
    if span_ns is None:
        return DASH
    seconds = max(0, span_ns // _SECOND_NS)
    if seconds < 3600:
        return f"{seconds // 60:02d}:{seconds % 60:02d}"
    if seconds < 86_400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02d}"
    return f"{seconds // 86_400}d{seconds % 86_400 // 3600:02d}"


def seconds(span_ms: float | None) -> str:
    """An age or silence: ``8.4 s``, ``42 s``, ``12 min``, ``3 h``."""
    if span_ms is None:
        return DASH
    span = max(0.0, span_ms / 1000)
    if span < 9.95:
        return f"{number(span, 1)} s"
    if span < 120:
        return f"{span:.0f} s"
    return f"{span / 60:.0f} min" if span < 7200 else f"{span / 3600:.0f} h"


def clock(t_ns: int | None, *, date: bool = False) -> str:
    """UTC wall time to the second."""
    if t_ns is None:
        return DASH
    try:
        moment = datetime.fromtimestamp(t_ns // _SECOND_NS, UTC)
    except (OverflowError, ValueError, OSError):  # a time stamp from the network may be absurd
        return DASH
    return moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def ratio(value: float | None) -> str:
    """``35x``; below ten with a decimal."""
    if value is None:
        return DASH
    return f"{number(value, 1 if value < 9.95 else 0)}x"


_LEVELS = "▁▂▃▄▅▆▇█"


def level(share: float) -> str:
    """One character whose height says ``share`` (0 to 1)."""
    return _LEVELS[max(0, min(7, int(share * 8)))]


def bar(cells: float, width: int, *, leftwards: bool = False) -> str:
    """A bar of ``cells`` cells (to the half) in a field of ``width``; all above zero shows at least half a cell."""
    halves = max(1, round(cells * 2)) if cells > 0 else 0
    whole, half = divmod(min(halves, width * 2), 2)
    if leftwards:
        return " " * (width - whole - half) + "▐" * half + "█" * whole
    return "█" * whole + "▌" * half + " " * (width - whole - half)
