"""What every full screen shares: it draws the view, and steps through routes, time and orders."""

from __future__ import annotations

from collections.abc import Sequence

from textual.screen import Screen

from tui.bindings import Key
from tui.panes.line_pane import LinePane
from tui.presenter import Presenter
from tui.theme import Paint


class FrameScreen(Screen[None]):
    """Drawn by the app whenever the view has changed."""

    AUTO_FOCUS = ""

    def __init__(self, presenter: Presenter, paint: Paint, keys: Sequence[Key]) -> None:
        super().__init__()
        self.presenter = presenter
        self.paint = paint
        self.keys = keys

    def draw(self) -> None:
        """Show the presenter's view as it is now."""

    def span_s(self) -> int:
        """How much time the charts show."""
        return 900

    def repaint(self, paint: Paint) -> None:
        self.paint = paint
        self.draw()

    def on_line_pane_sized(self, message: LinePane.Sized) -> None:
        message.stop()
        self.draw()

    def action_route(self, by: int) -> None:
        self.presenter.move_route(by)

    def action_back(self, steps: int) -> None:
        self.presenter.look_back(steps, self.span_s())

    def action_home(self) -> None:
        self.presenter.make_home()

    def action_flip_side(self) -> None:
        self.presenter.requests.flip_side()

    def action_notional(self, by: int) -> None:
        self.presenter.requests.step_notional(by)
