"""Foreign witnesses of Deribit: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt keeps no sequence of Deribit's books, but the engine's time; cryptofeed checks the chain of change ids itself.
ccxt is asked for many symbols in one request: one request each, all at once, costs more credits than Deribit grants.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Side, Simulator, simulator

ROUTES = ("deribit.spot", "deribit.linear", "deribit.inverse")
SYMBOLS = ("BTC/USDC", "ETH/USDC", "BTC/USD", "ETH/USD")
LEVELS = 20
HELD_S, SETTLED_S = 3.0, 1.5
READY_S = 20.0
PYTHON = REPOSITORY / ".witness/bin/python"


def book_of(ours: Ours, route: str, symbol: str, levels: int = LEVELS) -> tuple[int, Side, Side] | None:
    """(engine's time in ms, best bids, best asks)"""
    board = ours.watches[route].board
    found = ours.book(route, symbol, levels, by_time=False)
    engine_ns = None if board is None else board.pairs[symbol].book.engine_ns
    return None if found is None or engine_ns is None else (engine_ns // 1_000_000, found[1], found[2])


async def watch(client: Ccxt, ours: Ours) -> list[tuple[str, str]]:
    await client.exchange.load_markets()
    watched = []
    for route in ROUTES:
        instruments = client.instruments(route, SYMBOLS)
        assert len(instruments) == 2
        assert {one.contract_size for one in instruments} == {1.0}
        assert {one.inverse for one in instruments} == {route == "deribit.inverse"}
        ours.watch(route, instruments)
        watched += [(route, one.symbol) for one in instruments]
    return watched


async def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    await asyncio.sleep(SETTLED_S)


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "deribit") as at:
        client, ours = Ccxt("deribit", ROUTES, at), Ours(at)
        try:
            await hold(at, client, ours, await watch(client, ours))
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


async def hold(at: Simulator, client: Ccxt, ours: Ours, watched: list[tuple[str, str]]) -> None:
    exchange, symbols = client.exchange, [symbol for _, symbol in watched]
    found: Counter[str] = Counter()
    updates: Counter[str] = Counter()

    async def follow() -> None:
        while True:
            book = await exchange.watch_order_book_for_symbols(symbols)
            updates[book["symbol"]] += 1

    def compare(route: str, symbol: str) -> bool:
        if symbol not in client.exchange.orderbooks:
            return False
        mine, theirs = book_of(ours, route, symbol), client.book(symbol, LEVELS)
        if mine is None or mine[0] != theirs[0]:
            return False
        assert mine == theirs, f"{symbol} at {mine[0]}"
        found[symbol] += 1
        return True

    once = [exchange.watch_trades_for_symbols(symbols), exchange.watch_bids_asks(symbols)]
    once += [exchange.watch_ticker("BTC/USD:BTC")]
    async with asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        told = [group.create_task(each) for each in once]
        end_s = asyncio.get_running_loop().time() + HELD_S
        while asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(0.02)
            for one in watched:
                compare(*one)
        await freeze(at)
        unsettled = [symbol for route, symbol in watched if not compare(route, symbol)]
        following.cancel()
        assert not unsettled, "the market stands still: both must be equally far"
        assert all(task.done() for task in told)
    for _, symbol in watched:
        assert updates[symbol] > HELD_S * 4, f"{symbol}: {updates[symbol]} updates"
        assert found[symbol] > HELD_S * 4, f"{symbol} was compared {found[symbol]} times"
    assert told[-1].result()["markPrice"] > 0


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "deribit") as at:
        markets, ours = Ccxt("deribit", ROUTES, at), Ours(at)
        try:
            await watch(markets, ours)
            theirs, words = await cryptofeed(at)
            assert len(theirs["books"]) == 5, words
            assert "Missing sequence" not in words
            assert "Error message" not in words
            assert min(theirs["seen"].get(kind, 0) for kind in ("trades", "ticker", "l1_book", "funding")) > 0
            for name, book in theirs["books"].items():
                route, _, symbol = name.partition(" ")
                held = book_of(ours, route, symbol, 100)
                assert held is not None, name
                assert book["updates"] > 10, name
                assert book["time_ms"] == held[0], name
                for side, levels in (("bids", held[1]), ("asks", held[2])):
                    assert [tuple(level) for level in book[side]] == levels, f"{name} {side}"
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await markets.exchange.close()


async def cryptofeed(at: Simulator) -> tuple[dict[str, Any], str]:
    """What cryptofeed holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.deribit_client", json.dumps(at.endpoints), "--seconds", str(HELD_S + SETTLED_S),
        cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S)) == {"ready": True}
        await asyncio.sleep(HELD_S - 0.5)
        await freeze(at)
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()
