"""What waits is bounded, what is lost is a row, what fails is tried again; ``put`` never waits for anything."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from feeds.publish.row_writer import STUCK_S, Batch, RowWriter


class Place:
    """A target that blocks or fails when told."""

    name = "rows"
    ends = False

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.error: OSError | None = None
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.news: str | None = ""
        self.gone = False
        self.reopened = 0

    def ready(self, *, reopen: bool = False) -> str | None:
        self.reopened += reopen
        news, self.news = self.news, None
        return news

    def write(self, data: bytes) -> None:
        self.entered.set()
        self.open.wait()
        if self.error is not None:
            raise self.error
        self.written.append(data)

    def reader_gone(self) -> bool:
        return self.gone

    def close(self) -> None: ...

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for data in self.written for line in data.splitlines()]


def batch(second: int, rows: int = 2) -> Batch:
    line = b'{"t":%d,"kind":"pair"}\n' % second
    return Batch(second, "here", line * rows, rows, lambda: b'{"t":0,"kind":"header"}\n')


def until(true: Callable[[], bool], at_most_s: float = 5.0) -> None:
    end_s = time.monotonic() + at_most_s
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.002)


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


async def test_a_hung_target_costs_the_caller_nothing_and_what_did_not_fit_is_a_row() -> None:
    place, now_s = Place(), [0.0]
    size = len(batch(1001).lines)
    writer = RowWriter(place, waiting_bytes=3 * size, monotonic_s=lambda: now_s[0])
    assert writer.start() is None
    place.open.clear()
    writer.put(batch(1001))
    until(place.entered.is_set)
    began_s = time.monotonic()
    for second in range(1002, 2002):
        writer.put(batch(second))
    assert time.monotonic() - began_s < 1.0
    now_s[0] = STUCK_S
    assert [level for level, _ in writer.news()] == ["warning"]
    assert writer.news() == []  # said once
    place.open.set()
    assert await writer.close(5.0) == (0, "nothing was taken")
    hole = {"t": 1998, "kind": "hole", "vantage": "here", "from": 1002, "to": 1998, "count": 1994}
    assert place.rows[3] == {**hole, "why": "nothing was taken"}
    times = [row["t"] for row in place.rows if row["kind"] == "pair"]
    assert times == [1001, 1001, 1999, 1999, 2000, 2000, 2001, 2001]
    assert [level for level, _ in writer.news()] == ["info"]


async def test_a_full_disk_is_said_once_tried_again_and_nothing_is_lost_when_there_is_room_again() -> None:
    place = Place()
    writer = RowWriter(place, pauses_s=(0.01,))
    writer.start()
    place.error = NO_SPACE
    for second in range(3):
        writer.put(batch(second))
    until(place.entered.is_set)
    await asyncio.sleep(0.1)  # several tries
    assert writer.news() == [("warning", "log rows: No space left on device: rows wait and it is tried again")]
    place.error = None
    until(lambda: len(place.rows) == 7)
    assert writer.news() == [("info", "log rows: is written again")]
    assert [row["t"] for row in place.rows] == [0, 0, 0, 1, 1, 2, 2]
    assert await writer.close(5.0) == (0, "nothing was taken")


async def test_pauses_grow_and_a_reopening_does_not_wait_for_them() -> None:
    place = Place()
    writer = RowWriter(place, pauses_s=(0.0, 3600.0))
    writer.start()
    place.error = NO_SPACE
    writer.put(batch(1))
    until(lambda: writer._failures == 2)
    place.error = None
    await asyncio.sleep(0.05)
    assert place.rows == []
    writer.reopen()
    until(lambda: bool(place.rows))
    assert place.reopened == 1
    await writer.close(5.0)


async def test_the_end_tries_once_more_and_counts_what_was_not_written() -> None:
    place = Place()
    writer = RowWriter(place, pauses_s=(3600.0,))
    writer.start()
    place.error = NO_SPACE
    for second in range(4):
        writer.put(batch(second))
    until(place.entered.is_set)
    assert await writer.close(5.0) == (8, "No space left on device")


async def test_the_end_does_not_wait_for_a_hung_target() -> None:
    place = Place()
    writer = RowWriter(place)
    writer.start()
    place.open.clear()
    writer.put(batch(1))
    until(place.entered.is_set)
    writer.put(batch(2))
    began_s = time.monotonic()
    assert await writer.close(0.2) == (4, "nothing was taken")
    assert time.monotonic() - began_s < 1.0
    place.open.set()


async def test_a_reader_of_stdout_that_has_gone_is_told_and_is_no_loss() -> None:
    place, gone = Place(), threading.Event()
    place.ends = True
    writer = RowWriter(place, gone=gone.set)
    writer.start()
    place.error = BrokenPipeError(errno.EPIPE, "Broken pipe")
    writer.put(batch(1))
    assert await asyncio.to_thread(gone.wait, 5.0)
    writer.put(batch(2))
    assert await writer.close(5.0) == (0, "")


async def test_a_reader_that_goes_between_two_rows_is_noticed() -> None:
    place, gone = Place(), threading.Event()
    place.ends = True
    writer = RowWriter(place, gone=gone.set)
    writer.start()
    writer.put(batch(1))
    until(lambda: bool(place.rows))
    place.gone = True
    assert await asyncio.to_thread(gone.wait, 5.0)
    await writer.close(5.0)


async def test_a_target_that_cannot_be_opened_is_known_at_once_and_one_that_hangs_holds_the_start_for_a_moment() -> (
    None
):
    class Nowhere(Place):
        def ready(self, *, reopen: bool = False) -> str | None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    wrong = RowWriter(Nowhere()).start()
    assert isinstance(wrong, FileNotFoundError)


async def test_a_file_begun_anew_gets_a_header() -> None:
    place = Place()
    writer = RowWriter(place)
    writer.start()
    writer.put(batch(1, rows=1))
    until(lambda: len(place.rows) == 2)
    place.news = "it was moved or deleted, a new one is begun"
    writer.put(batch(2, rows=1))
    until(lambda: len(place.rows) == 4)
    assert [row["kind"] for row in place.rows] == ["header", "pair"] * 2
    assert writer.news() == [("info", "log rows: it was moved or deleted, a new one is begun")]
    await writer.close(5.0)
