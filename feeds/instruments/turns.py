"""Runs blocking work in threads, a few at once, each within its own time and all within one: whatever hangs is left.

A thread that hangs (a name that does not resolve, a server that sends a byte a second) cannot be stopped. It is a
daemon: its result is no longer waited for, and it ends with the process.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeVar

Result = TypeVar("Result")


def in_turns(
    work: Mapping[str, Callable[[float], Result]],
    say: Callable[[str, Result | None], None],
    *,
    at_once: int,
    each_s: float,
    all_s: float,
) -> None:
    """Calls ``say(name, result)`` as soon as each is there, with None for what took longer than ``each_s``, or was not
    finished when ``all_s`` were over. The work gets the moment at which it must end (``time.monotonic``)."""
    waiting = deque(work)
    running: dict[str, float] = {}
    results: queue.SimpleQueue[tuple[str, Result]] = queue.SimpleQueue()
    end_s = time.monotonic() + all_s

    def begin(name: str) -> None:
        running[name] = due_s = min(end_s, time.monotonic() + each_s)
        threading.Thread(target=lambda: results.put((name, work[name](due_s))), name=name, daemon=True).start()

    while (waiting or running) and time.monotonic() < end_s:
        while waiting and len(running) < at_once:
            begin(waiting.popleft())
        try:
            name, result = results.get(timeout=max(0.0, min(running.values()) - time.monotonic()))
        except queue.Empty:
            for late in [name for name, due_s in running.items() if due_s <= time.monotonic()]:
                del running[late]
                say(late, None)
            continue
        if running.pop(name, None) is not None:  # else it was given up already
            say(name, result)
    for name in (*running, *waiting):
        say(name, None)
