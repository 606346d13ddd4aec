"""A screen in a pseudo terminal: headless runs leave out the cost of terminal output. Not on Windows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


class ScreenError(Exception):
    """The screen did not show the expected words in time; the text is for people."""


class Terminal:
    """A command in a pseudo terminal. Its output is read at once and searched until each of ``words`` was seen."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], words: Sequence[str], columns: int, rows: int
    ) -> None:
        import pty  # not on Windows, where there is no such terminal
        from fcntl import ioctl
        from struct import pack
        from termios import TIOCSWINSZ

        self._master, slave = pty.openpty()
        ioctl(slave, TIOCSWINSZ, pack("HHHH", rows, columns, 0, 0))
        full = {**os.environ, **environment, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES"):
            full.pop(name, None)
        self._missing = {word.encode() for word in words}
        self._text = b""
        self._complete = threading.Event()
        self.start_s = time.monotonic()
        self.complete_s = 0.0
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=full,
            cwd=REPOSITORY,
            start_new_session=True,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return  # its end of the terminal is closed
            if not data:
                return
            if self._missing:
                self._text = (self._text + data)[-(1 << 20) :]
                self._missing = {word for word in self._missing if word not in self._text}
                if not self._missing:
                    self.complete_s = time.monotonic()
                    self._complete.set()

    def complete_after_s(self, at_most_s: float) -> float:
        """From the start until every word was on the screen. Raises ScreenError."""
        if not self._complete.wait(at_most_s):
            code = self._process.poll()
            tail = self._text[-300:].decode(errors="replace")
            raise ScreenError(f"not all on screen after {at_most_s:g} s (exit code {code}): {tail!r}")
        return self.complete_s - self.start_s

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, b"q")
        try:
            self._process.wait(8.0)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(5.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._master)
