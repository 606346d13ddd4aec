"""Foreign witnesses of Bitfinex: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

Neither numbers its books, so that all are compared when the market stands still. ccxt checks every checksum that is
sent for the best 25 levels, cryptofeed that no number is missing on its connection.
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
ROUTES = ("bitfinex.spot", "bitfinex.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
FOLLOWED_S, SETTLED_S, READY_S = 3.0, 1.5, 20.0


def watch(client: Ccxt, ours: Ours) -> list[tuple[str, str]]:
    """What both watch: (route, symbol)."""
    watched = []
    for route in ROUTES:
        instruments = client.instruments(route, SYMBOLS)
        assert len(instruments) == len(SYMBOLS)
        ours.watch(route, instruments)
        watched += [(route, one.symbol) for one in instruments]
    return watched


def held(ours: Ours, route: str, symbol: str) -> tuple[Side, Side]:
    book = ours.book(route, symbol, LEVELS, by_time=False)
    assert book is not None, f"{route} {symbol} is not synced: {ours.said}"
    return book[1:]


async def rest(at: Simulator) -> None:
    await asyncio.sleep(FOLLOWED_S)
    at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
    await asyncio.sleep(SETTLED_S)


async def test_ccxt_pro_holds_the_same_books_as_ours_and_finds_every_checksum_right() -> None:
    updates: Counter[str] = Counter()
    checked: Counter[int] = Counter()
    async with simulator("calm", "bitfinex") as at:
        client, ours = Ccxt("bitfinex", ROUTES, at), Ours(at)
        check = client.exchange.handle_checksum

        def handle_checksum(socket: Any, message: list[Any], subscription: object) -> None:
            checked[message[0]] += 1
            check(socket, message, subscription)

        async def hold(symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol)  # raises on a wrong checksum
                updates[symbol] += 1

        client.exchange.handle_checksum = handle_checksum
        try:
            await client.exchange.load_markets()
            watched = watch(client, ours)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(hold(symbol)) for _, symbol in watched]
                others = [
                    group.create_task(ask(symbol))
                    for _, symbol in watched
                    for ask in (client.exchange.watch_trades, client.exchange.watch_ticker)
                ]
                await rest(at)
                for task in tasks:
                    task.cancel()
                assert all(other.done() for other in others)
            for route, symbol in watched:
                assert client.book(symbol, LEVELS)[1:] == held(ours, route, symbol), symbol
                assert updates[symbol] > FOLLOWED_S * 4, f"{symbol}: {updates[symbol]} updates"
            assert len(checked) == len(watched)
            assert min(checked.values()) > FOLLOWED_S * 4
            status = await client.exchange.fetch_status()
            funding = await client.exchange.fetch_funding_rate("BTC/USDT:USDT")
            assert (status["status"], funding["fundingRate"]) == ("ok", 0.0001)
            assert client.exchange.currencies["USDT"]["withdraw"] is True
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@pytest.mark.skipif(not PYTHON.exists(), reason="the witness environment is not here: make witness")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "bitfinex") as at:
        markets, ours = Ccxt("bitfinex", ROUTES, at), Ours(at)
        process = await asyncio.create_subprocess_exec(
            PYTHON, "-m", "tests.witness.bitfinex_client", json.dumps(at.endpoints),
            "--seconds", str(FOLLOWED_S + SETTLED_S + 0.5), cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        try:
            await markets.exchange.load_markets()
            watched = watch(markets, ours)
            assert process.stdout is not None
            ready = await asyncio.wait_for(process.stdout.readline(), READY_S)
            assert ready, (await process.communicate())[1].decode()
            await rest(at)
            out, said = await asyncio.wait_for(process.communicate(), READY_S)
            assert (process.returncode, said.decode()) == (0, "")
            theirs = json.loads(out)
            assert theirs["seen"]["trades"] > 0
            for route, symbol in watched:
                book = theirs["books"][f"{route} {symbol}"]
                assert book["updates"] > FOLLOWED_S * 4, symbol
                sides = [[tuple(level) for level in book[side][:LEVELS]] for side in ("bids", "asks")]
                assert tuple(sides) == held(ours, route, symbol), symbol
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await ours.stop()
            await markets.exchange.close()
