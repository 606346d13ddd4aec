"""The strip at the end of a route's row: its state and score over the last minutes."""

from __future__ import annotations

from feeds.frame import Frame
from feeds.model import SEVERITY, State
from tui.format import level
from tui.lines import Part
from tui.panes.chart import span_for
from tui.panes.raster import parts
from tui.past_frame import past_frame
from tui.state_look import state_role
from tui.view import View

_STATES = {rank: state for state, rank in SEVERITY.items()}
_STRIP_S = 900
"""The longest time a strip shows."""


class Strips:
    """Keeps the strips of all routes until a second is added to the history."""

    def __init__(self) -> None:
        self._key: tuple[int, int, int] = (-1, 0, 0)
        self._strips: dict[str, tuple[Part, ...]] = {}
        self._past_key: tuple[int, int] = (0, 0)
        self._past: Frame | None = None

    def of(self, view: View, route: str, width: int) -> tuple[Part, ...]:
        """``width`` cells: height is the score, colour the state, a dot no data."""
        key = (view.history.revision, width, view.at_s)
        if key != self._key:
            self._key = key
            self._strips.clear()
        found = self._strips.get(route)
        if found is None:
            found = self._strips[route] = strip(view, route, width, strip_span_s(view))
        return found

    def frame_at_cursor(self, view: View) -> Frame | None:
        """The frame at the cursor; made once for each place of the cursor."""
        key = (view.at_s, view.back_s)
        if key != self._past_key or self._past is None:
            self._past_key = key
            self._past = past_frame(view)
        return self._past


def strip_span_s(view: View) -> int:
    return span_for(view.history, _STRIP_S, view.at_s)


def strip(view: View, route: str, width: int, span_s: int) -> tuple[Part, ...]:
    """The worst of each slice of time decides its cell."""
    scores = view.history.window(f"score:{route}", view.at_s, span_s)
    states = view.history.window(f"state:{route}", view.at_s, span_s)
    cells: list[tuple[str, str]] = []
    for x in range(width):
        begin, end = x * span_s // width, max((x + 1) * span_s // width, x * span_s // width + 1)
        known = [s for s in states[begin:end] if s is not None]
        if not known:
            cells.append(("·", "ghost"))
            continue
        state = _STATES.get(int(max(known)), State.UNKNOWN)
        score = max((s for s in scores[begin:end] if s is not None), default=None)
        cells.append(("·" if score is None else level(score / 100), state_role(state)))
    return tuple(parts(cells))
