"""The log of ``detour log``: frames become rows on the event loop, ``row_writer`` writes them beside it."""

from __future__ import annotations

from collections.abc import Callable

from feeds.frame import Frame
from feeds.publish.jsonl import encode, header, rows
from feeds.publish.log_target import target_of
from feeds.publish.row_writer import Batch, News, RowWriter
from feeds.publish.schedule import FrameSchedule

CLOSE_S = 1.5
"""For the last rows; what has not been taken by then is given up."""


class LogFile:
    """Appends frames to a file or writes them to stdout, at most one every ``every_s``; the last one always."""

    def __init__(
        self,
        out: str,
        every_s: float,
        version: str,
        *,
        tell: Callable[[News], None] = lambda news: None,
        gone: Callable[[], None] = lambda: None,
        writer: RowWriter | None = None,
    ) -> None:
        """``tell`` hears what happens to the file. ``gone``: the reader of stdout has closed it (called in a thread).

        Raises OSError when ``out`` cannot be opened.
        """
        self._schedule = FrameSchedule(every_s)
        self._version = version
        self._tell = tell
        self._writer = writer or RowWriter(target_of(out), gone=gone)
        wrong = self._writer.start()
        if wrong is not None:
            raise wrong
        self._event = -1
        self._written: Frame | None = None
        self._latest: Frame | None = None

    def frame(self, frame: Frame) -> None:
        """Never waits for the file."""
        self._latest = frame
        for news in self._writer.news():
            self._tell(news)
        if self._schedule.due(frame):
            self._write(frame)

    def reopen(self) -> None:
        """Whoever rotates logs has moved the file away."""
        self._writer.reopen()

    async def close(self) -> tuple[int, str]:
        """Writes the last frame, if the schedule has left it out. How many rows were not written, and why."""
        if self._latest is not None and self._latest is not self._written:
            self._write(self._latest)
        lost = await self._writer.close(CLOSE_S)
        for news in self._writer.news():
            self._tell(news)
        return lost

    def _write(self, frame: Frame) -> None:
        made = [encode(row) for row in rows(frame, self._event)]
        if frame.events:
            self._event = frame.events[-1].seq
        self._written = frame

        def first_line() -> bytes:
            return encode(header(frame, self._version)) + b"\n"

        self._writer.put(Batch(frame.t_ns, frame.vantage, b"\n".join(made) + b"\n", len(made), first_line))
