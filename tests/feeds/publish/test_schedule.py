"""When a log's next frame is due."""

from __future__ import annotations

from msgspec import structs

from feeds.publish.schedule import FrameSchedule
from tests.feeds.frames import SECOND_NS, T0_NS, frame


def taken(schedule: FrameSchedule, *at_s: float, set_at_s: float = 1e9, set_s: float = 0.0) -> list[float]:
    """Which of the frames are due, where the wall clock is set by ``set_s`` at ``set_at_s``."""
    found = []
    for n, second in enumerate(at_s):
        wall_s = second + (set_s if second >= set_at_s else 0.0)
        one = frame(n, T0_NS + int(wall_s * SECOND_NS))
        if schedule.due(structs.replace(one, mono_ns=5 + int(second * SECOND_NS))):
            found.append(second)
    return found


def test_one_frame_every_so_often_on_a_grid() -> None:
    assert taken(FrameSchedule(1.0), 0, 0.25, 0.5, 1.1, 1.5, 2.0, 3.0) == [0, 1.1, 2.0, 3.0]


def test_after_a_pause_the_grid_begins_anew() -> None:
    assert taken(FrameSchedule(1.0), 0, 10.5, 11.0, 11.5) == [0, 10.5, 11.5]


def test_a_clock_that_is_set_changes_nothing() -> None:
    for set_s in (3_600.0, -3_600.0, 30.0, -30.0):
        assert taken(FrameSchedule(1.0), 0, 1, 2, 2.5, 3, 4, set_at_s=1.5, set_s=set_s) == [0, 1, 2, 3, 4]


def test_frames_without_a_monotonic_time_go_by_their_own() -> None:
    schedule = FrameSchedule(1.0)
    assert [schedule.due(frame(n, T0_NS + n * SECOND_NS // 2)) for n in range(4)] == [True, False, True, False]
