"""Scripted sample series: what a collector would have measured, second by second, while a scenario runs.

A ``Condition`` says how one route is at one moment; ``play`` turns conditions into samples and feeds a judge with them,
keeping every verdict once a second. Deterministic: jitter comes from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import structs

from feeds.judge.judge import Judge
from feeds.judge.own_side import OwnState
from feeds.model import Fault, State, StatusNotice, Verdict, venue_of
from feeds.samples import (
    BookSample,
    FeedSample,
    LinkSample,
    ProbeSample,
    Sample,
    SelfSample,
    StatusSample,
    WatchSample,
    WitnessSample,
)

SECOND = 1_000_000_000
START_NS = 1_760_000_000 * SECOND
ROUTES = (
    "binance.linear",
    "binance.spot",
    "bybit.linear",
    "bybit.spot",
    "okx.linear",
    "okx.spot",
)
TIMEOUT_MS = 5_000.0


@dataclass(frozen=True)
class Condition:
    """One route at one moment; the defaults are a calm day."""

    rest_ms: float = 24.0
    jitter: float = 0.15
    error_share: float = 0.0
    error: tuple[int, Fault, str] = (503, Fault.OVERLOAD, "Service Unavailable")
    lost_share: float = 0.0
    lost_at: str = "first_byte"
    kernel_ms: float = 2.0
    connect_ms: float = 3.0
    age_ms: float = 20.0
    engine_lag_ms: float | None = 3.0
    own_lag_ms: float = 0.2
    rate: float = 40.0
    silent: tuple[str, ...] = ()
    """Channels, ``channel:symbol`` or symbols without data; ``*`` is everything."""
    never: tuple[str, ...] = ()
    connected: bool = True
    planned: bool = False
    link_fault: Fault | None = None
    """Of a socket that is not connected."""
    link_status: int | None = None
    """HTTP status of a refused handshake."""
    lost_fault: Fault | None = None
    lost_text: str = ""
    pairs: int | None = None
    """How many pairs something can come from; None: nobody says."""
    unwatched_why: str = "it lists none of them"
    reached: bool = True
    """Any byte ever came by its websockets."""
    unacknowledged: bool = False
    unsynced: tuple[str, ...] = ()
    hopeless: tuple[str, ...] = ()
    """Symbols from which nothing can come."""
    keepalive: bool | None = True
    depth: float = 1_000_000.0
    spread_bps: float = 0.2
    mid_factor: Mapping[str, float] = field(default_factory=dict)
    depth_factor: Mapping[str, float] = field(default_factory=dict)
    spread_of: Mapping[str, float] = field(default_factory=dict)
    crossed: tuple[str, ...] = ()
    disagrees: tuple[str, ...] = ()
    frozen_books: int = 0
    offset_ms: float = 5.0
    notices: tuple[StatusNotice, ...] = ()
    probed: bool = True
    measured: bool = True


@dataclass(frozen=True)
class Ourselves:
    """Our own machine at one moment."""

    lag_ms: float = 0.5
    clock_step_ms: float = 0.0
    witness: bool | None = True
    witness_ms: float = 1.2


Script = Callable[[str, float], Condition]
OwnScript = Callable[[float], Ourselves]


def calm(route: str, t_s: float) -> Condition:
    """Venues differ: what is normal for one is slow for another."""
    venue = venue_of(route)
    return Condition(
        rest_ms={"binance": 24.0, "bybit": 38.0, "okx": 61.0}.get(venue, 45.0),
        kernel_ms={"binance": 2.0, "bybit": 9.0, "okx": 31.0}.get(venue, 12.0),
        age_ms={"binance": 20.0, "bybit": 31.0, "okx": 55.0}.get(venue, 40.0),
        rate=40.0,
    )


def fine(t_s: float) -> Ourselves:
    return Ourselves()


class World:
    """Turns conditions into samples. ``channels`` by route symbol; probes once a second, cold ones once a minute."""

    def __init__(
        self,
        script: Script,
        own: OwnScript = fine,
        *,
        routes: Sequence[str] = ROUTES,
        symbols: Sequence[str] = ("BTC/USDT", "ETH/USDT"),
        channels: Sequence[str] = ("book", "trades"),
        quiet_s: Mapping[str, float] | None = None,
        seed: int = 1,
        start_ns: int = START_NS,
        probe_every_s: float = 1.0,
    ) -> None:
        self.script, self.own, self.routes, self.symbols = script, own, tuple(routes), tuple(symbols)
        self.channels, self.quiet_s = tuple(channels), dict(quiet_s or {"book": 10.0, "trades": 60.0})
        self.start_ns, self.seed, self.probe_every_s = start_ns, seed, probe_every_s

    def samples(self, seconds: float) -> list[Sample]:
        """Everything measured in this time, in the order of its arrival."""
        timed: list[tuple[int, int, Sample]] = []
        for n, (arrival_ns, sample) in enumerate(self._all(seconds)):
            timed.append((arrival_ns, n, sample))
        timed.sort(key=lambda x: x[:2])
        return [sample for _, _, sample in timed]

    def _all(self, seconds: float) -> Iterator[tuple[int, Sample]]:
        for route in self.routes:
            # every route has its own chance, so that adding one changes no other
            dice = random.Random(f"{self.seed}/{route}")
            yield from self._probes(route, seconds, dice)
            yield from self._feed(route, seconds, dice)
            yield from self._books(route, seconds, dice)
        for t in range(1, int(seconds) + 1):
            t_ns, own = self.start_ns + t * SECOND, self.own(t)
            lag = own.lag_ms
            yield (
                t_ns,
                SelfSample(
                    t_ns=t_ns,
                    loop_lag_p50_ms=min(lag, 0.5),
                    loop_lag_p99_ms=lag,
                    loop_lag_max_ms=lag,
                    clock_step_ms=own.clock_step_ms,
                ),
            )
            if t % 2 == 0 and own.witness is not None:
                late_ns = 0 if own.witness else int(1.8 * SECOND)
                for target in ("1.1.1.1:443", "8.8.8.8:443"):
                    ms = own.witness_ms if own.witness else None
                    yield t_ns + late_ns, WitnessSample(t_ns=t_ns, target=target, ok=own.witness, ms=ms)

    def _probes(self, route: str, seconds: float, dice: random.Random) -> Iterator[tuple[int, Sample]]:
        phase = dice.random() * self.probe_every_s
        for n in range(int(seconds / self.probe_every_s)):
            t_s = phase + n * self.probe_every_s
            c, t_ns = self.script(route, t_s), self.start_ns + int(t_s * SECOND)
            chance, noise = dice.random(), 1 + c.jitter * (dice.random() - 0.5) * 2
            if not (c.probed and c.measured):
                continue
            cold = n % 60 == 3
            if chance < c.lost_share:
                yield (
                    t_ns + int(TIMEOUT_MS * 1e6),
                    ProbeSample(
                        route=route,
                        t_ns=t_ns,
                        name="time",
                        cold=cold,
                        total_ms=TIMEOUT_MS,
                        lost=True,
                        failed_at=c.lost_at,
                        fault=c.lost_fault,
                        text=c.lost_text,
                    ),
                )
                continue
            total = c.rest_ms * noise + (c.connect_ms if cold else 0)
            status, fault, text = c.error if chance < c.lost_share + c.error_share else (200, None, "")
            yield (
                t_ns + int(total * 1e6),
                ProbeSample(
                    route=route,
                    t_ns=t_ns,
                    name="time",
                    cold=cold,
                    total_ms=total,
                    connect_ms=c.connect_ms if cold else None,
                    first_byte_ms=c.rest_ms * noise * 0.95,
                    body_ms=c.rest_ms * noise * 0.05,
                    tcp_rtt_ms=c.kernel_ms,
                    status=status,
                    fault=fault,
                    text=text,
                    offset_ms=c.offset_ms + dice.random() - 0.5 if fault is None else None,
                ),
            )

    def _silences(self, route: str, t_s: float, quiet_from: dict[str, float]) -> dict[str, float]:
        c = self.script(route, t_s)
        silences = {}
        for channel in self.channels:
            for symbol in self.symbols:
                key = f"{channel}:{symbol}"
                if not c.connected or {"*", channel, key, symbol} & {*c.silent, *c.never}:
                    quiet_from.setdefault(key, t_s)
                else:
                    quiet_from.pop(key, None)
                silences[key] = 1e3 * (t_s - quiet_from[key]) if key in quiet_from else 200.0
        return silences

    def _feed(self, route: str, seconds: float, dice: random.Random) -> Iterator[tuple[int, Sample]]:
        quiet_from: dict[str, float] = {}
        dead_from: float | None = None
        connected: bool | None = None
        for t in range(1, int(seconds) + 1):
            c, t_ns = self.script(route, t), self.start_ns + t * SECOND
            if not c.measured:
                continue
            silences = self._silences(route, t, quiet_from)
            dead = not c.connected or "*" in c.silent
            dead_from = (t if dead_from is None else dead_from) if dead else None
            part = sum(s <= 1_000 for s in silences.values()) / max(len(silences), 1)
            messages = 0 if dead else int(c.rate * part * (0.8 + 0.4 * dice.random()) + dice.random())
            if connected is not c.connected or t % 10 == 0:
                connected = c.connected
                yield (
                    t_ns,
                    LinkSample(
                        route=route,
                        t_ns=t_ns,
                        label="public",
                        connected=c.connected,
                        planned=c.planned,
                        fault=None if c.connected else c.link_fault,
                        http_status=None if c.connected else c.link_status,
                        text="" if c.connected else c.lost_text,
                        ws_ms=c.kernel_ms + 1 if c.connected else None,
                        tcp_rtt_ms=c.kernel_ms if c.connected else None,
                    ),
                )
            never = tuple(k for k in silences if {k, k.partition(":")[0]} & set(c.never) and silences[k] > 10_000)
            if c.pairs is not None:
                yield t_ns, WatchSample(route=route, t_ns=t_ns, pairs=c.pairs, why=c.unwatched_why)
            age = c.age_ms * (1 + 0.1 * (dice.random() - 0.5))
            yield (
                t_ns,
                FeedSample(
                    route=route,
                    t_ns=t_ns,
                    interval_ms=1_000.0,
                    messages=messages,
                    bursts=messages,
                    age_p50_ms=age if messages else None,
                    age_max_ms=2 * age if messages else None,
                    engine_lag_ms=c.engine_lag_ms if messages else None,
                    own_lag_ms=c.own_lag_ms if messages else None,
                    silence_ms=_silence_ms(c, t, dead_from),
                    channel_silence_ms=silences,
                    quiet_limit_ms={k: 1e3 * self.quiet_s[k.partition(":")[0]] for k in silences},
                    frozen_books=c.frozen_books,
                    offset_err_ms=1.0,
                    keepalive_ok=c.keepalive,
                    never_data=never,
                    unacknowledged=never if c.unacknowledged else (),
                ),
            )
            if c.notices or t % 30 == 1:
                yield t_ns, StatusSample(route=route, t_ns=t_ns, notices=c.notices)

    def _books(self, route: str, seconds: float, dice: random.Random) -> Iterator[tuple[int, Sample]]:
        mids = {s: 100.0 * (n + 1) for n, s in enumerate(self.symbols)}
        for t in range(1, int(seconds) + 1):
            c, t_ns = self.script(route, t), self.start_ns + t * SECOND
            if not c.measured:
                continue
            for symbol, mid in mids.items():
                wobble = 0.7 + 0.6 * dice.random()
                depth = c.depth * c.depth_factor.get(symbol, 1.0) * wobble
                yield (
                    t_ns,
                    BookSample(
                        route=route,
                        symbol=symbol,
                        t_ns=t_ns,
                        mid=mid * c.mid_factor.get(symbol, 1.0) * (1 + 1e-5 * (dice.random() - 0.5)),
                        spread_bps=c.spread_of.get(symbol, c.spread_bps),
                        depth_bid=depth,
                        depth_ask=depth * 1.1,
                        crossed=symbol in c.crossed,
                        disagrees=symbol in c.disagrees,
                        synced=c.connected and symbol not in c.unsynced,
                        expected=symbol not in c.hopeless,
                    ),
                )


def _silence_ms(c: Condition, t: int, dead_from: float | None) -> float | None:
    if not c.reached:
        return None
    return 1e3 * (t - dead_from) if dead_from is not None else 10.0


@dataclass
class Played:
    """Every verdict, once a second, and what was said of ourselves."""

    verdicts: list[Mapping[str, Verdict]]
    own: list[OwnState]
    judge: Judge

    def at(self, t_s: int, route: str) -> Verdict:
        return self.verdicts[t_s - 1][route]

    def states(self, route: str, start_s: int = 0, end_s: int | None = None) -> list[tuple[str, str | None]]:
        """Runs of equal (state, cause), in order."""
        runs: list[tuple[str, str | None]] = []
        for verdicts in self.verdicts[start_s:end_s]:
            v = verdicts[route]
            pair = (v.state.value, v.cause.value if v.cause is not None else None)
            if not runs or runs[-1] != pair:
                runs.append(pair)
        return runs


def play(
    world: World,
    seconds: int,
    *,
    domains: Mapping[str, str] | None = None,
    routes: Sequence[str] | None = None,
    ask_every_s: float = 1.0,
) -> Played:
    """Feeds the samples in order of arrival, asking for verdicts meanwhile."""
    judge = Judge(routes or world.routes, domains=domains)
    verdicts: list[Mapping[str, Verdict]] = []
    owns: list[OwnState] = []
    samples = iter(world.samples(seconds))
    pending = next(samples, None)
    for n in range(1, int(seconds / ask_every_s) + 1):
        now_ns = world.start_ns + int(n * ask_every_s * SECOND)
        while pending is not None and arrival_ns(pending) <= now_ns:
            judge.observe(pending)
            pending = next(samples, None)
        verdicts.append(judge.verdicts(now_ns))
        owns.append(judge.own())
    return Played(verdicts, owns, judge)


def arrival_ns(sample: Sample) -> int:
    """When a collector knows of a sample."""
    if isinstance(sample, ProbeSample):
        return sample.t_ns + int(sample.total_ms * 1e6)
    if isinstance(sample, WitnessSample) and not sample.ok:
        return sample.t_ns + int(1.8 * SECOND)
    return sample.t_ns


def during(
    script: Script, start_s: float, end_s: float, changes: Callable[[Condition, str, float], Condition]
) -> Script:
    """``script`` with ``changes`` applied from ``start_s`` until ``end_s``."""

    def changed(route: str, t_s: float) -> Condition:
        condition = script(route, t_s)
        return changes(condition, route, t_s) if start_s <= t_s < end_s else condition

    return changed


def only(*routes: str, **changes: object) -> Callable[[Condition, str, float], Condition]:
    """A change of the named routes (or venues) alone."""

    def change(condition: Condition, route: str, t_s: float) -> Condition:
        if route in routes or venue_of(route) in routes:
            return replace(condition, **changes)  # type: ignore[arg-type]  # field names are checked by replace()
        return condition

    return change


ACCUSING = {State.SUSPECT, State.CONGESTED, State.STALLED, State.DOWN, State.HALTED, State.BLOCKED}
GATEWAY = during(calm, 30, 70, only("binance.linear", rest_ms=400.0, error_share=0.25, age_ms=900.0))
"""The trouble of most tests: one venue's gateway, from second 30 to 70."""


def shifted(sample: Sample, by_ns: int) -> Sample:
    return structs.replace(sample, t_ns=sample.t_ns + by_ns)
