"""Names to addresses, in threads that nobody ever waits for.

The system's ``getaddrinfo`` cannot be cancelled, and where DNS packets are swallowed it takes half a minute and more.
In the event loop's own pool a few dead names would stop every other lookup and the program's end (libuv runs two at a
time, and closing its loop waits for all of them). So each name is looked up in a daemon thread of its own, once for all
who ask at the same time, and a caller who has waited long enough just goes away.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeAlias

from msgspec import Struct

Address: TypeAlias = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]
"""As ``getaddrinfo`` gives it: family, type, protocol, canonical name, socket address."""
Lookup: TypeAlias = Callable[[str], Sequence[Address]]

LIFE_S = 60.0
"""Addresses are used this long before the name is looked up again."""
FAILED_LIFE_S = 3.0
"""A failed lookup is not repeated within this time."""
SLOW_S = 1.0
"""Who need not have new addresses waits this long for a lookup, then takes the last good ones."""
MOST_THREADS = 64
"""More names than all venues have; each hanging lookup holds one."""
MOST_NAMES = 1024


class ResolveError(OSError):
    """The name has no address here; the text is one clause for the user."""


class Resolved(Struct, frozen=True):
    addresses: tuple[Address, ...]
    old: bool = False
    """The name cannot be looked up now; these are its last known addresses."""


class _Outcome(Struct, frozen=True):
    """Of one lookup."""

    addresses: tuple[Address, ...] = ()
    error: str = ""


class _Known(Struct):
    """What is known of one name."""

    good: tuple[Address, ...] = ()
    """Of the last lookup that succeeded."""
    outcome: _Outcome | None = None
    """Of the last lookup."""
    until_s: float = 0.0
    """How long ``outcome`` may be used."""
    family: int | None = None
    """The address family that was connected to last."""
    trouble: str = ""


class Resolver:
    """Shared by everything that dials. Safe to use from several event loops, one after the other."""

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        threads: int = MOST_THREADS,
        slow_s: float = SLOW_S,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup, self._threads, self._slow_s, self._now_s = lookup or _system, threads, slow_s, now_s
        self._lock = threading.Lock()
        self._names: dict[str, _Known] = {}
        self._under_way: dict[str, Future[_Outcome]] = {}
        self._queue: deque[str] = deque()
        self._running = 0

    async def resolve(self, host: str, port: int, *, fresh: bool = False) -> Resolved:
        """The addresses of ``host``, with this port. Raises ResolveError.

        ``fresh`` measures a lookup: nothing kept is used, but one that is under way is shared. Without it, last good
        addresses are given while lookups fail. Takes as long as the lookup does: the caller sets a time limit.
        """
        if (numeric := _numeric(host)) is not None:
            return Resolved(_with_port(numeric, port))
        known = self._names.get(host)
        outcome = None
        if not fresh and known is not None and known.outcome is not None and self._now_s() < known.until_s:
            outcome = known.outcome
        if outcome is None:
            asked = asyncio.wrap_future(self._ask(host))
            if fresh or known is None or not known.good:
                outcome = await asked
            else:
                done, _ = await asyncio.wait((asked,), timeout=self._slow_s)
                outcome = asked.result() if done else _Outcome(error="the lookup takes too long")
        known = self._names.get(host) or _Known()
        known.trouble = outcome.error
        if not outcome.error:
            return Resolved(_with_port(outcome.addresses, port))
        if known.good and not fresh:
            return Resolved(_with_port(known.good, port), old=True)
        raise ResolveError(f"{host} does not resolve here: {outcome.error}")

    def family(self, host: str) -> int | None:
        """The address family by which ``host`` was reached last."""
        known = self._names.get(host)
        return None if known is None else known.family

    def reached(self, host: str, family: int) -> None:
        if (known := self._names.get(host)) is not None:
            known.family = family

    def trouble(self, host: str) -> str:
        """Why ``host`` could not be looked up the last time; empty when all is well."""
        known = self._names.get(host)
        return "" if known is None else known.trouble

    def _ask(self, host: str) -> Future[_Outcome]:
        """The lookup of this name that is under way, or a new one."""
        with self._lock:
            future = self._under_way.get(host)
            if future is not None:
                return future
            future = Future()
            future.set_running_or_notify_cancel()  # from now on a caller that gives up cannot cancel it for others
            self._under_way[host] = future
            self._queue.append(host)
            if self._running < self._threads:
                self._running += 1
                try:
                    threading.Thread(target=self._work, name="detour-lookup", daemon=True).start()
                except RuntimeError:  # no more threads on this machine: those that run go on with the queue
                    self._running -= 1
                    if not self._running:
                        self._queue.remove(host)
                        del self._under_way[host]
                        future.set_result(_Outcome(error="this machine cannot start a thread"))
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._running -= 1
                    return
                host = self._queue.popleft()
            outcome = _outcome(self._lookup, host)
            with self._lock:
                self._keep(host, outcome)
                future = self._under_way.pop(host)
            future.set_result(outcome)

    def _keep(self, host: str, outcome: _Outcome) -> None:
        known = self._names.get(host)
        if known is None:
            while len(self._names) >= MOST_NAMES:  # the one that has been known longest goes
                del self._names[next(iter(self._names))]
            known = self._names[host] = _Known()
        known.outcome = outcome
        known.until_s = self._now_s() + (FAILED_LIFE_S if outcome.error else LIFE_S)
        if not outcome.error:
            known.good = outcome.addresses


@functools.lru_cache(maxsize=1)
def system_resolver() -> Resolver:
    """The one of this process."""
    return Resolver()


def _system(host: str) -> Sequence[Address]:
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)


def _outcome(lookup: Lookup, host: str) -> _Outcome:
    try:
        found = lookup(host)
    except OSError as error:
        return _Outcome(error=(error.strerror or str(error) or type(error).__name__)[:120])
    except (UnicodeError, ValueError):  # a label that is too long, a NUL
        return _Outcome(error="this is no host name")
    return _Outcome(addresses=tuple(found)) if found else _Outcome(error="it has no address")


def _numeric(host: str) -> Sequence[Address] | None:
    """An address that is written as a number needs no lookup; None: it is a name."""
    try:
        return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError, ValueError):
        return None


def _with_port(addresses: Sequence[Address], port: int) -> tuple[Address, ...]:
    """With the port set, and without the ``%eth0`` of a scoped address, which would be looked up again."""
    found: list[Address] = []
    for family, kind, protocol, name, target in addresses:
        if family == socket.AF_INET6 and len(target) == 4:
            ip, _, flow, scope = target
            found.append((family, kind, protocol, name, (ip.partition("%")[0], port, flow, scope)))
        elif family == socket.AF_INET:
            found.append((family, kind, protocol, name, (str(target[0]), port)))
    return tuple(found)
