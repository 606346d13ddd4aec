"""Writes rows in a thread of its own, so that a slow, full or hung listener never holds the measuring.

What waits is bounded. What does not fit is left out, oldest first, and a row of kind ``hole`` says from when to when.
A target that fails is tried again with growing pauses. The thread is a daemon and is never waited for longer than told.
"""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from feeds.publish.log_target import Target

WAITING_BYTES = 32 * 1024 * 1024
"""Some minutes of rows of the widest watchlist."""
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 60.0)
"""Between tries; the last one repeats."""
LOOK_S = 0.5
"""Between looks whether the reader of a pipe is still there."""
OPEN_S = 2.0
"""A place that has not answered for this long at the start is opened in the background."""
STUCK_S = 5.0
"""A write that takes longer is said."""
NEWS_KEPT = 100

News: TypeAlias = tuple[Literal["info", "warning"], str]

_encode = msgspec.json.encode


class Batch(Struct, frozen=True):
    """The rows of one moment."""

    t_ns: int
    vantage: str
    lines: bytes
    rows: int
    header: Callable[[], bytes]
    """The row that begins a file, as a line."""


class Hole(Struct, frozen=True):
    """Rows that were left out, from the first to the last of them."""

    from_ns: int
    to_ns: int
    rows: int
    why: str

    def line(self, vantage: str) -> bytes:
        row = {"t": self.to_ns, "kind": "hole", "vantage": vantage, "from": self.from_ns, "to": self.to_ns}
        return _encode({**row, "why": self.why, "count": self.rows}) + b"\n"


def _with(hole: Hole | None, batch: Batch, why: str) -> Hole:
    if hole is None:
        return Hole(batch.t_ns, batch.t_ns, batch.rows, why)
    return Hole(min(hole.from_ns, batch.t_ns), max(hole.to_ns, batch.t_ns), hole.rows + batch.rows, hole.why)


class RowWriter:
    """``put``, ``news`` and ``reopen`` are for the event loop and never wait."""

    def __init__(
        self,
        target: Target,
        *,
        waiting_bytes: int = WAITING_BYTES,
        pauses_s: Sequence[float] = PAUSES_S,
        gone: Callable[[], None] = lambda: None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """``gone`` is called, in the thread, when the reader of a target that ``ends`` has closed it."""
        self._target = target
        self._most_bytes, self._pauses_s = waiting_bytes, pauses_s
        self._gone_called, self._monotonic_s = gone, monotonic_s
        self._change = threading.Condition()
        # what follows is read and written under ``_change``
        self._waiting: deque[Batch] = deque()
        self._waiting_bytes = 0
        self._hole: Hole | None = None
        self._in_hand: Batch | None = None
        self._closing = self._gone = self._reopen = self._in_background = False
        self._failed: str | None = None
        self._failures = 0
        self._retry_s = 0.0
        self._since_s: float | None = None
        """When the thread began what it does now; None while it waits for rows."""
        self._stuck = False
        self._news: deque[News] = deque(maxlen=NEWS_KEPT)
        # only the thread's
        self._headed = False
        self._opened = threading.Event()
        self._open_error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> OSError | None:
        """Opens the target. What is wrong with it, unless it may come right by itself or does not answer yet."""
        self._thread.start()
        if not self._opened.wait(OPEN_S):
            with self._change:
                self._in_background = not self._opened.is_set()
        return self._open_error

    def put(self, batch: Batch) -> None:
        with self._change:
            if self._gone or self._closing:  # what comes after the last rows is not logged
                return
            self._waiting.append(batch)
            self._waiting_bytes += len(batch.lines)
            while self._waiting_bytes > self._most_bytes and len(self._waiting) > 1:
                left_out = self._waiting.popleft()
                self._waiting_bytes -= len(left_out.lines)
                self._hole = _with(self._hole, left_out, self._failed or "nothing was taken")
            self._change.notify()

    def news(self) -> list[News]:
        """What happened since the last call, as sentences."""
        with self._change:
            since_s = self._since_s
            if since_s is not None and not self._stuck and self._monotonic_s() - since_s >= STUCK_S:
                self._stuck = True
                self._tell("warning", f"takes nothing: rows wait, what does not fit in {self._most()} is left out")
            told = list(self._news)
            self._news.clear()
        return told

    def reopen(self) -> None:
        """At the next row, or at once where it had failed."""
        with self._change:
            self._reopen = True
            self._retry_s = 0.0
            self._change.notify()

    async def close(self, patience_s: float) -> tuple[int, str]:
        """Writes what waits, for at most ``patience_s``. The number of rows that were not written, and why."""
        with self._change:
            self._closing = True
            self._change.notify()
        end_s = time.monotonic() + patience_s
        while self._thread.is_alive() and time.monotonic() < end_s:  # noqa: ASYNC110 - the end of a thread is no event
            await asyncio.sleep(0.005)
        with self._change:
            if self._gone:
                return 0, ""
            lost = sum(b.rows for b in self._waiting)
            lost += self._hole.rows if self._hole is not None else 0
            lost += self._in_hand.rows if self._in_hand is not None else 0
            return lost, self._failed or "nothing was taken"

    def _most(self) -> str:
        return f"{self._most_bytes / 2**20:.0f} MB"

    def _tell(self, level: Literal["info", "warning"], text: str) -> None:
        self._news.append((level, f"log {self._target.name}: {text}"))

    # the thread

    def _run(self) -> None:
        self._begin()
        while self._take():
            self._try()
        self._target.close()

    def _begin(self) -> None:
        try:
            done = self._target.ready()
        except OSError as error:
            with self._change:
                # a FIFO waits for its reader; anything else the user can put right now, if still there to hear it
                if error.errno == errno.ENXIO or self._in_background:
                    self._fail(error)
                else:
                    self._open_error, self._gone = error, True
        else:
            with self._change:
                if done:
                    self._tell("info", done)
        self._opened.set()

    def _take(self) -> bool:
        """Waits until something is to be written. False: there is nothing more to do."""
        with self._change:
            while True:
                if self._gone or (self._closing and not self._waiting):
                    return False
                pause_s = self._retry_s - time.monotonic() if self._failed is not None else 0.0
                if self._waiting and (pause_s <= 0.0 or self._closing):
                    self._in_hand = self._waiting.popleft()
                    self._waiting_bytes -= len(self._in_hand.lines)
                    self._since_s = self._monotonic_s()
                    return True
                self._change.wait(min(LOOK_S, max(0.001, pause_s)) if pause_s > 0.0 else LOOK_S)
                if self._target.ends and self._target.reader_gone():
                    self._reader_gone()

    def _try(self) -> None:
        with self._change:
            batch, hole, reopen = self._in_hand, self._hole, self._reopen
            self._reopen = False
            assert batch is not None
        try:
            done = self._target.ready(reopen=reopen)
            if done is not None:
                self._headed = False
            pieces = [b"" if self._headed else batch.header(), hole.line(batch.vantage) if hole is not None else b""]
            self._target.write(b"".join([*pieces, batch.lines]))
        except OSError as error:
            with self._change:
                self._put_back(batch, error)
            return
        self._headed = True
        with self._change:
            self._in_hand = self._since_s = None
            self._written(hole)
            if done:
                self._tell("info", done)

    def _written(self, hole: Hole | None) -> None:
        if hole is not None and self._hole is not None:
            # more was left out while this was written: only that is still to be said
            more = self._hole.rows - hole.rows
            self._hole = Hole(hole.to_ns, self._hole.to_ns, more, self._hole.why) if more else None
        if self._failed is not None or self._stuck:
            left_out = f"; {hole.rows} rows were left out" if hole is not None else ""
            self._tell("info", f"is written again{left_out}")
        self._failed, self._failures, self._stuck = None, 0, False

    def _put_back(self, batch: Batch, error: OSError) -> None:
        self._in_hand = self._since_s = None
        if error.errno == errno.EPIPE and self._target.ends:
            self._reader_gone()
            return
        if self._hole is None or self._hole.to_ns < batch.t_ns:
            self._waiting.appendleft(batch)
            self._waiting_bytes += len(batch.lines)
        else:  # what follows it was left out meanwhile: so is it
            self._hole = _with(self._hole, batch, self._hole.why)
        self._fail(error)

    def _fail(self, error: OSError) -> None:
        text = error.strerror or str(error)
        if self._failed is None:
            self._tell("warning", f"{text}: rows wait and it is tried again")
        self._failed = text
        self._retry_s = time.monotonic() + self._pauses_s[min(self._failures, len(self._pauses_s) - 1)]
        self._failures += 1
        if self._closing:
            self._gone_for_good()

    def _gone_for_good(self) -> None:
        """The last try has failed: what waits counts as not written."""
        for batch in self._waiting:
            self._hole = _with(self._hole, batch, self._failed or "")
        self._waiting.clear()
        self._waiting_bytes = 0

    def _reader_gone(self) -> None:
        self._gone = True
        self._waiting.clear()
        self._hole = None
        self._gone_called()
