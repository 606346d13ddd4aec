"""The whole product, headless, on the simulator, in real processes with real sockets on loopback.

Scenario 1011 must be blamed on the right venue; a fault of our own must be blamed on none."""

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


async def test_1011_blames_the_gateway_of_one_venue_and_names_another_route(tmp_path: Path) -> None:
    code, rows, said = await logged(tmp_path, WATCHLIST, ["--sim", "1011", "--for", "55s"])
    assert code == 0, said
    assert rows[0]["kind"] == "header" and rows[0]["simulated"] == "1011"

    guilty = of(rows, "route", route="binance.linear", state="congested", cause="gateway")
    assert guilty, "the venue's congestion was missed"
    assert all(r["reasons"] and all(reason["text"] for reason in r["reasons"]) for r in guilty)
    assert any(len({reason["evidence"] for reason in r["reasons"]} - {"peers"}) >= 2 for r in guilty)

    for row in of(rows, "route"):
        if not row["route"].startswith("binance"):
            assert row["state"] in ("ok", "unknown", "suspect"), row
            assert row["cause"] in (None, "warming", "market", "liquidity", "self"), row  # self: a busy machine

    since = min(r["t"] for r in guilty)
    elsewhere = [
        a
        for a in of(rows, "advice", symbol="BTC/USDT:USDT")
        if a["t"] >= since and a["best"] not in (None, "binance.linear") and (a["saving_bps"] or 0) > 0
    ]
    assert elsewhere, "no other route was named"
    assert any(
        e["code"] == "state" and e["route"] == "binance.linear" and e["level"] == "alarm" for e in of(rows, "event")
    )

    for pair in of(rows, "pair", state="live"):
        assert 0 < pair["bid"] < pair["ask"], pair
        assert pair["age_ms"] is None or pair["age_ms"] < 60_000
    for advice in of(rows, "advice"):
        assert (
            abs(sum(part["share"] for part in advice["split"]) + advice["unallocated"] / advice["notional"] - 1) < 1e-6
        )


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
