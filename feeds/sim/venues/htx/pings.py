"""HTX's own pings, simulated: when it sends them, and when it closes a connection that does not answer."""

from __future__ import annotations

from feeds.sim.twin import Close
from feeds.sim.wire.formats import S, ms

EVERY_NS, EVERY_MISSED_NS = 5 * S, 1 * S
"""Time to the next ping, after an answered and after an unanswered one (measured)."""


class Pings:
    def __init__(self, now_ns: int, patience_ns: int) -> None:
        """``patience_ns``: from the last answer (or the opening) to the close."""
        self._patience_ns = patience_ns
        self._heard_ns = self._asked_ns = now_ns
        self._asked: set[int] = set()

    def due(self, now_ns: int) -> int | Close | None:
        """The number for the next ping, Close when too many were not answered, None when no ping is due."""
        if now_ns - self._heard_ns >= self._patience_ns:
            return Close(1003, "ping check expired, session: 8e6a863b-2733-450c-9d02-5ce41ec811a7")
        if now_ns - self._asked_ns < (EVERY_MISSED_NS if len(self._asked) > 1 else EVERY_NS):
            return None
        self._asked_ns = now_ns
        self._asked.add(ms(now_ns))
        return ms(now_ns)

    def answered(self, number: int, now_ns: int) -> None:
        """Only an answer with the number of a ping counts."""
        if number in self._asked:
            self.heard(now_ns)

    def heard(self, now_ns: int) -> None:
        self._heard_ns = now_ns
        self._asked.clear()
