"""Foreign witnesses of Coinbase: ccxt.pro holds the same books as ours, and cryptofeed 2.4.1 the same bids.

cryptofeed takes no asks out of a snapshot (see its client), so that of those only the ones that changed since can be
compared. coinbase-advanced-py 1.7.0 keeps no books, and dials with an argument that websockets has dropped since.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Simulator, simulator

PYTHON = REPOSITORY / ".witness/bin/python"
ROUTE = "coinbase.spot"
SYMBOLS = ("BTC/USD", "ETH/USD")
LEVELS = 20
FOLLOWED_S, SETTLED_S = 3.0, 1.0
READY_S = 20.0


async def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    await asyncio.sleep(SETTLED_S)


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    updates: Counter[str] = Counter()
    same: Counter[str] = Counter()
    async with simulator("calm", "coinbase") as at:
        client, ours = Ccxt("coinbase", (ROUTE,), at), Ours(at)

        async def follow(symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol)
                updates[symbol] += 1

        def compare(symbol: str) -> bool:
            """At equal push times the best levels must be equal."""
            mine = ours.book(ROUTE, symbol, LEVELS, by_time=True)
            if mine is None or symbol not in client.exchange.orderbooks:
                return False
            theirs = client.book(symbol, LEVELS)
            if mine[0] != theirs[0]:
                return False
            assert mine == theirs, symbol
            same[symbol] += 1
            return True

        try:
            await client.exchange.load_markets()
            client.exchange.enableRateLimit = False
            instruments = client.instruments(ROUTE, SYMBOLS)
            assert len(instruments) == len(SYMBOLS)
            ours.watch(ROUTE, instruments)
            async with asyncio.TaskGroup() as group:
                following = [group.create_task(follow(symbol)) for symbol in SYMBOLS]
                trades = [group.create_task(client.exchange.watch_trades(symbol)) for symbol in SYMBOLS]
                ticker = group.create_task(client.exchange.watch_ticker(SYMBOLS[0]))
                end_s = asyncio.get_running_loop().time() + FOLLOWED_S
                while asyncio.get_running_loop().time() < end_s:
                    await asyncio.sleep(0.02)
                    for symbol in SYMBOLS:
                        compare(symbol)
                await freeze(at)
                assert all(compare(symbol) for symbol in SYMBOLS), "the market stands still: both must be equally far"
                for task in following:
                    task.cancel()
                assert all(task.done() for task in (*trades, ticker))
            assert min(updates[symbol] for symbol in SYMBOLS) > 20, updates
            assert min(same[symbol] for symbol in SYMBOLS) > 5, same
            assert trades[0].result()[-1]["price"] > 0
            assert ticker.result()["bid"] < ticker.result()["ask"]
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the environment of foreign clients is not installed")
async def test_cryptofeed_holds_the_same_bids_as_ours() -> None:
    async with simulator("calm", "coinbase") as at:
        client, ours = Ccxt("coinbase", (ROUTE,), at), Ours(at)
        try:
            await client.exchange.load_markets()
            ours.watch(ROUTE, client.instruments(ROUTE, SYMBOLS))
            theirs, words = await cryptofeed(at)
            assert len(theirs["books"]) == len(SYMBOLS), words
            assert set(theirs["sides"]) == {"buy", "sell"}
            for name, book in theirs["books"].items():
                mine = ours.book(ROUTE, name.partition(" ")[2], 10_000, by_time=True)
                assert mine is not None, name
                assert book["updates"] > 20, name
                assert [tuple(level) for level in book["bids"][:LEVELS]] == mine[1][:LEVELS], name
                assert book["asks"], name
                assert {tuple(level) for level in book["asks"]} <= set(mine[2]), name
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


async def cryptofeed(at: Simulator) -> tuple[dict[str, Any], str]:
    """What it holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.coinbase_client", json.dumps(at.endpoints),
        "--seconds", str(FOLLOWED_S + SETTLED_S), cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), READY_S)
        if first:
            await asyncio.sleep(FOLLOWED_S - 0.5)
            await freeze(at)
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()
