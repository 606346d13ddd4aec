"""Who hears of each frame. A listener that fails is left out for a while; it never ends the measuring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from feeds.clock import SECOND, Clock
from feeds.frame import Frame, Level

Sink: TypeAlias = Callable[[Frame], None]

PAUSES_S: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""A sink that has failed is left out this long, longer with each failure in a row."""


class _Listener:
    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.failures = 0
        self.retry_ns = 0


class Sinks:
    """``tell`` is told of every failure that begins and ends: level and sentence."""

    def __init__(self, clock: Clock, tell: Callable[[Level, str], None]) -> None:
        self._clock, self._tell = clock, tell
        self._listeners: list[_Listener] = []

    def append(self, sink: Sink) -> None:
        """``sink`` is called with every frame. It must not wait for anything."""
        self._listeners.append(_Listener(sink))

    def publish(self, frame: Frame) -> None:
        for listener in self._listeners:
            if listener.failures and self._clock.monotonic_ns() < listener.retry_ns:
                continue
            try:
                listener.sink(frame)
            except Exception as error:  # whatever is wrong with a listener: measuring goes on
                self._failed(listener, error)
            else:
                if listener.failures:
                    listener.failures = 0
                    self._tell("info", f"{_name(listener.sink)} takes frames again")

    def _failed(self, listener: _Listener, error: Exception) -> None:
        pause_s = PAUSES_S[min(listener.failures, len(PAUSES_S) - 1)]
        listener.retry_ns = self._clock.monotonic_ns() + int(pause_s * SECOND)
        listener.failures += 1
        if listener.failures == 1:
            what = f"{type(error).__name__}: {error}"
            self._tell("warning", f"{_name(listener.sink)} failed ({what}): it is left out and tried again")


def _name(sink: Sink) -> str:
    return str(getattr(sink, "__qualname__", type(sink).__name__))
