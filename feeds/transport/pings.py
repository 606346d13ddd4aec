"""Pings sent and answered: the websocket's round trip, and whether it is alive. Pure: times are arguments."""

from __future__ import annotations

from feeds.clock import MS, SECOND


class Pings:
    """Outstanding pings of one kind on one connection. Times in ns, monotonic."""

    def __init__(self, *, timeout_s: float = 10.0, max_outstanding: int = 8) -> None:
        self._timeout_ns = int(timeout_s * SECOND)
        self._max = max_outstanding
        self._sent: dict[int, int] = {}
        self._next = 0
        self.lost = 0
        """Pings never answered, or too late."""
        self.ok: bool | None = None
        """Whether the newest ping that was answered or lost was answered in time; None: none yet."""

    def send(self, now_ns: int) -> int:
        """A new ping goes out; returns its token, counting up from 1."""
        self.expire(now_ns)
        while len(self._sent) >= self._max:
            self._lose(next(iter(self._sent)))
        self._next += 1
        self._sent[self._next] = now_ns
        return self._next

    def answer(self, token: int | None, now_ns: int) -> float | None:
        """A pong came. ``token`` None (the venue echoes nothing) means the oldest. Returns the round trip in ms.

        None for a pong to nothing we wait for: unsolicited, repeated, or so late that it was counted as lost.
        """
        self.expire(now_ns)
        if token is None:
            token = next(iter(self._sent), None)
        if token is None or (sent_ns := self._sent.pop(token, None)) is None:
            return None
        # Answering only the newest ping is legal (RFC 6455 5.5.3): older ones are neither lost nor measured.
        for older in [t for t in self._sent if t < token]:
            del self._sent[older]
        self.ok = True
        return (now_ns - sent_ns) / MS

    def expire(self, now_ns: int) -> None:
        """Count pings that have waited too long as lost."""
        while self._sent:
            token = next(iter(self._sent))
            if now_ns - self._sent[token] <= self._timeout_ns:
                return
            self._lose(token)

    def _lose(self, token: int) -> None:
        del self._sent[token]
        self.lost += 1
        self.ok = False
