"""Every scenario through the whole product, its verdicts held against the scenario's own truth.

``make scenarios`` runs them all (minutes); ``python -m tests.scenarios calm 1011`` runs some. Exit code 1 when a
verdict was outside the truth for longer than ``GRACE_S``, or one that had to come never came.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from feeds.sim.scenario import Scenario, Truth, load, matches, names

AT_ONCE = 3
GRACE_S = 3.0
"""A verdict may be outside the truth this long in a row: it is made once a second, of windows that have an end."""
LONGEST_S = 220.0
CALM_S = 120.0
VENUES = ("binance", "okx", "bybit")
"""Always watched; those that a scenario names are watched too."""
CONFIG = """
[watchlists.default]
symbols = ["BTC/USDT", "ETH/USDT", "USDE/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
routes = {routes}
home = "binance.linear"
"""


class Wrong(Struct, frozen=True):
    route: str
    from_s: float
    to_s: float
    what: str


def config_of(scenario: Scenario) -> str:
    patterns = [*(p for x in scenario.phase for p in x.routes), *(p for x in scenario.event for p in x.routes)]
    named = [pattern.partition(".")[0] for pattern in patterns]
    venues = dict.fromkeys([*VENUES, *(name for name in named if name != "*")])
    return CONFIG.format(routes=json.dumps([f"{name}.*" for name in venues]))


def truth_at(scenario: Scenario, route: str, t_s: float) -> Truth | None:
    fitting = [t for t in scenario.truth if t.from_s <= t_s < t.to_s and matches(t.routes, route)]
    return fitting[-1] if fitting else None


def fault_of(truth: Truth | None, state: str, cause: str | None) -> str | None:
    """What is wrong with a verdict, None when the truth allows it."""
    said = f"{state}/{cause}" if cause else state
    allowed = truth.states if truth is not None else ("ok",)
    if state not in allowed and not (cause == "warming" and truth is None):
        return f"{said}, allowed {'|'.join(allowed)}"
    if cause is not None and state not in ("ok", "unknown") and truth is not None and cause not in truth.causes:
        return f"{said}, causes allowed {'|'.join(truth.causes) or 'none'}"
    return None


def wrongs(scenario: Scenario, rows: Sequence[dict[str, Any]], start_s: float) -> list[Wrong]:
    found: list[Wrong] = []
    by_route: dict[str, list[tuple[float, str, str | None]]] = defaultdict(list)
    for row in rows:
        by_route[row["route"]].append((row["t"] / 1e9 - start_s, row["state"], row["cause"]))
    for route, verdicts in by_route.items():
        began: float | None = None
        what = ""
        for t_s, state, cause in [*verdicts, (verdicts[-1][0] + 1.0, "", None)]:
            fault = fault_of(truth_at(scenario, route, t_s), state, cause) if state else None
            if fault is None and began is not None:
                if t_s - began > GRACE_S:
                    found.append(Wrong(route, began, t_s, what))
                began = None
            elif fault is not None and began is None:
                began, what = t_s, fault
        end_s = verdicts[-1][0]
        for truth in scenario.truth:
            if truth.must and matches(truth.routes, route) and truth.to_s <= end_s:
                inside = {s for t_s, s, _ in verdicts if truth.from_s <= t_s < truth.to_s + GRACE_S}
                if not inside & set(truth.must):
                    found.append(Wrong(route, truth.from_s, truth.to_s, f"never {'|'.join(truth.must)}"))
    return found


async def play(name: str, slots: asyncio.Semaphore) -> tuple[str, list[Wrong], list[str]]:
    scenario = load(name)
    seconds = CALM_S if name == "calm" else min(LONGEST_S, scenario.duration_s)
    async with slots:
        with tempfile.TemporaryDirectory() as folder:
            config, out = Path(folder) / "config.toml", Path(folder) / "rows"
            config.write_text(config_of(scenario))
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tui.commands.main",
                "log",
                "--config",
                str(config),
                "--sim",
                name,
                "--for",
                f"{seconds:.0f}s",
                "--out",
                str(out),
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "XDG_CACHE_HOME": folder},
            )
            _, said = await process.communicate()
            rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    if not rows:
        return name, [Wrong("-", 0, 0, f"exit {process.returncode}: {said.decode(errors='replace')[-300:]}")], []
    start_s = rows[0]["t"] / 1e9 - 0.3  # the simulator is ready a moment before the first row
    told = [f"{(r['t'] / 1e9 - start_s):6.1f} {r['route']} {r['text'][:150]}" for r in rows if r["kind"] == "event"]
    found = wrongs(scenario, [r for r in rows if r["kind"] == "route"], start_s)
    if process.returncode or said:
        found.append(Wrong("-", 0, 0, f"exit {process.returncode}: {said.decode(errors='replace')[-300:]}"))
    return name, found, told


async def main(wanted: Sequence[str]) -> int:
    slots = asyncio.Semaphore(AT_ONCE)
    verbose = "-v" in wanted
    chosen = [w for w in wanted if w != "-v"] or list(names())
    bad = 0
    for done in asyncio.as_completed([play(name, slots) for name in chosen]):
        name, found, told = await done
        print(f"{'FAIL' if found else 'ok  '} {name}", flush=True)
        for wrong in found:
            print(f"       {wrong.from_s:6.1f}-{wrong.to_s:6.1f} s {wrong.route}: {wrong.what}")
        if verbose:
            print("\n".join(f"       {line}" for line in told))
        bad += bool(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
