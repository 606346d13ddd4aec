"""The round-trip pane: the REST round trip of every route over the last minutes."""

from __future__ import annotations

from feeds.frame import RouteRow
from feeds.model import venue_of
from tui.format import DASH, clean, milliseconds
from tui.lines import Line, note, title
from tui.panes.chart import Trace
from tui.panes.curves import MOST_CURVES, curves_lines
from tui.panes.route_columns import is_high
from tui.selection import chosen_route, ordered
from tui.state_look import hues
from tui.view import View


def round_trip_lines(view: View, width: int, height: int) -> list[Line]:
    """REST round trip of every route, ms, logarithmic; lost probes are marks."""
    head = title(width, 4, "Round trip", "ms · REST p50", current=view.pane == "rtt")
    if view.frame is None:
        return [head, note("waiting")]
    rows = ordered(view.frame, view.query)
    if not rows:
        return [head, note("no route matches the filter" if view.query else "no routes")]
    venue_hue = hues(view.frame)
    chosen = chosen_route(view)
    picked = rows[:MOST_CURVES]
    if chosen is not None and chosen not in picked:
        picked = [*picked[:-1], chosen]
    traces = [_rest_trace(view, row, venue_hue, chosen) for row in picked]
    return [head, *curves_lines(view, traces, width, height - 1, log=True, caption="log · × lost")]


def _rest_trace(view: View, row: RouteRow, venue_hue: dict[str, int], chosen: RouteRow | None) -> Trace:
    value = view.history.at(f"rest:{row.route}", view.at_s - view.back_s) if view.back_s else row.rest_ms.p50
    return Trace(
        name=f"rest:{row.route}",
        label=clean(row.route),
        role=f"hue.{venue_hue[venue_of(row.route)]}",
        text=DASH if view.freshness == "gone" else milliseconds(value),
        text_role="bright bold" if is_high(value, row.rest_high_ms) else "text",
        dashed=row.product == "spot",
        lost=f"lost:{row.route}",
        bold=chosen is not None and row.route == chosen.route,
    )
