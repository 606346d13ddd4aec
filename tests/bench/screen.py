"""The command as a user starts it: how long until it answers, until there is something on screen, and what it costs.

The screen runs in a real pseudo terminal of 160x45, since headless runs leave out what terminal output costs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.home import Home
from tests.bench.process import REPOSITORY, ChildError

COLUMNS, ROWS = 160, 45
ROUTES = tuple(f"{venue}.{product}" for venue in ("okx", "bybit", "binance") for product in ("spot", "linear"))
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
FIRST_S = 30.0
SETTLE_S = 8.0
COST_S = 12.0


class Usage(NamedTuple):
    cpu_share: float
    """Of one core."""
    rss_mb: float


class Costs(NamedTuple):
    screen: Usage
    collector: Usage
    simulator: Usage


def command() -> list[str]:
    """The installed ``detour``, or its module where only the sources are."""
    installed = Path(sys.executable).with_name("detour")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "tui.cli"]


def help_s() -> float:
    """Wall time of ``detour --help``. Raises ChildError."""
    start_s = time.monotonic()
    done = subprocess.run([*command(), "--help"], capture_output=True, cwd=REPOSITORY, timeout=30, check=False)
    took_s = time.monotonic() - start_s
    if done.returncode or not done.stdout:
        raise ChildError(f"detour --help: exit code {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}")
    return took_s


class Terminal:
    """``detour demo`` in a pseudo terminal; what it writes is read at once, and kept until all routes were seen."""

    def __init__(self, home: Home, config: Path) -> None:
        import pty  # not on Windows, where there is no such terminal
        from fcntl import ioctl
        from struct import pack
        from termios import TIOCSWINSZ

        self._master, slave = pty.openpty()
        ioctl(slave, TIOCSWINSZ, pack("HHHH", ROWS, COLUMNS, 0, 0))
        environment = {**os.environ, **home.environment(), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self._missing = {route.encode() for route in ROUTES}
        self._text = b""
        self._complete = threading.Event()
        self.start_s = time.monotonic()
        self.complete_s = 0.0
        self._process = subprocess.Popen(
            [*command(), "demo", "--scenario", "calm", "--config", str(config)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
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
                self._missing = {route for route in self._missing if route not in self._text}
                if not self._missing:
                    self.complete_s = time.monotonic()
                    self._complete.set()

    def first_frame_s(self) -> float:
        """From the start to all routes by name on the screen. Raises ChildError."""
        if not self._complete.wait(FIRST_S):
            code = self._process.poll()
            tail = self._text[-300:].decode(errors="replace")
            raise ChildError(f"no routes on screen after {FIRST_S:g} s (exit code {code}): {tail!r}")
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


def first_frames_s(repeats: int) -> list[float]:
    """With a warm cache: an unmeasured start fills it. Raises ChildError."""
    with _home() as (home, config):
        taken = []
        for number in range(repeats + 1):
            terminal = Terminal(home, config)
            try:
                took_s = terminal.first_frame_s()
                if number:
                    taken.append(took_s)
                else:
                    time.sleep(3.0)  # instruments are asked for in the background
            finally:
                terminal.close()
        return taken


def costs(seconds: float = COST_S) -> Costs | None:
    """Of the running demo, after it has settled. None where there is no /proc to read. Raises ChildError."""
    if not Path("/proc/self/stat").exists():
        return None
    with _home() as (home, config):
        terminal = Terminal(home, config)
        try:
            terminal.first_frame_s()
            time.sleep(SETTLE_S)
            collector = _child(terminal.pid, b"feeds.collect")
            pids = [terminal.pid, collector, _child(collector, b"feeds.sim")]
            before, start_s = [_cpu_s(pid) for pid in pids], time.monotonic()
            time.sleep(seconds)
            after, took_s = [_cpu_s(pid) for pid in pids], time.monotonic() - start_s
            used = [Usage((b - a) / took_s, _rss_mb(pid)) for pid, a, b in zip(pids, before, after, strict=True)]
        finally:
            terminal.close()
    return Costs(*used)


@contextlib.contextmanager
def _home() -> Iterator[tuple[Home, Path]]:
    with TemporaryDirectory(prefix="detour-bench-") as folder:
        home = Home(Path(folder))
        yield home, home.configure(ROUTES, SYMBOLS)


def _child(parent: int, words: bytes) -> int:
    """The child of a process whose command line has these words. Raises ChildError."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[1]) == parent and words in (entry / "cmdline").read_bytes():
                    return int(entry.name)
            except (OSError, IndexError):
                continue  # ended meanwhile
    raise ChildError(f"process {parent} has no child that runs {words.decode()}")


def _stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat from the third on (proc(5)): state, parent, ... The second may hold blanks."""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
