"""When to repeat subscriptions that were refused for a while.

Venues refuse valid subscriptions while they recover (Bybit answers "handler not found" for a minute or two after mass
disconnects, OKX 64007 "internal error, retry"). There is no timer: a session takes what is due with the next message.
"""

from __future__ import annotations

from collections.abc import Sequence

NEVER_NS = 1 << 62


class RetrySchedule:
    """Repeats ``attempts`` times after ``wait_s`` each. Keys name the session's own subscriptions, so they are
    bounded."""

    def __init__(self, wait_s: float = 30.0, attempts: int = 4) -> None:
        self.due_ns = NEVER_NS
        """When the next repeat is due, on the clock of ``now_ns``. Compare before calling ``take_due``."""
        self._wait_ns = int(wait_s * 1e9)
        self._attempts = attempts
        self._asked: dict[str, int] = {}
        self._due: dict[str, int] = {}

    def schedule(self, key: str, now_ns: int) -> bool:
        """Repeat ``key`` later. False: it has been repeated ``attempts`` times."""
        asked = self._asked.get(key, 0)
        if asked >= self._attempts:
            return False
        self._asked[key] = asked + 1
        self._due[key] = now_ns + self._wait_ns
        self.due_ns = min(self.due_ns, now_ns + self._wait_ns)
        return True

    def take_due(self, now_ns: int) -> Sequence[str]:
        """The keys that are due now, each once."""
        ready = [key for key, due_ns in self._due.items() if due_ns <= now_ns]
        for key in ready:
            del self._due[key]
        self.due_ns = min(self._due.values(), default=NEVER_NS)
        return ready

    def accepted(self, key: str) -> None:
        """``key`` was accepted: its refusals are forgotten."""
        if self._asked.pop(key, None) is not None and self._due.pop(key, None) is not None:
            self.due_ns = min(self._due.values(), default=NEVER_NS)
