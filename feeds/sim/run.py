"""``detour sim`` and ``python -m feeds.sim``: the simulated venues in a process of their own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from feeds.sim.registry import TWINS
from feeds.sim.scenario import Scenario, ScenarioError, load, names
from feeds.sim.simulation import Simulation


class _UsageError(Exception):
    """The command line cannot be used. The text is one sentence for the user."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # argparse declares NoReturn; raising is that
        raise _UsageError(message)


def parser() -> argparse.ArgumentParser:
    made = _Parser(prog="detour sim", description="Simulated venues on loopback, in the venues' real wire formats.")
    made.add_argument("--scenario", default="calm", metavar="NAME|FILE", help=f"one of {', '.join(names())}, or a file")
    made.add_argument("--port-base", type=int, default=0, metavar="N", help="first port; default: any free ones")
    made.add_argument("--speed", type=float, default=1.0, metavar="X", help="run the scenario X times as fast")
    made.add_argument("--venues", default="", metavar="A,B", help=f"of {', '.join(TWINS)}; default all")
    made.add_argument("--seed", type=int, default=None, metavar="N", help="another market; default the scenario's")
    made.add_argument("--with-parent", action="store_true", help="end when stdin is closed")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until interrupted. 0: ended on request; 1: a port is taken; 2: the command line or scenario is wrong."""
    try:
        options = parser().parse_args(argv)
        scenario = load(options.scenario)
        venues = _venues(options.venues)
        if not 0.01 <= options.speed <= 1_000:
            raise _UsageError("--speed must be between 0.01 and 1000")
        if options.port_base and not 1024 <= options.port_base <= 65_000:
            raise _UsageError("--port-base must be between 1024 and 65000")
    except (_UsageError, ScenarioError) as error:
        print(f"detour sim: {error}", file=sys.stderr)
        return 2
    logging.getLogger("aiohttp.server").addFilter(_is_news)
    return _runner()(_serve(scenario, venues, options))


def _venues(text: str) -> tuple[str, ...]:
    venues = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in venues:
        if name not in TWINS:
            near = get_close_matches(name, TWINS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(TWINS)}"
            raise _UsageError(f"no simulated venue {name!r}; {hint}")
    return venues


def _runner() -> Callable[..., int]:
    """uvloop's where it is installed: it is left out on Windows, and may be missing anywhere."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    run: Callable[..., int] = uvloop.run
    return run


def _is_news(record: logging.LogRecord) -> bool:
    """Not worth a log line: a client that hung up while it was being answered."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionResetError))


async def _serve(scenario: Scenario, venues: Sequence[str], options: argparse.Namespace) -> int:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):  # nohup
            continue
        # Windows has no loop signal handlers; there KeyboardInterrupt ends the run
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    if options.with_parent:
        _end_with_parent(loop, ended)
    try:
        simulation = Simulation(scenario, venues, seed=options.seed, speed=options.speed, port_base=options.port_base)
    except OSError as error:
        print(f"detour sim: cannot listen on 127.0.0.1 from port {options.port_base}: {error}", file=sys.stderr)
        return 1
    simulation.start()
    try:
        print(json.dumps(simulation.ready(), separators=(",", ":")), flush=True)
        await ended.wait()
    finally:
        await simulation.close()
    return 0


def _end_with_parent(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    def wait() -> None:
        # not through sys.stdin: its lock, held by this thread, would abort the interpreter's exit
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop has closed already
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait, name="parent", daemon=True).start()
