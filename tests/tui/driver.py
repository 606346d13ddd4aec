"""A screen on a scripted source, with a clock that stands still until told: what a user sees and does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from feeds.link_messages import Message, Past, Shown
from tests.tui.scripted import frame, history
from tests.tui.scripted_source import ScriptedSource
from tui.app import DetourApp
from tui.panes.line_pane import LinePane
from tui.view import PANES


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Screen:
    """What a user sees and does."""

    def __init__(self, app: DetourApp, pilot: Pilot[int], source: ScriptedSource, clock: Clock) -> None:
        self.app, self.pilot, self.source, self.clock = app, pilot, source, clock

    async def hear(self, message: Message) -> None:
        self.source.put(message)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.app.draw()
        await self.pilot.pause()

    def text(self, pane: str) -> str:
        found = self.app.screen.query_one(f"#{pane}", LinePane)
        return "\n".join(line.text for line in found.lines)

    def panes(self) -> list[str]:
        return [name for name in PANES if self.app.screen.query_one(f"#{name}").region.height > 0]

    def rows(self) -> list[str]:
        """Route names on the board, top to bottom."""
        frame_ = self.app.presenter.view.frame
        names = {row.route for row in frame_.routes} if frame_ is not None else set()
        lines = self.text("routes").splitlines()[2:]
        words = [line.replace("▌", " ").split() for line in lines]
        return [w[1] for w in words if len(w) > 2 and w[1] in names]


@asynccontextmanager
async def screen(scenario: str = "1011", t_s: float = 45.0, size: tuple[int, int] = (160, 45)) -> AsyncIterator[Screen]:
    source = ScriptedSource([Past(history(scenario, t_s, length_s=120)), Shown(frame(scenario, t_s))])
    clock = Clock()
    app = DetourApp(source, monotonic_s=clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Screen(app, pilot, source, clock)
