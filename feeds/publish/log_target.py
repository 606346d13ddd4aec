"""Where log rows go: a file, a FIFO or stdout. Only ``row_writer``'s thread calls it: it may block for ever."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
from pathlib import Path
from typing import Protocol

import msgspec

STDOUT = ("-", "/dev/stdout")
TAIL_BYTES = 16 * 1024 * 1024
"""No row is longer: where this much has no end of a line, the file is not ours."""
ROW_BEGINS = b'{"t":'


class Target(Protocol):
    """Somewhere that bytes are written to, in order."""

    name: str
    """For sentences."""
    ends: bool
    """Whether the command has nothing left to do when its reader has gone: a pipe on stdout."""

    def ready(self, *, reopen: bool = False) -> str | None:
        """Opens it where it is not open or no longer in its place: then what happened, else None. Raises OSError."""

    def write(self, data: bytes) -> None:
        """All of it, or as little as can be arranged. Raises OSError."""

    def reader_gone(self) -> bool:
        """Whether whoever read it has closed it."""

    def close(self) -> None: ...


def target_of(out: str) -> Target:
    """Of ``--out``."""
    return StdoutTarget() if out in STDOUT else FileTarget(Path(out))


class StdoutTarget:
    """Our standard output, unbuffered: the lock of ``sys.stdout`` must not be held when the interpreter ends."""

    name = "stdout"
    ends = True

    def __init__(self) -> None:
        self._handle = sys.stdout.fileno()
        self._opened = False

    def ready(self, *, reopen: bool = False) -> str | None:
        opened, self._opened = self._opened, True
        return None if opened else ""

    def write(self, data: bytes) -> None:
        write_all(self._handle, data)

    def reader_gone(self) -> bool:
        return _hung_up(self._handle)

    def close(self) -> None:
        """Stays open: others may still print."""


class FileTarget:
    """A path: appended to, and opened again when it was moved, deleted or replaced."""

    ends = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._handle: int | None = None

    def ready(self, *, reopen: bool = False) -> str | None:
        before = self._handle
        if before is not None and not reopen and self._in_place(before):
            return None
        self.close()
        self._handle = self._open()
        mended = _end_last_row(self._handle, self._path)
        if before is None or reopen:
            return mended
        return mended or "it was moved or deleted, a new one is begun"

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            # O_NONBLOCK: opening a FIFO that nobody reads would wait for a reader
            handle = os.open(self._path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise OSError(errno.ENXIO, "no reader yet") from error
            raise
        if hasattr(os, "set_blocking") and sys.platform != "win32":
            os.set_blocking(handle, True)
        return handle

    def _in_place(self, handle: int) -> bool:
        try:
            there, ours = os.stat(self._path), os.fstat(handle)  # noqa: PTH116 - beside fstat
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def write(self, data: bytes) -> None:
        assert self._handle is not None
        before = os.fstat(self._handle)
        try:
            write_all(self._handle, data)
        except OSError:
            if stat.S_ISREG(before.st_mode):
                # what a full disk took of it goes again: no half row stays
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handle, before.st_size)
            else:
                self.close()
            raise

    def reader_gone(self) -> bool:
        return False  # another may come

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _hung_up(handle: int) -> bool:
    """Whether the other end of a pipe or socket is closed; asking changes nothing and never waits."""
    if not hasattr(select, "poll") or stat.S_ISREG(os.fstat(handle).st_mode):
        return False
    watch = select.poll()
    watch.register(handle, 0)
    return any(event & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, event in watch.poll(0))


def _end_last_row(handle: int, path: Path) -> str:
    """A row that was broken off (power cut, full disk) is cut off, so that the next does not stick to it.

    What does not look like a row of ours is kept, and its line ended. Returns what was done, empty for nothing.
    """
    now = os.fstat(handle)
    if not stat.S_ISREG(now.st_mode) or now.st_size == 0:
        return ""
    try:
        with path.open("rb") as file:
            file.seek(max(0, now.st_size - TAIL_BYTES))
            _, newline, last = file.read(TAIL_BYTES).rpartition(b"\n")
    except PermissionError:  # may be written, not read
        return ""
    whole_file = now.st_size <= TAIL_BYTES
    if not last or not (newline or whole_file):
        return ""
    if not last.startswith(ROW_BEGINS[: len(last)]) or _is_json(last):
        write_all(handle, b"\n")
        return ""
    os.ftruncate(handle, now.st_size - len(last))
    return f"half a row of {len(last)} bytes at its end was cut off"


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
