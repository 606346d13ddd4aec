"""The log of events: state changes, gaps, reconnects and notices of venues, as text for people.

What happens again and again (a socket that is refused every few seconds, for ever) is said at once, then counted and
said with growing pauses, so that the log stays readable and other events are not pushed out of it.
"""

from __future__ import annotations

import re
from collections import deque

from msgspec import Struct

from feeds.clock import SECOND, Clock
from feeds.frame import EVENTS_KEPT, EventRow, Level
from feeds.model import SEVERITY, USABLE, State, Verdict
from feeds.plain_text import plain

MAX_TEXT = 300
PAUSES_NS = tuple(seconds * SECOND for seconds in (10, 60, 600, 1800))
"""After an event was said the first, second... time: how long its repeats are only counted. The last one stays."""
QUIET_NS = 600 * SECOND
"""What has not happened for so long is news again."""
NEWS = frozenset({"state", "advice", "transfer", "watchlist"})
"""Codes whose every change is news: only repeats within the first pause are left out, and none is counted."""
INFO_CODES = ("status", "markets", "connect", "reconnect")
"""Events of these codes are ``info``, others ``warning``."""

_VARYING = re.compile(r"\b\d[\d.]*(?= (?:ms|s|min|h|bp)\b)|\b\d{6,}\b|\b(?=[a-f]*\d)[\da-f]{12,}\b")
"""Parts of a text that differ each time and make no other event of it: durations, sequence numbers, request ids."""


class _Repeat(Struct):
    """One event that has happened before. Times in ns, monotonic."""

    level: Level
    said_ns: int
    """When it was last said."""
    seen_ns: int
    text: str
    """Its newest words."""
    pause: int = 0
    """Index of the pause that it is in."""
    count: int = 0
    """How often it has happened since it was last said."""

    @property
    def due_ns(self) -> int:
        return min(self.said_ns + PAUSES_NS[self.pause], self.seen_ns + QUIET_NS)


class EventLog:
    """The newest ``EVENTS_KEPT`` events, numbered in the order in which they happened."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self._next_seq = 0
        self._repeats: dict[tuple[str, str | None, str], _Repeat] = {}
        """Longest not seen first."""
        self._due_ns: int | None = None
        """When the next count must be said; None: nothing is counted."""

    def log(self, code: str, route: str | None, text: str) -> None:
        """Something has happened now. The level follows from the code."""
        self.add(self._clock.time_ns(), "info" if code in INFO_CODES else "warning", code, route, text)

    def add(self, t_ns: int, level: Level, code: str, route: str | None, text: str) -> None:
        """Say it, or count it where the same was said a short time ago."""
        text, now_ns = plain(text, MAX_TEXT), self._clock.monotonic_ns()
        key = (code, route, _VARYING.sub("#", text))
        known = self._repeats.pop(key, None)  # put back at the end
        if known is None or now_ns - known.seen_ns >= QUIET_NS or (code in NEWS and now_ns >= known.due_ns):
            if known is not None and known.count:
                self._say_count(t_ns, key, known, now_ns)
            known = _Repeat(level=level, said_ns=now_ns, seen_ns=now_ns, text=text)
            self._say(t_ns, level, code, route, text)
        elif code not in NEWS:
            known.level, known.text, known.seen_ns = level, text, now_ns
            known.count += 1
            if now_ns >= known.due_ns:
                self._say_count(t_ns, key, known, now_ns)
            else:
                self._due_ns = known.due_ns if self._due_ns is None else min(self._due_ns, known.due_ns)
        self._repeats[key] = known
        if len(self._repeats) > 4 * EVENTS_KEPT:
            del self._repeats[next(iter(self._repeats))]

    def _say(self, t_ns: int, level: Level, code: str, route: str | None, text: str) -> None:
        self._rows.append(EventRow(t_ns=t_ns, level=level, code=code, route=route, text=text, seq=self._next_seq))
        self._next_seq += 1

    def _say_count(self, t_ns: int, key: tuple[str, str | None, str], known: _Repeat, now_ns: int) -> None:
        """Say what was counted, and begin the next pause."""
        text = known.text
        if known.count > 1:
            text = plain(f"again, {known.count} times in {_span(now_ns - known.said_ns)}: {text}", MAX_TEXT)
        self._say(t_ns, known.level, key[0], key[1], text)
        known.said_ns, known.count = now_ns, 0
        known.pause = min(known.pause + 1, len(PAUSES_NS) - 1)

    def _say_due(self) -> None:
        """Say what was counted and has not happened again since its pause is over."""
        now_ns = self._clock.monotonic_ns()
        if self._due_ns is None or now_ns < self._due_ns:
            return
        counted = [(key, known) for key, known in self._repeats.items() if known.count]
        for key, known in counted:
            if now_ns >= known.due_ns:
                self._say_count(self._clock.time_ns(), key, known, now_ns)
        self._due_ns = min((known.due_ns for _, known in counted if known.count), default=None)

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
        """Oldest first. Called for each frame, which is when counts that are due are said."""
        self._say_due()
        return tuple(self._rows)


def _span(span_ns: int) -> str:
    seconds = span_ns / SECOND
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
