"""The foreign witness: ccxt.pro's own clients must hold the same books as ours, from the same simulator.

What a foreign client refuses is our bug, in a twin or in a decoder. **This test takes a minute on purpose**: every
client holds its books for ``HELD_S``, all at once. ``DETOUR_FOREIGN_S=5`` in the environment makes it a quick look.
A venue whose clients need more than a line here has a ``test_foreign_<venue>.py`` of its own.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

from feeds.venues.registry import VENUES
from tests.feeds.foreign import Ccxt, Ours, Simulator, simulator

HELD_S = float(os.environ.get("DETOUR_FOREIGN_S", "60"))
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
LOOK_EVERY_S = 0.05
SETTLED_S = 15.0
CLIENTS = {
    "binance": ("binance.spot",),
    "binanceusdm": ("binance.linear",),
    "okx": ("okx.spot", "okx.linear"),
    "bybit": ("bybit.spot", "bybit.linear"),
}


class Pairing:
    """One book at both: ccxt's and ours."""

    def __init__(self, client: Ccxt, ours: Ours, route: str, symbol: str) -> None:
        self.client, self.route, self.symbol = client, route, symbol
        self._ours = ours
        # ccxt keeps no sequence of Bybit's books, and asks for 50 levels unless told to take as many as we do
        self._by_time = client.name == "bybit"
        self._depth = 1000 if client.name == "bybit" else None
        self.name = f"{route} {symbol}"
        self.updates = 0

    async def hold(self) -> None:
        """Until cancelled; raises what ccxt raises."""
        while True:
            await self.client.exchange.watch_order_book(self.symbol, self._depth)
            self.updates += 1

    def compare(self, found: Counter[str]) -> bool:
        """At equal sequence the best levels must be equal. False while the two are not equally far."""
        if self.symbol not in self.client.exchange.orderbooks:
            return False
        ours = self._ours.book(self.route, self.symbol, LEVELS, self._by_time)
        theirs = self.client.book(self.symbol, LEVELS)
        if ours is None or ours[0] is None or ours[0] != theirs[0]:
            return False
        found[self.name] += 1
        assert ours == theirs, f"{self.name} at {ours[0]}"
        return True


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator() as at:
        clients = [Ccxt(name, routes, at) for name, routes in CLIENTS.items()]
        ours = Ours(at)
        try:
            await asyncio.gather(*(client.exchange.load_markets() for client in clients))
            await hold(at, clients, ours)
        finally:
            await ours.stop()
            for client in clients:
                await client.exchange.close()


async def hold(at: Simulator, clients: list[Ccxt], ours: Ours) -> None:
    pairings = []
    for client in clients:
        for route in client.routes:
            instruments = client.instruments(route, SYMBOLS)
            assert len(instruments) == len(SYMBOLS), f"ccxt reads {SYMBOLS} out of {route}"
            ours.watch(route, instruments)
            pairings += [Pairing(client, ours, route, one.symbol) for one in instruments]
    assert {pairing.route for pairing in pairings} == {
        f"{v.name}.{p}"
        for v in VENUES.values()
        for p in ("spot", "linear")
        if p in v.products and not Path(__file__).with_name(f"test_foreign_{v.name}.py").exists()
    }

    found: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pairing.hold(), name=pairing.name) for pairing in pairings]
        trades = {
            pairing.name: group.create_task(pairing.client.exchange.watch_trades(pairing.symbol))
            for pairing in pairings
            if pairing.symbol.startswith("BTC")
        }
        loop = asyncio.get_running_loop()
        end_s = loop.time() + HELD_S
        while loop.time() < end_s:
            await asyncio.sleep(LOOK_EVERY_S)
            for pairing in pairings:
                pairing.compare(found)
        at.post("/phase", {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"})
        end_s = loop.time() + SETTLED_S
        unsettled = list(pairings)
        while unsettled and loop.time() < end_s:
            # long enough apart for what is under way to arrive: a frozen market says nothing new
            await asyncio.sleep(1.0)
            unsettled = [pairing for pairing in pairings if not pairing.compare(Counter())]
        assert not [pairing.name for pairing in unsettled], "the market stands still: both must be equally far"
        for pairing in pairings:
            theirs = pairing.client.book(pairing.symbol, LEVELS)
            assert len(theirs[1]) == len(theirs[2]) == LEVELS, pairing.name
        for name, trade in trades.items():
            assert trade.done(), f"ccxt saw no trade on {name}"
            assert trade.result()[-1]["price"] > 0
        for task in tasks:
            task.cancel()

    for pairing in pairings:
        assert pairing.updates > HELD_S * 3, f"{pairing.name}: {pairing.updates} updates in {HELD_S:g} s"
        assert found[pairing.name] > HELD_S / 2, f"{pairing.name} was compared {found[pairing.name]} times"
    assert ours.gaps() == 0, ours.said
    assert at.failures() == 0
