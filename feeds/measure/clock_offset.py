"""A venue's clock against ours: the offset and its error, from request/answer exchanges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from feeds.clock import MS, SECOND

COARSE_MS = 200.0
"""With a larger error no age is given: a better estimate later would look like a change of the age."""

UNSURE_NS = 3 * SECOND
"""An exchange whose beginning is not known to the moment may have begun this much earlier."""


class _Exchange(Struct, gc=False):
    at_ns: int
    """Monotonic."""
    rtt_ns: int
    offset_ns: int
    error_ns: int


class OffsetEstimator:
    """Venue clock minus ours, from request/answer exchanges (NTP, RFC 5905 section 8).

    With ``t0`` request written, ``t3`` first byte of the answer and a single venue stamp ``T`` in between,
    ``offset = ((T - t0) + (T - t3)) / 2`` and the true offset cannot be further away than half the round trip plus the
    resolution of ``T``. How that round trip divides into there and back is unknowable from one side, so all of it
    stays in the error. The exchange with the smallest error in the window wins: that with the smallest round trip,
    where all stamps have one resolution.
    """

    def __init__(self, *, samples: int = 128, max_age_s: float = 600.0) -> None:
        self._window: deque[_Exchange] = deque(maxlen=samples)
        self._max_age_ns = int(max_age_s * SECOND)
        self._best: _Exchange | None = None
        self._interrupted_ns: int | None = None

    def add(
        self,
        *,
        sent_ns: int,
        rtt_ns: int,
        server_ns: int,
        now_mono_ns: int,
        resolution_ns: int = MS,
        sent_mono_ns: int | None = None,
    ) -> float | None:
        """One exchange. ``sent_ns`` is our wall clock when the request was written, ``rtt_ns`` monotonic.
        ``sent_mono_ns``: the same moment on the monotonic clock; None where only about when it was is known.

        Returns that exchange's offset in ms, None where the figures cannot be (negative round trip, no venue time) and
        where our clock was set, or we slept, while it was under way.
        """
        if rtt_ns < 0 or server_ns <= 0 or resolution_ns < 0:
            return None
        began_ns = now_mono_ns - rtt_ns - UNSURE_NS if sent_mono_ns is None else sent_mono_ns
        if self._interrupted_ns is not None and began_ns < self._interrupted_ns:
            return None
        # A stamp cut to its resolution lies half a step early on average.
        offset_ns = server_ns + resolution_ns // 2 - sent_ns - rtt_ns // 2
        self._window.append(_Exchange(now_mono_ns, rtt_ns, offset_ns, rtt_ns // 2 + resolution_ns))
        while self._window and now_mono_ns - self._window[0].at_ns > self._max_age_ns:
            self._window.popleft()
        self._best = min(self._window, key=lambda x: x.error_ns, default=None)
        return offset_ns / MS

    def interrupted(self, now_mono_ns: int) -> None:
        """Our clock was set, or we slept: nobody knows what was measured before, or is under way, is worth now."""
        self._window.clear()
        self._best = None
        self._interrupted_ns = now_mono_ns

    def stepped(self, step_ns: int) -> None:
        """Our wall clock was corrected by this little: what was measured before is moved, not thrown away."""
        for exchange in self._window:
            exchange.offset_ns -= step_ns

    @property
    def offset_ns(self) -> int | None:
        return None if self._best is None else self._best.offset_ns

    @property
    def offset_ms(self) -> float | None:
        """Venue clock minus ours; None until known."""
        return None if self._best is None else self._best.offset_ns / MS

    @property
    def error_ms(self) -> float | None:
        """Half width of the interval that must hold the true offset, path asymmetry included; None until known."""
        return None if self._best is None else self._best.error_ns / MS

    @property
    def fine_offset_ns(self) -> int | None:
        """The offset to correct ages with; None while its error is unknown or above ``COARSE_MS``."""
        return None if self._best is None or self._best.error_ns > COARSE_MS * MS else self._best.offset_ns

    def ages_ms(self, ages_ns: Iterable[int]) -> list[float]:
        """Ages (received by our clock minus stamped by theirs), corrected by the offset, ascending.

        Empty while the offset is not known well enough."""
        offset_ns = self.fine_offset_ns
        return [] if offset_ns is None else sorted((age + offset_ns) / MS for age in ages_ns)

    def statement(self) -> str:
        """In one clause, for people."""
        if self._best is None:
            return "clock offset unknown"
        return (
            f"clock offset {self._best.offset_ns / MS:+.1f} ms ± {self._best.error_ns / MS:.1f} ms "
            "(half the best round trip: asymmetry of the path cannot be excluded)"
        )
