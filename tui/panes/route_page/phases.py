"""The REST round trip of a route, cut into its phases."""

from __future__ import annotations

from feeds.frame import Phases, RouteRow
from tui.format import bar, fit, milliseconds
from tui.lines import Line, line, note, title

_PHASES = (
    ("resolve", "resolve"),
    ("connect", "connect"),
    ("tls", "TLS"),
    ("first_byte", "first byte"),
    ("body", "body"),
)


def phases(row: RouteRow, width: int) -> list[Line]:
    """The round trip cut into its phases: warm on a kept-alive connection, cold on a new one; one scale for both."""
    lines = [title(width, None, "Round trip", "phases, ms · the bar's width is time")]
    values = [getattr(p, field) for p in (row.warm, row.cold) for field, _ in _PHASES]
    most = max((v for v in values if v is not None), default=None)
    if most is None:
        return [*lines, note("no probe has come back yet")]
    room = max(5, width - 29)
    for word, measured in (("warm", row.warm), ("cold", row.cold)):
        lines += _phase_lines(word, measured, room, most)
    tcp = f"kernel round trip {milliseconds(row.tcp_ms)} ms"
    lines.append(line((f" {tcp}", "muted"), (_venue_time(row), "text")))
    return lines


def _phase_lines(word: str, measured: Phases, room: int, most: float) -> list[Line]:
    lines: list[Line] = []
    for field, name in _PHASES:
        value: float | None = getattr(measured, field)
        if value is None:
            continue
        figure_role = "bright bold" if field == "first_byte" else "text"
        lead = word if not lines else ""
        drawn = bar(value / most * room, room).rstrip() if most > 0 else ""
        hue = "hue.0" if word == "warm" else "hue.1"
        lines.append(
            line(
                (f" {lead:5} ", "muted"),
                (f"{name:11}", "text"),
                (fit(milliseconds(value), 7, right=True) + " ", figure_role),
                (drawn, hue),
            )
        )
    return lines or [line((f" {word:5} ", "muted"), ("not measured yet", "muted"))]


def _venue_time(row: RouteRow) -> str:
    return "" if row.venue_time_ms is None else f"   venue's own time {milliseconds(row.venue_time_ms)} ms"
