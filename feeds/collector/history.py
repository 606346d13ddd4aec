"""The last half hour at one-second steps, kept by the collector for screens that attach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from feeds.collector.in_turns import in_turns
from feeds.frame import Frame
from feeds.link_messages import HISTORY_S, History, points

STEP_S = 1.0


class FrameHistory:
    """A ring of ``HISTORY_S`` steps for every series of ``feeds.link_messages.points``; NaN stands for None inside."""

    def __init__(self) -> None:
        self._series: dict[str, npt.NDArray[np.float64]] = {}
        self._at = 0
        self._filled = 0
        self._end_ns = 0

    def due(self, t_ns: int) -> bool:
        return t_ns - self._end_ns >= STEP_S * 1e9

    def add(self, frame: Frame) -> None:
        """Only when ``due``. Steps that were missed, because our process stalled, stay empty."""
        step_ns = int(STEP_S * 1e9)
        skipped = 0 if self._end_ns == 0 else min(HISTORY_S, max(0, (frame.t_ns - self._end_ns) // step_ns - 1))
        for _ in range(skipped):
            self._advance()
        self._advance()
        for name, value in points(frame):
            ring = self._series.get(name)
            if ring is None:
                ring = self._series[name] = np.full(HISTORY_S, np.nan)
            ring[self._at] = np.nan if value is None else value
        self._end_ns = frame.t_ns if self._end_ns == 0 else self._end_ns + (skipped + 1) * step_ns

    def _advance(self) -> None:
        self._at = (self._at + 1) % HISTORY_S
        self._filled = min(HISTORY_S, self._filled + 1)
        for ring in self._series.values():
            ring[self._at] = np.nan

    async def history(self) -> History:
        """Oldest first; series begin at the oldest step that is held. In turns: a full one takes 0.2 s."""
        order = np.arange(self._at - self._filled + 1, self._at + 1) % HISTORY_S
        end_ns = self._end_ns
        copied = {name: ring[order] for name, ring in self._series.items()}  # as it is now, whatever is added meanwhile
        series = {name: held async for name, held in in_turns(_lists(copied), at_once=8)}
        return History(end_ns=end_ns, step_s=STEP_S, series=series)


def _lists(series: Mapping[str, npt.NDArray[np.float64]]) -> Iterator[tuple[str, list[float | None]]]:
    for name, values in series.items():
        yield name, [None if value != value else value for value in values.tolist()]
