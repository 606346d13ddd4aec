"""Believable frames without a collector, for tests and to look at: ``python -m tests.tui.scripted 1011 30``."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from functools import cache
from typing import Literal, TypeAlias

from msgspec import structs

from feeds.collector.normal import HIGH_FLOOR_MS, high_from, is_own_late, is_thin, is_wide, venue_time_ms
from feeds.collector.summary import depth_totals, summary
from feeds.frame import (
    ChannelRow,
    Depth,
    EventRow,
    Frame,
    Order,
    PairRow,
    Percentiles,
    Phases,
    RestMs,
    RouteRow,
    SelfRow,
)
from feeds.link_messages import HISTORY_S, History
from feeds.model import SEVERITY, Cause, Evidence, Product, Reason, State
from tests.tui.scripted_advice import advice
from tui.history import HistoryBuffer
from tui.view import View

SECOND = 1_000_000_000
T0 = 1_760_130_180 * SECOND
"""2025-10-10 21:03:00 UTC: second 0 of every scenario."""
SCENARIOS = ("calm", "1011", "warmup", "lost", "uplink", "many", "closed", "empty")
SYMBOLS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT", "ETH/USDT")
Scenario: TypeAlias = str

_THREE = ("binance", "bybit", "okx")
_FIFTEEN = (
    "binance", "bitfinex", "bitget", "bitmart", "bybit", "coinex", "cryptocom", "deribit", "gate", "htx",
    "kraken", "kucoin", "mexc", "okx", "phemex",
)  # fmt: skip
_BASE = {"binance": (24.0, 2.1, 21.0), "okx": (29.0, 9.8, 12.4), "bybit": (31.0, 3.1, 10.1)}
"""REST ms, kernel ms, depth in millions."""


def venues(scenario: Scenario) -> Sequence[str]:
    return _FIFTEEN if scenario == "many" else _THREE


def frame(scenario: Scenario = "calm", t_s: float = 60.0, **changes: object) -> Frame:
    """What a collector would show at second ``t_s``; the same every time."""
    t_ns = T0 + int(t_s * SECOND)
    symbols = () if scenario == "empty" else SYMBOLS
    products: tuple[Product, ...] = ("linear", "spot")
    names = () if scenario == "empty" else venues(scenario)
    routes = tuple(route(scenario, f"{v}.{p}", t_s) for v in names for p in products)
    pairs = tuple(pair(scenario, r, s, t_s) for r in routes for s in symbols)
    order = Order(side="sell", notional=100_000.0)
    made = Frame(
        t_ns=t_ns,
        number=int(t_s * 4),
        vantage="tokyo-1",
        watchlist="majors",
        watchlists=("majors", "alts", "just [b]bitcoin[/b]"),
        simulated="1011" if scenario == "1011" else None,
        started_ns=T0 - 3600 * SECOND,
        symbols=symbols,
        home="binance.linear",
        order=order,
        routes=routes,
        pairs=pairs,
        advice=tuple(advice(scenario, s, routes, pairs, order, t_ns) for s in symbols) if scenario != "warmup" else (),
        own=own(scenario, t_s),
        events=events(scenario, t_s),
    )
    return completed(structs.replace(made, **changes))


def completed(shown: Frame) -> Frame:
    """The frame with everything that the collector derives from its rows. Call after rows were changed."""
    routes = tuple(
        structs.replace(
            row,
            venue_time_ms=venue_time_ms(row.warm.first_byte, row.tcp_ms),
            rest_high_ms=high_from(row.baseline_rest_ms, HIGH_FLOOR_MS),
            age_high_ms=high_from(row.baseline_age_ms, HIGH_FLOOR_MS),
        )
        for row in shown.routes
    )
    pairs = tuple(
        structs.replace(
            pair,
            thin=pair.state == "live" and is_thin(pair.depth.get("10"), pair.normal_depth),
            wide=pair.state == "live" and is_wide(pair.spread_bps, pair.normal_spread_bps),
        )
        for pair in shown.pairs
    )
    own_row = structs.replace(shown.own, late=is_own_late(shown.own.loop_lag_ms.p99))
    return structs.replace(
        shown,
        routes=routes,
        pairs=pairs,
        own=own_row,
        summary=summary(routes, shown.home, own_row),
        depth=tuple(depth_totals(shown.symbols, pairs)),
    )


def changed(shown: Frame, **changes: object) -> Frame:
    """Another frame, complete again."""
    return completed(structs.replace(shown, **changes))


def view(scenario: Scenario = "1011", t_s: float = 45.0, **changes: object) -> View:
    """What a screen looks at: a frame, without a history."""
    shown = frame(scenario, t_s)
    return structs.replace(View(history=HistoryBuffer(), frame=shown, now_ns=shown.t_ns), **changes)


def _noise(name: str, t_s: float) -> float:
    """-1 to 1, the same every time."""
    return random.Random(f"{name}:{int(t_s)}").uniform(-1, 1)


def _trouble(scenario: Scenario, name: str, t_s: float) -> float:
    """0 to 1: how deep in the story this route is."""
    if scenario == "1011" and name.startswith("binance"):
        share = min(1.0, max(0.0, (t_s - 12) / 15))
        return share if name == "binance.linear" else share * 0.35
    return 0.0


def _state(scenario: Scenario, name: str, t_s: float) -> tuple[State, Cause | None, int | None, float]:
    """State, cause, score and since when (seconds)."""
    if scenario == "warmup":
        return State.UNKNOWN, Cause.WARMING, None, 0.0
    if scenario == "uplink":
        return State.UNKNOWN, Cause.UPLINK, None, 20.0
    if scenario == "closed":
        shut = {
            "binance.linear": (State.DOWN, Cause.GATEWAY, 96, 20.0),
            "binance.spot": (State.STALLED, Cause.FEED, 80, 31.0),
            "bybit.linear": (State.HALTED, Cause.PLANNED, 100, 5.0),
            "bybit.spot": (State.BLOCKED, None, 100, 2.0),
            "okx.linear": (State.CONGESTED, Cause.LIQUIDITY, 55, 25.0),
            "okx.spot": (State.UNKNOWN, Cause.WARMING, None, 40.0),
        }
        return shut[name]
    if scenario == "many":
        odd = {
            "htx.linear": (State.UNKNOWN, Cause.WARMING, None, 50.0),
            "mexc.spot": (State.SUSPECT, Cause.PRICE, 31, 12.0),
        }
        if name in odd:
            return odd[name]
    depth = _trouble(scenario, name, t_s)
    if depth > 0.6:
        return State.CONGESTED, Cause.GATEWAY, round(40 + depth * 32), 21.0
    if depth > 0.05:
        return State.SUSPECT, Cause.GATEWAY, round(20 + depth * 40), 13.0 if name == "binance.linear" else 16.0
    return State.OK, None, max(0, round(2 + 2 * _noise(name, t_s // 5))), -11_520.0


def route(scenario: Scenario, name: str, t_s: float) -> RouteRow:
    venue, _, word = name.partition(".")
    product: Product = "spot" if word == "spot" else "linear"
    rest0, tcp, _ = _BASE.get(venue, (40 + 9 * (len(venue) % 7), 12.0 + len(venue), 4.0))
    rest0 += 3 if product == "spot" else 0
    state, cause, score, since_s = _state(scenario, name, t_s)
    trouble = _trouble(scenario, name, t_s)
    rest = rest0 * (1 + 0.08 * _noise(name, t_s)) * (1 + 34 * trouble**2)
    age = (18 + len(venue)) * (1 + 0.1 * _noise(name + "a", t_s)) * (1 + 30 * trouble**3)
    dead = state in (State.DOWN, State.STALLED)
    warming = state is State.UNKNOWN and scenario == "warmup"
    silence = 14_000.0 if state is State.STALLED else 5_200.0 if state is State.DOWN else 40.0
    since_ns = T0 + int(since_s * SECOND)
    return RouteRow(
        route=name,
        venue=venue,
        product=product,
        state=state,
        cause=cause,
        score=score,
        since_ns=since_ns,
        reasons=_reasons(state, cause, rest, rest0, age, since_ns),
        rest_ms=RestMs() if warming else RestMs(p50=rest, p99=rest * 3.8, lost=0.12 if trouble > 0.6 else 0.0),
        ws_ms=Percentiles() if warming else Percentiles(p50=tcp + 9, p99=tcp + 30),
        tcp_ms=tcp,
        feed_age_ms=Percentiles() if warming else Percentiles(p50=age, p99=age * 3),
        engine_lag_ms=1.2 + trouble,
        silence_ms=silence,
        msgs_s=None if warming else 0.0 if dead else 250 + 40 * _noise(name + "m", t_s),
        gaps=2 if trouble > 0.5 else 0,
        resyncs=2 if trouble > 0.5 else 0,
        reconnects=1,
        weight_used=0.04,
        offset_ms=1.4,
        offset_err_ms=0.9,
        connected=state is not State.DOWN,
        sockets_up=0 if state is State.DOWN else 2,
        sockets=2,
        error_share=0.12 if trouble > 0.6 else 0.0,
        errors=(("503 Service Unavailable", 31), ("-1008 Server is currently overloaded with other requests", 6))
        if trouble > 0.6
        else (),
        warm=Phases() if warming else Phases(first_byte=rest - 0.4, body=0.4),
        cold=Phases(resolve=1.1, connect=tcp, tls=tcp * 2.2, first_byte=rest * 1.05, body=0.6),
        baseline_rest_ms=None if warming else rest0,
        baseline_age_ms=None if warming else 18.0 + len(venue),
        channels=_channels(state, t_s),
        garbled=0,
        unknown=3,
        notes=("Scheduled maintenance of futures from 22:00 UTC, about 2 h.",) if state is State.HALTED else (),
    )


def _reasons(
    state: State, cause: Cause | None, rest: float, rest0: float, age: float, since_ns: int
) -> tuple[Reason, ...]:
    if state in (State.OK, State.UNKNOWN):
        return ()
    made = [
        Reason(
            signal="rest_rtt_last5_ms",
            evidence=Evidence.REST,
            value=rest,
            baseline=rest0,
            ratio=rest / rest0,
            since_ns=since_ns,
            points=32,
            text=f"first byte p50 {rest:.0f} ms, baseline {rest0:.0f}; kernel rtt unchanged",
        )
    ]
    if state is not State.SUSPECT:
        made += [
            Reason(
                signal="rest_error_last30s_share",
                evidence=Evidence.REST,
                value=0.12,
                since_ns=since_ns + SECOND,
                points=20,
                text='12 % of probes answered 503 "Service Unavailable"',
            ),
            Reason(
                signal="feed_age_last5s_ms",
                evidence=Evidence.FEED,
                value=age,
                baseline=25.0,
                ratio=age / 25,
                since_ns=since_ns + 2 * SECOND,
                points=19,
                text=f"book messages {age:.0f} ms old, baseline 25",
            ),
        ]
    return tuple(made)


def _channels(state: State, t_s: float) -> tuple[ChannelRow, ...]:
    silent = state is State.STALLED
    return (
        ChannelRow(
            channel="book:BTC/USDT:USDT",
            msgs_s=0.0 if silent else 10.0,
            silence_ms=14_000.0 if silent else 60.0,
            limit_ms=5_000.0,
            state="silent" if silent else "live",
        ),
        ChannelRow(channel="trades:BTC/USDT:USDT", msgs_s=31.5, silence_ms=120.0, limit_ms=60_000.0, state="live"),
        ChannelRow(channel="liquidations", msgs_s=0.0, silence_ms=184_000.0, limit_ms=600_000.0, state="quiet"),
        ChannelRow(channel="mark:BTC/USDT:USDT", msgs_s=1.0, silence_ms=700.0, limit_ms=10_000.0, state="live"),
    )


def pair(scenario: Scenario, row: RouteRow, symbol: str, t_s: float) -> PairRow:
    base = symbol.partition("/")[0]
    listed = (row.product == "linear") == (":" in symbol)
    mid = (121_400.0 if base == "BTC" else 4_370.0) * (1 + 0.0004 * math.sin(t_s / 20))
    trouble = _trouble(scenario, row.route, t_s)
    state: Literal["waiting", "live", "stale", "resyncing", "refused", "absent"] = "live"
    if not listed:
        state = "absent"
    elif scenario == "warmup":
        state = "waiting"
    elif row.state in (State.STALLED, State.DOWN):
        state = "stale"
    elif row.state is State.BLOCKED:
        state = "refused"
    size = _BASE.get(row.venue, (0, 0, 1.5 + len(row.venue) / 3))[2] * (1e6 if base == "BTC" else 5e5)
    spread = (0.08 + len(row.venue) / 60) * (1 + 0.3 * _noise(row.route + symbol, t_s)) * (1 + 6 * trouble)
    factor = (1 - 0.85 * trouble) * (1 + 0.06 * _noise(row.route + "d", t_s // 3))
    here = {
        b: Depth(bid=size * k * factor, ask=size * k * factor * 0.96)
        for b, k in (("10", 1), ("25", 2.2), ("50", 3.7), ("100", 6))
    }
    blank = state in ("absent", "waiting", "refused")
    return PairRow(
        route=row.route,
        symbol=symbol,
        base=base,
        quote="USDT",
        product=row.product,
        state=state,
        bid=None if blank else mid * (1 - spread / 2e4),
        ask=None if blank else mid * (1 + spread / 2e4),
        tick=0.1,
        spread_bps=None if blank else spread,
        depth={} if blank else here,
        normal_depth=None if blank else Depth(bid=size, ask=size * 0.96),
        normal_spread_bps=None if blank else 0.08 + len(row.venue) / 60,
        gap_bps=None if blank else 0.4 * _noise(row.route + "g", t_s),
        age_ms=None if blank else row.feed_age_ms.p50,
        quiet_ms=None if blank else row.silence_ms,
    )


def own(scenario: Scenario, t_s: float) -> SelfRow:
    down = scenario == "uplink" and t_s >= 20
    return SelfRow(
        loop_lag_ms=Percentiles(p50=0.1, p99=0.4 + 0.1 * _noise("own", t_s)),
        witness="down" if down else "up",
        witness_ms=None if down else 1.2 + 0.1 * _noise("w", t_s),
        witness_since_ns=T0 + 20 * SECOND if down else T0,
        uplink="down" if down else "up",
        uplink_since_ns=T0 + 20 * SECOND if down else T0,
        clock="within 1 ms of all venues",
        msgs_s=1500.0,
    )


_STORY: tuple[tuple[float, Literal["info", "warning", "alarm"], str, str | None, str], ...] = (
    (-182, "info", "reconnect", "bybit.linear", "bybit.linear daily reconnect done in 0.8 s, no gap"),
    (-40, "info", "liquidation", "okx.linear", "okx.linear liquidations 4.1M in the last minute"),
    (13, "warning", "state", "binance.linear", "binance.linear ok -> suspect, gateway"),
    (16, "warning", "state", "binance.spot", "binance.spot ok -> suspect, gateway"),
    (
        21, "alarm", "state", "binance.linear",
        "binance.linear suspect -> congested, gateway: first byte p50 842 ms, baseline 24; kernel rtt unchanged 2.1; "
        '503 "Service Unavailable" 12 %',
    ),
    (24, "info", "gap", "binance.linear", "binance.linear BTC/USDT:USDT gap of 3, resynced in 0.4 s"),
    (
        27, "alarm", "advice", None,
        "sell 100k BTC/USDT:USDT: binance.linear -> okx.linear, saves 4.1 bp (REST 35x baseline, 12 % of probes 503)",
    ),
)  # fmt: skip


def events(scenario: Scenario, t_s: float) -> tuple[EventRow, ...]:
    story = _STORY if scenario == "1011" else _STORY[:2]
    rows = [
        EventRow(t_ns=T0 + int(at * SECOND), level=level, code=code, route=route, text=text, seq=n)
        for n, (at, level, code, route, text) in enumerate(story)
        if at <= t_s
    ]
    return () if scenario in ("warmup", "empty") else tuple(rows)


@cache
def history(scenario: Scenario = "calm", t_s: float = 60.0, length_s: int = HISTORY_S) -> History:
    """The half hour before ``t_s``, or less."""
    routes = [f"{v}.{p}" for v in venues(scenario) for p in ("linear", "spot")]
    series: dict[str, list[float | None]] = {}
    rest = random.Random(1)
    for name in routes:
        rows = [route(scenario, name, t_s - length_s + 1 + i) for i in range(length_s)]
        lost = [0.1 if r.rest_ms.lost or rest.random() < 0.001 else 0.0 for r in rows]
        series |= {
            f"rest:{name}": [r.rest_ms.p50 for r in rows],
            f"lost:{name}": list(lost),
            f"age:{name}": [r.feed_age_ms.p50 for r in rows],
            f"score:{name}": [r.score for r in rows],
            f"state:{name}": [SEVERITY[r.state] for r in rows],
            f"since:{name}": [r.since_ns / 1e9 for r in rows],
        }
        for symbol in SYMBOLS:
            live = [pair(scenario, r, symbol, t_s - length_s + 1 + i) for i, r in enumerate(rows)]
            if live[0].state == "absent":
                continue
            series[f"spread:{name}:{symbol}"] = [p.spread_bps for p in live]
            series[f"bid10:{name}:{symbol}"] = [p.depth["10"].bid if p.depth else None for p in live]
            series[f"ask10:{name}:{symbol}"] = [p.depth["10"].ask if p.depth else None for p in live]
    for symbol in SYMBOLS:
        series[f"venues:{symbol}"] = [
            _venues(symbol, [pair(scenario, route(scenario, name, t), symbol, t) for name in routes])
            for t in (t_s - length_s + 1 + i for i in range(length_s))
        ]
    return History(end_ns=T0 + int(t_s * SECOND), step_s=1.0, series=series)


def _venues(symbol: str, pairs: Sequence[PairRow]) -> float | None:
    (total,) = depth_totals((symbol,), pairs)
    band = total.bands.get("10")
    return None if band is None else band.effective_venues


def main(arguments: Sequence[str]) -> int:
    from tests.tui.scripted_source import PlayedSource  # it plays what is made here
    from tui.app import run

    scenario = arguments[0] if arguments else "1011"
    if scenario not in SCENARIOS:
        print(f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)}", file=sys.stderr)
        return 2
    begin_s = float(arguments[1]) if len(arguments) > 1 else 0.0
    return run(PlayedSource(scenario, begin_s), theme="light" if "light" in arguments else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
