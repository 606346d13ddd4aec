"""Which lines each pane of the dashboard shows. Charts are made once a second only: one costs what forty lines do."""

from __future__ import annotations

from collections.abc import Hashable

from tui.lines import Line
from tui.panes.advice import advice_lines
from tui.panes.depth import depth_lines
from tui.panes.events import events_lines
from tui.panes.line_pane import LinePane
from tui.panes.round_trip import round_trip_lines
from tui.panes.routes import routes_lines
from tui.panes.spreads import spreads_lines
from tui.panes.state_strip import Strips
from tui.selection import chosen_route, chosen_symbol
from tui.theme import Paint
from tui.view import PaneName, View

_CHARTS: tuple[PaneName, ...] = ("spreads", "rtt")


class PaneContents:
    def __init__(self) -> None:
        self._strips = Strips()
        self._drawn: dict[PaneName, Hashable] = {}

    def draw(self, view: View, name: PaneName, pane: LinePane, paint: Paint) -> None:
        """Show the pane's lines; a chart that would be the same is left as it is."""
        width, height = pane.size
        dimmed = view.freshness != "live"
        if name in _CHARTS:
            key = _chart_key(view, width, height, dimmed, paint.palette.name)
            if self._drawn.get(name) == key:
                return
            self._drawn[name] = key
        pane.show(self._lines(view, name, width, height), paint, dimmed=dimmed)

    def _lines(self, view: View, name: PaneName, width: int, height: int) -> list[Line]:
        match name:
            case "routes":
                return routes_lines(view, width, height, self._strips)
            case "spreads":
                return spreads_lines(view, width, height)
            case "depth":
                return depth_lines(view, width, height)
            case "rtt":
                return round_trip_lines(view, width, height)
            case "advice":
                return advice_lines(view, width, height)
            case "events":
                return events_lines(view, width, height)


def _chart_key(view: View, width: int, height: int, dimmed: bool, palette: str) -> Hashable:
    """All that a chart depends on, at the resolution of a second."""
    chosen = chosen_route(view)
    return (
        view.history.revision if not view.frozen else view.at_s,
        width,
        height,
        dimmed,
        palette,
        view.freshness,
        view.pane,
        view.query,
        view.back_s,
        chosen_symbol(view),
        None if chosen is None else chosen.route,
        None if view.frame is None else (view.frame.watchlist, view.frame.home),
    )
