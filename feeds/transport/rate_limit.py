"""How often asking and connecting is allowed. Pure: times are arguments."""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

from feeds.venues.base import RateLimit


class WindowLimit:
    """At most ``weight`` units within *any* ``window_s`` seconds (a token bucket lets twice that through at once).

    Times in seconds, of a clock that never goes back.
    """

    def __init__(self, weight: float, window_s: float) -> None:
        self._weight, self._window_s = weight, window_s
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until ``amount`` may be taken. What is larger than the whole limit needs an empty window."""
        self._forget(now_s)
        over = self._sum + amount - self._weight
        if not self._spent or over <= 1e-9:
            return 0.0
        freed_s = now_s
        for at_s, spent in self._spent:
            over -= spent
            freed_s = at_s + self._window_s
            if over <= 1e-9:
                break
        return max(0.0, freed_s - now_s)

    def take(self, amount: float, now_s: float) -> None:
        """Count it, whether or not it was allowed."""
        self._forget(now_s)
        self._spent.append((now_s, amount))
        self._sum += amount

    def spent(self, now_s: float) -> float:
        """Units within the window that ends now."""
        self._forget(now_s)
        return self._sum

    def _forget(self, now_s: float) -> None:
        while self._spent and self._spent[0][0] + self._window_s <= now_s:
            self._sum -= self._spent.popleft()[1]
        if not self._spent:
            self._sum = 0.0  # rounding errors must not pile up


class ConnectLimits:
    """New connections by host, shared by all streams of this process: our share of what the venue allows an IP."""

    def __init__(self, *, share: float = 0.5) -> None:
        self._share = share
        self._by_host: dict[str, WindowLimit] = {}

    def of(self, url: str, limit: RateLimit) -> WindowLimit:
        """The limit of the URL's host; the first caller's figures hold."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        if host not in self._by_host:
            self._by_host[host] = WindowLimit(max(1.0, limit.weight * self._share), limit.window_s)
        return self._by_host[host]
