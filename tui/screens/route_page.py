"""A route's page: why it is judged as it is, down to every figure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from tui.bindings import Key, bindings, footer_keys
from tui.lines import Line
from tui.panes.chart import span_for
from tui.panes.footer import footer_line
from tui.panes.header import header_line
from tui.panes.headline import headline_lines
from tui.panes.line_pane import LinePane
from tui.panes.route_page.page import route_lines
from tui.presenter import Presenter
from tui.screens.arrangement import ONE_LINE_FROM
from tui.screens.frame_screen import FrameScreen
from tui.selection import chosen_route
from tui.theme import Paint


class RouteScreen(FrameScreen):
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("route")]

    def __init__(self, presenter: Presenter, paint: Paint, keys: Sequence[Key]) -> None:
        super().__init__(presenter, paint, keys)
        self._top = 0
        self._drawn: tuple[Hashable, list[Line]] = (None, [])

    def compose(self) -> ComposeResult:
        yield LinePane(id="header")
        yield LinePane(id="headline")
        yield LinePane(id="page")
        yield LinePane(id="footer")

    def draw(self) -> None:
        if not self.is_mounted:
            return
        view, paint, width = self.presenter.view, self.paint, self.size.width
        one_line = width >= ONE_LINE_FROM
        headline = self.query_one("#headline", LinePane)
        headline.set_class(one_line, "-one")
        self.query_one("#header", LinePane).show([header_line(view, width)], paint)
        headline.show(headline_lines(view, width, 1 if one_line else 2), paint)
        page = self.query_one("#page", LinePane)
        lines = self._lines(*page.size)
        self._top = max(0, min(self._top, len(lines) - page.size.height))
        page.show(lines[self._top : self._top + page.size.height], paint, dimmed=view.freshness != "live")
        more = len(lines) > page.size.height
        keys = [("esc", "back"), *([("page ↑↓", "scroll")] if more else []), *footer_keys(self.keys, "route")]
        self.query_one("#footer", LinePane).show([footer_line(keys, width, self.presenter.notice.text)], paint)

    def _lines(self, width: int, height: int) -> list[Line]:
        """Made once a second: it holds charts."""
        view = self.presenter.view
        row = chosen_route(view)
        key = (
            view.history.revision if not view.frozen else view.at_s,
            width,
            height,
            view.freshness,
            view.back_s,
            view.frozen,
            None if row is None else (row.route, row.state),
        )
        if key != self._drawn[0]:
            self._drawn = (key, route_lines(view, row, width, height))
        return self._drawn[1]

    def span_s(self) -> int:
        return span_for(self.presenter.view.history, 1800, self.presenter.view.at_s)

    def action_page(self, by: int) -> None:
        self._top += 8 * by
        self.draw()

    def action_escape(self) -> None:
        if not self.presenter.view.back_s:
            self.dismiss()
        else:
            self.presenter.undo()
