"""Headless logging: frames as JSON lines.

The first row is ``kind: header``. Every row has ``t`` (integer nanoseconds since the epoch), ``kind`` and ``vantage``;
``route_row``, ``pair_row`` and ``rows`` hold the other fields. Missing is ``null``, never 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from feeds.frame import SCHEMA, AdviceRow, Frame, PairRow, RouteRow
from feeds.publish.schedule import FrameSchedule

Row = dict[str, Any]

_encode = msgspec.json.Encoder(decimal_format="number").encode

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


class LogFile:
    """Appends frames to a file or writes them to stdout, at most one every ``every_s``; the last one always."""

    def __init__(self, out: str, every_s: float, version: str) -> None:
        """Raises OSError when ``out`` cannot be opened."""
        self._schedule = FrameSchedule(every_s)
        self._version = version
        self._file: BinaryIO = sys.stdout.buffer if out == "-" else Path(out).open("ab")  # noqa: SIM115 - held open; close() ends it
        self._headed = False
        self._event = -1
        self._written: Frame | None = None
        self._latest: Frame | None = None

    def frame(self, frame: Frame) -> None:
        """Raises OSError (BrokenPipeError when a reader of stdout has gone)."""
        self._latest = frame
        if self._schedule.due(frame):
            self._write(frame)

    def close(self) -> None:
        """Writes the last frame, if the schedule has left it out."""
        if self._latest is not None and self._latest is not self._written:
            self._write(self._latest)
        self._file.flush()
        if self._file is not sys.stdout.buffer:
            self._file.close()

    def _write(self, frame: Frame) -> None:
        lines = bytearray()
        if not self._headed:
            self._headed = True
            lines += _encode(header(frame, self._version)) + b"\n"
        for row in rows(frame, self._event):
            lines += _encode(row) + b"\n"
        if frame.events:
            self._event = frame.events[-1].seq
        self._written = frame
        self._file.write(lines)
        self._file.flush()
