"""Foreign witnesses of Gate: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt takes spot from ``obu`` with 50 levels and futures from the older channel with a REST book; cryptofeed takes both
from the older channel, and whole contracts instead of fractions.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from math import floor
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Side, Simulator, simulator
from tests.feeds.test_foreign_clients import Pairing

PYTHON = REPOSITORY / ".witness/bin/python"
ROUTES = ("gate.spot", "gate.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S = 2.5, 1.5
READY_S = 20.0


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    found: Counter[str] = Counter()
    async with simulator("calm", "gate") as at:
        client, ours = Ccxt("gate", ROUTES, at), Ours(at)
        try:
            pairings = await watch(client, ours)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(pairing.hold()) for pairing in pairings]
                trades = [group.create_task(client.exchange.watch_trades(p.symbol)) for p in pairings]
                end_s = asyncio.get_running_loop().time() + FOLLOWED_S
                while asyncio.get_running_loop().time() < end_s:
                    await asyncio.sleep(0.02)
                    for pairing in pairings:
                        pairing.compare(found)
                freeze(at)
                await asyncio.sleep(SETTLED_S)
                for task in tasks:
                    task.cancel()
                assert all(trade.done() and trade.result()[-1]["price"] > 0 for trade in trades)
            for pairing in pairings:
                assert pairing.compare(found), f"{pairing.name}: the market stands still, both must be equally far"
                assert found[pairing.name] > FOLLOWED_S * 4, f"{pairing.name} was compared {found[pairing.name]} times"
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "gate") as at:
        markets, ours = Ccxt("gate", ROUTES, at), Ours(at)
        try:
            await watch(markets, ours)
            theirs, words = await follow(at)
            compare(theirs, ours, words)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await markets.exchange.close()


async def watch(client: Ccxt, ours: Ours) -> list[Pairing]:
    await client.exchange.load_markets()
    pairings = []
    for route in ROUTES:
        instruments = client.instruments(route, SYMBOLS)
        assert len(instruments) == len(SYMBOLS)
        ours.watch(route, instruments)
        pairings += [Pairing(client, ours, route, one.symbol) for one in instruments]
    return pairings


def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})


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
        freeze(at)
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()


def compare(theirs: dict[str, Any], ours: Ours, words: str) -> None:
    assert len(theirs["books"]) == len(ROUTES) * len(SYMBOLS), words
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
