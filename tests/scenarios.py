"""Scenarios through the whole product; the verdicts are compared with the truth that each scenario states.

``make scenarios`` plays them all (minutes), ``make scenarios-short`` three of them for less than a minute, and
``python -m tests.scenarios calm 1011`` some. Exit code 1 when a verdict was outside the truth for longer than
``GRACE_S``, when a verdict that had to come never came, or when a run did not end in time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from feeds import child_process
from feeds.sim.scenario import Scenario, Truth, load, matches, names

AT_ONCE = 3
GRACE_S = 3.0
"""A verdict may be outside the truth this long in a row: it is made once a second from windows of some seconds."""
LONGEST_S = 220.0
CALM_S = 120.0
SHORT_S = {"calm": 40.0, "1011": 57.0, "own-uplink": 51.0}
"""The short form: nothing happens, a venue's fault, a fault of ours. All at once; each until its verdict is due."""
HOME = "binance.linear"
ACCUSED = ("congested", "stalled", "down")
ADVISED_WITHIN_S = 10.0
"""A home that has been accused for this long with a price elsewhere must have led to advice by then."""
MUST_COME_WITHIN_S = 10.0
"""A run that ends this long after a verdict was due has to show it."""
END_WITHIN_S = 60.0
"""Starting and ending take at most this long beside the time that is measured; then the run is killed."""
VENUES = ("binance", "okx", "bybit")
"""Always watched; those that a scenario names are watched too."""
CONFIG = """
[watchlists.default]
symbols = ["BTC/USDT", "ETH/USDT", "USDE/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
routes = {routes}
home = "{home}"
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
    return CONFIG.format(routes=json.dumps([f"{name}.*" for name in venues]), home=HOME)


def truth_at(scenario: Scenario, route: str, t_s: float) -> Truth | None:
    fitting = [t for t in scenario.truth if t.from_s <= t_s < t.to_s and matches(t.routes, route)]
    return fitting[-1] if fitting else None


def fault_of(truth: Truth | None, state: str, cause: str | None) -> str | None:
    """What is wrong with a verdict; None when the truth allows it."""
    verdict = f"{state}/{cause}" if cause else state
    allowed = truth.states if truth is not None else ("ok",)
    if state not in allowed and not (cause == "warming" and truth is None):
        return f"{verdict}, allowed {'|'.join(allowed)}"
    if cause is not None and state not in ("ok", "unknown") and truth is not None and cause not in truth.causes:
        return f"{verdict}, causes allowed {'|'.join(truth.causes) or 'none'}"
    return None


def wrongs(scenario: Scenario, rows: Sequence[dict[str, Any]], start_s: float) -> list[Wrong]:
    """From ``route`` rows of a log, in their order; ``start_s`` is the scenario's start, since the epoch."""
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
            due = truth.to_s <= end_s or truth.from_s + MUST_COME_WITHIN_S <= end_s
            if truth.must and matches(truth.routes, route) and due:
                inside = {s for t_s, s, _ in verdicts if truth.from_s <= t_s < truth.to_s + GRACE_S}
                if not inside & set(truth.must):
                    found.append(Wrong(route, truth.from_s, truth.to_s, f"never {'|'.join(truth.must)}"))
    return found


def broken_promises(rows: Sequence[dict[str, Any]], start_s: float) -> list[Wrong]:
    """What every log promises, whatever happens: grounds for accusations, sane prices, whole orders, a way out."""
    found: list[Wrong] = []
    accused_ns: dict[str, int] = {}
    alarmed = {r["route"] for r in rows if r["kind"] == "event" and r["code"] == "state" and r["level"] == "alarm"}
    for row in rows:
        promise = _broken_promise(row)
        if promise is not None:
            t_s = row["t"] / 1e9 - start_s
            found.append(Wrong(row.get("route") or row.get("symbol") or "-", t_s, t_s, promise))
        if row["kind"] == "route" and row["state"] in ACCUSED:
            accused_ns.setdefault(row["route"], row["t"])
    found += [
        Wrong(route, t_ns / 1e9 - start_s, t_ns / 1e9 - start_s, "accused without an alarm among the events")
        for route, t_ns in accused_ns.items()
        if route not in alarmed
    ]
    since_ns, end_ns = accused_ns.get(HOME), rows[-1]["t"]
    advice = [r for r in rows if r["kind"] == "advice" and since_ns is not None and r["t"] >= since_ns]
    leaves = any(r["best"] not in (None, HOME) and (r["saving_bps"] or 0) > 0 for r in advice)
    if since_ns is not None and end_ns - since_ns >= ADVISED_WITHIN_S * 1e9 and not leaves:
        found.append(Wrong(HOME, since_ns / 1e9 - start_s, end_ns / 1e9 - start_s, "home accused, no advice to leave"))
    return found


def _broken_promise(row: dict[str, Any]) -> str | None:
    match row["kind"]:
        case "route" if row["state"] in ACCUSED:
            if not row["reasons"] or not all(reason["text"] for reason in row["reasons"]):
                return "accused without a reason in words"
        case "pair" if row["state"] == "live":
            if not 0 < row["bid"] < row["ask"] or (row["age_ms"] or 0) > 60_000:
                return f"live with bid {row['bid']}, ask {row['ask']}, age {row['age_ms']} ms"
        case "advice":
            placed = sum(part["share"] for part in row["split"]) + row["unallocated"] / row["notional"]
            if abs(placed - 1) > 1e-6:
                return f"the split places {placed:.6f} of the order"
    return None


async def play(name: str, seconds: float, slots: asyncio.Semaphore) -> tuple[str, list[Wrong], list[str]]:
    """(name, what was wrong, the events)"""
    scenario = load(name)
    async with slots:
        with tempfile.TemporaryDirectory() as folder:
            config, out = Path(folder) / "config.toml", Path(folder) / "rows"
            config.write_text(config_of(scenario))
            arguments = ["log", "--config", str(config), "--sim", name, "--for", f"{seconds:.0f}s", "--out", str(out)]
            child = await child_process.start("tui.commands.main", arguments, environment={"XDG_CACHE_HOME": folder})
            try:
                code, _, err = await child.outcome(seconds + END_WITHIN_S)
            except TimeoutError:
                return name, [Wrong("-", 0, seconds, f"did not end within {seconds + END_WITHIN_S:.0f} s")], []
            rows = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    failure = Wrong("-", 0, 0, f"exit {code}: {err.decode(errors='replace')[-300:]}")
    failed = [failure] if code or err or not rows else []
    if not rows:
        return name, failed, []
    start_s = rows[0]["t"] / 1e9 - 0.3  # the simulator is ready a moment before the first row
    events = [f"{(r['t'] / 1e9 - start_s):6.1f} {r['route']} {r['text'][:150]}" for r in rows if r["kind"] == "event"]
    found = wrongs(scenario, [r for r in rows if r["kind"] == "route"], start_s)
    return name, [*found, *broken_promises(rows, start_s), *failed], events


def length_s(name: str) -> float:
    return CALM_S if name == "calm" else min(LONGEST_S, load(name).duration_s)


async def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT_S)}, for less than a minute")
    parser.add_argument("-v", "--verbose", action="store_true", help="print the events too")
    given = parser.parse_args(arguments)
    lengths_s = SHORT_S if given.short else {name: length_s(name) for name in given.names or names()}
    slots = asyncio.Semaphore(AT_ONCE)
    bad = 0
    for done in asyncio.as_completed([play(name, seconds, slots) for name, seconds in lengths_s.items()]):
        name, found, events = await done
        print(f"{'FAIL' if found else 'ok  '} {name}", flush=True)
        for wrong in found:
            print(f"       {wrong.from_s:6.1f}-{wrong.to_s:6.1f} s {wrong.route}: {wrong.what}")
        if given.verbose:
            print("\n".join(f"       {line}" for line in events))
        bad += bool(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
