"""How long to wait before the next try, and how often trying is allowed at all. Pure: times come in."""

from __future__ import annotations

import random
from collections import deque
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from feeds.venues.base import RateLimit


class Backoff:
    """Exponential, jittered, capped. Forgiven from outside, and only for data: a handshake proves nothing.

    Each delay is uniform between half and all of ``base_s * 2**failures``, so that many streams cut at once do not come
    back at once.
    """

    def __init__(self, *, base_s: float = 0.5, cap_s: float = 30.0, rng: random.Random | None = None) -> None:
        self._base_s, self._cap_s = base_s, cap_s
        self._rng = rng or random.Random()
        self.failures = 0

    def delay_s(self) -> float:
        """The wait before the next try; counts one more failure."""
        # The exponent is bounded: 2**1100 is no float.
        full_s = min(self._cap_s, self._base_s * 2.0 ** min(self.failures, 40))
        self.failures += 1
        return self._rng.uniform(full_s / 2, full_s)

    def forgive(self) -> None:
        self.failures = 0


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """``Retry-After`` (RFC 9110 10.2.3): seconds, or a date against our wall clock ``now_s``. None when unreadable."""
    if value is None or len(value) > 64:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now_s
        except (ValueError, TypeError, OverflowError):
            return None
    # NaN compares false; a server asking for more than a day is asking for nonsense.
    return min(max(seconds, 0.0), 86_400.0) if seconds == seconds else None


class Bucket:
    """Token bucket: on average ``rate`` units a second, at most ``burst`` at once. Times in seconds, any zero."""

    def __init__(self, *, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._level = burst
        self._at_s: float | None = None

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._level = min(self._burst, self._level + max(0.0, now_s - self._at_s) * self._rate)
        self._at_s = now_s

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until ``amount`` may be taken. What is larger than the whole bucket needs a full one."""
        self._refill(now_s)
        missing = min(amount, self._burst) - self._level
        return 0.0 if missing <= 1e-9 else missing / self._rate

    def take(self, amount: float, now_s: float) -> None:
        """Take it whether or not it is there; the level may go below zero and is paid back by waiting."""
        self._refill(now_s)
        self._level -= amount


class ConnectLimiter:
    """New connections to one host, shared by all our streams: never more than our share of what the venue allows."""

    def __init__(self, limit: RateLimit, *, share: float = 0.5) -> None:
        self._allowed = max(1, int(limit.weight * share))
        self._window_s = limit.window_s
        self._dials: deque[float] = deque()

    def wait_s(self, now_s: float) -> float:
        """Until one more connection may be opened."""
        while self._dials and now_s - self._dials[0] >= self._window_s:
            self._dials.popleft()
        if len(self._dials) < self._allowed:
            return 0.0
        return self._dials[0] + self._window_s - now_s

    def count(self, now_s: float) -> None:
        """A connection is being opened."""
        self._dials.append(now_s)


class ConnectLimits:
    """One ``ConnectLimiter`` per host of this process."""

    def __init__(self, *, share: float = 0.5) -> None:
        self._share = share
        self._by_host: dict[str, ConnectLimiter] = {}

    def of(self, url: str, limit: RateLimit) -> ConnectLimiter:
        """The limiter of the URL's host; the first caller's limit holds."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        if host not in self._by_host:
            self._by_host[host] = ConnectLimiter(limit, share=self._share)
        return self._by_host[host]
