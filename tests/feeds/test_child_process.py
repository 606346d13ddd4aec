"""Children end with us, and what they wrote last is not lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from feeds import child_process
from feeds.child_process import ChildError

ECHO = "import sys; print('ready', flush=True); sys.stdin.read(); print('end')"
BROKEN = "import sys; print('first', file=sys.stderr); sys.exit('no such thing')"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file behind ``python -m child_of_test``."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "child_of_test.py"


async def test_a_child_ends_when_its_stdin_is_closed(module: Path) -> None:
    module.write_text(ECHO)
    child, line = await child_process.start_ready("child_of_test", [])
    assert line == b"ready\n" and child.code is None
    await child.end()
    assert child.code == 0


async def test_a_child_that_does_not_start_leaves_its_last_line(module: Path) -> None:
    module.write_text(BROKEN)
    with pytest.raises(ChildError, match=r"^no such thing$") as raised:
        await child_process.start_ready("child_of_test", [])
    assert raised.value.code == 1


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_a_child_that_does_not_listen_is_killed(module: Path) -> None:
    module.write_text(DEAF)
    child, _ = await child_process.start_ready("child_of_test", [])
    await asyncio.wait_for(child.end(0.2), 5.0)
    assert child.code == -9


async def test_a_child_that_does_not_finish_in_time_is_killed(module: Path) -> None:
    module.write_text(DEAF)
    child = await child_process.start("child_of_test")
    with pytest.raises(TimeoutError):
        await child.outcome(0.2)
    assert child.code is not None


def test_the_log_of_a_child_that_failed_is_shown(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module.write_text(BROKEN)
    log = module.parent / "logs" / "child.log"
    with child_process.logged("child_of_test", [], log):
        for _ in range(200):
            if "no such thing" in log.read_text():
                break
            time.sleep(0.05)
        time.sleep(0.2)
    assert capsys.readouterr().err == "first\nno such thing\n"


def test_the_log_of_a_child_that_ended_with_us_is_not_shown(module: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module.write_text(ECHO)
    with child_process.logged("child_of_test", [], module.parent / "child.log"):
        pass
    assert capsys.readouterr().err == ""


def test_a_log_that_cannot_be_written_is_no_reason_not_to_start(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module.write_text(BROKEN)
    (module.parent / "file").write_text("")
    with child_process.logged("child_of_test", [], module.parent / "file" / "logs" / "child.log"):
        time.sleep(1.5)
    assert capsys.readouterr().err == "first\nno such thing\n"


def test_what_a_child_says_into_a_stderr_that_is_full_holds_nobody(module: Path, tmp_path: Path) -> None:
    module.write_text("import sys; print('ready', flush=True); sys.stderr.write('x' * 2_000_000)")
    script = tmp_path / "parent.py"
    script.write_text(
        "import asyncio\nfrom feeds import child_process\n"
        "async def main():\n"
        "    child, _ = await child_process.start_ready('child_of_test', [])\n"
        "    print(await child.wait())\n"
        "asyncio.run(main())\n"
    )
    reader, writer = os.pipe()  # read by nobody
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=writer,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(child_process.__file__).parents[1]}"},
    )
    try:
        out, _ = parent.communicate(timeout=20.0)
    finally:
        parent.kill()
        parent.wait()
        os.close(reader)
        os.close(writer)
    assert out == b"0\n" and parent.returncode == 0
