"""The screen in a pseudo terminal: told to end by a signal or a lost terminal, it gives back what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.commands.test_listeners import END_S, MARGIN_S, Place, ended, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals")

PLAIN = "import sys; from tui.commands.main import main; sys.exit(main(sys.argv[1:]))"
CONTROLLING = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); " + PLAIN
"""As in a window: the kernel sends SIGHUP when it closes."""
ALTERNATE_SCREEN, MOUSE, CURSOR = b"\x1b[?1049", b"\x1b[?1000", b"\x1b[?25"


class Screen:
    """A command whose three handles are a pseudo terminal."""

    def __init__(self, place: Place, *arguments: str, controlling: bool = True) -> None:
        import pty
        import termios

        self.master, self.slave = pty.openpty()
        self._attributes = termios.tcgetattr
        self.before = termios.tcgetattr(self.slave)
        self.text = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLING if controlling else PLAIN, *place.command(*arguments)[5:]],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**place.environment(), "TERM": "xterm-256color"},
            start_new_session=True,
        )
        place.started.append(self.process)
        self.reading = threading.Event()
        self.reading.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while self.reading.wait():
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return
            self.text += data

    def restored(self) -> bool:
        last = {mode: self.text[self.text.rindex(mode) + len(mode) :][:1] for mode in (ALTERNATE_SCREEN, MOUSE, CURSOR)}
        flags = self._attributes(self.slave)[:4] == self.before[:4]
        return flags and last == {ALTERNATE_SCREEN: b"l", MOUSE: b"l", CURSOR: b"h"}


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        made = Place(Path(folder))
        try:
            yield made
        finally:
            for process in made.started:
                if process.poll() is None:
                    process.kill()
                process.wait()


def attached(place: Place, controlling: bool = True) -> Screen:
    collector = place.start("log", "--serve", "--out", str(place.folder / "rows"))
    until(lambda: "detour attach" in place.said())
    screen = Screen(place, "attach", controlling=controlling)
    until(lambda: b"okx.linear" in screen.text)
    assert collector.poll() is None
    return screen


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_ends_the_screen_and_the_terminal_is_as_before(place: Place, name: str) -> None:
    screen = attached(place)
    assert not screen.restored()
    screen.process.send_signal(getattr(signal, name))
    ended(screen.process)
    until(screen.restored, 2.0)
    assert b"Traceback" not in screen.text
    assert place.started[0].poll() is None  # the collector goes on


@pytest.mark.parametrize("controlling", [True, False])
def test_a_terminal_that_is_closed_ends_the_screen_with_a_signal_or_without(place: Place, controlling: bool) -> None:
    screen = attached(place, controlling)
    os.close(screen.slave)
    os.close(screen.master)
    screen.process.wait(END_S + MARGIN_S)
    assert place.started[0].poll() is None


def test_a_terminal_that_takes_nothing_does_not_hold_the_end(place: Place) -> None:
    screen = attached(place)
    screen.reading.clear()  # and its buffer fills up
    time.sleep(3.0)
    screen.process.send_signal(signal.SIGTERM)
    screen.process.wait(END_S + MARGIN_S)


def test_the_children_of_a_screen_end_with_it(place: Place) -> None:
    screen = Screen(place, "--config", str(place.folder / "config.toml"))
    until(lambda: b"okx.linear" in screen.text)
    children = _descendants(screen.process.pid)
    assert children
    screen.process.send_signal(signal.SIGTERM)
    ended(screen.process, 0, 8.0)
    assert screen.restored()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5.0)
    assert not list((place.folder / "state").rglob("*.sock"))


def _descendants(pid: int) -> list[int]:
    if not Path("/proc/self/task").exists():
        pytest.skip("no /proc")
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def test_attach_without_a_collector_or_a_terminal_is_one_sentence_at_once(place: Place) -> None:
    began_s = time.monotonic()
    screen = Screen(place, "attach", str(place.folder / "nobody.sock"))
    ended(screen.process, 2, 20.0)
    until(lambda: b"no collector answers at" in screen.text, 2.0)
    assert ALTERNATE_SCREEN not in screen.text
    assert time.monotonic() - began_s < 8.0
    ended(place.start("attach"), 2, 20.0)
    assert place.said() == "detour: the live screen needs a terminal; use 'detour log' to measure without one\n"
