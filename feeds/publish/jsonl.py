"""The rows of a log: frames as JSON lines. ``log_file`` writes them.

The first row is ``kind: header``. Every row has ``t`` (integer nanoseconds since the epoch), ``kind`` and ``vantage``;
``route_row``, ``pair_row`` and ``rows`` hold the other fields. Missing is ``null``, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from feeds.frame import SCHEMA, AdviceRow, Frame, PairRow, RouteRow

Row = dict[str, Any]

encode = msgspec.json.Encoder(decimal_format="number").encode
"""A row as JSON, without the end of its line."""

_ADVICE_SCREEN_ONLY = ("costs", "effective_venues", "split_cost_bps", "since_ns", "why")


def header(frame: Frame, version: str) -> Row:
    return {
        "t": frame.t_ns,
        "kind": "header",
        "vantage": frame.vantage,
        "schema": SCHEMA,
        "detour": version,
        "watchlist": {
            "name": frame.watchlist,
            "symbols": frame.symbols,
            "routes": tuple(r.route for r in frame.routes),
            "home": frame.home,
            "side": frame.order.side,
            "notional": frame.order.notional,
        },
        "simulated": frame.simulated,
        "clock": frame.own.clock,
    }


def route_row(row: RouteRow) -> Row:
    return {
        "route": row.route,
        "state": row.state,
        "cause": row.cause,
        "score": row.score,
        "since": row.since_ns,
        "reasons": row.reasons,
        "rest_ms": row.rest_ms,
        "ws_ms": row.ws_ms,
        "tcp_ms": row.tcp_ms,
        "feed_age_ms": row.feed_age_ms,
        "engine_lag_ms": row.engine_lag_ms,
        "silence_ms": row.silence_ms,
        "msgs_s": row.msgs_s,
        "gaps": row.gaps,
        "resyncs": row.resyncs,
        "reconnects": row.reconnects,
        "weight_used": row.weight_used,
        "offset_ms": row.offset_ms,
        "offset_err_ms": row.offset_err_ms,
    }


def pair_row(row: PairRow) -> Row:
    """Figures of a pair that is not live are null: a stale number must not read as a current one."""
    live = row.state == "live"
    return {
        "route": row.route,
        "symbol": row.symbol,
        "stands_for": row.stands_for,
        "state": row.state,
        "quote": row.quote,
        "bid": row.bid if live else None,
        "ask": row.ask if live else None,
        "spread_bps": row.spread_bps if live else None,
        "depth": row.depth if live else None,
        "gap_bps": row.gap_bps if live else None,
        "age_ms": row.age_ms,
    }


def advice_row(row: AdviceRow) -> Row:
    fields: Row = msgspec.to_builtins(row)
    return {name: value for name, value in fields.items() if name not in _ADVICE_SCREEN_ONLY}


def rows(frame: Frame, seen_event: int) -> Iterator[Row]:
    """All rows of one frame; events only from number ``seen_event`` + 1 on."""

    def row(kind: str, fields: Row, t_ns: int = frame.t_ns) -> Row:
        return {"t": t_ns, "kind": kind, "vantage": frame.vantage, **fields}

    for event in frame.events:
        if event.seq > seen_event:
            yield row(
                "event",
                {"level": event.level, "code": event.code, "route": event.route, "text": event.text},
                event.t_ns,
            )
    for route in frame.routes:
        yield row("route", route_row(route))
    for pair in frame.pairs:
        yield row("pair", pair_row(pair))
    for basis in frame.basis:
        yield row("basis", msgspec.to_builtins(basis))
    for advice in frame.advice:
        yield row("advice", advice_row(advice))
    own = frame.own
    # backlog: not measured. The key stays, so that the row keeps its shape.
    yield row(
        "self",
        {"loop_lag_ms": own.loop_lag_ms, "backlog": None, "witness": own.witness, "clock": own.clock},
    )
