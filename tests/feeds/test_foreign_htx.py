"""Foreign witnesses of HTX: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt takes the same channels as we do, and syncs spot itself; cryptofeed takes whole books (``depth.step0``). Swaps are
numbered by connection, so that books are compared at equal times of the gateway.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Simulator, simulator

PYTHON = REPOSITORY / ".witness/bin/python"
ROUTES = ("htx.spot", "htx.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S = 2.5, 1.5
SYNCED_S = 8.0
READY_S = 20.0


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    found: Counter[str] = Counter()
    async with simulator("calm", "htx") as at:
        client, ours = Ccxt("htx", ROUTES, at), Ours(at)
        books = client.exchange.orderbooks

        def compare(route: str, symbol: str) -> bool:
            mine = ours.book(route, symbol, LEVELS, by_time=True)
            theirs = client.book(symbol, LEVELS) if symbol in books else None
            if mine is None or theirs is None or mine[0] != books[symbol]["timestamp"]:
                return False
            assert mine[1:] == theirs[1:], f"{symbol} at {mine[0]}"
            found[symbol] += 1
            return True

        async def hold(symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol)

        try:
            await client.exchange.load_markets()
            watched = watch(client, ours)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(hold(symbol)) for _, symbol in watched]
                trades = [group.create_task(client.exchange.watch_trades(symbol)) for _, symbol in watched]
                loop = asyncio.get_running_loop()
                synced_by_s, end_s = loop.time() + SYNCED_S, None
                while end_s is None or loop.time() < end_s:
                    await asyncio.sleep(0.005)
                    for each in watched:
                        compare(*each)
                    # its first spot book may be too old, and it asks again after a second
                    if end_s is None and (len(found) == len(watched) or loop.time() > synced_by_s):
                        end_s = loop.time() + FOLLOWED_S
                freeze(at)
                await asyncio.sleep(SETTLED_S)
                for task in tasks:
                    task.cancel()
                assert all(trade.done() and trade.result()[-1]["price"] > 0 for trade in trades)
            for route, symbol in watched:
                assert compare(route, symbol), f"{symbol}: the market stands still, both must be equally far"
                assert found[symbol] > FOLLOWED_S * 8, f"{symbol} was compared {found[symbol]} times"
            assert sorted(url.rpartition("/")[2] for url in client.exchange.clients) == ["feed", "linear-swap-ws", "ws"]
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "htx") as at:
        markets, ours = Ccxt("htx", ROUTES, at), Ours(at)
        try:
            await markets.exchange.load_markets()
            watch(markets, ours)
            theirs, words = await follow(at)
            compare_books(theirs, ours, words)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await markets.exchange.close()


def watch(client: Ccxt, ours: Ours) -> list[tuple[str, str]]:
    """What both watch: (route, symbol)."""
    watched = []
    for route in ROUTES:
        instruments = client.instruments(route, SYMBOLS)
        assert len(instruments) == len(SYMBOLS)
        ours.watch(route, instruments)
        watched += [(route, one.symbol) for one in instruments]
    return watched


def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})


async def follow(at: Simulator) -> tuple[dict[str, Any], str]:
    """What cryptofeed holds when the market has come to rest, and what it said on stderr."""
    seconds = str(FOLLOWED_S + SETTLED_S + 1.0)
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.htx_client", json.dumps(at.endpoints), "--seconds", seconds,
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


def compare_books(theirs: dict[str, Any], ours: Ours, words: str) -> None:
    assert len(theirs["books"]) == len(ROUTES) * len(SYMBOLS), words
    assert words == ""
    assert min(theirs["seen"][kind] for kind in ("trades", "ticker")) > 0
    for name, book in theirs["books"].items():
        route, _, symbol = name.partition(" ")
        # spot is pushed once a second
        assert book["updates"] >= (2 if route == "htx.spot" else 10), name
        held = ours.book(route, symbol, LEVELS, by_time=False)
        assert held is not None, name
        for side, levels in (("bids", held[1]), ("asks", held[2])):
            assert [tuple(level) for level in book[side][:LEVELS]] == levels, f"{name} {side}"
