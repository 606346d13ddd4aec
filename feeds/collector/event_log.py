"""The log of events: state changes, gaps, reconnects and notices of venues, as text for people."""

from __future__ import annotations

import unicodedata
from collections import deque

from feeds.clock import Clock
from feeds.frame import EVENTS_KEPT, EventRow, Level
from feeds.model import SEVERITY, USABLE, State, Verdict

MAX_TEXT = 300
REPEAT_NS = 10_000_000_000
"""The same text about the same route is not logged again within this time."""
INFO_CODES = ("status", "markets", "connect", "reconnect")
"""Events of these codes are ``info``, others ``warning``."""


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text from the network made safe for terminal and log: one line of at most ``limit``, no control characters."""
    kept = "".join(c if not unicodedata.category(c).startswith("C") else " " for c in text[: limit * 4])
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"


class EventLog:
    """The newest ``EVENTS_KEPT`` events, numbered in the order in which they happened."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self._next_seq = 0
        self._logged_ns: dict[tuple[str, str | None, str], int] = {}

    def log(self, code: str, route: str | None, text: str) -> None:
        """Something has happened now. The level follows from the code."""
        self.add(self._clock.time_ns(), "info" if code in INFO_CODES else "warning", code, route, text)

    def add(self, t_ns: int, level: Level, code: str, route: str | None, text: str) -> None:
        """Repeats within ``REPEAT_NS`` are dropped. ``t_ns`` only dates the event."""
        text = clean(text)
        now_ns = self._clock.monotonic_ns()
        key = (code, route, text)
        last_ns = self._logged_ns.get(key)
        if last_ns is not None and now_ns - last_ns < REPEAT_NS:
            return
        if len(self._logged_ns) > 4 * EVENTS_KEPT:
            self._logged_ns.clear()
        self._logged_ns[key] = now_ns
        self._rows.append(EventRow(t_ns=t_ns, level=level, code=code, route=route, text=text, seq=self._next_seq))
        self._next_seq += 1

    def state_change(self, t_ns: int, before: Verdict | None, after: Verdict) -> None:
        """An event where state or cause have changed. A route's first verdict is none."""
        if before is None or (before.state, before.cause) == (after.state, after.cause):
            return
        level: Level = "alarm"
        if after.state in (State.OK, State.UNKNOWN):
            level = "info"
        elif after.state in USABLE and SEVERITY[after.state] < SEVERITY[State.CONGESTED]:
            level = "warning"
        change = (
            f"{before.state} -> {after.state}" if before.state is not after.state else f"{after.state}, other cause"
        )
        cause = f", {after.cause}" if after.cause is not None else ""
        grounds = "; ".join(r.text for r in sorted(after.reasons, key=lambda r: -r.points)[:3] if r.text)
        self.add(t_ns, level, "state", after.route, f"{change}{cause}" + (f": {grounds}" if grounds else ""))

    def rows(self) -> tuple[EventRow, ...]:
        """Oldest first."""
        return tuple(self._rows)
