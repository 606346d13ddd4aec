"""ccxt.pro and our own measuring on one simulator: the same books, compared whenever both have come equally far."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from feeds.model import Instrument
from tests.feeds.foreign.clients import Ccxt, Ours, Side, Simulator

By = Literal["number", "gateway", "engine", "rest"]
"""What tells that two books are equally far: the venue's number, one of its times in ms, or that the market rests."""
LEVELS = 20
REST = {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"}


class Pairing:
    """One book at both."""

    def __init__(
        self,
        client: Ccxt,
        ours: Ours,
        route: str,
        symbol: str,
        *,
        by: By = "number",
        depth: int | None = None,
        params: Mapping[str, object] | None = None,
        many_at_a_time: bool = False,
    ) -> None:
        """``depth`` and ``params`` are what ccxt asks for. ``many_at_a_time``: several messages have one number, so
        that both may differ for as long as they are read."""
        self.client, self.route, self.symbol = client, route, symbol
        self._ours, self._by, self._depth, self._params = ours, by, depth, dict(params or {})
        self._many_at_a_time = many_at_a_time
        self.name = f"{client.name} {route} {symbol}"
        self.updates = 0
        self.compared = 0

    async def hold(self) -> None:
        """Until cancelled; raises what ccxt raises."""
        while True:
            await self.client.exchange.watch_order_book(self.symbol, self._depth, self._params)
            self.updates += 1

    @property
    def by_rest(self) -> bool:
        return self._by == "rest"

    def compare(self, rests: bool = False) -> bool:
        """The best levels must be equal where both are equally far. False while they are not."""
        if self.symbol not in self.client.exchange.orderbooks or (self.by_rest and not rests):
            return False
        mine, theirs = held(self._ours, self.route, self.symbol, self._by), self.client.book(self.symbol, LEVELS)
        if self._by in ("gateway", "engine"):
            theirs = (self.client.exchange.orderbooks[self.symbol]["timestamp"], *theirs[1:])
        if mine is None or (not self.by_rest and mine[0] != theirs[0]):
            return False
        equal = mine[1:] == theirs[1:]
        assert equal or self._many_at_a_time or self.by_rest, f"{self.name} at {mine[0]}: {mine} {theirs}"
        self.compared += equal
        return equal


def held(ours: Ours, route: str, symbol: str, by: By, levels: int = LEVELS) -> tuple[object, Side, Side] | None:
    """Our own book, as ``Ours.book``, numbered as told."""
    book, books = ours.book(route, symbol, levels, by_time=by == "gateway"), ours.watches[route].books
    if book is None or by != "engine":
        return book
    assert books is not None
    engine_ns = books.pairs[symbol].book.engine_ns
    return None if engine_ns is None else (engine_ns // 1_000_000, *book[1:])


class Both:
    """ccxt's exchanges with their markets read, and our own routes at work."""

    def __init__(self, at: Simulator, clients: Sequence[Ccxt], ours: Ours) -> None:
        self.at, self.clients, self.ours = at, clients, ours
        self.instruments: dict[str, list[Instrument]] = {}

    @property
    def exchange(self) -> Any:
        """The only one."""
        [client] = self.clients
        return client.exchange

    def pairings(self, **options: Any) -> list[Pairing]:
        """Every book at every client; ``options`` are those of ``Pairing``."""
        return [
            Pairing(client, self.ours, route, one.symbol, **options)
            for client in self.clients
            for route in client.routes
            for one in self.instruments[route]
        ]

    async def rest(self, settled_s: float) -> None:
        """Let the market stand still, and everybody come to its end."""
        self.at.post("/phase", REST)
        await asyncio.sleep(settled_s)


@contextlib.asynccontextmanager
async def both(
    at: Simulator,
    classes: Sequence[tuple[str, Sequence[str]]],
    symbols: Sequence[str],
    prepare: Callable[[Ccxt], None] = lambda client: None,
    each: int = 2,
) -> AsyncIterator[Both]:
    """``classes``: ccxt's, each with the routes of ours that it is to hold. ``symbols`` are without settlement, of
    which every route has ``each``. Nothing of ours may have been lost, and no twin have raised, in the end."""
    clients, ours = [Ccxt(name, routes, at) for name, routes in classes], Ours(at)
    made = Both(at, clients, ours)
    try:
        for client in clients:
            prepare(client)
        await asyncio.gather(*(client.exchange.load_markets() for client in clients))
        for client in clients:
            for route in client.routes:
                instruments = client.instruments(route, symbols)
                assert len(instruments) == each, f"ccxt reads {symbols} out of {route}"
                if route not in made.instruments:
                    ours.watch(route, instruments)
                made.instruments.setdefault(route, instruments)
        yield made
        assert ours.gaps() == 0, ours.said
        assert at.failures() == 0
    finally:
        await ours.stop()
        for client in clients:
            await client.exchange.close()


async def hold(
    beside: Both,
    pairings: Sequence[Pairing],
    once: Sequence[Awaitable[Any]] = (),
    *,
    followed_s: float = 2.0,
    settled_s: float = 6.0,
    every_s: float = 0.02,
    updates_hz: float = 1.0,
    compared_hz: float = 4.0,
    following: Sequence[Callable[[], Awaitable[None]]] | None = None,
) -> list[Any]:
    """Follow and compare for ``followed_s`` from when all books and ``once`` are there, and then once more at rest.

    Returns what came of ``once``, each of which must have been answered. ``following`` replaces the pairings' own
    ``hold``. AssertionError names the book that differs, or that was updated or compared too seldom.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        holding = [group.create_task(_run(one)) for one in following or [pairing.hold for pairing in pairings]]
        told = [group.create_task(_get(each)) for each in once]
        end_s, patient_until_s = None, loop.time() + settled_s
        while end_s is None or loop.time() < end_s:
            await asyncio.sleep(every_s)
            for pairing in pairings:
                pairing.compare()
            begun = all(one.compared or (one.by_rest and one.updates) for one in pairings)
            begun = begun and all(task.done() for task in told)  # trades come when they come
            if end_s is None and (begun or loop.time() > patient_until_s):
                end_s = loop.time() + followed_s
        counted = [(pairing, pairing.updates, pairing.compared) for pairing in pairings]
        await beside.rest(0.5)
        unsettled, end_s = list(pairings), loop.time() + settled_s
        while loop.time() < end_s and (unsettled or not all(task.done() for task in told)):
            await asyncio.sleep(0.25)  # what is under way arrives: a market that rests says nothing new
            unsettled = [pairing for pairing in unsettled if not pairing.compare(rests=True)]
        for task in holding:
            task.cancel()
        assert not [one.name for one in unsettled], "the market stands still: both must be equally far"
        unheard = [n for n, task in enumerate(told) if not task.done()]
        assert not unheard, f"ccxt never heard {unheard}"
    for pairing, updates, compared in counted:
        assert updates > followed_s * updates_hz, f"{pairing.name}: {updates} updates"
        assert compared > followed_s * compared_hz or pairing.by_rest, f"{pairing.name} was compared {compared} times"
    return [task.result() for task in told]


async def _run(one: Callable[[], Awaitable[None]]) -> None:
    await one()


async def _get(one: Awaitable[Any]) -> Any:
    return await one
