"""What happened, in words: state changes, gaps, reconnects, notices; bounded, numbered, each said once."""

from __future__ import annotations

import unicodedata
from collections import deque

from feeds.frame import EVENTS_KEPT, EventRow, Level
from feeds.model import SEVERITY, USABLE, State, Verdict

MAX_TEXT = 300
REPEAT_NS = 10_000_000_000
"""The same words about the same route within this time are counted, not repeated."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text from the network, fit for a terminal and a log: one line, no control or formatting characters, bounded."""
    kept = "".join(c if not unicodedata.category(c).startswith("C") else " " for c in text[: limit * 4])
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


class EventLog:
    def __init__(self) -> None:
        self._rows: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self._next = 0
        self._last_said: dict[tuple[str, str | None, str], int] = {}

    def say(self, t_ns: int, level: Level, code: str, route: str | None, text: str) -> None:
        text = clean(text)
        key = (code, route, text)
        last = self._last_said.get(key)
        if last is not None and t_ns - last < REPEAT_NS:
            return
        if len(self._last_said) > 4 * EVENTS_KEPT:
            self._last_said.clear()
        self._last_said[key] = t_ns
        self._rows.append(EventRow(t_ns=t_ns, level=level, code=code, route=route, text=text, seq=self._next))
        self._next += 1

    def state_change(self, t_ns: int, before: Verdict | None, after: Verdict) -> None:
        """Says a change of state or of cause; the first verdict and the end of warm-up are no news."""
        if before is None or (before.state, before.cause) == (after.state, after.cause):
            return
        if before.state is State.UNKNOWN and after.state is State.OK and before.cause is not None:
            level: Level = "info"
        elif after.state in (State.OK, State.UNKNOWN):
            level = "info"
        elif after.state in USABLE:
            level = "warning" if SEVERITY[after.state] < SEVERITY[State.CONGESTED] else "alarm"
        else:
            level = "alarm"
        change = (
            f"{before.state} -> {after.state}" if before.state is not after.state else f"{after.state}, other cause"
        )
        cause = f", {after.cause}" if after.cause is not None else ""
        grounds = "; ".join(r.text for r in sorted(after.reasons, key=lambda r: -r.points)[:3] if r.text)
        self.say(t_ns, level, "state", after.route, f"{change}{cause}" + (f": {grounds}" if grounds else ""))

    def rows(self) -> tuple[EventRow, ...]:
        return tuple(self._rows)
