"""The line in which the filter's words are typed; hidden unless open."""

from __future__ import annotations

from textual.widgets import Input


class FilterField(Input):
    """Posts ``Input.Changed`` at every keystroke and ``Input.Submitted`` at enter."""

    def __init__(self) -> None:
        super().__init__(placeholder="words: okx spot congested", id="filter")

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self, words: str) -> None:
        self.add_class("-open")
        self.value = words
        self.focus()

    def close(self) -> None:
        self.remove_class("-open")
        self.screen.set_focus(None)
