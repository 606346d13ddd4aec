"""The last half hour at one-second steps, kept by the collector for screens that attach."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        """When the last step was made, on the wall clock of now."""
        self._step_ns: int | None = None
        """The schedule of the last step, on the frames' steady clock; None: there is none yet."""

    def due(self, frame: Frame) -> bool:
        return self._step_ns is None or frame.steady_ns - self._step_ns >= STEP_S * 1e9

    def add(self, frame: Frame) -> None:
        """Only when ``due``. Steps that were missed, because our process stalled, stay empty."""
        step_ns = int(STEP_S * 1e9)
        now_ns = frame.steady_ns
        missed = 0 if self._step_ns is None else max(0, (now_ns - self._step_ns) // step_ns - 1)
        skipped = min(HISTORY_S, missed)
        for _ in range(skipped):
            self._advance()
        self._advance()
        for name, value in points(frame):
            ring = self._series.get(name)
            if ring is None:
                ring = self._series[name] = np.full(HISTORY_S, np.nan)
            ring[self._at] = np.nan if value is None else value
        self._step_ns = now_ns if self._step_ns is None else self._step_ns + (missed + 1) * step_ns
        self._end_ns = frame.t_ns - (now_ns - self._step_ns)  # a clock that was set takes the past along

    def _advance(self) -> None:
        self._at = (self._at + 1) % HISTORY_S
        self._filled = min(HISTORY_S, self._filled + 1)
        for ring in self._series.values():
            ring[self._at] = np.nan

    def history(self) -> History:
        """Oldest first; series begin at the oldest step that is held."""
        order = np.arange(self._at - self._filled + 1, self._at + 1) % HISTORY_S
        return History(
            end_ns=self._end_ns,
            step_s=STEP_S,
            series={
                name: [None if value != value else value for value in ring[order].tolist()]
                for name, ring in self._series.items()
            },
        )
