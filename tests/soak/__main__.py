"""Twelve offshore venues, two products each, five coins, on the calm simulator for minutes: no events may come.

``python -m tests.soak [--minutes N]`` runs ``detour log --sim calm`` with a screen of 200x60 attached, and prints gaps,
resyncs, reconnects, refusals, and what collector, screen and simulator cost. Exit code 1 when something happened or a
limit is passed. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from feeds.venues.registry import VENUES
from tests.bench.home import Home
from tests.bench.screen import command
from tests.terminal import REPOSITORY, ScreenError, Terminal
from tests.usage import Meter, Usage, child_running

OFFSHORE = (
    "binance", "okx", "bybit", "bitget", "gate", "kucoin", "htx", "mexc", "hyperliquid", "deribit", "bingx", "bitfinex",
)  # fmt: skip
COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE")
WARM_S = 20.0
"""Instruments are loaded and books synced in this time; cost is measured after it."""
CPU_SHARE, RSS_MB = 0.60, 250.0
SCREEN_SHARE = 0.15
COLUMNS, ROWS = 200, 60
SIM_START_S = 30.0


class Costs(NamedTuple):
    collector: Usage
    screen: Usage
    simulator: Usage


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="default 10")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="detour-soak-") as folder:
        try:
            return soak(Path(folder), minutes * 60.0)
        except ScreenError as error:
            print(f"FAILED: {error}")
            return 1


def soak(folder: Path, for_s: float) -> int:
    routes = [
        f"{name}.{p}" for name in OFFSHORE if name in VENUES for p in ("spot", "linear") if p in VENUES[name].products
    ]
    symbols = [f"{coin}/USDT{settle}" for settle in ("", ":USDT") for coin in COINS]
    home, out = Home(folder), folder / "rows.jsonl"
    config = home.configure(routes, symbols)
    total_s = WARM_S + for_s + 2.0
    process = subprocess.Popen(
        [
            *command(), "log", "--config", str(config), "--sim", "calm", "--out", str(out), "--every", "1s",
            "--for", f"{total_s:g}s", "--serve",
        ],
        cwd=REPOSITORY,
        env={**os.environ, **home.environment()},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    terminal = None
    try:
        simulator = _simulator_of(process.pid)
        begun_s = time.monotonic()
        time.sleep(WARM_S / 2)
        terminal = Terminal([*command(), "attach"], home.environment(), routes[:3], COLUMNS, ROWS)
        terminal.complete_after_s(WARM_S / 2)
        time.sleep(max(0.0, begun_s + WARM_S - time.monotonic()))
        meters = [Meter(pid) for pid in (process.pid, terminal.pid, simulator)]
        time.sleep(for_s)
        costs = Costs(*(meter.read() for meter in meters))
        process.wait(30.0)
    finally:
        if terminal is not None:
            terminal.close()
        process.terminate()
        process.wait()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return report(rows, routes, for_s, costs)


def report(rows: Sequence[dict[str, Any]], routes: Sequence[str], for_s: float, costs: Costs) -> int:
    """Prints the report and returns the exit code."""
    print(
        f"{len(routes)} routes of {len({r.partition('.')[0] for r in routes})} venues, {for_s:g} s in the steady state"
    )
    last = {row["route"]: row for row in rows if row["kind"] == "route"}
    counts = {name: sum(row[name] for row in last.values()) for name in ("gaps", "resyncs", "reconnects")}
    events = [row for row in rows if row["kind"] == "event"]
    counts["refusals"] = sum(event["code"] == "refused" for event in events)
    pairs = Counter(row["state"] for row in _newest(rows, "pair"))
    states = Counter(row["state"] for row in last.values())
    faults = [name for name, count in counts.items() if count]
    print("  ".join(f"{name} {count}" for name, count in counts.items()))
    print(
        "routes", dict(states), " pairs", dict(pairs), f" messages/s {sum(r['msgs_s'] or 0 for r in last.values()):.0f}"
    )
    for name, used in costs._asdict().items():
        print(f"{name:<9}  {used.cpu_share:.1%} of a core, {used.rss_mb:.0f} MB, at most {used.most_mb:.0f} MB")
    lags = sorted(r["loop_lag_ms"]["p99"] for r in rows if r["kind"] == "self" and _has_p99(r["loop_lag_ms"]))
    if lags:
        print(f"own loop lag, p99: median {lags[len(lags) // 2]:.1f} ms, worst {lags[-1]:.1f} ms")
    for event in events:
        if event["code"] in ("gap", "resync", "reconnect", "refused", "self") or event["level"] != "info":
            print(f"  {event['code']} {event['route']}: {event['text']}")
    if costs.collector.cpu_share > CPU_SHARE:
        faults.append(f"collector over {CPU_SHARE:.0%} of a core")
    if costs.collector.most_mb > RSS_MB:
        faults.append(f"collector over {RSS_MB:g} MB")
    if costs.screen.cpu_share > SCREEN_SHARE:
        faults.append(f"screen over {SCREEN_SHARE:.0%} of a core")
    print("FAILED: " + ", ".join(faults) if faults else "nothing happened, as it should")
    return 1 if faults else 0


def _newest(rows: Sequence[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    newest_ns = max((row["t"] for row in rows if row["kind"] == kind), default=0)
    return (row for row in rows if row["kind"] == kind and row["t"] == newest_ns)


def _has_p99(lag: object) -> bool:
    return isinstance(lag, dict) and lag.get("p99") is not None


def _simulator_of(pid: int) -> int:
    end_s = time.monotonic() + SIM_START_S
    while time.monotonic() < end_s:
        if (child := child_running(pid, "feeds.sim")) is not None:
            return child
        time.sleep(0.05)
    raise SystemExit("the collector started no simulator")


if __name__ == "__main__":
    sys.exit(main())
