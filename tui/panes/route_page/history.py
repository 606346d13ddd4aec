"""REST round trip or feed age of a route over the last minutes."""

from __future__ import annotations

from feeds.frame import RouteRow
from feeds.model import venue_of
from tui.format import clock, milliseconds
from tui.lines import Line, title
from tui.panes.chart import Trace, chart, span_for
from tui.state_look import hues
from tui.view import View

CHARTS = {"rest": "REST p50", "age": "Feed age p50"}


def history_chart(view: View, row: RouteRow, key: str, width: int, height: int) -> list[Line]:
    """REST or feed age over the last minutes, on ``height`` lines with the title."""
    now = row.rest_ms.p50 if key == "rest" else row.feed_age_ms.p50
    value = view.history.at(f"{key}:{row.route}", view.at_s - view.back_s) if view.back_s else now
    venue_hue = hues(view.frame) if view.frame is not None else {}
    trace = Trace(
        name=f"{key}:{row.route}",
        label="",
        role=f"hue.{venue_hue.get(venue_of(row.route), 0)}",
        text="",
        lost=f"lost:{row.route}" if key == "rest" else None,
    )
    lines = chart(
        view.history,
        [trace],
        width=width - 1,
        height=height - 1,
        end_s=view.at_s,
        span_s=span_for(view.history, 1800, view.at_s),
        log=True,
        back_s=view.back_s,
        end=view.end,
    )
    when = f" at {clock((view.at_s - view.back_s) * 1_000_000_000)}" if view.back_s else ""
    detail = f"{milliseconds(value)} ms{when} · log{' · × lost' if key == 'rest' else ''}"
    return [title(width, None, CHARTS[key], detail), *lines]
