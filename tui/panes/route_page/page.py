"""All that is known of one route: its headline, then the sections, in two columns where there is room."""

from __future__ import annotations

from collections.abc import Sequence

from feeds.frame import RouteRow
from feeds.model import venue_of
from tui.format import clean, clock, count, duration
from tui.lines import EMPTY, Line, line, note
from tui.panes.columns import beside
from tui.panes.route_page.channels import channels
from tui.panes.route_page.figures import figures
from tui.panes.route_page.history import CHARTS, history_chart
from tui.panes.route_page.notes import notes
from tui.panes.route_page.pairs import pairs
from tui.panes.route_page.phases import phases
from tui.panes.route_page.reasons import reasons
from tui.panes.route_page.transfers import transfers
from tui.state_look import GLYPHS, hues, state_role
from tui.view import View


def route_lines(view: View, row: RouteRow | None, width: int, height: int) -> list[Line]:
    """The whole page at ``width``; two columns where there is room, their charts as high as ``height`` allows."""
    if view.frame is None or row is None:
        return [note("this route is not in the picture any more: esc goes back")]
    head = _headline(view, row, width)
    if view.freshness == "gone":
        return [*head, note("what was measured is too old to be shown")]
    if width < 124:
        parts = [reasons(row, width), phases(row, width), channels(row, width), figures(row, width)]
        parts += [pairs(view, row, width), transfers(view, row, width), notes(row, width)]
        return [*head, *_stack([*parts, *(history_chart(view, row, name, width, 9) for name in CHARTS)])]
    left_width = width * 55 // 100
    right_width = width - left_width - 1
    left = _stack(
        [reasons(row, left_width), channels(row, left_width), pairs(view, row, left_width), notes(row, left_width)]
    )
    right = _stack([phases(row, right_width), figures(row, right_width), transfers(view, row, right_width)])
    columns = []
    for lines, wide, name in ((left, left_width, "age"), (right, right_width, "rest")):
        high = min(18, max(8, height - len(head) - len(lines) - 1))
        columns.append(_stack([lines, history_chart(view, row, name, wide, high)]))
    return [*head, *beside(columns[0], left_width, columns[1])]


def _stack(sections: Sequence[Sequence[Line]]) -> list[Line]:
    lines: list[Line] = []
    for section in sections:
        if section:
            lines += ([EMPTY] if lines else []) + list(section)
    return lines


def _headline(view: View, row: RouteRow, width: int) -> list[Line]:
    role = state_role(row.state)
    venue_hue = hues(view.frame) if view.frame is not None else {}
    home = "  home" if view.frame is not None and row.route == view.frame.home else ""
    now_ns = view.now_ns if not view.frozen or view.frame is None else view.frame.t_ns
    return [
        line(
            (f" {GLYPHS[row.state]} ", f"{role} bold"),
            (clean(row.route), f"hue.{venue_hue.get(venue_of(row.route), 0)} bold"),
            (f"  {row.state.value}", f"{role} bold"),
            (f"  {row.cause.value}" if row.cause else "", "text"),
            (f"  since {clock(row.since_ns)} ({duration(now_ns - row.since_ns)})", "muted"),
            (home, "key"),
            (f"  score {count(row.score)}{' of 100' if width >= 100 else ''}", role if row.score else "muted"),
        ),
        EMPTY,
    ]
