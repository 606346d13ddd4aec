"""The conditions of a scenario at one moment, combined from its phases, and the random choices for single calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp
from random import Random

from msgspec import Struct

from feeds.model import Channel, StatusNotice
from feeds.sim.market.profile import RouteProfile
from feeds.sim.scenario import Band, ErrorShare, Event, Phase, Scenario, Truth, Where, matches

QUANTUM_S = 0.05
"""Conditions are computed this often and hold in between."""


class RouteCondition(Struct, frozen=True, kw_only=True):
    """Faults of a route's network, REST API and feed."""

    rest_factor: float = 1.0
    rest_extra_ms: float = 0.0
    rest_sigma: float | None = None
    rest_hang_share: float = 0.0
    errors: tuple[ErrorShare, ...] = ()
    refuse_share: float = 0.0
    hang_share: float = 0.0
    blackhole: bool = False
    feed_delay_ms: float = 0.0
    feed_sigma: float = 0.0
    engine_lag_ms: float = 0.0
    held_until_s: float | None = None
    """Nothing is pushed until this second of the scenario."""
    clock_ms: float = 0.0
    no_withdraw: frozenset[str] = frozenset()


class PairCondition(Struct, frozen=True, kw_only=True):
    """State of one pair's book on one route."""

    frozen: bool = False
    silent: frozenset[Channel] = frozenset()
    depth: tuple[Band, ...] = ()
    spread_factor: float = 1.0
    spread_bps: float = 0.0
    price_bps: float = 0.0
    traffic: float = 1.0
    liquidations: float = 1.0


class MarketCondition(Struct, frozen=True, kw_only=True):
    """State of a symbol on all routes."""

    volatility: float = 1.0
    drift_bps_s: float = 0.0


CALM_ROUTE = RouteCondition()
CALM_PAIR = PairCondition()
CALM_MARKET = MarketCondition()


def weight(phase: Phase, t_s: float) -> float:
    """How much of a phase applies at a second of the scenario, 0 to 1."""
    if not phase.from_s <= t_s < phase.to_s:
        return 0.0
    if phase.wave_s is not None and (t_s - phase.from_s) % phase.wave_s >= phase.duty * phase.wave_s:
        return 0.0
    if phase.ramp_s <= 0:
        return 1.0
    # never 0 inside the span, so that on/off faults apply from its first moment
    return max(1e-3, min(1.0, (t_s - phase.from_s) / phase.ramp_s, (phase.to_s - t_s) / phase.ramp_s))


def route_condition(active: Sequence[tuple[Phase, float]], t_s: float) -> RouteCondition:
    """Combines active phases, each with its weight, for one route."""
    held = [
        t_s + phase.hold_s - (t_s - phase.from_s) % phase.hold_every_s
        for phase, _ in active
        if phase.hold_s and (t_s - phase.from_s) % phase.hold_every_s < phase.hold_s
    ]
    return RouteCondition(
        rest_factor=_product((phase.rest_factor, share) for phase, share in active),
        rest_extra_ms=sum(phase.rest_extra_ms * share for phase, share in active),
        rest_sigma=next((phase.rest_sigma for phase, _ in reversed(active) if phase.rest_sigma is not None), None),
        rest_hang_share=_chance(phase.rest_hang_share * share for phase, share in active),
        errors=tuple(
            ErrorShare(share=error.share * share, status=error.status, kind=error.kind, on=error.on)
            for phase, share in active
            for error in phase.errors
        ),
        refuse_share=_chance(phase.refuse_share * share for phase, share in active),
        hang_share=_chance(phase.hang_share * share for phase, share in active),
        blackhole=any(phase.blackhole for phase, _ in active),
        feed_delay_ms=sum(phase.feed_delay_ms * share for phase, share in active),
        feed_sigma=max((phase.feed_sigma for phase, _ in active), default=0.0),
        engine_lag_ms=sum(phase.engine_lag_ms * share for phase, share in active),
        held_until_s=max(held, default=None),
        clock_ms=sum(phase.clock_ms * share for phase, share in active),
        no_withdraw=frozenset(coin for phase, _ in active for coin in phase.no_withdraw),
    )


def pair_condition(active: Sequence[tuple[Phase, float]]) -> PairCondition:
    """Combines active phases, each with its weight, for one pair of one route."""
    return PairCondition(
        frozen=any(phase.frozen for phase, _ in active),
        silent=frozenset(channel for phase, _ in active for channel in phase.silent),
        depth=_bands([(phase.depth, share) for phase, share in active if phase.depth]),
        spread_factor=_product((phase.spread_factor, share) for phase, share in active),
        spread_bps=sum(phase.spread_bps * share for phase, share in active),
        price_bps=max(-9_999.0, sum(phase.price_bps * share for phase, share in active)),
        traffic=_product((phase.traffic, share) for phase, share in active),
        liquidations=_product((phase.liquidations, share) for phase, share in active),
    )


class Timeline:
    """Answers what a scenario says at one of its seconds: conditions, events, notices, the expected verdict."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._phases: list[Phase] = list(scenario.phase)
        self._of_route: dict[str, list[Phase]] = {}
        self._of_pair: dict[tuple[str, str], list[Phase]] = {}
        self._route_memo: dict[str, tuple[int, RouteCondition]] = {}
        self._pair_memo: dict[tuple[str, str], tuple[int, PairCondition]] = {}

    def add(self, phase: Phase) -> None:
        """Adds a phase that is not in the file (from the control endpoint)."""
        self._phases.append(phase)
        for memo in (self._of_route, self._of_pair, self._route_memo, self._pair_memo):
            memo.clear()

    def route(self, route: str, t_s: float) -> RouteCondition:
        quantum = int(t_s / QUANTUM_S)
        known = self._route_memo.get(route)
        if known is not None and known[0] == quantum:
            return known[1]
        phases = self._of_route.get(route)
        if phases is None:
            phases = self._of_route[route] = [phase for phase in self._phases if matches(phase.routes, route)]
        active = _active(phases, t_s)
        condition = route_condition(active, t_s) if active else CALM_ROUTE
        self._route_memo[route] = (quantum, condition)
        return condition

    def pair(self, route: str, symbol: str, t_s: float) -> PairCondition:
        key = (route, symbol)
        quantum = int(t_s / QUANTUM_S)
        known = self._pair_memo.get(key)
        if known is not None and known[0] == quantum:
            return known[1]
        phases = self._of_pair.get(key)
        if phases is None:
            phases = self._of_pair[key] = [
                phase for phase in self._phases if matches(phase.routes, route) and matches(phase.symbols, symbol)
            ]
        active = _active(phases, t_s)
        condition = pair_condition(active) if active else CALM_PAIR
        self._pair_memo[key] = (quantum, condition)
        return condition

    def market(self, symbol: str, t_s: float) -> MarketCondition:
        """For a spot symbol such as ``BTC/USDT``. A phase's patterns may match it or its perpetual's symbol."""
        perpetual = f"{symbol}:{symbol.rpartition('/')[2]}"
        active = [
            (phase, share)
            for phase, share in _active(self._phases, t_s)
            if matches(phase.symbols, symbol) or matches(phase.symbols, perpetual)
        ]
        if not active:
            return CALM_MARKET
        return MarketCondition(
            volatility=_product((phase.volatility, share) for phase, share in active),
            drift_bps_s=sum(phase.drift_bps_s * share for phase, share in active),
        )

    def witness_down(self, t_s: float) -> bool:
        return any(phase.witness_down for phase, _ in _active(self._phases, t_s))

    def notices(self, venue: str, t_s: float, ns_at: Mapping[float, int] | None = None) -> list[StatusNotice]:
        """The venue's official status at that second. ``ns_at``: clock time of the begin and end of entries."""
        clock = ns_at or {}
        return [
            StatusNotice(
                state=entry.state,
                text=entry.text,
                products=entry.products,
                begin_ns=clock.get(entry.from_s),
                end_ns=clock.get(entry.to_s),
            )
            for entry in self.scenario.notice
            if entry.from_s <= t_s < entry.to_s and matches(entry.venues, venue)
        ]

    def events(self, after_s: float, until_s: float) -> list[tuple[Event, int]]:
        """Events in (after, until], each with the number of its repetition, in the order of the file."""
        return [(event, n) for event in self.scenario.event for n in _repeats(event, after_s, until_s)]

    def truth(self, route: str, t_s: float) -> Truth | None:
        """The allowed verdicts on a route. None: the file says nothing, so only ok is allowed."""
        fitting = [
            truth for truth in self.scenario.truth if truth.from_s <= t_s < truth.to_s and matches(truth.routes, route)
        ]
        return fitting[-1] if fitting else None

    def active(self, t_s: float) -> list[Phase]:
        return [phase for phase, _ in _active(self._phases, t_s)]


def rest_delay_s(profile: RouteProfile, condition: RouteCondition, rng: Random) -> float:
    """Time a venue needs for one REST call, in seconds: lognormal around the route's median."""
    sigma = profile.rest_sigma if condition.rest_sigma is None else condition.rest_sigma
    median_ms = profile.rest_ms * condition.rest_factor + condition.rest_extra_ms
    return median_ms * exp(rng.gauss(0.0, sigma)) / 1e3


def feed_delay_s(profile: RouteProfile, condition: RouteCondition, rng: Random) -> float:
    """Time from the gateway's time stamp to the socket, in seconds."""
    base = profile.feed_ms * exp(rng.gauss(0.0, profile.feed_sigma))
    extra = condition.feed_delay_ms * exp(rng.gauss(0.0, condition.feed_sigma)) if condition.feed_delay_ms else 0.0
    return (base + extra) / 1e3


def pick_error(condition: RouteCondition, where: Where, rng: Random) -> ErrorShare | None:
    """The error that answers this call, None for no error."""
    dice = rng.random()
    for error in condition.errors:
        if error.on in (where, "both"):
            dice -= error.share
            if dice < 0:
                return error
    return None


def depth_factor(bands: Sequence[Band], distance_bps: float) -> float:
    for band in bands:
        if distance_bps <= band.within_bps:
            return band.factor
    return 1.0


def _active(phases: Sequence[Phase], t_s: float) -> list[tuple[Phase, float]]:
    return [(phase, share) for phase in phases if (share := weight(phase, t_s)) > 0]


def _repeats(event: Event, after_s: float, until_s: float) -> Iterator[int]:
    if event.every_s is None:
        if after_s < event.at_s <= until_s:
            yield 0
        return
    last_s = min(until_s, float("inf") if event.until_s is None else event.until_s)
    n = max(0, int((after_s - event.at_s) / event.every_s))
    while (t_s := event.at_s + n * event.every_s) <= last_s:
        if t_s > after_s:
            yield n
        n += 1


def _product(factors: Iterator[tuple[float, float]]) -> float:
    result = 1.0
    for factor, share in factors:
        if factor != 1.0:
            result *= max(factor, 1e-9) ** share if share < 1 else factor
    return result


def _chance(shares: Iterator[float]) -> float:
    missed = 1.0
    for share in shares:
        missed *= 1.0 - share
    return 1.0 - missed


def _bands(weighted: Sequence[tuple[tuple[Band, ...], float]]) -> tuple[Band, ...]:
    limits = sorted({band.within_bps for bands, _ in weighted for band in bands})
    return tuple(
        Band(within_bps=limit, factor=_product((depth_factor(bands, limit), share) for bands, share in weighted))
        for limit in limits
    )
