"""The notice: what was just done or asked, shown in the footer for a few seconds."""

from __future__ import annotations

from collections.abc import Callable

_SHOWN_S = 4.0


class Notice:
    def __init__(self, monotonic_s: Callable[[], float], changed: Callable[[], None]) -> None:
        self._monotonic_s = monotonic_s
        self._changed = changed
        self._text = ""
        self._until_s = 0.0

    @property
    def text(self) -> str:
        """Empty when there is none, or its time is over."""
        return self._text if self._monotonic_s() < self._until_s else ""

    def show(self, text: str) -> None:
        self._text, self._until_s = text, self._monotonic_s() + _SHOWN_S
        self._changed()
