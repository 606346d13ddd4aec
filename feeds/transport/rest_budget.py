"""Our share of a venue's REST rate limit, and when to ask nothing at all.

The limit is per IP, and the user trades from this IP. Probes get ``PROBE_SHARE`` of it, and what books and status need
gets ``REQUEST_SHARE`` beside that; neither takes from the other. Times are monotonic seconds.
"""

from __future__ import annotations

from feeds.model import Fault
from feeds.transport.backoff import LONGEST_RETRY_S
from feeds.transport.rate_limit import WindowLimit
from feeds.venues.base import ProbeReading, RateLimit

PROBE_SHARE = 0.05
REQUEST_SHARE = 0.15
CROWDED = 0.8
"""From this used share of the limit on, whoever used it, we ask for nothing: the rest is left to the trader."""
FIRST_HOLD_S = 30.0
LONGEST_HOLD_S = LONGEST_RETRY_S
"""Whatever the venue asks for: a day's wait would end the measuring for a day."""
_HOLDING: frozenset[Fault] = frozenset({Fault.OUR_LIMIT, Fault.GEO_BLOCK, Fault.REFUSED})


class RestBudget:
    """Weight spent on one venue product, all callers together."""

    def __init__(
        self, limit: RateLimit, *, probe_share: float = PROBE_SHARE, request_share: float = REQUEST_SHARE
    ) -> None:
        self.limit = limit
        rate = limit.weight / limit.window_s
        self._probes = WindowLimit(limit.weight * probe_share, limit.window_s)
        self._requests = WindowLimit(limit.weight * request_share, limit.window_s)
        self._probe_rate = rate * probe_share
        self._held_until_s = 0.0
        self._holds = 0
        self._venue_count: tuple[float, float] | None = None

    def pace_s(self, weight: float, reserved: float = 0.0) -> float:
        """Seconds between probes of this mean weight that the probes' share bears for ever.

        ``reserved``: weight per second that goes elsewhere. A tenth stays free, or jitter would cost every other probe.
        """
        return weight / max(0.9 * self._probe_rate - reserved, 0.01 * self._probe_rate)

    def probe_wait_s(self, weight: float, now_s: float) -> float:
        """Until a probe of this weight may go out."""
        return max(self.held_s(now_s), self._probes.wait_s(weight, now_s))

    def request_wait_s(self, weight: float, now_s: float) -> float:
        """Until another request of this weight may go out."""
        return max(self.held_s(now_s), self._requests.wait_s(weight, now_s))

    def probe_spent(self, weight: float, now_s: float) -> None:
        self._probes.take(weight, now_s)

    def request_spent(self, weight: float, now_s: float) -> None:
        self._requests.take(weight, now_s)

    def held_s(self, now_s: float) -> float:
        """Seconds from now in which nothing may be asked; 0 when there is no hold."""
        return max(0.0, self._held_until_s - now_s)

    def learn(self, reading: ProbeReading, now_s: float) -> None:
        """What an answer says about our limit: refusals hold back all requests, longer each time, until a good one."""
        if reading.fault in _HOLDING:
            # Answers to what was already under way when the hold began do not lengthen it.
            if now_s >= self._held_until_s:
                own_s = min(FIRST_HOLD_S * 2.0 ** min(self._holds, 20), LONGEST_HOLD_S)
                self._holds += 1
            else:
                own_s = 0.0
            asked_s = min(reading.retry_after_s or 0.0, LONGEST_HOLD_S)
            self._held_until_s = max(self._held_until_s, now_s + max(own_s, asked_s))
        elif reading.fault is None:
            self._holds = 0
        if reading.weight_used is not None and reading.weight_used >= 0:
            self._venue_count = (now_s, reading.weight_used)
            if reading.weight_used >= CROWDED * self.limit.weight:
                self._held_until_s = max(self._held_until_s, now_s + self.limit.window_s)

    def used_share(self, now_s: float) -> float:
        """Used weight over the limit, 0 to 1: from the venue's headers for this IP, else our own count."""
        if self._venue_count is not None and now_s - self._venue_count[0] < self.limit.window_s:
            return min(1.0, self._venue_count[1] / self.limit.weight)
        return min(1.0, (self._probes.spent(now_s) + self._requests.spent(now_s)) / self.limit.weight)


def learn(budget: RestBudget, reading: ProbeReading, after_s: float | None, now_s: float) -> None:
    """Give a reading to the budget, with the Retry-After of the headers where the venue's file has none."""
    budget.learn(
        ProbeReading(fault=reading.fault, weight_used=reading.weight_used, retry_after_s=after_s),
        now_s,
    )
