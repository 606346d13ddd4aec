"""The dashboard: header, headline, six panes, footer; where they stand and what the keys do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Click
from textual.widgets import Input

from tui.bindings import Key, bindings, footer_keys
from tui.panes.chart import span_for
from tui.panes.curves import widest_s
from tui.panes.footer import footer_line, tabs_line
from tui.panes.header import header_line
from tui.panes.headline import headline_lines
from tui.panes.line_pane import LinePane
from tui.presenter import Presenter
from tui.screens.arrangement import ONE_LINE_FROM, Arrangement, arrange
from tui.screens.filter_field import FilterField
from tui.screens.frame_screen import FrameScreen
from tui.screens.pane_contents import PaneContents
from tui.screens.route_page import RouteScreen
from tui.selection import chosen_route
from tui.theme import Paint
from tui.view import PANES, PaneName, View

_DOM_ORDER: tuple[PaneName, ...] = ("routes", "advice", "spreads", "depth", "rtt", "events")
"""In the order in which the grid fills its rows."""


class DashboardScreen(FrameScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("board")]

    def __init__(self, presenter: Presenter, paint: Paint, keys: Sequence[Key]) -> None:
        super().__init__(presenter, paint, keys)
        self._contents = PaneContents()
        self._arrangement: Arrangement | None = None

    def compose(self) -> ComposeResult:
        yield LinePane(id="header")
        yield LinePane(id="headline")
        yield LinePane(id="tabs")
        with Container(id="panes"):
            for name in _DOM_ORDER:
                yield LinePane(id=name)
        yield FilterField()
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
        self.pane("headline").show(headline_lines(view, width, 1 if width >= ONE_LINE_FROM else 2), paint)
        if self._arrangement is not None and self._arrangement.tabs:
            self.pane("tabs").show([tabs_line(view, width)], paint)
        keys = [*([("esc", "back")] if view.undoable else []), *footer_keys(self.keys, "board")]
        self.pane("footer").show([footer_line(keys, width, self.presenter.notice.text)], paint)
        for name in PANES:
            pane = self.pane(name)
            if pane.display and pane.size.width:
                self._contents.draw(view, name, pane, paint)

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
        self.query_one(FilterField).open(self.presenter.view.query)

    def on_input_changed(self, event: Input.Changed) -> None:
        if self.query_one(FilterField).is_open:
            self.presenter.filter(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.query_one(FilterField).close()

    def action_escape(self) -> None:
        field = self.query_one(FilterField)
        if field.is_open:
            field.close()
            self.presenter.filter("")
        else:
            self.presenter.undo()
