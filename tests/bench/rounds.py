"""A client under measurement: commands over stdin, answers on stdout, one JSON object a line.

Only the standard library: clients of other people's environments use it too. What happens:

    {"do": "open", "place": {...}}   connects and subscribes; answers when the book is there
    {"do": "close"}                  disconnects; another "open" may follow
    {"do": "arm", "marks": {...}}    answers at once and again when every marked best bid has been seen: CPU seconds
                                     in between (user and system), the end on the machine's monotonic clock, the book
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol

import uvloop

SYNC_S = 15.0
ROUND_S = 60.0


class Contestant(Protocol):
    async def open(self, place: dict[str, Any]) -> None:
        """Connect to ``place`` and keep reading; return when the book is there."""

    def done(self, marks: dict[str, float]) -> bool:
        """Is the mark the best bid, on every route given?"""

    def book(self) -> list[list[list[float]]] | None:
        """Best 20 bids and asks as [price, size], to be compared; None where the client keeps no whole book."""

    def counters(self) -> dict[str, float]:
        """Counters; a round reports by how much each has grown."""

    def notes(self) -> dict[str, Any]:
        """Anything else worth telling after a round."""

    async def close(self) -> None:
        """Disconnect and stop."""


class Plain:
    """Defaults for clients that have nothing to report."""

    def counters(self) -> dict[str, float]:
        return {}

    def notes(self) -> dict[str, Any]:
        return {}

    async def close(self) -> None:
        return None


async def cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def pin(core: str) -> None:
    """To one core, where the system can and there is one of that number."""
    if core and hasattr(os, "sched_setaffinity") and int(core) in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {int(core)})


def rss_mb() -> float | None:
    """Resident memory now; None where there is no /proc."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib costs an import and says no more
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return None


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


async def serve(make: Callable[[], Contestant]) -> None:
    """Until stdin ends."""
    contestant = make()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asked = json.loads(line)
        try:
            match asked["do"]:
                case "open":
                    await asyncio.wait_for(contestant.open(asked["place"]), SYNC_S)
                    say({"open": True, "rss_mb": rss_mb()})
                case "close":
                    old, contestant = contestant, make()
                    await old.close()
                    say({})
                case _:
                    await asyncio.wait_for(_round(contestant, asked["marks"], asked["poll_s"]), ROUND_S)
        except TimeoutError:
            say({"error": f"{asked['do']}: no end in time", **contestant.notes()})
        except Exception as error:
            say({"error": f"{asked['do']}: {type(error).__name__}: {error}"})


async def _round(contestant: Contestant, marks: dict[str, float], poll_s: float) -> None:
    gc.collect()
    before = contestant.counters()
    cpu_s = time.process_time()
    say({"armed": True})
    while not contestant.done(marks):  # noqa: ASYNC110 - all clients are polled alike
        await asyncio.sleep(poll_s)
    cpu_s = time.process_time() - cpu_s
    end_s = time.monotonic()
    after = contestant.counters()
    say(
        {
            "cpu_s": cpu_s,
            "end_s": end_s,
            "book": contestant.book(),
            "rss_mb": rss_mb(),
            "grew": {name: after[name] - before.get(name, 0) for name in after},
            **contestant.notes(),
        }
    )


def main(make: Callable[[], Contestant]) -> None:
    """``python -m tests.bench.X_client [CORE]``: every contestant runs on uvloop."""
    pin(sys.argv[1] if len(sys.argv) > 1 else "")
    uvloop.run(serve(make))
    sys.stdout.flush()
    os._exit(0)  # how a client closes its connections is not measured
