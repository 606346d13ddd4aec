"""The routes board, worst first, and beneath it why the highlighted route is judged as it is."""

from __future__ import annotations

from collections.abc import Mapping

from feeds.frame import RouteRow
from feeds.model import Cause, State, venue_of
from tui.format import clean, clock, fit
from tui.lines import EMPTY, Line, line, note, title
from tui.panes.route_columns import columns_for, glyph, header, row_parts
from tui.panes.state_strip import Strips, strip_span_s
from tui.selection import ordered
from tui.state_look import hues, state_role
from tui.view import View

_PULSE_NS = 1_500_000_000
"""A changed state lights its row once, this long."""
_SECOND_NS = 1_000_000_000
_UNJUDGED: Mapping[Cause | None, str] = {
    Cause.WARMING: "not judged yet: its own normal is not known",
    Cause.UPLINK: "not judged: our own uplink is in doubt",
    Cause.SELF: "not judged: our own machine is late",
}


def routes_lines(view: View, width: int, height: int, strips: Strips) -> list[Line]:
    """Title, header, one line a route, then the reasons of the highlighted one, as far as ``height`` allows."""
    when = f"as it was at {clock((view.at_s - view.back_s) * _SECOND_NS)} · " if view.back_s else ""
    detail = f"{when}worst first · times in ms{f' · filter: {clean(view.query)}' if view.query else ''}"
    head = title(width, 1, "Routes", detail, current=view.pane == "routes")
    frame = strips.frame_at_cursor(view) if view.back_s else view.frame
    if frame is None:
        return [head, note("waiting for the collector's first picture")]
    rows = ordered(frame, view.query)
    if not rows:
        words = (
            f"no route matches “{clean(view.query)}”: esc shows all" if view.query else "this watchlist has no routes"
        )
        return [head, note(words)]
    name_width = min(24, max(14, *(len(row.route) for row in rows)))
    columns, strip_width = columns_for(width, name_width)
    gone = view.freshness == "gone" and not view.back_s
    chosen = next((row for row in rows if row.route == view.route), rows[0])
    # durations stand still on a frozen screen, and on one that looks back
    now_ns = frame.t_ns if view.frozen or gone or view.back_s else view.now_ns
    top = line(
        (" " * 3 + fit("route", name_width), "muted"),
        *header(columns),
        (f"  {fit(f'{strip_span_s(view) // 60} min', strip_width)}" if strip_width else "", "muted"),
    )
    room = max(1, height - 2)
    first = _first_shown(rows, chosen, room)
    venue_hue = hues(frame)
    lines = [head, top]
    for row in rows[first : first + room]:
        selected = row is chosen
        pulsing = not gone and 0 <= now_ns - row.since_ns < _PULSE_NS and row.state is not State.UNKNOWN
        lines.append(
            line(
                ("▌" if selected else " ", "key"),
                (f"{glyph(row, gone=gone)} ", f"{state_role(row.state)} bold"),
                (fit(clean(row.route), name_width), f"hue.{venue_hue[venue_of(row.route)]}"),
                *row_parts(row, columns, now_ns, gone=gone),
                ("  ", "text"),
                *(strips.of(view, row.route, strip_width) if strip_width else ()),
                background="pulse" if pulsing else "select" if selected else "",
            )
        )
    below = room - min(room, len(rows))
    if below >= 3 and not view.back_s and not gone:
        lines += _reason_lines(chosen, width, below)
    elif first + room < len(rows) or first:
        lines[0] = title(
            width, 1, "Routes", f"{detail} · {first + 1}–{min(len(rows), first + room)} of {len(rows)}",
            current=view.pane == "routes",
        )  # fmt: skip
    return lines


def _first_shown(rows: list[RouteRow], chosen: RouteRow, room: int) -> int:
    """The board scrolls only as far as the highlighted row needs."""
    if len(rows) <= room:
        return 0
    return max(0, min(rows.index(chosen) - room + 1 + room // 4, len(rows) - room))


def _reason_lines(row: RouteRow, width: int, room: int) -> list[Line]:
    """Why this route is judged so, in as many lines as there are; ``enter`` shows the rest."""
    role = state_role(row.state)
    since = f"since {clock(row.since_ns)}"
    lines = [EMPTY] if room > 3 else []
    name = clean(row.route)
    if not row.reasons:
        words = {
            State.OK: "nothing speaks against it",
            State.UNKNOWN: _UNJUDGED.get(row.cause, "not judged: the evidence does not suffice"),
        }.get(row.state, "no measured reason was given")
        lines.append(line((f"   {name} ", "bright"), (row.state.value, role), (f" {since}: {words}", "muted")))
    else:
        lines.append(line((f"   {name} ", "bright"), (row.state.value, role), (f" {since}, because", "muted")))
    for reason in row.reasons[: room - len(lines)]:
        text = clean(reason.text) or clean(reason.signal)
        lines.append(
            line(
                (f"   {fit(f'+{reason.points}', 4, right=True)}  ", role),
                (fit(reason.evidence.value, 8), "muted"),
                (fit(text, max(10, width - 40)), "text"),
                (f" since {clock(reason.since_ns)}", "faint"),
            )
        )
    for text in row.notes[: max(0, room - len(lines))]:
        lines.append(line(("         ", "text"), (fit("note", 8), "muted"), (fit(clean(text), width - 20), "muted")))
    return lines[:room]
