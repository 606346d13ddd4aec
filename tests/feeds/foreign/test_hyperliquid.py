"""Foreign witnesses of Hyperliquid: ccxt.pro and the official Python SDK hold the same books as ours.

Both use the usual book, which comes every 5 s. Ours equals it for half a second, until the next fast one.
cryptofeed 2.4.1 does not know this venue.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import Any

import pytest

from tests.feeds.foreign.clients import REPOSITORY, Ccxt, Ours, Side, Simulator, simulator

ROUTE = "hyperliquid.linear"
SYMBOLS = {"BTC": "BTC/USDC:USDC", "ETH": "ETH/USDC:USDC"}
LEVELS = 20
PATIENCE_S = 9.0
LOOK_EVERY_S = 0.02
READY_S = 20.0
PYTHON = REPOSITORY / ".witness/bin/python"

History = dict[tuple[str, int], tuple[Side, Side]]
"""Books by symbol and the venue's time in ms."""


class WatchedBook:
    """Our own books, all kept until the test ends."""

    def __init__(self, at: Simulator) -> None:
        self.ours = Ours(at)
        self.books: History = {}
        self.quotes: dict[tuple[str, int], tuple[tuple[float, float], ...]] = {}

    async def start(self, client: Ccxt) -> None:
        await client.exchange.load_markets()
        instruments = client.instruments(ROUTE, ("BTC/USDC", "ETH/USDC"))
        assert {one.venue_id: one.symbol for one in instruments} == SYMBOLS
        assert [(one.tick, one.lot) for one in instruments] == [(1.0, 0.00001), (0.1, 0.0001)]
        self.ours.watch(ROUTE, instruments)

    async def look_until(self, done: Callable[[], bool]) -> None:
        """Keeps our books until ``done``. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                await asyncio.sleep(LOOK_EVERY_S)
                self._look()

    def _look(self) -> None:
        books = self.ours.watches[ROUTE].books
        assert books is not None
        for symbol, pair in books.pairs.items():
            held, engine_ns = self.ours.book(ROUTE, symbol, LEVELS, by_time=False), pair.book.engine_ns
            if held is not None and engine_ns is not None:
                self.books[symbol, engine_ns // 1_000_000] = held[1], held[2]
            quote = pair.quote
            if quote is not None and quote.engine_ns is not None:
                assert quote.bid and quote.bid_size and quote.ask and quote.ask_size
                sides = (quote.bid, quote.bid_size), (quote.ask, quote.ask_size)
                self.quotes[symbol, quote.engine_ns // 1_000_000] = sides


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "hyperliquid") as at:
        client, watched = Ccxt("hyperliquid", (ROUTE,), at), WatchedBook(at)
        theirs: History = {}

        async def hold(symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol)
                time_ms, bids, asks = client.book(symbol, LEVELS)
                assert isinstance(time_ms, int)
                theirs[symbol, time_ms] = bids, asks

        def met() -> bool:
            return {symbol for symbol, _ in theirs.keys() & watched.books.keys()} == set(SYMBOLS.values())

        try:
            await watched.start(client)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(hold(symbol)) for symbol in SYMBOLS.values()]
                trades = group.create_task(client.exchange.watch_trades(SYMBOLS["BTC"]))
                await watched.look_until(met)
                for task in tasks:
                    task.cancel()
            compare(theirs, watched.books)
            assert trades.result()[-1]["price"] > 0
            assert watched.ours.gaps() == 0, watched.ours.said
            assert at.failures() == 0
        finally:
            await watched.ours.stop()
            await client.exchange.close()


def compare(theirs: History, ours: History) -> None:
    for key in theirs.keys() & ours.keys():
        assert ours[key] == theirs[key], key
        assert [len(side) for side in ours[key]] == [LEVELS, LEVELS]


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_the_official_client_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "hyperliquid") as at:
        markets, watched = Ccxt("hyperliquid", (ROUTE,), at), WatchedBook(at)
        client = await asyncio.create_subprocess_exec(
            PYTHON, "tests/witness/hyperliquid_client.py", at.endpoints[ROUTE]["rest"],
            stdin=PIPE, stdout=PIPE, cwd=REPOSITORY,
        )  # fmt: skip
        try:
            await watched.start(markets)
            assert client.stdout is not None
            assert json.loads(await asyncio.wait_for(client.stdout.readline(), READY_S)) == {"ready": True}
            await watched.look_until(lambda: bool(watched.books))
            first_ms = max(time_ms for _, time_ms in watched.books)
            # one interval of the usual book, and the half second in which our book equals it
            next_ms = (first_ms // 5_000 + 1) * 5_000 + 1_500
            await watched.look_until(lambda: max(time_ms for _, time_ms in watched.books) > next_ms)
            out, _ = await asyncio.wait_for(client.communicate(b""), READY_S)
            said: dict[str, Any] = json.loads(out)
        finally:
            if client.returncode is None:
                client.kill()
                await client.wait()
            await watched.ours.stop()
            await markets.exchange.close()
        for coin, symbol in SYMBOLS.items():
            theirs: History = {
                (symbol, int(time_ms)): (numbers(bids), numbers(asks))
                for time_ms, (bids, asks) in said["books"][coin].items()
            }
            assert theirs.keys() & watched.books.keys(), (sorted(theirs), sorted(watched.books))
            compare(theirs, watched.books)
            best = {(symbol, int(ms)): tuple(numbers(sides)) for ms, sides in said["bbo"][coin].items()}
            met = best.keys() & watched.quotes.keys()
            assert len(met) > 5
            assert {key: best[key] for key in met} == {key: watched.quotes[key] for key in met}
        assert min(said["seen"][kind] for kind in ("trades", "activeAssetCtx")) > 0
        assert said["rest"]["l2Book"] == [LEVELS, LEVELS]
        assert set(said["rest"]["mids"]) == set(said["rest"]["assets"]) == {"BTC", "ETH", "SOL", "XRP", "DOGE"}
        assert watched.ours.gaps() == 0, watched.ours.said
        assert at.failures() == 0


def numbers(side: list[tuple[str, str]]) -> Side:
    return [(float(price), float(size)) for price, size in side]
