"""A listener's trouble never ends nor stops the measuring, and what is told to end ends in order. Real processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from feeds.publish import attachment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes, signals and devices of POSIX")

CONFIG = """
vantage = "test"
[watchlists.default]
symbols = ["BTC/USDT:USDT"]
routes = ["okx.linear"]
[endpoints.okx.linear]
rest = "http://127.0.0.1:9"
ws = "ws://127.0.0.1:9"
[witness]
targets = ["127.0.0.1:9"]
"""
READY_S = 30.0
END_S = 2.0
"""A command ends within this time of being told."""
MARGIN_S = 4.0
"""For a machine that does much else meanwhile."""

Process = subprocess.Popen[bytes]


class Place:
    """A home of one test, and what was started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []
        (folder / "config.toml").write_text(CONFIG)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return {**kept, **{f"XDG_{n}_HOME": str(self.folder / n.lower()) for n in ("CONFIG", "CACHE", "STATE")}}

    def command(self, *arguments: str) -> list[str]:
        head, *rest = arguments
        named = [head, "--config", str(self.folder / "config.toml"), *rest] if head == "log" else [head, *rest]
        return [sys.executable, "-W", "error", "-m", "tui.commands.main", *named]

    def start(
        self,
        *arguments: str,
        out: int | IO[bytes] = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> Process:
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=said,
                env={**self.environment(), **(environment or {})},
            )
        self.started.append(process)
        return process

    def said(self) -> str:
        return (self.folder / "said").read_text()


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="d-") as folder:  # pytest's own are too long for sockets
        made = Place(Path(folder))
        try:
            yield made
        finally:
            _end_all(made)


def _end_all(made: Place) -> None:
    for process in made.started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def until(true: Callable[[], bool], at_most_s: float = READY_S) -> None:
    end_s = time.monotonic() + at_most_s
    while not true():
        assert time.monotonic() < end_s, "it did not come"
        time.sleep(0.02)


def rows(path: Path) -> list[dict[str, Any]]:
    """Every line must be a whole row."""
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def ended(process: Process, code: int = 0, at_most_s: float = END_S + MARGIN_S) -> None:
    assert process.wait(at_most_s) == code


def test_a_reader_that_has_enough_ends_the_command_quietly(place: Place) -> None:
    process = place.start("log", "--every", "200ms", out=subprocess.PIPE)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["kind"] == "header"
    process.stdout.close()
    ended(process)
    assert place.said() == ""


def test_a_reader_that_has_enough_is_noticed_long_before_the_next_row(place: Place) -> None:
    process = place.start("log", "--every", "1h", out=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    ended(process)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("how", ["stdout", "file"])
def test_a_full_disk_is_said_once_and_screens_still_get_frames(place: Place, how: str) -> None:
    with Path("/dev/full").open("wb") as full:
        if how == "stdout":
            process = place.start("log", "--serve", out=full)
        else:
            process = place.start("log", "--serve", "--out", "/dev/full")
    until(lambda: "No space left on device" in place.said())
    time.sleep(1.5)  # one more try
    assert process.poll() is None
    attachment.check(attachment.only_collector([place.folder / "state" / "detour" / "run"]))
    process.send_signal(signal.SIGTERM)
    ended(process, 1)
    lines = place.said().splitlines()
    assert len([line for line in lines if "rows wait and it is tried again" in line]) == 1
    assert "were not written: No space left on device" in lines[-1]
    assert "Traceback" not in place.said()


def test_a_reader_that_stops_reading_does_not_stop_the_end(place: Place) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # one second of rows is more
    process = place.start("log", "--every", "100ms", out=writer)
    os.close(writer)
    until(lambda: bool(_waiting_bytes(reader)))
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    ended(process, 1)
    os.close(reader)
    assert "were not written" in place.said()


def _waiting_bytes(handle: int) -> int:
    import array
    import termios

    found = array.array("i", [0])
    fcntl.ioctl(handle, termios.FIONREAD, found)
    return found[0]


def test_a_fifo_without_a_reader_waits_for_one(place: Place) -> None:
    fifo = place.folder / "fifo"
    os.mkfifo(fifo)
    process = place.start("log", "--out", str(fifo), "--every", "100ms")
    until(lambda: "no reader" in place.said())
    with fifo.open("rb") as reader:
        assert json.loads(reader.readline())["kind"] == "header"
        process.send_signal(signal.SIGTERM)
        last = reader.read().splitlines()
    ended(process)
    assert all(json.loads(line)["kind"] for line in last)


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_it_in_order(place: Place, signal_name: str) -> None:
    out = place.folder / "rows"
    with out.open("wb") as file:
        process = place.start("log", "--serve", out=file)
        until(lambda: len(rows(out)) > 1 and bool(_sockets(place)))
        process.send_signal(getattr(signal, signal_name))
        ended(process)
    assert rows(out)[0]["kind"] == "header"
    assert _sockets(place) == []


def _sockets(place: Place) -> list[Path]:
    return list((place.folder / "state").rglob("*.sock"))


def test_a_hangup_reopens_a_log_file(place: Place) -> None:
    out = place.folder / "rows"
    process = place.start("log", "--out", str(out), "--every", "100ms")
    until(lambda: len(rows(out)) > 1)
    out.rename(place.folder / "rows.1")
    process.send_signal(signal.SIGHUP)
    until(lambda: len(rows(out)) > 1, 5.0)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    ended(process)
    assert rows(out)[0]["kind"] == rows(place.folder / "rows.1")[0]["kind"] == "header"


def test_nohup_is_kept(place: Place) -> None:
    out = place.folder / "rows"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with out.open("wb") as file:
            process = place.start("log", out=file)
    finally:
        signal.signal(signal.SIGHUP, before)
    until(lambda: len(rows(out)) > 1)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_handles_at_the_start(place: Place, closed: tuple[int, ...]) -> None:
    out = place.folder / "rows"
    redirections = " ".join(f"{number}>&-" for number in closed)
    arguments = place.command("log", "--for", "2s", "--out", str(out))
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirections}', "sh", *arguments],
        env=place.environment(),
        capture_output=True,
        timeout=READY_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    kinds = [row["kind"] for row in rows(out)]
    assert kinds[0] == "header" and "self" in kinds


def test_rows_to_a_stdout_that_is_closed_is_a_mistake(place: Place) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 1>&-', "sh", *place.command("log", "--for", "2s")],
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "detour: stdout is closed: name a file with --out PATH\n"


@pytest.mark.parametrize("arguments", [("venues",), ("watch", "list")])
def test_other_commands_into_a_closed_pipe_or_a_full_disk(place: Place, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended(place.start(*arguments, out=writer), 0, READY_S)
    os.close(writer)
    assert place.said() == ""
    with Path("/dev/full").open("wb") as full:
        ended(place.start(*arguments, out=full), 1, READY_S)
    assert place.said() == "detour: stdout: No space left on device\n"


def test_without_a_home_and_a_passwd_entry(place: Place) -> None:
    (place.folder / "sitecustomize.py").write_text(
        "import pwd\ndef nobody(*_): raise KeyError('uid not found')\npwd.getpwuid = pwd.getpwnam = nobody\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_") and k != "HOME"}
    kept |= {"PYTHONPATH": f"{place.folder}:{os.getcwd()}", "TMPDIR": str(place.folder / "tmp")}  # noqa: PTH109 - the repository
    (place.folder / "tmp").mkdir()
    for arguments in (["log", "--for", "1s", "--serve"], ["watch", "list"]):
        done = subprocess.run(
            place.command(*arguments), env=kept, capture_output=True, text=True, timeout=READY_S, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert not list((place.folder / "tmp").rglob("*.sock"))
    done = subprocess.run(
        [*place.command("watch", "add", "mine"), "--symbols", "BTC/USDT"],
        env=kept,
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "--config FILE" in done.stderr


def test_no_place_for_the_socket_is_no_traceback(place: Place) -> None:
    (place.folder / "file").write_text("")
    nowhere = str(
        place.folder / "file" / "state"
    )  # not a folder: fails for root too, as a read-only home does for others
    temporary = place.folder / "tmp"
    temporary.mkdir()
    process = place.start("log", "--serve", environment={"XDG_STATE_HOME": nowhere, "TMPDIR": str(temporary)})
    until(lambda: "detour attach" in place.said())
    address = place.said().split("detour attach ")[1].strip()
    assert Path(address).parent.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as screen:
        screen.connect(address)
    process.send_signal(signal.SIGTERM)
    ended(process)
    assert not Path(address).exists()


@pytest.mark.parametrize("out", ["no/such/folder/log", "."])
def test_a_log_that_cannot_be_opened_is_one_sentence_before_anything_starts(place: Place, out: str) -> None:
    process = place.start("log", "--sim", "colm", "--out", out)  # the wrong scenario is not even looked at
    ended(process, 2, READY_S)
    assert len(place.said().splitlines()) == 1 and f"--out {out}: " in place.said()
