"""The spreads pane: the spread of every pair of the chosen symbol over the last minutes."""

from __future__ import annotations

from feeds.frame import PairRow, RouteRow
from feeds.model import venue_of
from tui.format import DASH, bps, clean, seconds
from tui.lines import Line, note, title
from tui.panes.chart import Trace
from tui.panes.curves import MOST_CURVES, curves_lines
from tui.selection import chosen_route, chosen_symbol, pairs_of
from tui.state_look import hues
from tui.view import View


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
    return [head, *curves_lines(view, traces, width, height - 1, log=False, caption="")]


def _spread(view: View, pair: PairRow) -> str:
    if view.freshness == "gone":
        return DASH
    if view.back_s:
        return bps(view.history.at(f"spread:{pair.route}:{pair.symbol}", view.at_s - view.back_s))
    if pair.state == "stale":
        return seconds(pair.quiet_ms)
    return bps(pair.spread_bps) if pair.state == "live" else pair.state


def _few(pairs: list[PairRow], chosen: RouteRow | None) -> list[PairRow]:
    few = pairs[:MOST_CURVES]
    mine = next((p for p in pairs if chosen is not None and p.route == chosen.route), None)
    return few if mine is None or mine in few else [*few[:-1], mine]
