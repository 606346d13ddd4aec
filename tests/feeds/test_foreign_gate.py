"""A second foreign witness for Gate: cryptofeed 2.4.1, from the same simulator as ours (ccxt.pro's books are held
against ours in ``test_foreign_clients``). It differs from us in all it can: the older book channel with a REST book,
and whole contracts instead of fractions.
"""

from __future__ import annotations

import asyncio
import json
from math import floor
from typing import Any

import pytest

from feeds.markets_fetch import fetch
from tests.feeds.foreign import REPOSITORY, Ours, Side, Simulator, simulator

PYTHON = REPOSITORY / ".witness/bin/python"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S = 2.5, 2.0
READY_S = 20.0

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="the environment of foreign clients is not installed")


async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "gate") as at:
        ours = Ours(at)
        try:
            for route, hosts in at.endpoints.items():
                found, skipped = await asyncio.to_thread(fetch, "gate", route, 0.001, hosts["rest"])
                assert not skipped
                ours.watch(route, [one for one in found if one.symbol.partition(":")[0] in SYMBOLS])
            theirs, words = await follow(at)
            compare(theirs, ours, words)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()


async def follow(at: Simulator) -> tuple[dict[str, Any], str]:
    """What cryptofeed holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.gate_client", json.dumps(at.endpoints), "--seconds", str(FOLLOWED_S + SETTLED_S),
        cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S)) == {"ready": True}
        await asyncio.sleep(FOLLOWED_S)
        at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()


def compare(theirs: dict[str, Any], ours: Ours, words: str) -> None:
    assert len(theirs["books"]) == 4, words
    assert "Missing book update" not in words
    assert min(theirs["seen"][kind] for kind in ("trades", "ticker", "funding")) > 0
    for name, book in theirs["books"].items():
        assert book["updates"] > 10, name
        route, _, symbol = name.partition(" ")
        held = ours.book(route, symbol, 200, by_time=False)
        assert held is not None, name
        for side, levels in (("bids", held[1]), ("asks", held[2])):
            wanted = whole(levels) if route == "gate.linear" else levels
            assert [tuple(level) for level in book[side][:LEVELS]] == wanted[:LEVELS], f"{name} {side}"


def whole(levels: Side) -> Side:
    """As a client sees them that did not ask for fractions of contracts: rounded down, and gone below one."""
    return [(price, float(floor(size))) for price, size in levels if size >= 1]
