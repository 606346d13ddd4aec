"""Scenario files: what happens to which route and when, and which verdicts are then allowed.

A file is TOML: a head, then ``[[phase]]`` (a fault from one second to another), ``[[event]]`` (a fault at one moment,
once or repeated), ``[[notice]]`` (the venue's official status) and ``[[truth]]`` (the allowed verdicts). Seconds count
from the simulator's ready line, times the speed. Phases that overlap combine: factors multiply, milliseconds and basis
points add, shares combine as independent chances. Every phase, event and notice says where it comes from: ``published``
names a source, ``assumed = true`` says that nobody published it.
"""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from feeds.model import Cause, Channel, Product, State

FOLDER = Path(__file__).parent / "scenarios"

Where: TypeAlias = Literal["rest", "ws", "both"]
Kind: TypeAlias = Literal["close", "gap", "checksum", "garbage", "oversize", "stall"]
ErrorKind: TypeAlias = Literal["overload", "limit", "ban", "geo", "maintenance", "timeout"]


class ScenarioError(ValueError):
    """The scenario cannot be used. The text is one sentence with the file, the place in it and what is allowed."""


class Band(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Factor on depth up to a distance from mid. Beyond the widest band depth is unchanged."""

    within_bps: float
    factor: float


class ErrorShare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share of calls, or of websocket handshakes, that gets an error in the venue's own form."""

    share: float
    status: int
    kind: ErrorKind = "overload"
    on: Where = "rest"


class Phase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Faults from one second to another. A key that is not given leaves things as on a calm day."""

    from_s: float
    to_s: float
    ramp_s: float = 0.0
    """Grows to full strength over this time, and fades over the same time before its end."""
    wave_s: float | None = None
    """Repeats with this period. The phase is on for the first ``duty`` share of it."""
    duty: float = 0.5
    routes: tuple[str, ...] = ("*",)
    """Patterns: ``binance.linear``, ``binance.*``, ``*``."""
    symbols: tuple[str, ...] = ("*",)
    """Patterns. They limit the keys about single pairs: silent, frozen, depth, spread, price, traffic."""
    published: str | None = None
    assumed: bool = False
    note: str = ""

    # network and REST
    rest_factor: float = 1.0
    rest_extra_ms: float = 0.0
    rest_sigma: float | None = None
    """Spread of the lognormal REST delay; None keeps the route's own."""
    rest_hang_share: float = 0.0
    """Share of REST calls that are never answered."""
    errors: tuple[ErrorShare, ...] = ()
    refuse_share: float = 0.0
    """Share of new TCP connections that are reset at once."""
    hang_share: float = 0.0
    """Share of new TCP connections that are accepted and never served."""
    blackhole: bool = False
    """Nothing arrives and nothing leaves, and new connections get no answer. Frames held back are sent at the end."""
    witness_down: bool = False
    """The neutral witnesses cannot be reached either: our own uplink has failed."""

    no_withdraw: tuple[str, ...] = ()
    """Coins that cannot be withdrawn from the venues of these routes."""

    # the feed
    feed_delay_ms: float = 0.0
    """Added between the venue's gateway stamp and the socket."""
    feed_sigma: float = 0.0
    """Spread of that added delay, lognormal around it."""
    engine_lag_ms: float = 0.0
    """Added between the engine's and the gateway's stamp."""
    hold_s: float = 0.0
    """Pushes stop for this long, then everything held back is sent at once ..."""
    hold_every_s: float = 0.0
    """... this often."""
    silent: tuple[Channel, ...] = ()
    """Channels that are acknowledged and get no data."""

    # the market
    frozen: bool = False
    """The book does not change and there are no trades: a stopped engine, or a quiet pair."""
    depth: tuple[Band, ...] = ()
    spread_factor: float = 1.0
    spread_bps: float = 0.0
    price_bps: float = 0.0
    """Offset of the route's price from the market's, in bp of it (-3500: trades at 0.65 of it)."""
    traffic: float = 1.0
    """Factor on trades. Level changes grow by its square root."""
    liquidations: float = 1.0
    volatility: float = 1.0
    """Factor on the market's movement (all routes alike)."""
    drift_bps_s: float = 0.0
    """Trend of the market per second of the scenario (all routes alike)."""
    clock_ms: float = 0.0
    """Offset of the venue's clock from ours. On every route at once it looks like a step of our own clock."""


class Event(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault at one moment, or every ``every_s`` until ``until_s``."""

    at_s: float
    kind: Kind
    every_s: float | None = None
    until_s: float | None = None
    routes: tuple[str, ...] = ("*",)
    symbols: tuple[str, ...] = ("*",)
    published: str | None = None
    assumed: bool = False
    note: str = ""
    planned: bool = False
    """close: with the venue's own notice, if it has one."""
    notice_s: float = 0.0
    """close: time between the notice and the cut."""
    code: int | None = None
    """close: this close code; 1006 drops the line without a close frame."""
    bytes: int = 64
    """garbage, oversize: length of the frame."""
    stall_ms: float = 0.0
    """stall: how long the collector must block its own loop."""
    growth: float = 1.0
    """stall: each repetition is this many times longer."""


class StatusEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row of a venue's official status."""

    from_s: float
    to_s: float
    venues: tuple[str, ...]
    state: Literal["normal", "scheduled", "ongoing", "incident", "completed"]
    text: str
    products: tuple[Product, ...] = ()
    published: str | None = None
    assumed: bool = False
    note: str = ""


class Truth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The allowed verdicts on these routes from one second to another.

    Where several entries match, the last one counts.
    """

    from_s: float
    to_s: float
    routes: tuple[str, ...] = ("*",)
    states: tuple[State, ...]
    causes: tuple[Cause, ...] = ()
    """Causes allowed when the state is not ok. Empty: no cause may be named."""
    must: tuple[State, ...] = ()
    """The verdict must be one of these at least once within the span."""
    note: str = ""


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    title: str
    duration_s: float
    """After this the market goes on without faults."""
    story: str = ""
    seed: int = 1
    phase: tuple[Phase, ...] = ()
    event: tuple[Event, ...] = ()
    notice: tuple[StatusEntry, ...] = ()
    truth: tuple[Truth, ...] = ()


def names() -> tuple[str, ...]:
    """The scenarios that come with Detour."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name_or_path: str) -> Scenario:
    """A scenario by its name or its file's path. Raises ScenarioError."""
    shipped = FOLDER / f"{name_or_path}.toml"
    if "/" not in name_or_path and "\\" not in name_or_path and shipped.is_file():
        path = shipped
    else:
        path = Path(name_or_path)
        if not path.is_file():
            near = get_close_matches(name_or_path, names(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names())}"
            raise ScenarioError(f"no scenario and no file {name_or_path!r}{hint}")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))


def parse(text: str, origin: str) -> Scenario:
    """A scenario file's text. Raises ScenarioError naming ``origin``."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario)
    except RecursionError:
        raise ScenarioError(f"{origin}: nested deeper than any scenario needs") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{origin}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{origin}: {error}") from error
    check(scenario, origin)
    return scenario


def check(scenario: Scenario, origin: str) -> None:
    """Checks that types cannot express. Raises ScenarioError."""
    if not 0 < scenario.duration_s <= 86_400:
        raise ScenarioError(f"{origin}: duration_s must be above 0 and at most 86400")
    for number, phase in enumerate(scenario.phase, 1):
        check_phase(phase, f"{origin}: phase {number}")
    for number, event in enumerate(scenario.event, 1):
        check_event(event, f"{origin}: event {number}")
    for number, entry in enumerate(scenario.notice, 1):
        place = f"{origin}: notice {number}"
        _sourced(entry.published, entry.assumed, place)
        _span(entry.from_s, entry.to_s, place)
    for number, truth in enumerate(scenario.truth, 1):
        place = f"{origin}: truth {number}"
        _span(truth.from_s, truth.to_s, place)
        _patterns(truth.routes, place)
        if not set(truth.must) <= set(truth.states):
            raise ScenarioError(f"{place}: must may only name states that states allows")


def check_phase(phase: Phase, place: str) -> None:
    """Raises ScenarioError naming ``place``."""
    _sourced(phase.published, phase.assumed, place)
    _span(phase.from_s, phase.to_s, place)
    _patterns(phase.routes, place)
    shares = [phase.refuse_share, phase.hang_share, phase.rest_hang_share, *(error.share for error in phase.errors)]
    if not all(0 <= share <= 1 for share in shares):
        raise ScenarioError(f"{place}: shares must be between 0 and 1")
    if sum(error.share for error in phase.errors) > 1:
        raise ScenarioError(f"{place}: the shares of errors add up to more than 1")
    if not all(400 <= error.status <= 599 for error in phase.errors):
        raise ScenarioError(f"{place}: an error's status must be between 400 and 599")
    factors = [phase.rest_factor, phase.spread_factor, phase.traffic, phase.liquidations, phase.volatility]
    if not all(0 <= factor <= 10_000 for factor in [*factors, *(band.factor for band in phase.depth)]):
        raise ScenarioError(f"{place}: factors must be between 0 and 10000")
    if [band.within_bps for band in phase.depth] != sorted({band.within_bps for band in phase.depth}):
        raise ScenarioError(f"{place}: depth bands must widen from one to the next")
    waits = [phase.rest_extra_ms, phase.feed_delay_ms, phase.engine_lag_ms, phase.hold_s, phase.hold_every_s]
    if any(wait < 0 for wait in [*waits, phase.ramp_s, phase.feed_sigma, phase.rest_sigma or 0, phase.spread_bps]):
        raise ScenarioError(f"{place}: times and spreads must not be negative")
    if phase.hold_s and phase.hold_every_s <= phase.hold_s:
        raise ScenarioError(f"{place}: hold_every_s must be longer than hold_s")
    if phase.price_bps <= -10_000:
        raise ScenarioError(f"{place}: price_bps must be above -10000, or nothing is left of the price")
    if (phase.wave_s is not None and phase.wave_s <= 0) or not 0 < phase.duty <= 1:
        raise ScenarioError(f"{place}: wave_s must be above 0, duty above 0 and at most 1")


def check_event(event: Event, place: str) -> None:
    """Raises ScenarioError naming ``place``."""
    _sourced(event.published, event.assumed, place)
    _patterns(event.routes, place)
    if event.at_s < 0:
        raise ScenarioError(f"{place}: at_s must be at least 0")
    if event.every_s is not None and event.every_s < 0.05:
        raise ScenarioError(f"{place}: every_s must be at least 0.05")
    if event.kind == "stall" and not 0 < event.stall_ms <= 10_000:
        raise ScenarioError(f"{place}: stall_ms must be above 0 and at most 10000")
    if not 1 <= event.bytes <= 32_000_000:
        raise ScenarioError(f"{place}: bytes must be between 1 and 32000000")
    if event.code is not None and not 1000 <= event.code <= 4999:
        raise ScenarioError(f"{place}: code must be between 1000 and 4999")


def matches(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _sourced(published: str | None, assumed: bool, place: str) -> None:
    if bool(published) == assumed:
        raise ScenarioError(f'{place}: say either published = "source" or assumed = true')


def _span(from_s: float, to_s: float, place: str) -> None:
    if not 0 <= from_s < to_s:
        raise ScenarioError(f"{place}: from_s must be at least 0 and before to_s")


def _patterns(routes: tuple[str, ...], place: str) -> None:
    for pattern in routes:
        if pattern != "*" and pattern.count(".") != 1:
            raise ScenarioError(f"{place}: route {pattern!r} must read venue.product, venue.* or *")
