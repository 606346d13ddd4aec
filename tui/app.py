"""The Textual app: wires a source of frames, the presenter and the screens together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from feeds.link_messages import Command
from tui.bindings import remapped
from tui.command_palette import DetourCommands
from tui.ending import Ending
from tui.frame_source import FrameSource
from tui.presenter import Presenter
from tui.screens.dashboard import DashboardScreen
from tui.screens.frame_screen import FrameScreen
from tui.screens.help import HelpScreen
from tui.screens.watchlists import WatchlistScreen
from tui.theme import DARK, LIGHT, PALETTES, Paint, textual_theme

_TICK_S = 0.5
"""The screen is drawn at least this often, so that ages go on when no frame comes."""


class DetourApp(App[int]):
    """``monotonic_s`` is the only clock the screen reads; wall time comes with the frames."""

    TITLE = "detour"
    CSS_PATH = "theme.tcss"
    COMMANDS: ClassVar = {DetourCommands}
    BINDINGS: ClassVar = [Binding("ctrl+c", "quit", show=False, priority=True)]

    def __init__(
        self,
        source: FrameSource,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        theme: str | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """``theme``: of ``tui.theme.PALETTES``, dark by default. ``keys``: action id to key, over the table's."""
        super().__init__()
        self._source = source
        self.ending = Ending(lambda: self.exit(0))
        self.keys = remapped(keys or {})
        self.fault: Exception | None = None
        """What the source raised, or a fault of the screen's own; ``run`` raises it again."""
        if keys:
            self.set_keymap(dict(keys))
        self._paint = Paint(PALETTES.get(theme or "", DARK))
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        self.theme = f"detour-{self._paint.palette.name}"
        self.presenter = Presenter(monotonic_s, self._send, self.draw)

    def get_default_screen(self) -> Screen[None]:
        return DashboardScreen(self.presenter, self._paint, self.keys)

    def on_mount(self) -> None:
        self.run_worker(self._receive_messages(), name="frames")
        self.set_interval(_TICK_S, self.draw)
        if not self.is_headless:
            self.ending.listen()
            self.set_interval(_TICK_S, self.ending.look)

    async def _receive_messages(self) -> None:
        """Reads until the source ends. A broken link is shown on the screen; it does not end the app."""
        try:
            async for message in self._source.messages():
                self.presenter.receive(message)
        except OSError as error:
            self.presenter.disconnected(str(error))
            return
        except Exception as error:  # only the maker of the source knows its errors: hand it back
            self.fault = error
            self.exit(1)
            return
        if self.presenter.view.goodbye is None:
            self.presenter.disconnected("it hung up")

    def _handle_exception(self, error: Exception) -> None:
        # Textual's own hook. It would print pages of code with the values of variables; ``run`` raises it instead.
        super()._handle_exception(error)
        self._exit_renderables.clear()
        self.fault = self.fault or error

    def draw(self) -> None:
        """Draw the topmost full screen, also where a dialogue covers it."""
        if not self.is_running:
            return
        self.presenter.tick()
        for screen in reversed(self.screen_stack):
            if isinstance(screen, FrameScreen):
                screen.draw()
                return

    def perform(self, action: str) -> None:
        """Run an action of the key table on whichever screen is in front."""
        self.call_later(self.run_action, action, self.screen)

    def _send(self, command: Command) -> None:
        self.run_worker(self._send_command(command), name="command")

    async def _send_command(self, command: Command) -> None:
        try:
            await self._source.send(command)
        except OSError as error:
            self.presenter.notice.show(f"the collector did not take it: {error}")

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """None of Textual's own commands: the key table holds all that the app offers."""
        return ()

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self._paint, self.keys))

    def action_freeze(self) -> None:
        self.presenter.freeze()

    def action_watchlists(self) -> None:
        frame = self.presenter.view.frame
        if frame is None or not frame.watchlists:
            self.presenter.notice.show("no watchlists known yet")
            return

        def picked(name: str | None) -> None:
            if name is not None:
                self.presenter.requests.use_watchlist(name)

        self.push_screen(WatchlistScreen(frame.watchlists, frame.watchlist), picked)

    def action_light(self) -> None:
        palette = DARK if self._paint.palette is LIGHT else LIGHT
        self._paint = Paint(palette)
        self.theme = f"detour-{palette.name}"
        for screen in self.screen_stack:
            if isinstance(screen, FrameScreen):
                screen.repaint(self._paint)

    async def action_quit(self) -> None:
        self.exit(0)


def run(source: FrameSource, *, theme: str | None = None, keys: Mapping[str, str] | None = None) -> int:
    """Show the screen until the user quits; the process's exit code. Raises what the source raised, OSError aside."""
    app = DetourApp(source, theme=theme, keys=keys)
    try:
        app.run()
    finally:
        app.ending.done()
    if app.fault is not None:
        raise app.fault
    return app.return_value if app.return_value is not None else app.return_code or 0
