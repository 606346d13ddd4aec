"""The whole product where there is no road: without a route, with packets swallowed, with IPv6 black-holed.

Every command ends in time, what is healthy stays healthy, and nobody is accused of what is ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.namespace import inside, namespace, needs_namespaces

pytestmark = needs_namespaces
BLAMELESS = {"unknown", "ok"}


def home(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")}
    return {**kept, **{f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CACHE", "CONFIG", "STATE")}}


@contextlib.contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = inside(sys.executable, "-m", "tui.commands.main", *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=home(tmp_path), text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def row(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def rest_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Its rows until it ends by itself (pytest's time limit ends it otherwise)."""
    assert process.stdout is not None
    rows = [json.loads(line) for line in process.stdout]
    assert process.wait() == 0
    return rows


def accused(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    routes = [row for row in rows if row["kind"] == "route" and row["state"] not in BLAMELESS]
    return [(row["route"], row["state"], row["cause"]) for row in routes]


@pytest.mark.parametrize("swallow", [False, True])
def test_without_a_road_it_ends_in_time_and_accuses_nobody(tmp_path: Path, swallow: bool) -> None:
    with namespace(swallow=swallow), running(tmp_path, "log", "--for", "20s", "--out", "-") as process:
        first = row(process)
        began = time.monotonic()
        rows = rest_of(process)
        took_s = time.monotonic() - began
    assert first["kind"] == "header" and took_s < 20 + 3
    assert len({r["route"] for r in rows if r["kind"] == "route"}) > 20
    assert [r["witness"] for r in rows if r["kind"] == "self"][-1] == "down"
    assert accused([r for r in rows if r["t"] >= rows[-1]["t"] - 8e9]) == []


@pytest.mark.parametrize("swallow", [False, True])
def test_an_interrupt_is_heard_at_once_without_a_road(tmp_path: Path, swallow: bool) -> None:
    with namespace(swallow=swallow), running(tmp_path, "log", "--out", "-") as process:
        row(process)
        time.sleep(12)  # every lookup of every route is under way by then
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert time.monotonic() - began < 2.5


@contextlib.contextmanager
def simulator(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with running(tmp_path, "sim", "--scenario", "calm") as process:
        yield row(process)


def written(tmp_path: Path, routes: Sequence[str], hosts: dict[str, tuple[str, str]], witness: str) -> Path:
    config = tmp_path / "config.toml"
    lines = ["[watchlists.default]", 'symbols = ["BTC/USDT"]', f"routes = {json.dumps(list(routes))}"]
    for route, (rest, ws) in hosts.items():
        lines += [f'[endpoints."{route}"]', f'rest = "{rest}"', f'ws = "{ws}"']
    config.write_text("\n".join([*lines, "[witness]", f'targets = ["{witness}"]']))
    return config


def test_two_dead_names_take_nobody_else_with_them(tmp_path: Path) -> None:
    routes = ["binance.spot", "okx.spot", "bybit.spot", "gate.spot", "bitget.spot", "kucoin.spot"]
    dead = {
        "okx.spot": ("https://dead.example", "wss://dead.example"),
        "bybit.spot": ("https://gone.example", "wss://gone.example"),
    }
    with namespace(swallow=True), simulator(tmp_path) as ready:
        hosts = {r: (ready["endpoints"][r]["rest"], ready["endpoints"][r]["ws"]) for r in routes} | dead
        config = written(tmp_path, routes, hosts, ready["witness"][0])
        with running(tmp_path, "log", "--config", str(config), "--for", "40s", "--out", "-") as process:
            row(process)
            began = time.monotonic()
            rows = rest_of(process)
            took_s = time.monotonic() - began
    assert took_s < 40 + 3
    late = [r for r in rows if r["t"] >= rows[-1]["t"] - 5e9]
    assert {r["witness"] for r in late if r["kind"] == "self"} == {"up"}
    states = {r["route"]: r["state"] for r in late if r["kind"] == "route"}
    assert {route: state for route, state in states.items() if route not in dead} == dict.fromkeys(
        [r for r in routes if r not in dead], "ok"
    )
    assert {r["cause"] for r in late if r["kind"] == "route" and r["route"] in dead} <= {"path", "uplink", None}


def test_a_broken_ipv6_road_costs_nothing(tmp_path: Path) -> None:
    hosts = {"2001:db8::1": "venue.example", "127.0.0.1": "venue.example"}
    routes = ["binance.spot", "okx.spot", "gate.spot"]
    with namespace(swallow=True, hosts=hosts), simulator(tmp_path) as ready:

        def named(url: str) -> str:
            return url.replace("127.0.0.1", "venue.example")

        ends = {r: (named(ready["endpoints"][r]["rest"]), named(ready["endpoints"][r]["ws"])) for r in routes}
        config = written(tmp_path, routes, ends, ready["witness"][0])
        with running(tmp_path, "log", "--config", str(config), "--for", "30s", "--out", "-") as process:
            row(process)
            rows = rest_of(process)
    late = [r for r in rows if r["t"] >= rows[-1]["t"] - 5e9]
    assert {r["route"]: r["state"] for r in late if r["kind"] == "route"} == dict.fromkeys(routes, "ok")
    assert all(r["reconnects"] == 0 for r in late if r["kind"] == "route")
