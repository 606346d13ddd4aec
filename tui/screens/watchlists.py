"""Choose another watchlist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList

from tui.format import clean


class WatchlistScreen(ModalScreen[str | None]):
    """Dismissed with the name picked, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,w", "dismiss(None)", show=False)]

    def __init__(self, names: Sequence[str], current: str) -> None:
        super().__init__()
        self._names = list(names)
        self._current = current

    def compose(self) -> ComposeResult:
        # Content, not text: a name is never read as markup
        options = OptionList(*(Content(f"{'●' if n == self._current else ' '} {clean(n)}") for n in self._names))
        options.border_title = "watchlists"
        yield options

    def on_mount(self) -> None:
        if self._current in self._names:
            self.query_one(OptionList).highlighted = self._names.index(self._current)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._names[event.option_index])
