"""Foreign witnesses of MEXC: ccxt.pro and typed-mexc 2.3.0 hold the same books as we do, from the same simulator.

Not used: pymexc 1.3.1 (its newest; imports a module that its package does not contain), cryptofeed 2.4.1 (has no MEXC).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Simulator, simulator

PYTHON = REPOSITORY / ".witness/bin/python"
ROUTES = ("mexc.spot", "mexc.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S, READY_S = 3.0, 1.5, 20.0


class Pairing:
    """One book at both. ccxt keeps no last version of spot's books, so equal push times make them comparable."""

    def __init__(self, client: Ccxt, ours: Ours, route: str, symbol: str) -> None:
        self._client, self._ours, self._route = client, ours, route
        self.symbol = symbol
        self.name = f"{route} {symbol}"
        self.updates = 0

    async def hold(self) -> None:
        params = {"frequency": "10ms"} if self._route == "mexc.spot" else {}
        while True:
            await self._client.exchange.watch_order_book(self.symbol, None, params)
            self.updates += 1

    def compare(self, found: Counter[str]) -> bool:
        if self.symbol not in self._client.exchange.orderbooks:
            return False
        ours = self._ours.book(self._route, self.symbol, LEVELS, by_time=True)
        theirs = self._client.exchange.orderbooks[self.symbol]
        if ours is None or ours[0] != theirs["timestamp"]:
            return False
        for side, levels in (("bids", ours[1]), ("asks", ours[2])):
            assert [(float(p), float(s)) for p, s, *_ in theirs[side][:LEVELS]] == levels, f"{self.name} {side}"
        found[self.name] += 1
        return True


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    found: Counter[str] = Counter()
    async with simulator("calm", "mexc") as at:
        client, ours = Ccxt("mexc", ROUTES, at), Ours(at)
        spot, linear = (at.endpoints[route]["ws"] for route in ROUTES)
        client.exchange.urls["api"]["ws"] = {"spot": f"{spot}/ws", "swap": f"{linear}/edge"}
        client.exchange.options["watchOrderBook"]["snapshotDelay"] = 3  # updates it waits for before it asks for a book
        client.exchange.enableRateLimit = False  # the list of contracts costs it five seconds of silence
        try:
            pairings = await watch(client, ours)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(pairing.hold()) for pairing in pairings]
                trades = [group.create_task(client.exchange.watch_trades(p.symbol)) for p in pairings]
                end_s = asyncio.get_running_loop().time() + FOLLOWED_S
                while asyncio.get_running_loop().time() < end_s:
                    await asyncio.sleep(0.005)
                    for pairing in pairings:
                        pairing.compare(found)
                freeze(at)
                await asyncio.sleep(SETTLED_S)
                for task in tasks:
                    task.cancel()
                assert all(trade.done() and trade.result()[-1]["price"] > 0 for trade in trades)
            for pairing in pairings:
                assert pairing.compare(found), f"{pairing.name}: the market stands still, both must be equally far"
                assert pairing.updates > FOLLOWED_S * 2, pairing.name
                assert found[pairing.name] > FOLLOWED_S * 4, f"{pairing.name} was compared {found[pairing.name]} times"
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_typed_mexc_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "mexc") as at:
        markets, ours = Ccxt("mexc", ROUTES, at), Ours(at)
        try:
            await watch(markets, ours)
            theirs, words = await follow(at)
            seen = theirs["seen"]
            assert theirs["gaps"] == 0, words
            assert (seen.pop("symbols"), seen.pop("contracts")) == (7, 5)
            assert min(seen.values()) > 0, seen
            assert len(seen) == 14
            for name, book in theirs["books"].items():
                route, _, symbol = name.partition(" ")
                held = ours.book(route, symbol, LEVELS, by_time=False)
                sides = ([tuple(level) for level in book[side]] for side in ("bids", "asks"))
                assert held == (book["version"], *sides), name
                assert book["updates"] > FOLLOWED_S * 2
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
    """What typed-mexc holds when the market has come to rest, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        PYTHON, "tests/witness/mexc_client.py", json.dumps(at.endpoints), cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_S)
        if line:
            assert json.loads(line) == {"ready": True}
            await asyncio.sleep(FOLLOWED_S)
            freeze(at)
            await asyncio.sleep(SETTLED_S)
        out, said = await asyncio.wait_for(process.communicate(b""), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    return json.loads(out), said.decode()
