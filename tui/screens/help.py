"""Help: the keys, and what glyphs and words mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from feeds.model import Cause, State
from tui.bindings import Key
from tui.format import fit
from tui.lines import EMPTY, Line, line, title
from tui.panes.columns import beside
from tui.panes.line_pane import LinePane
from tui.state_look import GLYPHS, state_role
from tui.theme import Paint

_STATES = {
    State.OK: "clear",
    State.SUSPECT: "one kind of evidence against it",
    State.CONGESTED: "slow or thin, but usable",
    State.STALLED: "connected, nothing new",
    State.DOWN: "does not answer",
    State.HALTED: "halted, as announced",
    State.BLOCKED: "the venue refuses us",
    State.UNKNOWN: "warming up or inconclusive",
}
_CAUSES = {
    Cause.SELF: "our own machine, clock or rate use",
    Cause.UPLINK: "our own line",
    Cause.PATH: "the network between",
    Cause.GATEWAY: "its API is slow or failing",
    Cause.FEED: "data late or missing",
    Cause.ENGINE: "its matching engine lags",
    Cause.BOOK: "its book is wrong",
    Cause.LIQUIDITY: "thin or wide for its own normal",
    Cause.PRICE: "odd one out on price",
    Cause.SHARED: "several of one failure domain",
    Cause.MARKET: "all at once: nobody to blame",
    Cause.PLANNED: "maintenance",
    Cause.WARMING: "its own normal is not known yet",
}


def help_lines(table: Sequence[Key], width: int) -> list[Line]:
    """Keys on the left, words on the right; one below the other where it is narrow."""
    wide = width >= 96
    left_width = width * 54 // 100 if wide else width
    keys = [title(left_width, None, "Keys")]
    keys += [line((" " + fit(key.shown, 11), "key"), (fit(key.help, left_width - 13), "text")) for key in table]
    words_width = width - left_width - 1 if wide else width
    words = [title(words_width, None, "States")]
    words += [
        line(
            (f" {GLYPHS[state]} ", f"{state_role(state)} bold"),
            (fit(state.value, 10), state_role(state)),
            (text, "text"),
        )
        for state, text in _STATES.items()
    ]
    words += [EMPTY, title(words_width, None, "Why", "whose fault")]
    words += [line((" " + fit(cause.value, 12), "bright"), (text, "text")) for cause, text in _CAUSES.items()]
    words += [
        EMPTY,
        line((" A figure is bright only against its own normal,", "muted")),
        line((" a dash is not known, ░ what a book lacks to it.", "muted")),
    ]
    return beside(keys, left_width, words) if wide else [*keys, EMPTY, *words]


class HelpScreen(ModalScreen[None]):
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter,space", "dismiss", show=False),
        Binding("down,pagedown,j", "scroll(4)", show=False),
        Binding("up,pageup,k", "scroll(-4)", show=False),
    ]

    def __init__(self, paint: Paint, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys
        self._paint = paint
        self._top = 0

    def compose(self) -> ComposeResult:
        yield LinePane(id="help")

    def on_line_pane_sized(self, message: LinePane.Sized) -> None:
        self._draw()

    def _draw(self) -> None:
        pane = self.query_one(LinePane)
        lines = help_lines(self._keys, pane.size.width)
        room = pane.size.height - 1
        self._top = max(0, min(self._top, len(lines) - room))
        more = "↑ ↓ for more · " if len(lines) > room else ""
        foot = line((fit(f" {more}esc closes", pane.size.width), "muted"), background="bar")
        shown = lines[self._top : self._top + room]
        pane.show([*shown, *[EMPTY] * (room - len(shown)), foot], self._paint)

    def action_scroll(self, by: int) -> None:
        self._top += by
        self._draw()
