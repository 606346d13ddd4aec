"""The last half hour at one-second steps, for charts and strips."""

from __future__ import annotations

from collections import deque
from statistics import median_high

from feeds.frame import Frame
from feeds.link_messages import HISTORY_S, History, points

_SECOND_NS = 1_000_000_000


class HistoryBuffer:
    """Series by the names of ``feeds.frame.History``, one value a second, all ending at ``end_s``.

    Fed by ``History`` once and by every frame after; the first frame of a second stands for it.
    """

    def __init__(self) -> None:
        self.end_s: int | None = None
        self.revision = 0
        """Counts the seconds written. What was drawn from the buffer stays valid until it changes."""
        self._series: dict[str, deque[float | None]] = {}
        self._length = 0
        self._gap_ns: int | None = None
        """The collector's wall clock minus its steady one, as of the last frame."""

    def __len__(self) -> int:
        return self._length

    def load(self, history: History) -> None:
        """Replace everything. Shorter series are filled with None at their old end."""
        step = max(1, round(history.step_s))
        self._series = {
            name: deque((value for value in values for _ in range(step)), maxlen=HISTORY_S)
            for name, values in history.series.items()
        }
        self._length = max((len(values) for values in self._series.values()), default=0)
        for values in self._series.values():
            values.extendleft([None] * (self._length - len(values)))
        self.end_s = history.end_ns // _SECOND_NS
        self.revision += 1

    def write(self, frame: Frame) -> None:
        """Add a frame. Seconds without one are gaps. When the clock goes back (a new replay), all is dropped."""
        now_s = frame.t_ns // _SECOND_NS
        self._follow(frame)
        if self.end_s is not None and now_s == self.end_s:
            return
        if self.end_s is None or now_s < self.end_s or now_s - self.end_s > HISTORY_S:
            self._series.clear()
            self._length = 0
            self.end_s = now_s - 1
        missing = now_s - self.end_s - 1
        fresh = dict(points(frame))
        if len(self._series) > 4 * len(fresh) + 64:  # watchlists came and went
            self._series = {name: values for name, values in self._series.items() if name in fresh}
        for name in fresh.keys() - self._series.keys():
            self._series[name] = deque([None] * self._length, maxlen=HISTORY_S)
        for name, values in self._series.items():
            values.extend([None] * missing)
            values.append(fresh.get(name))
        self._length = min(HISTORY_S, self._length + missing + 1)
        self.end_s = now_s
        self.revision += 1

    def _follow(self, frame: Frame) -> None:
        """Where the collector's clock was set, the past goes along: it lies as long ago as it does."""
        if frame.mono_ns is None:
            return
        before_ns, self._gap_ns = self._gap_ns, frame.t_ns - frame.mono_ns
        if before_ns is not None and self.end_s is not None and abs(self._gap_ns - before_ns) >= _SECOND_NS:
            self.end_s += round((self._gap_ns - before_ns) / _SECOND_NS)
            self.revision += 1

    def at(self, name: str, t_s: int) -> float | None:
        """The value of one second."""
        values = self._series.get(name)
        if values is None or self.end_s is None:
            return None
        index = self._length - 1 - (self.end_s - t_s)
        return values[index] if 0 <= index < self._length else None

    def window(self, name: str, end_s: int, span_s: int) -> list[float | None]:
        """``span_s`` values up to and including ``end_s``, oldest first; what is not known is None."""
        values = self._series.get(name)
        if values is None or self.end_s is None:
            return [None] * span_s
        last = self._length - 1 - (self.end_s - end_s)
        known = list(values)[max(0, last - span_s + 1) : max(0, last + 1)]
        before = min(span_s, max(0, span_s - 1 - last))
        return ([None] * before + known + [None] * span_s)[:span_s]

    def begin_s(self) -> int | None:
        """The oldest second held."""
        return None if self.end_s is None else self.end_s - self._length + 1


def buckets(values: list[float | None], first_s: int, width_s: int, *, peaks: bool = True) -> list[tuple[int, float]]:
    """(bucket, highest value, or the median) of each bucket that has one.

    Buckets stand on whole multiples of ``width_s`` of the clock, so that a moving window does not make the shape
    shimmer. The first is left out unless whole; the last, begun just now, counts the last ``width_s`` seconds.
    Highest, where a peak must survive the shrinking.
    """
    found: dict[int, list[float]] = {}
    whole_s = -(-first_s // width_s) * width_s
    end_s = first_s + len(values) - 1
    for offset, value in enumerate(values):
        if value is not None and first_s + offset >= whole_s:
            found.setdefault((first_s + offset) // width_s, []).append(value)
    if end_s // width_s in found:
        found[end_s // width_s] = [value for value in values[-width_s:] if value is not None]
    return [(bucket, max(some) if peaks else median_high(some)) for bucket, some in sorted(found.items())]
