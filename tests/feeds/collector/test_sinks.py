"""A listener that fails is left out, said, and tried again; the others get every frame."""

from __future__ import annotations

from feeds.clock import SECOND
from feeds.collector.sinks import Sinks
from feeds.frame import Frame, Level
from tests.feeds.frames import frame


class Clock:
    def __init__(self) -> None:
        self.now_ns = 0

    def time_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        return self.now_ns


def test_a_failing_listener_is_left_out_for_growing_pauses_and_taken_back() -> None:
    clock = Clock()
    told: list[tuple[Level, str]] = []
    sinks = Sinks(clock, lambda level, text: told.append((level, text)))
    good: list[int] = []
    tried: list[float] = []
    broken = [True]

    def bad(shown: Frame) -> None:
        tried.append(clock.now_ns / SECOND)
        if broken[0]:
            raise ValueError("no room")

    sinks.append(bad)
    sinks.append(lambda shown: good.append(shown.number))
    for number in range(80):
        clock.now_ns = number * SECOND // 4
        sinks.publish(frame(number))
    assert good == list(range(80))
    assert tried == [0.0, 1.0, 3.0, 7.0, 15.0]
    assert len(told) == 1
    assert told[0][0] == "warning" and "ValueError: no room" in told[0][1]
    broken[0] = False
    clock.now_ns = 31 * SECOND
    sinks.publish(frame(80))
    sinks.publish(frame(81))
    assert tried[-2:] == [31.0, 31.0]
    assert [level for level, _ in told] == ["warning", "info"]
