"""Instruments of every route, from a cache on disk that a short child process fills through ccxt.

ccxt costs half a second and 100 MB, so no process that measures or draws ever imports it: ``refresh`` starts
``python -m feeds.instruments.fetch`` for that (see there). A cache file is fresh for a day. When the
venue cannot be asked, an older one is used, with a note for the user. Cache files are read as untrusted input.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from feeds import child_process
from feeds.model import Instrument
from feeds.plain_text import is_plain, plain

CACHE_SCHEMA = 1
LIVE = "live"
"""The label of what real venues list; simulated venues have labels of their own."""
FRESH_NS = 24 * 3600 * 1_000_000_000
MAX_CACHE_BYTES = 64_000_000
MAX_INSTRUMENTS = 50_000
ERROR_CHARS = 160
FETCH_TIMEOUT_S = 40.0
"""For the whole process; its own limits per venue are shorter."""

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,60}")


class Stored(Struct, frozen=True, kw_only=True):
    """A cache file."""

    schema: int
    route: str
    fetched_ns: int
    instruments: tuple[Instrument, ...]
    skipped: int = 0
    """Listed by the venue, but without a usable tick or lot."""


class Markets(Struct, frozen=True, kw_only=True):
    """What one route lists."""

    route: str
    instruments: Mapping[str, Instrument]
    """By unified symbol."""
    fetched_ns: int
    skipped: int = 0
    note: str = ""
    """A sentence for the user when these are not fresh, else empty."""


class Outcome(Struct, frozen=True, kw_only=True):
    """One line that the fetching process prints: the result for one route."""

    route: str
    count: int = 0
    error: str | None = None

    def __post_init__(self) -> None:
        if self.error is not None:
            force_setattr(self, "error", plain(self.error, ERROR_CHARS))


class Refreshed(Struct, frozen=True, kw_only=True):
    markets: Mapping[str, Markets]
    """By route; those that could not be asked come from the cache, with a note, or are missing."""
    failures: Mapping[str, str]
    """By route: why the venue could not be asked."""


class Job(Struct, frozen=True, kw_only=True):
    """What the fetching process reads on its stdin."""

    cache_dir: str
    label: str
    routes: tuple[str, ...]
    rest: dict[str, str]
    """Base URL by route, where it is not the published one."""


def cache_path(cache_dir: Path, label: str, route: str) -> Path:
    """Raises ValueError when the label could lead out of the cache folder."""
    if not _LABEL.fullmatch(label):
        raise ValueError(f"label {label!r} may hold letters, digits, '-' and '_' only")
    return cache_dir / "markets" / label / f"{route}.json"


def load_cached(
    routes: Iterable[str], cache_dir: Path, label: str = LIVE, now_ns: int | None = None
) -> dict[str, Markets]:
    """What the cache holds, of any age; routes without a readable file are missing. Never raises on file content."""
    now = time.time_ns() if now_ns is None else now_ns
    found: dict[str, Markets] = {}
    for route in routes:
        stored = _read(cache_path(cache_dir, label, route), route, now)
        if stored is not None:
            found[route] = Markets(
                route=route,
                instruments={i.symbol: i for i in stored.instruments},
                fetched_ns=stored.fetched_ns,
                skipped=stored.skipped,
                note="" if _is_fresh(stored.fetched_ns, now) else f"{_age(route, stored.fetched_ns, now)}.",
            )
    return found


def is_fresh(markets: Markets, now_ns: int) -> bool:
    """Younger than a day, and not from the future."""
    return _is_fresh(markets.fetched_ns, now_ns)


def listed(cache_dir: Path, label: str, route: str) -> frozenset[str] | None:
    """Symbols a route lists as far as the cache knows, None when it knows nothing. For checking what a user typed."""
    markets = load_cached([route], cache_dir, label).get(route)
    return None if markets is None else frozenset(markets.instruments)


async def refresh(
    routes: Iterable[str],
    cache_dir: Path,
    label: str = LIVE,
    *,
    rest: Mapping[str, str] | None = None,
    arrived: Callable[[Markets], None] | None = None,
    now_ns: int | None = None,
    timeout_s: float = FETCH_TIMEOUT_S,
) -> Refreshed:
    """Ask the venues of ``routes`` (all of them; choose the stale ones yourself) in a process of its own.

    ``rest`` gives the base URL of routes that are not asked at the published one. ``arrived`` is called for each route
    as soon as its instruments are there, so that a slow venue delays no other. Ages of cached instruments are counted
    up to ``now_ns``. Raises nothing but what ``arrived`` raises, and cancellation; the process ends in any case.
    """
    wanted = tuple(dict.fromkeys(routes))
    job = Job(cache_dir=str(cache_dir), label=label, routes=wanted, rest=dict(rest or {}))

    def cached(names: Iterable[str]) -> dict[str, Markets]:
        return load_cached(names, cache_dir, label, now_ns)

    def done(outcome: Outcome) -> None:
        if arrived is not None and outcome.error is None:
            for markets in cached([outcome.route]).values():
                arrived(markets)

    outcomes, trouble = await _ask(job, timeout_s, done)
    found = cached(wanted)
    failures: dict[str, str] = {}
    for route in wanted:
        outcome = outcomes.get(route)
        why = trouble if outcome is None else outcome.error
        if why is None and route not in found:
            why = "what was fetched cannot be read back from the cache"
        if why is None:
            continue
        failures[route] = why
        if route in found:
            age = _age(route, found[route].fetched_ns, time.time_ns() if now_ns is None else now_ns)
            found[route] = msgspec.structs.replace(found[route], note=f"{age}: venue could not be asked.")
    return Refreshed(markets=found, failures=failures)


async def _ask(job: Job, timeout_s: float, done: Callable[[Outcome], None]) -> tuple[dict[str, Outcome], str]:
    """(outcome by route, what went wrong with the process itself)"""
    outcomes: dict[str, Outcome] = {}
    if not job.routes:
        return outcomes, ""
    try:
        child = await child_process.start("feeds.instruments.fetch", forget_stderr=True)
    except OSError as error:
        return outcomes, f"the process that asks cannot be started ({error.strerror})"
    try:
        async with asyncio.timeout(timeout_s):
            with contextlib.suppress(ConnectionError):  # it has ended already; the end of its stdout tells
                child.stdin.write(msgspec.json.encode(job))
                await child.stdin.drain()
            child.stdin.close()
            async for line in _lines(child.stdout):
                try:
                    outcome = msgspec.json.decode(line, type=Outcome)
                except msgspec.DecodeError:
                    continue  # some library has printed something
                if outcome.route in job.routes:
                    outcomes[outcome.route] = outcome
                    done(outcome)
    except TimeoutError:
        return outcomes, f"no answer within {timeout_s:g} s"
    finally:
        await child.kill()
    return outcomes, "the process that asks ended early"


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Lines until the end, or until one is longer than the reader's limit."""
    with contextlib.suppress(ValueError):
        while line := await stream.readline():
            yield line


def _read(path: Path, route: str, now_ns: int) -> Stored | None:
    try:
        if path.stat().st_size > MAX_CACHE_BYTES:
            return None
        stored = msgspec.json.decode(path.read_bytes(), type=Stored)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    good = (
        stored.schema == CACHE_SCHEMA
        and stored.route == route
        and 0 < stored.fetched_ns <= now_ns + FRESH_NS
        and len(stored.instruments) <= MAX_INSTRUMENTS
        and all(i.route == route and is_sound(i) for i in stored.instruments)
    )
    return stored if good else None


def is_sound(instrument: Instrument) -> bool:
    """Its numbers are within bounds that can be calculated with, its names can be shown as they are."""
    steps = (instrument.tick, instrument.lot, instrument.contract_size)
    limits = (instrument.min_size, instrument.min_notional)
    names = (instrument.symbol, instrument.venue_id, instrument.base, instrument.quote, *instrument.aliases)
    return (
        all(is_plain(name) for name in names)
        and all(1e-20 <= x <= 1e15 for x in steps)  # false for NaN too
        and all(x is None or 0 <= x <= 1e15 for x in limits)
        and -0.01 <= instrument.taker_fee <= 0.1
    )


def _is_fresh(fetched_ns: int, now_ns: int) -> bool:
    return fetched_ns <= now_ns < fetched_ns + FRESH_NS


def _age(route: str, fetched_ns: int, now_ns: int) -> str:
    hours = max(0, now_ns - fetched_ns) // (3600 * 1_000_000_000)
    age = f"{hours // 24} days" if hours >= 48 else f"{hours} hours" if hours != 1 else "1 hour"
    return f"instruments of {route} are {age} old"
