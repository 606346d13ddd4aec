"""``detour`` and ``detour demo``: the screen, with a collector process of its own."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from feeds.config import paths
from feeds.publish import link
from tui.commands.screen import configuration, show_screen

LOG_TAIL_BYTES = 2000


def run(options: argparse.Namespace) -> int:
    """``detour`` and ``detour demo``: starts the collector first, so that it measures while the screen is loading."""
    simulated = options.scenario if options.command == "demo" else getattr(options, "sim", None)
    path: Path | None = getattr(options, "config", None)
    watchlist: str | None = getattr(options, "watchlist", None)
    try:
        read = configuration(path)
        read.chosen(watchlist)
        if simulated is not None:
            from feeds.sim.scenario import load

            load(simulated)
    except ValueError as error:  # a sentence about the file, the watchlist or the scenario
        print(f"detour: {error}", file=sys.stderr)
        return 2
    if not sys.stdout.isatty():
        print("detour: the live screen needs a terminal; use 'detour log' to measure without one", file=sys.stderr)
        return 2
    address = link.new_address(paths.runtime_dir())
    arguments = ["--link", str(address), "--speed", str(getattr(options, "speed", 1.0))]
    if path is not None:
        arguments += ["--config", str(path)]
    if watchlist is not None:
        arguments += ["--watchlist", watchlist]
    if simulated is not None:
        arguments += ["--sim", simulated]
    log = paths.state_dir() / "collector.log"
    with _collector(arguments, log):
        return show_screen(address, read)


@contextlib.contextmanager
def _collector(arguments: list[str], log: Path) -> Iterator[None]:
    """Runs the collector while the block runs. The collector ends when its standard input is closed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "feeds.collector.main", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,  # Ctrl-C belongs to the screen
        )
    try:
        yield
    finally:
        early = process.poll()
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if early:
            with log.open("rb") as said:
                said.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
                print(said.read().decode(errors="replace").strip(), file=sys.stderr)
