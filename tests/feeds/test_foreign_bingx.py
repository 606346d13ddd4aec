"""Foreign witnesses of BingX: ccxt.pro and bingx-python hold the same books as ours, from the same simulator.

ccxt.pro takes whole books of 100 levels, ours are built of changes. bingx-python is asked over REST only: the websocket
of its release 2.1.7 neither unzips frames nor answers ``Ping``, and leaves out ``reqType``, all of which the venue
demands (its "Websocket Market Data" introduction). Of the others cryptofeed 2.4.1 and pybotters 1.11.2 do not know the
venue, bingx-py 1.0.2 and typed-bingx 0.1.0 have no public websocket, and aiotrade-sdk 0.32 wants Python 3.12.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections import Counter
from typing import Any

import pytest

from tests.feeds.foreign import REPOSITORY, Ccxt, Ours, Side, Simulator, simulator

PYTHON = REPOSITORY / ".witness/bin/python"
KNOWS_IT = any((REPOSITORY / ".witness").glob("lib/python3*/site-packages/bingx/client.py"))
SPOT, LINEAR = "bingx.spot", "bingx.linear"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S, READY_S = 2.0, 1.2, 20.0


class Watched:
    """What both watch, and our own books of it."""

    def __init__(self, at: Simulator) -> None:
        self.client, self.ours = Ccxt("bingx", (SPOT, LINEAR), at), Ours(at)
        self.pairs: list[tuple[str, str]] = []

    async def start(self) -> None:
        await self.client.exchange.load_markets()
        for route in (SPOT, LINEAR):
            instruments = self.client.instruments(route, SYMBOLS)
            self.ours.watch(route, instruments)
            self.pairs += [(route, one.symbol) for one in instruments]
        steps = {one.symbol: (one.tick, one.lot, one.contract_size) for one in self.client.instruments(LINEAR, SYMBOLS)}
        assert steps == {"BTC/USDT:USDT": (0.1, 0.0001, 1.0), "ETH/USDT:USDT": (0.01, 0.01, 1.0)}

    def book(self, route: str, symbol: str) -> tuple[object, Side, Side] | None:
        """Ours: spot by its number, perpetuals, of which ccxt knows no number, by the engine's ms."""
        held, board = self.ours.book(route, symbol, LEVELS, by_time=False), self.ours.watches[route].board
        if held is None or route == SPOT:
            return held
        assert board is not None
        engine_ns = board.pairs[symbol].book.engine_ns
        return None if engine_ns is None else (engine_ns // 1_000_000, held[1], held[2])

    async def stop(self) -> None:
        await self.ours.stop()
        await self.client.exchange.close()


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    found: Counter[str] = Counter()
    async with simulator("calm", "bingx") as at:
        watched = Watched(at)
        exchange = watched.client.exchange

        def compare(route: str, symbol: str) -> bool:
            mine = watched.book(route, symbol)
            theirs = watched.client.book(symbol, LEVELS) if symbol in exchange.orderbooks else None
            if mine is None or theirs is None or mine[0] != theirs[0]:
                return False
            assert mine == theirs, f"{symbol} at {mine[0]}"
            found[symbol] += 1
            return True

        async def hold(symbol: str) -> None:
            while True:
                await exchange.watch_order_book(symbol)

        try:
            await watched.start()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(hold(symbol)) for _, symbol in watched.pairs]
                trades = [group.create_task(exchange.watch_trades(symbol)) for _, symbol in watched.pairs]
                tickers = [group.create_task(exchange.watch_ticker(symbol)) for _, symbol in watched.pairs]
                end_s = asyncio.get_running_loop().time() + FOLLOWED_S
                while asyncio.get_running_loop().time() < end_s:
                    await asyncio.sleep(0.005)
                    for each in watched.pairs:
                        compare(*each)
                freeze(at)
                await asyncio.sleep(SETTLED_S)
                for task in tasks:
                    task.cancel()
                assert all(trade.done() and trade.result()[-1]["price"] > 0 for trade in trades)
                assert all(ticker.done() and ticker.result()["bid"] < ticker.result()["ask"] for ticker in tickers)
            for route, symbol in watched.pairs:
                assert compare(route, symbol), f"{symbol}: the market stands still, both must be equally far"
                assert found[symbol] > FOLLOWED_S * 8, f"{symbol} was compared {found[symbol]} times"
            assert sorted(url.rpartition("/")[2] for url in exchange.clients) == ["market", "swap-market"]
            rate = await exchange.fetch_funding_rate("BTC/USDT:USDT")
            assert (rate["fundingRate"], rate["interval"]) == (0.0001, "8h")
            assert watched.ours.gaps() == 0, watched.ours.said
            assert at.failures() == 0
        finally:
            await watched.stop()


@pytest.mark.skipif(not KNOWS_IT, reason="no bingx-python in the witness environment: make witness")
async def test_bingx_python_reads_the_books_that_ours_became() -> None:
    async with simulator("calm", "bingx") as at:
        watched = Watched(at)
        try:
            await watched.start()
            await asyncio.sleep(FOLLOWED_S)
            freeze(at)
            await asyncio.sleep(SETTLED_S)
            theirs = await read_with_theirs(at)
            assert len(theirs["books"]) == len(watched.pairs)
            for route, symbol in watched.pairs:
                mine = watched.book(route, symbol)
                assert mine is not None
                for side, levels in zip(("bids", "asks"), mine[1:], strict=True):
                    assert [tuple(level) for level in theirs["books"][f"{route} {symbol}"][side]] == levels
            assert set(theirs["listed"]) >= {"BTC-USDT", "ETH-USDT", "BTC-USDC"}
            assert all(price > 0 for price in theirs["prices"].values())
            assert watched.ours.gaps() == 0, watched.ours.said
            assert at.failures() == 0
        finally:
            await watched.stop()


def freeze(at: Simulator) -> None:
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})


async def read_with_theirs(at: Simulator) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.bingx_client", json.dumps(at.endpoints), "--levels", str(LEVELS),
        cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    found: dict[str, Any] = json.loads(out)
    return found
