"""What the program says to people: lines on stderr, written by a thread, so that a stderr that is full holds nobody."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque

LINES_KEPT = 1000
AT_EXIT_S = 0.5
_STDERR = 2


class _Speaker:
    """Keeps the newest ``LINES_KEPT`` texts that were not written yet."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque(maxlen=LINES_KEPT)
        self._change = threading.Condition()
        self._busy = False
        self._thread: threading.Thread | None = None

    def put(self, text: str) -> None:
        with self._change:
            self._waiting.append(text)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stderr", daemon=True)
                self._thread.start()
                atexit.register(self.finish)
            self._change.notify_all()

    def finish(self, at_most_s: float = AT_EXIT_S) -> None:
        """Waits until all is written."""
        end_s = time.monotonic() + at_most_s
        with self._change:
            while (self._waiting or self._busy) and (left_s := end_s - time.monotonic()) > 0:
                self._change.wait(left_s)

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._waiting:
                    self._change.wait()
                text = self._waiting.popleft()
                self._busy = True
            # not through sys.stderr: its lock, held by this thread, would abort the interpreter's exit
            with contextlib.suppress(OSError):
                os.write(_STDERR, text.encode(errors="replace"))
            with self._change:
                self._busy = False
                self._change.notify_all()


_speaker = _Speaker()


def say(text: str) -> None:
    """One sentence. Never waits, never raises."""
    _speaker.put(f"detour: {text}\n")


def pass_on(text: str) -> None:
    """What a child has written, as it is."""
    _speaker.put(text)


def finish(at_most_s: float = AT_EXIT_S) -> None:
    _speaker.finish(at_most_s)


class LogHandler(logging.Handler):
    """Warnings of libraries, said in the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            say(self.format(record))
