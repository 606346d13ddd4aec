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
"""For the whole process; its own limits are shorter."""
ROUTE_S = 15.0
ALL_S = 36.0
MAX_MESSAGE_BYTES = 64_000_000

_UNREADABLE: tuple[type[Exception], ...] = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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
    """One message of the fetching process: the result for one route."""

    route: str
    stored: Stored | None = None
    error: str | None = None
    not_kept: str = ""
    """Why ``stored`` could not be written to the cache; empty when it was."""

    @property
    def count(self) -> int:
        return 0 if self.stored is None else len(self.stored.instruments)

    def __post_init__(self) -> None:
        if self.error is not None:
            force_setattr(self, "error", plain(self.error, ERROR_CHARS))


class Refreshed(Struct, frozen=True, kw_only=True):
    markets: Mapping[str, Markets]
    """By route; those that could not be asked come from the cache, with a note, or are missing."""
    failures: Mapping[str, str]
    """By route: why the venue could not be asked."""
    not_kept: str = ""
    """Why what was fetched could not be written to the cache; empty when it was."""


class Job(Struct, frozen=True, kw_only=True):
    """What the fetching process reads on its stdin."""

    cache_dir: str
    label: str
    routes: tuple[str, ...]
    rest: dict[str, str]
    """Base URL by route, where it is not the published one."""
    proxies: dict[str, str] = {}
    """The user's ``[proxy]`` table."""
    route_s: float = ROUTE_S
    """Longest for one route, and for all of them."""
    all_s: float = ALL_S


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
            note = "" if _is_fresh(stored.fetched_ns, now) else f"{_age(route, stored.fetched_ns, now)}."
            found[route] = _markets(stored, note)
    return found


def _markets(stored: Stored, note: str = "") -> Markets:
    return Markets(
        route=stored.route,
        instruments={i.symbol: i for i in stored.instruments},
        fetched_ns=stored.fetched_ns,
        skipped=stored.skipped,
        note=note,
    )


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
    proxies: Mapping[str, str] | None = None,
    arrived: Callable[[Markets], None] | None = None,
    now_ns: int | None = None,
    timeout_s: float = FETCH_TIMEOUT_S,
    route_s: float = ROUTE_S,
) -> Refreshed:
    """Ask the venues of ``routes`` (all of them; choose the stale ones yourself) in a process of its own.

    ``rest`` gives the base URL of routes that are not asked at the published one, ``proxies`` the user's table.
    ``arrived`` is called for each route as soon as its instruments are there, so that a slow venue delays no other;
    none takes longer than ``route_s``.
    Ages of cached instruments are counted up to ``now_ns``. Raises nothing but what ``arrived`` raises, and
    cancellation; the process ends in any case, also when we are killed.
    """
    wanted = tuple(dict.fromkeys(routes))
    job = Job(
        cache_dir=str(cache_dir),
        label=label,
        routes=wanted,
        rest=dict(rest or {}),
        proxies=dict(proxies or {}),
        route_s=route_s,
    )
    asked: dict[str, Markets] = {}

    def done(outcome: Outcome) -> None:
        if outcome.stored is not None and is_usable(outcome.stored, outcome.route, time.time_ns()):
            asked[outcome.route] = _markets(outcome.stored)
            if arrived is not None:
                arrived(asked[outcome.route])

    outcomes, trouble = await _ask(job, timeout_s, done)
    found = load_cached([route for route in wanted if route not in asked], cache_dir, label, now_ns) | asked
    failures: dict[str, str] = {}
    for route in wanted:
        if route in asked:
            continue
        outcome = outcomes.get(route)
        why = trouble if outcome is None else outcome.error or "what it lists cannot be calculated with"
        failures[route] = why
        if route in found:
            found[route] = not_asked(found[route], time.time_ns() if now_ns is None else now_ns)
    not_kept = next((each.not_kept for each in outcomes.values() if each.not_kept), "")
    return Refreshed(markets=found, failures=failures, not_kept=not_kept)


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
                child.stdin.write(msgspec.json.encode(job) + b"\n")  # open until the end: its end would end the child
                await child.stdin.drain()
            async for outcome in _outcomes(child.stdout):
                if outcome.route in job.routes:
                    outcomes[outcome.route] = outcome
                    done(outcome)
    except TimeoutError:
        return outcomes, f"no answer within {timeout_s:g} s"
    finally:
        await child.kill()
    return outcomes, "the process that asks ended early"


def not_asked(markets: Markets, now_ns: int) -> Markets:
    """The same, with a note that the venue could not be asked for newer ones."""
    age = _age(markets.route, markets.fetched_ns, now_ns)
    return msgspec.structs.replace(markets, note=f"{age}: venue could not be asked.")


def message(outcome: Outcome) -> bytes:
    """An outcome with its length in front."""
    body = msgspec.json.encode(outcome)
    return len(body).to_bytes(4, "big") + body


async def _outcomes(stream: asyncio.StreamReader) -> AsyncIterator[Outcome]:
    """Until the end, or until something is no message."""
    with contextlib.suppress(asyncio.IncompleteReadError, *_UNREADABLE):
        while (length := int.from_bytes(await stream.readexactly(4), "big")) <= MAX_MESSAGE_BYTES:
            yield msgspec.json.decode(await stream.readexactly(length), type=Outcome)


def _read(path: Path, route: str, now_ns: int) -> Stored | None:
    try:
        if path.stat().st_size > MAX_CACHE_BYTES:
            return None
        stored = msgspec.json.decode(path.read_bytes(), type=Stored)
    except OSError:
        return None
    except _UNREADABLE:
        return None
    return stored if is_usable(stored, route, now_ns) else None


def is_usable(stored: Stored, route: str, now_ns: int) -> bool:
    return (
        stored.schema == CACHE_SCHEMA
        and stored.route == route
        and 0 < stored.fetched_ns <= now_ns + FRESH_NS
        and len(stored.instruments) <= MAX_INSTRUMENTS
        and all(i.route == route and is_sound(i) for i in stored.instruments)
    )


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
