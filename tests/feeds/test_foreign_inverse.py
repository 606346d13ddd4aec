"""ccxt.pro on the inverse contracts of Binance (COIN-M), OKX and Bybit: the same markets and books as ours.

Deribit's are in ``test_foreign_deribit``.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.feeds.foreign import Ccxt, Ours, simulator
from tests.feeds.test_foreign_clients import Pairing

CLIENTS = {"binancecoinm": "binance.inverse", "okx": "okx.inverse", "bybit": "bybit.inverse"}
DOLLARS = {"binance.inverse": (100.0, 10.0), "okx.inverse": (100.0, 10.0), "bybit.inverse": (1.0, 1.0)}
"""Of a contract of Bitcoin and of Ether."""
SYMBOLS = ("BTC/USD", "ETH/USD")
HELD_S, SETTLED_S = 4.0, 6.0


async def test_ccxt_pro_holds_the_same_inverse_books_as_ours() -> None:
    async with simulator("calm", "binance", "okx", "bybit") as at:
        clients, ours = [Ccxt(name, (route,), at) for name, route in CLIENTS.items()], Ours(at)
        try:
            await asyncio.gather(*(client.exchange.load_markets() for client in clients))
            pairings = []
            for client in clients:
                [route] = client.routes
                instruments = client.instruments(route, SYMBOLS)
                assert {(one.symbol, one.contract_size, one.inverse) for one in instruments} == {
                    ("BTC/USD:BTC", DOLLARS[route][0], True),
                    ("ETH/USD:ETH", DOLLARS[route][1], True),
                }
                ours.watch(route, instruments)
                pairings += [Pairing(client, ours, route, one.symbol) for one in instruments]
            found: Counter[str] = Counter()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(pairing.hold()) for pairing in pairings]
                loop = asyncio.get_running_loop()
                end_s = loop.time() + HELD_S
                while loop.time() < end_s:
                    await asyncio.sleep(0.02)
                    for pairing in pairings:
                        pairing.compare(found)
                at.post(
                    "/phase",
                    {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"},
                )
                end_s, unsettled = loop.time() + SETTLED_S, list(pairings)
                while unsettled and loop.time() < end_s:
                    await asyncio.sleep(0.5)
                    unsettled = [pairing for pairing in unsettled if not pairing.compare(Counter())]
                for task in tasks:
                    task.cancel()
            assert not [pairing.name for pairing in unsettled], "the market stands still: both must be equally far"
            for pairing in pairings:
                assert found[pairing.name] > HELD_S, f"{pairing.name} was compared {found[pairing.name]} times"
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            for client in clients:
                await client.exchange.close()
