"""What states and venues look like: a glyph and a colour a state, a hue a venue."""

from __future__ import annotations

from feeds.frame import Frame
from feeds.model import State, venue_of
from tui.theme import HUES

GLYPHS: dict[State, str] = {
    State.OK: "●",
    State.SUSPECT: "◐",
    State.CONGESTED: "▲",
    State.STALLED: "◆",
    State.DOWN: "✕",
    State.HALTED: "‖",  # the pause sign is an emoji, two cells wide in some terminals
    State.BLOCKED: "⊘",
    State.UNKNOWN: "·",
}


def state_role(state: State) -> str:
    return f"state.{state.value}"


def hues(frame: Frame) -> dict[str, int]:
    """One hue a venue, the same in every pane while the watchlist stays."""
    venues = sorted({venue_of(row.route) for row in frame.routes})
    return {venue: index % HUES for index, venue in enumerate(venues)}
