"""Several clients in turn on the same frames from the same server, repeated several times."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.market import WHOLE
from tests.bench.process import REPOSITORY, Child, ChildError

WITNESS_PYTHON = REPOSITORY / ".witness" / "bin" / "python"
FLOOD_POLL_S = 0.005
PACED_POLL_S = 0.05
FAULTS = ("gaps", "garbled", "errors")
OURS, BARE, CCXT, CRYPTOFEED = "detour", "bare loop", "ccxt.pro", "cryptofeed"


class Course(NamedTuple):
    """What one round replays."""

    levels: int
    """Changed on each side by each message."""
    batches: int
    rate: float | None
    """Messages a second; None: as fast as the client takes them."""

    @property
    def name(self) -> str:
        pace = "flood" if self.rate is None else f"paced at {self.rate:g}/s"
        return f"{self.levels}+{self.levels} levels, {pace}"


class Run(NamedTuple):
    cpu_us: float
    """User and system, per batch of changes."""
    msgs_s: float
    bytes_per_message: float
    messages_per_batch: float
    """1 unless the client has subscribed to a channel with one message a level."""


class Results:
    def __init__(self) -> None:
        self.runs: dict[tuple[str, Course], list[Run]] = {}
        self.rss_mb: dict[str, float] = {}
        self.absent: dict[str, str] = {}
        """Why a client is not in it, or dropped out."""
        self.complaints: list[str] = []
        """What went wrong in the server."""

    def of(self, client: str, course: Course) -> list[Run]:
        return self.runs.get((client, course), [])


def cores() -> tuple[str, str]:
    """(server's, client's) core; empty where nothing can be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return "", ""
    ours = sorted(os.sched_getaffinity(0))
    return (str(ours[0]), str(ours[1])) if len(ours) > 1 else ("", "")


def server() -> Child:
    return Child("server", [sys.executable, "-m", "tests.bench.server", cores()[0]])


def command(client: str) -> list[str]:
    """Raises FileNotFoundError where cryptofeed's environment is not there."""
    core = cores()[1]
    if client == CRYPTOFEED:
        if not (REPOSITORY / ".witness" / ".ready").exists():
            raise FileNotFoundError("not installed here (make witness)")
        return [str(WITNESS_PYTHON), "-m", "tests.bench.cryptofeed_rounds", core]
    module = {OURS: "detour_client", BARE: "bare_client", CCXT: "ccxt_client"}[client]
    return [sys.executable, "-m", f"tests.bench.{module}", core]


class Field:
    """The clients that race, each in a process of its own for as long as this block lasts."""

    def __init__(self, host: Child, names: Sequence[str]) -> None:
        self._host, self._names = host, names
        self._stack = ExitStack()
        self._clients: dict[str, Child] = {}
        self._absent: dict[str, str] = {}

    def __enter__(self) -> Field:
        for name in self._names:
            try:
                self._clients[name] = self._stack.enter_context(Child(name, command(name)))
            except FileNotFoundError as error:
                self._absent[name] = str(error)
        return self

    def __exit__(self, *why: object) -> None:
        self._stack.close()

    def race(self, route: str, courses: Sequence[Course], repeats: int, *, depth: int = WHOLE) -> Results:
        """Every course with every client in turn, ``repeats`` times. One that fails is left out, with its reason."""
        results = Results()
        results.absent.update(self._absent)
        running = {name: child for name, child in self._clients.items() if self._join(name, route, depth, results)}
        for number in range(repeats + 1):
            for course in courses:
                # the first time only warms caches, and is short
                asked = course if number else course._replace(batches=max(50, course.batches // 10))
                for name, run in self._round(route, running, asked, results).items():
                    if number:
                        results.runs.setdefault((name, course), []).append(run)
        for name in list(self._clients):
            self._leave(name, results)
        results.complaints += self._host.ask({"do": "close", "route": route})["errors"]
        return results

    def _join(self, name: str, route: str, depth: int, results: Results) -> bool:
        place = self._host.ask({"do": "open", "route": route, "depth": depth, "client": name})
        self._host.ask({"do": "prime", "route": route, "on": True})
        try:
            opened = self._clients[name].ask({"do": "open", "place": place})
        except ChildError as error:
            results.absent[name] = str(error)
            return False
        finally:
            self._host.ask({"do": "prime", "route": route, "on": False})
        results.rss_mb[name] = opened["rss_mb"] or 0.0
        return True

    def _round(self, route: str, running: dict[str, Child], course: Course, results: Results) -> dict[str, Run]:
        """The same batches for each client in turn. A client that fails takes no further part."""
        runs: dict[str, Run] = {}
        if not running:
            return runs
        ready = self._host.ask(
            {
                "do": "prepare",
                "routes": [route],
                "clients": list(running),
                "levels": course.levels,
                "count": course.batches,
            }
        )
        for name, child in list(running.items()):
            try:
                runs[name] = self._run(child, name, route, course, ready)
            except ChildError as error:
                results.absent[name] = str(error)
                del running[name]
        return runs

    def _run(self, child: Child, name: str, route: str, course: Course, ready: dict[str, Any]) -> Run:
        """Raises ChildError, also when the client's book is not the server's at the end, or we lost a message."""
        messages = ready["messages"][name]
        if not messages:
            raise ChildError("it subscribed to no book")
        poll_s = FLOOD_POLL_S if course.rate is None else PACED_POLL_S
        child.ask({"do": "arm", "marks": ready["marks"], "poll_s": poll_s})
        gone = self._host.ask({"do": "go", "routes": [route], "client": name, "rate": course.rate})
        answer = child.receive()
        if name == OURS and (answer["grew"]["messages"] < messages or any(answer["grew"][bad] for bad in FAULTS)):
            raise ChildError(f"{answer['grew']} of {messages} messages: {answer['said']}")
        if answer["book"] not in (None, ready["books"][route]):
            raise ChildError("it holds another book than the server at the end of a round")
        return Run(
            cpu_us=answer["cpu_s"] / course.batches * 1e6,
            msgs_s=messages / (answer["end_s"] - gone["start_s"]),
            bytes_per_message=ready["bytes"][name] / messages,
            messages_per_batch=messages / course.batches,
        )

    def _leave(self, name: str, results: Results) -> None:
        try:
            self._clients[name].ask({"do": "close"})
        except ChildError as error:
            self._absent[name] = str(error)
            del self._clients[name]


def versions() -> str:
    """Of what is compared, for the machine line."""
    from importlib.metadata import version

    names = ("websockets", "uvloop", "msgspec", "ccxt")
    return ", ".join(f"{name} {version(name)}" for name in names)


def witness_version() -> str:
    found = sorted((WITNESS_PYTHON.parent.parent / "lib").glob("python3*/site-packages/cryptofeed-*.dist-info"))
    return Path(found[0]).name.removesuffix(".dist-info").replace("-", " ") if found else "no cryptofeed"
