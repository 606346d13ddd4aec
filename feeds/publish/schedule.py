"""When a listener's next frame is due: by the collector's monotonic clock, since the wall clock may be set."""

from __future__ import annotations

from feeds.frame import Frame


class FrameSchedule:
    """At most one frame every ``every_s``, on a fixed grid; the grid begins anew after a longer pause."""

    def __init__(self, every_s: float) -> None:
        self._every_ns = int(every_s * 1e9)
        self._due_ns: int | None = None

    def due(self, frame: Frame) -> bool:
        """Is this frame's turn? Counts as taken then."""
        now_ns, due_ns = frame.steady_ns, self._due_ns
        if due_ns is not None and now_ns < due_ns:
            return False
        behind = due_ns is None or now_ns - due_ns > self._every_ns
        self._due_ns = (now_ns if behind or due_ns is None else due_ns) + self._every_ns
        return True
