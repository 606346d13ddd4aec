"""Foreign witnesses of KuCoin: ccxt.pro on both families of sockets and the official SDK hold the same books as we do.

ccxt 4.5.90 follows the classic increments with a REST book, as most programs do. On UTA it is given the snapshots of 50
levels: of increments it applies nothing (``handle_book_delta`` takes ``bids`` and ``asks`` where UTA writes ``b`` and
``a``). cryptofeed 2.4.1 has classic spot only, with a REST book that needs a key and a token host that cannot be set.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Simulator, simulator

CLASSES = {"kucoin": "kucoin.spot", "kucoinfutures": "kucoin.linear"}
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
HELD_S, SETTLED_S = 3.0, 1.0
READY_S = 20.0
PYTHON = REPOSITORY / ".witness/bin/python"
UTA = {"uta": True, "utaDepth": "50"}


async def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    await asyncio.sleep(SETTLED_S)


async def test_ccxt_pro_holds_the_same_books_as_ours_on_both_families() -> None:
    async with simulator("calm", "kucoin") as at:
        clients = [(Ccxt(name, (route,), at), uta) for name, route in CLASSES.items() for uta in (False, True)]
        ours = Ours(at)
        try:
            await asyncio.gather(*(client.exchange.load_markets() for client, _ in clients))
            await hold(at, clients, ours)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            for client, _ in clients:
                await client.exchange.close()


async def hold(at: Simulator, clients: list[tuple[Ccxt, bool]], ours: Ours) -> None:
    found: Counter[str] = Counter()
    updates: Counter[str] = Counter()

    async def follow(client: Ccxt, uta: bool, symbol: str) -> None:
        while True:
            await client.exchange.watch_order_book(symbol, None, UTA if uta else {})
            updates[f"{symbol} {uta}"] += 1

    def compare(client: Ccxt, uta: bool, symbol: str) -> bool:
        """At equal sequence the best levels must be equal."""
        if symbol not in client.exchange.orderbooks:
            return False
        mine = ours.book(client.routes[0], symbol, LEVELS, by_time=False)
        theirs = client.book(symbol, LEVELS)
        if mine is None or mine[0] != theirs[0]:
            return False
        assert mine == theirs, f"{symbol} at {mine[0]}"
        found[f"{symbol} {uta}"] += 1
        return True

    held = []
    for client, uta in clients:
        instruments = client.instruments(client.routes[0], SYMBOLS)
        assert len(instruments) == len(SYMBOLS)
        if not uta:
            ours.watch(client.routes[0], instruments)
        held += [(client, uta, one.symbol) for one in instruments]
    perpetuals = next(client.exchange for client, uta in clients if client.name == "kucoinfutures" and uta)
    btc = [(client.exchange, symbol) for client, uta, symbol in held if symbol.startswith("BTC") and not uta]
    once = [exchange.watch_trades(symbol) for exchange, symbol in btc]
    once += [exchange.watch_bids_asks([symbol]) for exchange, symbol in btc]
    once += [perpetuals.watch_mark_price("BTC/USDT:USDT"), perpetuals.watch_funding_rate("BTC/USDT:USDT")]
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(follow(*one)) for one in held]
        told = [group.create_task(each) for each in once]
        end_s = asyncio.get_running_loop().time() + HELD_S
        while asyncio.get_running_loop().time() < end_s:
            await asyncio.sleep(0.02)
            for one in held:
                compare(*one)
        await freeze(at)
        unsettled = [one[2] for one in held if not compare(*one)]
        for task in following:
            task.cancel()
        assert not unsettled, "the market stands still: both must be equally far"
        assert all(task.done() for task in told)
    assert min(updates.values()) > 10, updates
    assert len(found) == len(held)
    assert min(found.values()) > 2, found
    assert told[-2].result()["markPrice"] > 0
    assert told[-1].result()["interval"] == "8h"


@pytest.mark.skipif(not PYTHON.exists(), reason="the environment of foreign clients is not installed")
async def test_the_official_sdk_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "kucoin") as at:
        ours = Ours(at)
        clients = [Ccxt(name, (route,), at) for name, route in CLASSES.items()]
        try:
            for client in clients:
                await client.exchange.load_markets()
                ours.watch(client.routes[0], client.instruments(client.routes[0], SYMBOLS))
            theirs, words = await sdk(at)
            compare_sdk(theirs, words, ours)
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            for client in clients:
                await client.exchange.close()


async def sdk(at: Simulator) -> tuple[dict[str, Any], str]:
    """What the SDK holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.kucoin_client", json.dumps(at.endpoints), "--seconds", str(HELD_S + SETTLED_S),
        cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        first = await asyncio.wait_for(process.stdout.readline(), READY_S)
        if first:
            await asyncio.sleep(HELD_S - 0.5)
            await freeze(at)
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()


def compare_sdk(theirs: dict[str, Any], words: str, ours: Ours) -> None:
    assert (theirs["gaps"], theirs["errors"]) == (0, []), words
    heard = {"uta trade", "uta ticker", "mark-price", "funding-fee", "classic trade", "classic ticker", "classic book",
             "classic execution", "classic tickerV2", "classic instrument", "classic contract book",
             "classic contract level50"}  # fmt: skip
    assert set(theirs["seen"]) == heard, words
    assert len(theirs["books"]) == 4
    for name, book in theirs["books"].items():
        route, _, symbol = name.partition(" ")
        held = ours.book(route, symbol, LEVELS, by_time=False)
        assert held is not None, name
        assert book["updates"] > 10, name
        assert held[0] == book["sequence"], name
        for side, levels in (("bids", held[1]), ("asks", held[2])):
            assert [tuple(level) for level in book[side][:LEVELS]] == levels, f"{name} {side}"
