"""Foreign witnesses of Bitget: ccxt.pro on v2 and on v3, and pybotters on v2, hold the same books as we do on v3.

cryptofeed 2.4.1 has Bitget, but on v1 only (``ws.bitget.com/spot/v1/stream``), which was switched off on 2025-11-28.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Side, Simulator, simulator

ROUTES = ("bitget.spot", "bitget.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
HELD_S = 3.0
SETTLED_S = 4.0
PYTHON = REPOSITORY / ".witness/bin/python"


def ours_at(ours: Ours, route: str, symbol: str) -> tuple[object, Side, Side] | None:
    """As ``Ccxt.book``: ccxt keeps no sequence of Bitget's books, but the engine's time in ms."""
    found = ours.book(route, symbol, LEVELS, by_time=False)
    board = ours.watches[route].board
    assert board is not None
    engine_ns = board.pairs[symbol].book.engine_ns
    return None if found is None or engine_ns is None else (engine_ns // 1_000_000, *found[1:])


def unified(at: Simulator) -> Ccxt:
    """ccxt as for a unified trading account, so that it talks v3."""
    client = Ccxt("bitget", ROUTES, at)
    client.exchange.options["uta"] = True
    return client


async def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    # v2 pushes every 100 ms, and a twin what it held back once a second
    await asyncio.sleep(1.5)


async def test_ccxt_pro_holds_the_same_books_as_ours_on_both_versions() -> None:
    async with simulator("calm", "bitget") as at:
        clients, ours = [Ccxt("bitget", ROUTES, at), unified(at)], Ours(at)
        try:
            await asyncio.gather(*(client.exchange.load_markets() for client in clients))
            await hold(at, clients, ours)
        finally:
            await ours.stop()
            for client in clients:
                await client.exchange.close()


async def hold(at: Simulator, clients: list[Ccxt], ours: Ours) -> None:
    found: Counter[str] = Counter()
    updates: Counter[str] = Counter()
    watched: list[tuple[int, str, str]] = []

    async def follow(number: int, symbol: str) -> None:
        while True:
            await clients[number].exchange.watch_order_book(symbol)
            updates[f"{number} {symbol}"] += 1

    def compare(number: int, route: str, symbol: str) -> bool:
        if symbol not in clients[number].exchange.orderbooks:
            return False
        mine, theirs = ours_at(ours, route, symbol), clients[number].book(symbol, LEVELS)
        if mine is None or mine[0] != theirs[0]:
            return False
        assert mine == theirs, f"{symbol} at {mine[0]}"
        found[f"{number} {symbol}"] += 1
        return True

    for route in ROUTES:
        read = [client.instruments(route, SYMBOLS) for client in clients]
        for classic, modern in zip(*read, strict=True):
            assert (classic.venue_id, classic.tick, classic.lot) == (modern.venue_id, modern.tick, modern.lot)
        assert len(read[0]) == len(SYMBOLS)
        ours.watch(route, read[0])
        watched += [(number, route, one.symbol) for number in range(len(clients)) for one in read[0]]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(follow(number, symbol)) for number, _, symbol in watched]
        trades = [group.create_task(client.exchange.watch_trades("BTC/USDT:USDT")) for client in clients]
        loop = asyncio.get_running_loop()
        end_s = loop.time() + HELD_S
        while loop.time() < end_s:
            await asyncio.sleep(0.01)
            for each in watched:
                compare(*each)
        await freeze(at)
        end_s = loop.time() + SETTLED_S
        unsettled = watched
        while unsettled and loop.time() < end_s:
            await asyncio.sleep(0.2)
            unsettled = [each for each in unsettled if not compare(*each)]
        assert not unsettled, "the market stands still: both must be equally far"
        assert all(trade.done() and trade.result()[-1]["price"] > 0 for trade in trades)
        for task in tasks:
            task.cancel()
    for number, _, symbol in watched:
        key = f"{number} {symbol}"
        assert updates[key] > HELD_S * 4, f"{key}: {updates[key]} updates"
        assert found[key] > HELD_S * 4, f"{key} was compared {found[key]} times"
    for client, version in zip(clients, ("v2", "v3"), strict=True):
        assert [url.rpartition("/v")[2] for url in client.exchange.clients] == [f"{version[1]}/ws/public"]
    assert ours.gaps() == 0, ours.said
    assert at.failures() == 0


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_pybotters_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "bitget") as at:
        markets, ours = Ccxt("bitget", ROUTES, at), Ours(at)
        client = await asyncio.create_subprocess_exec(
            str(PYTHON), "tests/witness/bitget_client.py", at.endpoints["bitget.spot"]["ws"] + "/v2/ws/public",
            stdin=PIPE, stdout=PIPE, cwd=REPOSITORY,
        )  # fmt: skip
        try:
            await markets.exchange.load_markets()
            for route in ROUTES:
                ours.watch(route, markets.instruments(route, ("BTC/USDT",)))
            await asyncio.sleep(HELD_S)
            await freeze(at)
            await asyncio.sleep(0.5)
            out, _ = await asyncio.wait_for(client.communicate(b""), 10.0)
            said: dict[str, Any] = json.loads(out)
            assert said["errors"] == []
            assert (said["snapshots"], said["gaps"]) == (2, 0)
            assert said["updates"] > HELD_S * 8
            assert said["trades"] > 4
            assert len(said["marks"]) == 1
            for kind, route, symbol in (
                ("SPOT", "bitget.spot", "BTC/USDT"),
                ("USDT-FUTURES", "bitget.linear", "BTC/USDT:USDT"),
            ):
                mine = ours_at(ours, route, symbol)
                assert mine is not None
                for best, side in ((mine[1], "bids"), (mine[2], "asks")):
                    assert [(float(p), float(s)) for p, s in said["books"][kind][side]] == best
            assert at.failures() == 0
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()
            await ours.stop()
            await markets.exchange.close()
