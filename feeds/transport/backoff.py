"""How long to wait before the next try. Pure: times are arguments."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

LONGEST_RETRY_S = 900.0
"""The longest ``Retry-After`` that is believed: a header of a day would end the measuring for that day. What is asked
again after this brings a new one, if the venue still means it."""


class Backoff:
    """Exponential, jittered, capped. The caller resets it (``forgive``), and only for data: a handshake proves nothing.

    Each delay is uniform between half and all of ``base_s * 2**failures``, so that streams which were cut together do
    not come back together.
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
    """``Retry-After`` (RFC 9110 10.2.3): seconds, or a date against our wall clock ``now_s``; at most
    ``LONGEST_RETRY_S``. None when unreadable."""
    if value is None or len(value) > 64:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now_s
        except (ValueError, TypeError, OverflowError):
            return None
    # NaN compares false
    return min(max(seconds, 0.0), LONGEST_RETRY_S) if seconds == seconds else None
