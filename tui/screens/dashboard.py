"""The dashboard: header, the one sentence, six panes, footer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Click
from textual.widgets import Input

from tui.bindings import Key, bindings, footer_keys
from tui.lines import Line
from tui.panes.advice import advice_lines
from tui.panes.bars import footer_line, header_line, headline_lines, tabs_line
from tui.panes.chart import span_for
from tui.panes.charts import rtt_lines, spreads_lines, widest_s
from tui.panes.depth import depth_lines
from tui.panes.events import events_lines
from tui.panes.line_pane import LinePane
from tui.panes.routes import Strips, routes_lines
from tui.presenter import Presenter
from tui.screens.arrangement import Arrangement, arrange
from tui.screens.frame_screen import FrameScreen
from tui.screens.route_page import RouteScreen
from tui.theme import Paint
from tui.view import PANES, PaneName, View, chosen_route, chosen_symbol

_DOM_ORDER: tuple[PaneName, ...] = ("routes", "advice", "spreads", "depth", "rtt", "events")
"""In the order in which the grid fills its rows."""


class DashboardScreen(FrameScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("board")]

    def __init__(self, presenter: Presenter, paint: Paint, keys: Sequence[Key]) -> None:
        super().__init__(presenter, paint, keys)
        self._strips = Strips()
        self._arrangement: Arrangement | None = None
        self._chart_keys: dict[PaneName, Hashable] = {}

    def compose(self) -> ComposeResult:
        yield LinePane(id="header")
        yield LinePane(id="headline")
        yield LinePane(id="tabs")
        with Container(id="panes"):
            for name in _DOM_ORDER:
                yield LinePane(id=name)
        yield Input(placeholder="words: okx spot congested", id="filter")
        yield LinePane(id="footer")

    def pane(self, name: str) -> LinePane:
        return self.query_one(f"#{name}", LinePane)

    def draw(self) -> None:
        if not self.is_mounted:
            return
        view, paint = self.presenter.view, self.paint
        self._arrange(view)
        width = self.size.width
        self.pane("header").show([header_line(view, width)], paint)
        self.pane("headline").show(headline_lines(view, width, 1 if width >= 160 else 2), paint)
        if self._arrangement is not None and self._arrangement.tabs:
            self.pane("tabs").show([tabs_line(view, width)], paint)
        keys = [*([("esc", "back")] if view.undoable else []), *footer_keys(self.keys, "board")]
        self.pane("footer").show([footer_line(keys, width, self.presenter.notice)], paint)
        dimmed = view.freshness != "live"
        for name in PANES:
            pane = self.pane(name)
            if pane.display and pane.size.width:
                self._draw_pane(view, name, pane, dimmed)

    def _draw_pane(self, view: View, name: PaneName, pane: LinePane, dimmed: bool) -> None:
        width, height = pane.size
        if name in ("spreads", "rtt"):
            # once a second is enough, and a chart costs what forty lines do
            key = _chart_key(view, width, height, dimmed, self.paint.palette.name)
            if self._chart_keys.get(name) == key:
                return
            self._chart_keys[name] = key
        pane.show(self._lines(view, name, width, height), self.paint, dimmed=dimmed)

    def _lines(self, view: View, name: PaneName, width: int, height: int) -> list[Line]:
        match name:
            case "routes":
                return routes_lines(view, width, height, self._strips)
            case "spreads":
                return spreads_lines(view, width, height)
            case "depth":
                return depth_lines(view, width, height)
            case "rtt":
                return rtt_lines(view, width, height)
            case "advice":
                return advice_lines(view, width, height)
            case "events":
                return events_lines(view, width, height)

    def _arrange(self, view: View) -> None:
        """Place the panes, when their places have changed."""
        routes = 0 if view.frame is None else len(view.frame.routes)
        plan = arrange(*self.size, routes, view.zoomed)
        single = not plan.rows
        for name in PANES:
            self.pane(name).set_class(single and name != view.pane, "-off")
        if plan == self._arrangement:
            return
        self._arrangement = plan
        self.set_class(single, "-single")
        self.set_class(not single and plan.mode == "large", "-large")
        self.set_class(not single and plan.mode == "medium", "-medium")
        self.pane("headline").set_class(plan.headline_height == 1, "-one")
        if plan.rows:
            grid = self.query_one("#panes", Container)
            grid.styles.grid_rows = tuple(float(height) for height in plan.rows)

    def span_s(self) -> int:
        return span_for(self.presenter.view.history, widest_s(self.pane("rtt").size.width), self.presenter.view.at_s)

    def on_click(self, event: Click) -> None:
        """A click chooses the pane, and on the board the route."""
        if not isinstance(event.widget, LinePane) or event.widget.id not in PANES:
            return
        if event.widget.id == "routes":
            text = event.widget.lines[event.y].text if event.y < len(event.widget.lines) else ""
            frame = self.presenter.view.frame
            words = text.replace("▌", " ").split()
            if frame is not None and len(words) > 1 and words[1] in {row.route for row in frame.routes}:
                self.presenter.pick_route(words[1])
        self.presenter.show_pane(next(name for name in PANES if name == event.widget.id))

    # keys

    def action_symbol(self, by: int) -> None:
        self.presenter.move_symbol(by)

    def action_pane(self, name: PaneName) -> None:
        self.presenter.show_pane(name)

    def action_zoom(self) -> None:
        self.presenter.zoom()

    def action_band(self) -> None:
        self.presenter.next_band()

    def action_page(self, by: int) -> None:
        self.presenter.scroll_events(5 * by)

    def action_open_route(self) -> None:
        row = chosen_route(self.presenter.view)
        if row is not None:
            self.presenter.pick_route(row.route)
            self.app.push_screen(RouteScreen(self.presenter, self.paint, self.keys))

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("-open")
        field.value = self.presenter.view.query
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.has_class("-open"):
            self.presenter.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._close_filter()

    def action_escape(self) -> None:
        field = self.query_one("#filter", Input)
        if field.has_class("-open"):
            self._close_filter()
            self.presenter.filter("")
        else:
            self.presenter.leave()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).remove_class("-open")
        self.set_focus(None)


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
