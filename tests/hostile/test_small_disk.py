"""A disk that fills up and has room again: every line stays a whole row, nothing is lost while it waits. Needs root."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.commands.test_listeners import Place, ended, until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounts a disk of 128 KB: root on Linux"
)


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        made = Place(Path(folder))
        try:
            yield made
        finally:
            for process in made.started:
                process.kill()
                process.wait()


@pytest.fixture
def disk(place: Place) -> Iterator[Path]:
    mounted = place.folder / "disk"
    mounted.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(mounted)], check=False).returncode:
        pytest.skip("this root may not mount")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_rows_wait_while_the_disk_is_full_and_none_is_lost_or_broken(place: Place, disk: Path) -> None:
    (disk / "other").write_bytes(b"x" * 100_000)
    log = disk / "rows"
    process = place.start("log", "--every", "100ms", "--out", str(log))
    until(lambda: "No space left on device" in place.said())
    held = log.read_bytes()
    assert held.endswith(b"\n")  # the half row that still fitted was taken back
    time.sleep(3.0)
    (disk / "other").unlink()
    until(lambda: "is written again" in place.said(), 10.0)
    process.send_signal(signal.SIGTERM)
    ended(process)
    rows = [json.loads(line) for line in log.read_bytes().splitlines()]
    assert "hole" not in {row["kind"] for row in rows}
    times_s = [row["t"] / 1e9 for row in rows if row["kind"] == "self"]
    gaps_s = [after - before for before, after in itertools.pairwise(times_s)]
    assert max(gaps_s) < 1.5  # though for some seconds nothing could be written
