"""The command as a user starts it: time to its answer, time to the first screen, and what it costs.

The screen runs in a pseudo terminal of 160x45.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.bench.home import Home
from tests.bench.process import REPOSITORY, ChildError
from tests.terminal import Terminal
from tests.usage import Meter, Usage, child_running

COLUMNS, ROWS = 160, 45
ROUTES = tuple(f"{venue}.{product}" for venue in ("okx", "bybit", "binance") for product in ("spot", "linear"))
SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
FIRST_S = 30.0
SETTLE_S = 8.0
COST_S = 12.0


class Costs(NamedTuple):
    screen: Usage
    collector: Usage
    simulator: Usage


def command() -> list[str]:
    """The installed ``detour``, or its module where only the sources are."""
    installed = Path(sys.executable).with_name("detour")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "tui.commands.main"]


def help_s() -> float:
    """Wall time of ``detour --help``. Raises ChildError, ScreenError."""
    start_s = time.monotonic()
    done = subprocess.run([*command(), "--help"], capture_output=True, cwd=REPOSITORY, timeout=30, check=False)
    took_s = time.monotonic() - start_s
    if done.returncode or not done.stdout:
        raise ChildError(f"detour --help: exit code {done.returncode}: {done.stderr.decode(errors='replace')[-200:]}")
    return took_s


def first_frames_s(repeats: int) -> list[float]:
    """With a warm cache: an unmeasured start fills it. Raises ChildError, ScreenError."""
    with _home() as (home, config):
        taken = []
        for number in range(repeats + 1):
            terminal = _demo(home, config)
            try:
                took_s = terminal.complete_after_s(FIRST_S)
                if number:
                    taken.append(took_s)
                else:
                    time.sleep(3.0)  # instruments are asked for in the background
            finally:
                terminal.close()
        return taken


def costs(seconds: float = COST_S) -> Costs | None:
    """Of the running demo, after it has settled. None where there is no /proc. Raises ChildError, ScreenError."""
    if not Path("/proc/self/stat").exists():
        return None
    with _home() as (home, config):
        terminal = _demo(home, config)
        try:
            terminal.complete_after_s(FIRST_S)
            time.sleep(SETTLE_S)
            collector = _child(terminal.pid, "feeds.collector.main")
            meters = [Meter(pid) for pid in (terminal.pid, collector, _child(collector, "feeds.sim"))]
            time.sleep(seconds)
            used = [meter.read() for meter in meters]
        finally:
            terminal.close()
    return Costs(*used)


def _demo(home: Home, config: Path) -> Terminal:
    demo = [*command(), "demo", "--scenario", "calm", "--config", str(config)]
    return Terminal(demo, home.environment(), ROUTES, COLUMNS, ROWS)


def _child(parent: int, module: str) -> int:
    found = child_running(parent, module)
    if found is None:
        raise ChildError(f"process {parent} has no child that runs {module}")
    return found


@contextlib.contextmanager
def _home() -> Iterator[tuple[Home, Path]]:
    with TemporaryDirectory(prefix="detour-bench-") as folder:
        home = Home(Path(folder))
        yield home, home.configure(ROUTES, SYMBOLS)
