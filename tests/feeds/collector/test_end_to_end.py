"""The whole product, headless, in real processes with real sockets on loopback.

A fault of our own is blamed on no venue; an interrupt ends the log in order. ``make scenarios-short`` plays 1011: it
needs a machine that does nothing else meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from feeds import child_process

ROUTES = ("binance.linear", "okx.linear", "bybit.linear", "binance.spot", "okx.spot", "bybit.spot")
WATCHLIST = f"""
[watchlists.default]
symbols = ["BTC/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
routes = {json.dumps(ROUTES)}
home = "binance.linear"
notionals = [50000.0]
side = "sell"
"""
Row = dict[str, Any]


async def logged(folder: Path, config: str, arguments: Sequence[str]) -> tuple[int, list[Row], str]:
    """Exit code, rows and stderr of ``detour log``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(config)
    out = folder / "rows.jsonl"
    child = await child_process.start(
        "tui.commands.main",
        ["log", "--config", str(folder / "config.toml"), "--out", str(out), *arguments],
        environment={"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")},
    )
    code, _, err = await child.outcome(150)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    return code, rows, err.decode()


def of(rows: Sequence[Row], kind: str, **fields: object) -> list[Row]:
    return [r for r in rows if r["kind"] == kind and all(r[name] == value for name, value in fields.items())]


async def test_when_nothing_can_be_reached_our_uplink_is_said_to_be_down_and_no_venue_is_blamed(tmp_path: Path) -> None:
    nowhere = "".join(f'[endpoints.{r}]\nrest = "http://127.0.0.1:9"\nws = "ws://127.0.0.1:9"\n' for r in ROUTES)
    config = WATCHLIST + nowhere + '[witness]\ntargets = ["127.0.0.1:9"]\n'
    code, rows, said = await logged(tmp_path, config, ["--for", "20s"])
    assert code == 0, said
    assert {(r["state"], r["cause"]) for r in of(rows, "route")} == {("unknown", "warming"), ("unknown", "uplink")}
    assert {r["route"] for r in of(rows, "route", cause="uplink")} == set(ROUTES)
    last = of(rows, "self")[-1]
    assert last["witness"] == "down"
    assert all(a["best"] is None for a in of(rows, "advice"))
    assert all(p["bid"] is None and p["age_ms"] is None for p in of(rows, "pair"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_an_interrupt_ends_the_log_with_its_last_rows_written(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(WATCHLIST)
    child = await child_process.start(
        "tui.commands.main",
        ["log", "--config", str(tmp_path / "config.toml"), "--sim", "calm"],
        environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    header = json.loads(await asyncio.wait_for(child.stdout.readline(), 60))
    assert header["kind"] == "header"
    child.terminate()
    code, rest, err = await child.outcome(30)
    assert code == 0, err.decode()
    assert all(json.loads(line)["kind"] for line in rest.splitlines())
    assert b"Traceback" not in err
