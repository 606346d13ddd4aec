"""Files that are moved, deleted, broken off or full; FIFOs; pipes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from feeds.publish.log_target import FileTarget, StdoutTarget, target_of

WHOLE = b'{"t":1,"kind":"self"}\n'

posix = pytest.mark.skipif(sys.platform == "win32", reason="FIFOs, and moving open files")


def opened(path: Path) -> tuple[FileTarget, str | None]:
    target = FileTarget(path)
    return target, target.ready()


@pytest.mark.parametrize(
    ("held", "kept"),
    [
        (b"", b""),
        (WHOLE, WHOLE),
        (WHOLE + b'{"t":2,"kind":"se', WHOLE),
        (WHOLE + b'{"', WHOLE),
        (b'{"t":2,"ki', b""),
        (WHOLE + WHOLE.strip(), WHOLE + WHOLE),  # only the end of its line is missing
        (b"somebody's notes", b"somebody's notes\n"),  # not ours: kept
    ],
)
def test_half_a_row_at_the_end_is_cut_off_and_nothing_else(tmp_path: Path, held: bytes, kept: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(held)
    target, done = opened(path)
    target.write(WHOLE)
    target.close()
    assert path.read_bytes() == kept + WHOLE
    assert bool(done) is (len(kept) < len(held))


@posix
@pytest.mark.parametrize("how", ["renamed", "deleted", "replaced"])
def test_a_file_that_is_no_longer_in_its_place_is_begun_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "log"
    target, _ = opened(path)
    target.write(WHOLE)
    assert target.ready() is None
    if how == "deleted":
        path.unlink()
    else:
        path.rename(tmp_path / "log.1")
    if how == "replaced":
        path.write_bytes(b"")
    assert target.ready() == "it was moved or deleted, a new one is begun"
    target.write(WHOLE)
    target.close()
    assert path.read_bytes() == WHOLE


@posix
def test_a_folder_that_vanishes_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    target, _ = opened(folder / "log")
    (folder / "log").unlink()
    folder.rmdir()
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            target.ready()
    folder.mkdir()
    assert target.ready() is not None
    target.write(WHOLE)
    target.close()
    assert (folder / "log").read_bytes() == WHOLE


def test_what_a_full_disk_took_of_a_row_goes_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    target, _ = opened(path)
    target.write(WHOLE)
    write = os.write
    calls: list[int] = []

    def full(handle: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(handle, data[:5])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        target.write(WHOLE)
    assert path.read_bytes() == WHOLE
    target.close()


@posix
def test_a_fifo_without_a_reader_does_not_wait_for_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    target = FileTarget(tmp_path / "fifo")
    with pytest.raises(OSError, match="no reader yet"):
        target.ready()
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    assert target.ready() is not None
    target.write(WHOLE)
    assert os.read(reader, 100) == WHOLE
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        target.write(WHOLE)
    with pytest.raises(OSError, match="no reader yet"):
        target.ready()


def test_stdout_has_two_names() -> None:
    assert isinstance(target_of("/dev/full"), FileTarget)
    for name in ("-", "/dev/stdout"):
        with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open("w") as null:
            patch.setattr(sys, "stdout", null)
            assert isinstance(target_of(name), StdoutTarget)
