"""Several clients on the same frames from the same server, in turns, several times over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.bench.market import WHOLE
from tests.bench.process import REPOSITORY, Child, ChildError

WITNESS_PYTHON = REPOSITORY / ".witness" / "bin" / "python"
FLOOD_POLL_S = 0.005
PACED_POLL_S = 0.05
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
    """1 unless the client has subscribed to a channel that tells level by level."""


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

    def race(self, venue: str, product: str, courses: Sequence[Course], repeats: int, *, depth: int = WHOLE) -> Results:
        """Every course with every client in turn, ``repeats`` times. One that fails is left out, with its reason."""
        results = Results()
        results.absent.update(self._absent)
        running: dict[str, Child] = {}
        for name, child in self._clients.items():
            try:
                results.rss_mb[name] = _join(self._host, child, name, venue, product, depth)
                running[name] = child
            except ChildError as error:
                results.absent[name] = str(error)
        for number in range(repeats + 1):
            for course in courses:
                # the first time only warms caches, and is short
                asked = course if number else course._replace(batches=max(50, course.batches // 10))
                for name, child in list(running.items()):
                    try:
                        run = one_round(self._host, child, name, asked)
                    except ChildError as error:
                        results.absent[name] = str(error)
                        del running[name]
                        continue
                    if number:
                        results.runs.setdefault((name, course), []).append(run)
        for name in list(self._clients):
            self._leave(name, results)
        return results

    def _leave(self, name: str, results: Results) -> None:
        try:
            self._clients[name].ask({"do": "close"})
        except ChildError as error:
            self._absent[name] = str(error)
            del self._clients[name]
        results.complaints += [f"{name}: {error}" for error in self._host.ask({"do": "close", "key": name})["errors"]]


def _join(host: Child, child: Child, client: str, venue: str, product: str, depth: int) -> float:
    place = host.ask({"do": "open", "key": client, "venue": venue, "product": product, "depth": depth})
    host.ask({"do": "prime", "key": client, "on": True})
    child.tell({"do": "open", "place": place})
    try:
        return float(child.hear().get("rss_mb") or 0)
    finally:
        host.ask({"do": "prime", "key": client, "on": False})


def one_round(host: Child, child: Child, key: str, course: Course) -> Run:
    """Raises ChildError, also when the client's book is not the server's at the end, or we lost a message."""
    ready = host.ask({"do": "prepare", "keys": [key], "levels": course.levels, "count": course.batches})
    if not ready["messages"]:
        raise ChildError(f"{child.name} subscribed to no book")
    poll_s = FLOOD_POLL_S if course.rate is None else PACED_POLL_S
    child.ask({"do": "arm", "marks": ready["marks"], "poll_s": poll_s})
    gone = host.ask({"do": "go", "keys": [key], "rate": course.rate})
    answer = child.hear()
    if key == OURS and answer["grew"]["applied"] != ready["messages"]:
        raise ChildError(f"{child.name} applied {answer['grew']} of {ready['messages']} messages: {answer['said']}")
    if answer["book"] not in (None, ready["books"][key]):
        raise ChildError(f"{child.name} holds another book than the server at the end of a round")
    messages = ready["messages"]
    return Run(
        cpu_us=answer["cpu_s"] / course.batches * 1e6,
        msgs_s=messages / (answer["end_s"] - gone["start_s"]),
        bytes_per_message=ready["bytes"] / messages,
        messages_per_batch=messages / course.batches,
    )


def versions() -> str:
    """Of what is compared, for the machine line."""
    from importlib.metadata import version

    names = ("websockets", "uvloop", "msgspec", "ccxt")
    return ", ".join(f"{name} {version(name)}" for name in names)


def witness_version() -> str:
    found = sorted((WITNESS_PYTHON.parent.parent / "lib").glob("python3*/site-packages/cryptofeed-*.dist-info"))
    return Path(found[0]).name.removesuffix(".dist-info").replace("-", " ") if found else "no cryptofeed"
