"""The events pane: what happened, newest first."""

from __future__ import annotations

from feeds.frame import EventRow
from feeds.model import venue_of
from tui.format import clean, clock, fit, wrap
from tui.lines import Line, line, note, title
from tui.selection import matches
from tui.state_look import hues
from tui.view import View

_LEVELS = {"info": ("·", "muted"), "warning": ("◐", "state.suspect"), "alarm": ("▲", "state.congested")}
_INDENT = 24


def events_lines(view: View, width: int, height: int) -> list[Line]:
    """One event a line, longer ones on two or three; page up and down move through all that is kept."""
    detail = "newest first" if not view.events_up else f"{view.events_up} newer above"
    head = title(width, 6, "Events", detail, current=view.pane == "events")
    frame = view.frame
    if frame is None:
        return [head, note("waiting")]
    events = [e for e in reversed(frame.events) if matches(f"{e.route or ''} {e.code} {e.text}", view.query)]
    if not events:
        return [head, note("nothing has happened" if not view.query else "nothing that matches the filter")]
    venue_hue = hues(frame)
    lines = [head]
    for event in events[view.events_up :]:
        if len(lines) >= height:
            break
        lines += _event(event, width, venue_hue)
    return lines[:height]


def _event(event: EventRow, width: int, venue_hue: dict[str, int]) -> list[Line]:
    glyph, role = _LEVELS[event.level]
    body = clean(event.text)
    text_role = "text" if event.level == "info" else "bright"
    name: tuple[str, str] = ("", "text")
    if event.route is not None:
        route = clean(event.route)
        body = body.removeprefix(route).lstrip(" :")
        name = (f"{route} ", f"hue.{venue_hue.get(venue_of(event.route), 0)}")
    first, *more = _broken(body, width - _INDENT - 1, len(name[0]))
    lead = line(
        (f" {clock(event.t_ns)} ", "muted"),
        (f"{glyph} ", role),
        (fit(event.code, _INDENT - 12), "muted"),
        name,
        (first, text_role),
    )
    return [lead, *(line((" " * _INDENT, "text"), (text, text_role)) for text in more[:2])]


def _broken(body: str, width: int, taken: int) -> list[str]:
    """The first line is shorter by what the name takes."""
    if width < 20:
        return [fit(body, max(4, width - taken))]
    lines = wrap("x" * taken + body, width)
    return [lines[0][taken:], *lines[1:]]
