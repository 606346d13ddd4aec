"""The channels of a route: what comes, how long each has been silent, and what is too long."""

from __future__ import annotations

from feeds.frame import RouteRow
from tui.format import clean, fit, seconds
from tui.lines import Line, line, note, title


def channels(row: RouteRow, width: int) -> list[Line]:
    lines = [title(width, None, "Channels", f"{row.sockets_up} of {row.sockets} sockets up")]
    if not row.channels:
        return [*lines, note("nothing subscribed yet")]
    name = min(30, max(10, *(len(c.channel) for c in row.channels)))
    lines.append(line((f"   {fit('channel', name)} {'state':8} {'silent':>8} {'limit':>8}", "muted")))
    looks = {"live": ("●", "state.ok"), "waiting": ("·", "state.unknown"), "quiet": ("◐", "muted"),
             "silent": ("◆", "state.stalled"), "refused": ("⊘", "state.blocked")}  # fmt: skip
    for c in row.channels:
        glyph, role = looks[c.state]
        lines.append(
            line(
                (f" {glyph} ", role),
                (fit(clean(c.channel), name), "text"),
                (f" {c.state:8}", role),
                (" " + fit(seconds(c.silence_ms), 8, right=True), "bright bold" if c.state == "silent" else "text"),
                (" " + fit(seconds(c.limit_ms), 8, right=True), "muted"),
            )
        )
    return lines
