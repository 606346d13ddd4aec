"""Foreign witnesses of Kraken: ccxt.pro, python-kraken-sdk (spot, with every checksum) and cryptofeed (perpetuals).

ccxt 4.5.90 numbers no book of Kraken's and cannot check the checksum (its option splits numbers as if they were text);
cryptofeed 2.4.1 has spot's first websocket version only, which nobody here speaks.
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
CLASSES = {"kraken": "kraken.spot", "krakenfutures": "kraken.linear"}
SYMBOLS = ("BTC/USD", "ETH/USD")
LEVELS = 20
FOLLOWED_S, SETTLED_S = 3.0, 1.0
READY_S = 20.0


async def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    await asyncio.sleep(SETTLED_S)


async def watch(at: Simulator, ours: Ours) -> list[tuple[Ccxt, str]]:
    """(client, symbol) of each book; ours follow the same ones."""
    clients = [Ccxt(name, (route,), at) for name, route in CLASSES.items()]
    found = []
    for client in clients:
        await client.exchange.load_markets()
        client.exchange.enableRateLimit = False  # one subscription a second
        instruments = client.instruments(client.routes[0], SYMBOLS)
        assert len(instruments) == len(SYMBOLS)
        ours.watch(client.routes[0], instruments)
        found += [(client, one.symbol) for one in instruments]
    return found


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    updates: Counter[str] = Counter()
    same: Counter[str] = Counter()
    async with simulator("calm", "kraken") as at:
        ours = Ours(at)
        held = await watch(at, ours)

        async def follow(client: Ccxt, symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol, 100 if client.name == "kraken" else None)
                updates[symbol] += 1

        def compare(client: Ccxt, symbol: str) -> bool:
            mine = ours.book(client.routes[0], symbol, LEVELS, by_time=False)
            book = ours.watches[client.routes[0]].board
            if mine is None or book is None or symbol not in client.exchange.orderbooks:
                return False
            at_ns = book.pairs[symbol].book.engine_ns
            theirs = client.book(symbol, LEVELS)
            if at_ns is None or at_ns // 1_000_000 != client.exchange.orderbooks[symbol]["timestamp"]:
                return False
            equal = mine[1:] == theirs[1:]
            # a batch of perpetuals is many messages of one time; on spot the time names the message
            assert equal or client.name == "krakenfutures", f"{symbol} at {at_ns}"
            same[symbol] += equal
            return equal

        try:
            async with asyncio.TaskGroup() as group:
                following = [group.create_task(follow(*one)) for one in held]
                trades = [group.create_task(client.exchange.watch_trades(symbol)) for client, symbol in held]
                tickers = [group.create_task(client.exchange.watch_ticker(symbol)) for client, symbol in held]
                end_s = asyncio.get_running_loop().time() + FOLLOWED_S
                while asyncio.get_running_loop().time() < end_s:
                    await asyncio.sleep(0.02)
                    for one in held:
                        compare(*one)
                await freeze(at)
                assert all(compare(*one) for one in held), "the market stands still: both must be equally far"
                for task in following:
                    task.cancel()
                undone = [n for n, task in enumerate((*trades, *tickers)) if not task.done()]
                assert not undone, f"ccxt never heard {undone}"
            assert min(updates.values()) > 20, updates
            assert min(same[symbol] for _, symbol in held) > 5, same
            assert trades[0].result()[-1]["price"] > 0
            assert all(ticker.result()["bid"] < ticker.result()["ask"] for ticker in tickers)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            for client in {client.name: client for client, _ in held}.values():
                await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the environment of foreign clients is not installed")
async def test_the_sdk_and_cryptofeed_hold_the_same_books_as_ours() -> None:
    async with simulator("calm", "kraken") as at:
        ours = Ours(at)
        held = await watch(at, ours)
        try:
            theirs, words = await witness(at)
            assert theirs["bad"] == 0, f"checksums differ: {words}"
            assert len(theirs["books"]) == 2 * len(SYMBOLS)
            assert min(theirs["seen"][kind] for kind in ("trades", "ticker", "funding")) > 0
            for name, book in theirs["books"].items():
                route, _, symbol = name.partition(" ")
                mine = ours.book(route, symbol, LEVELS, by_time=False)
                assert mine is not None, name
                assert book["updates"] > 20, name
                for side, levels in (("bids", mine[1]), ("asks", mine[2])):
                    assert [tuple(level) for level in book[side][:LEVELS]] == levels, f"{name} {side}"
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            for client in {client.name: client for client, _ in held}.values():
                await client.exchange.close()


async def witness(at: Simulator) -> tuple[dict[str, Any], str]:
    """What they hold when the market has come to rest, and what they said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.kraken_client", json.dumps(at.endpoints), "--seconds", str(FOLLOWED_S + SETTLED_S),
        cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
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
