"""The spreads and round-trip charts of the dashboard, and what their lines are called."""

from __future__ import annotations

from feeds.frame import PairRow, RouteRow
from feeds.model import venue_of
from tui.format import DASH, bps, clean, milliseconds, seconds
from tui.lines import Line, note, title
from tui.panes.chart import Trace, chart, span_for
from tui.panes.route_columns import is_high
from tui.view import View, chosen_route, chosen_symbol, hues, ordered, pairs_of

_MOST = 9
"""Curves in one chart: more cannot be told apart."""


def widest_s(width: int) -> int:
    """How much time a chart shows: more room, longer history."""
    return 1800 if width >= 60 else 900


def spreads_lines(view: View, width: int, height: int) -> list[Line]:
    """Spread of every pair of the chosen symbol, bp."""
    symbol = chosen_symbol(view)
    head = title(width, 2, "Spreads", f"bp · {clean(symbol)}" if symbol else "", current=view.pane == "spreads")
    if view.frame is None:
        return [head, note("waiting")]
    pairs = pairs_of(view.frame, symbol, view.query)
    if not pairs:
        return [head, note("no route of this view trades it" if symbol else "no symbols")]
    venue_hue = hues(view.frame)
    chosen = chosen_route(view)
    traces = [
        Trace(
            name=f"spread:{pair.route}:{pair.symbol}",
            label=clean(pair.route),
            role=f"hue.{venue_hue.get(venue_of(pair.route), 0)}",
            text=_spread(view, pair),
            text_role="bright bold" if pair.wide else "text",
            dashed=pair.product == "spot",
            peaks=False,
            bold=chosen is not None and pair.route == chosen.route,
        )
        for pair in _few(pairs, chosen)
    ]
    return [head, *_drawn(view, traces, width, height - 1, log=False, caption="")]


def rtt_lines(view: View, width: int, height: int) -> list[Line]:
    """REST round trip of every route, ms, logarithmic; lost probes are marks."""
    head = title(width, 4, "Round trip", "ms · REST p50", current=view.pane == "rtt")
    if view.frame is None:
        return [head, note("waiting")]
    rows = ordered(view.frame, view.query)
    if not rows:
        return [head, note("no route matches the filter" if view.query else "no routes")]
    venue_hue = hues(view.frame)
    chosen = chosen_route(view)
    picked = rows[:_MOST] if chosen in rows[:_MOST] or chosen is None else [*rows[: _MOST - 1], chosen]
    traces = [_rest_trace(view, row, venue_hue, chosen) for row in picked]
    return [head, *_drawn(view, traces, width, height - 1, log=True, caption="log · × lost")]


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


def _spread(view: View, pair: PairRow) -> str:
    if view.freshness == "gone":
        return DASH
    if view.back_s:
        return bps(view.history.at(f"spread:{pair.route}:{pair.symbol}", view.at_s - view.back_s))
    if pair.state == "stale":
        return seconds(pair.quiet_ms)
    return bps(pair.spread_bps) if pair.state == "live" else pair.state


def _few(pairs: list[PairRow], chosen: RouteRow | None) -> list[PairRow]:
    few = pairs[:_MOST]
    mine = next((p for p in pairs if chosen is not None and p.route == chosen.route), None)
    return few if mine is None or mine in few else [*few[:-1], mine]


def _drawn(view: View, traces: list[Trace], width: int, height: int, *, log: bool, caption: str) -> list[Line]:
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
