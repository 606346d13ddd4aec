"""The rows that scripts and auditors read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feeds.frame import Depth
from feeds.publish.log_file import LogFile
from tests.feeds.frames import SECOND_NS, T0_NS, frame, pair_row, route_row


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def log_of(path: Path, *frames: Any, every_s: float = 1.0) -> list[dict[str, Any]]:
    log = LogFile(str(path), every_s, "0.1.0")
    for one in frames:
        log.frame(one)
    assert asyncio.run(log.close()) == (0, "nothing was taken")
    return written(path)


def test_the_first_row_is_the_header_and_every_row_has_time_kind_and_vantage(tmp_path: Path) -> None:
    rows = log_of(tmp_path / "log", frame())
    assert rows[0]["kind"] == "header"
    assert rows[0]["schema"] == 1
    assert rows[0]["watchlist"]["home"] == "binance.linear"
    assert [r["kind"] for r in rows[1:]] == ["event", "route", "pair", "advice", "self"]
    assert all(isinstance(r["t"], int) and r["vantage"] == "test" for r in rows)


def test_a_route_row_has_the_fields_of_the_design(tmp_path: Path) -> None:
    (row,) = (r for r in log_of(tmp_path / "log", frame()) if r["kind"] == "route")
    assert row["state"] == "congested" and row["cause"] == "gateway" and row["since"] == T0_NS
    assert row["rest_ms"] == {"p50": 842.0, "p99": 3200.0, "lost": 0.12}
    assert row["reasons"][0]["text"] == "first byte p50 842 ms, baseline 24"
    missing = {"tcp_ms", "engine_lag_ms", "silence_ms", "weight_used", "offset_ms", "offset_err_ms"}
    assert {k for k in missing if row[k] is None} == missing  # null, never 0


def test_our_own_row_says_null_for_what_is_not_measured(tmp_path: Path) -> None:
    (row,) = (r for r in log_of(tmp_path / "log", frame()) if r["kind"] == "self")
    assert row.keys() == {"t", "kind", "vantage", "loop_lag_ms", "backlog", "witness", "clock"}
    assert row["backlog"] is None


def test_a_stale_pair_keeps_its_age_and_loses_its_prices(tmp_path: Path) -> None:
    live, stale = (
        r
        for r in log_of(tmp_path / "log", frame(pairs=(pair_row(), pair_row(state="stale", age_ms=9000.0))))
        if r["kind"] == "pair"
    )
    assert live["bid"] == 100.0 and live["depth"]["25"] == {"bid": 2e6, "ask": None}
    assert stale["bid"] is stale["ask"] is stale["spread_bps"] is stale["depth"] is None
    assert stale["age_ms"] == 9000.0


def test_rows_are_paced_events_are_never_skipped_nor_repeated_and_the_last_frame_is_written(tmp_path: Path) -> None:
    frames = [frame(n, T0_NS + n * SECOND_NS // 4) for n in range(10)]
    all_events = tuple(e for f in frames for e in f.events)
    frames = [msgspec.structs.replace(f, events=all_events[: n + 1]) for n, f in enumerate(frames)]
    rows = log_of(tmp_path / "log", *frames)
    times = [(r["t"] - T0_NS) / SECOND_NS for r in rows if r["kind"] == "self"]
    assert times == pytest.approx([0.0, 1.0, 2.0, 2.25])
    assert [r["t"] for r in rows if r["kind"] == "event"] == [e.t_ns for e in all_events]


def test_a_log_file_is_appended_to(tmp_path: Path) -> None:
    log_of(tmp_path / "log", frame())
    rows = log_of(tmp_path / "log", frame(routes=(route_row(), route_row("okx.linear"))))
    assert [r["kind"] for r in rows].count("header") == 2


def test_not_a_number_is_written_as_null(tmp_path: Path) -> None:
    (row,) = (
        r
        for r in log_of(tmp_path / "log", frame(pairs=(pair_row(depth={"10": Depth(float("nan"), 1.0)}),)))
        if r["kind"] == "pair"
    )
    assert row["depth"]["10"] == {"bid": None, "ask": 1.0}
