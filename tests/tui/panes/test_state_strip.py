"""The strip of states and scores."""

from __future__ import annotations

from tests.tui.scripted import history, view
from tui.history import HistoryBuffer
from tui.panes.state_strip import strip


def test_the_strip_shows_the_worst_of_each_slice() -> None:
    buffer = HistoryBuffer()
    buffer.load(history("1011", 45, length_s=45))
    shown = view("1011", 45, history=buffer)
    parts = strip(shown, "binance.linear", 15, 60)
    assert [role for _, role in parts] == ["ghost", "state.ok", "state.suspect", "state.congested"]
    assert sum(len(text) for text, _ in parts) == 15
