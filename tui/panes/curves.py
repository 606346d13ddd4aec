"""What the spreads and round-trip panes share: one curve a route, with names and figures beside the chart."""

from __future__ import annotations

from tui.lines import Line
from tui.panes.chart import Trace, chart, span_for
from tui.view import View

MOST_CURVES = 9
"""In one chart: more cannot be told apart."""


def widest_s(width: int) -> int:
    """How much time a chart shows: more room, longer history."""
    return 1800 if width >= 60 else 900


def curves_lines(view: View, traces: list[Trace], width: int, height: int, *, log: bool, caption: str) -> list[Line]:
    # from the names alone: a figure that grows must not move the chart
    legend = 0 if width < 40 else min(width // 2, 11 + max(len(trace.label) for trace in traces))
    return chart(
        view.history,
        traces,
        width=width - 1,
        height=height,
        end_s=view.at_s,
        span_s=span_for(view.history, widest_s(width), view.at_s),
        log=log,
        back_s=view.back_s,
        end=view.end,
        legend=legend,
        caption=caption,
    )
