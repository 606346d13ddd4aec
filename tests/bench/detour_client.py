"""Our own pipeline under measurement: stream, session, board and book, every time stamp and counter on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from msgspec import structs

from feeds.clock import SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.route import RouteMonitor
from feeds.model import Channel, Instrument, Product
from feeds.samples import Sample
from feeds.sim.registry import TWINS
from feeds.sim.twin import SimInstrument
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.base import Probe, SocketPlan, Venue
from feeds.venues.registry import VENUES
from tests.bench import rounds

LEVELS = 20
LOOK_S = 0.02


class BooksOnly:
    """A venue of which only the books are asked for, as other clients do. No probes: they cost nothing a message."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        return ()

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        plans: list[SocketPlan] = []
        for plan in self._venue.plan(product, instruments):
            books = tuple(one for one in plan.subscriptions if one.channel is Channel.BOOK)
            if books:
                plans.append(structs.replace(plan, subscriptions=books))
        return plans


def instrument_of(sim: SimInstrument) -> Instrument:
    return Instrument(
        route=sim.route,
        symbol=sim.symbol,
        venue_id=sim.venue_id,
        base=sim.base,
        quote=sim.quote,
        tick=float(sim.tick),
        lot=float(sim.lot),
        contract_size=float(sim.contract_size),
        inverse=sim.inverse,
        taker_fee=float(sim.taker_fee),
    )


class Detour:
    def __init__(self) -> None:
        self._watch: RouteMonitor | None = None
        self._symbol = ""
        self._said: list[str] = []
        self._samples = 0
        self._sampling: asyncio.Task[None] | None = None

    async def open(self, place: dict[str, Any]) -> None:
        route: str = place["route"]
        name, _, last = route.partition(".")
        venue = cast(Venue, BooksOnly(VENUES[name]))
        product: Product = last  # type: ignore[assignment]  # the server names a route that exists
        [sim] = [one for one in TWINS[name]().instruments() if (one.route, one.symbol) == (route, place["symbol"])]
        self._symbol = sim.symbol
        self._watch = watch = RouteMonitor(
            route,
            venue,
            product,
            Hosts(place["rest"], place["ws"]),
            Meters(SystemClock(), self._count, lambda code, route, text: self._said.append(f"{code}: {text}")),
            offset=OffsetEstimator(),
            limits=ConnectLimits(),
            dialler=Dialler(SystemClock()),
        )
        watch.watch([instrument_of(sim)])
        self._sampling = asyncio.create_task(self._sample(watch))
        while watch.books is None or not watch.books.pairs[self._symbol].book.synced:  # noqa: ASYNC110 - polled at start-up
            await asyncio.sleep(LOOK_S)

    async def _sample(self, watch: RouteMonitor) -> None:
        """As the collector does, once a second."""
        while True:
            await asyncio.sleep(1.0)
            watch.sample()

    def _count(self, sample: Sample) -> None:
        self._samples += 1

    def done(self, marks: dict[str, float]) -> bool:
        [mark_px] = marks.values()
        return mark_px in self._bids_asks()[0]

    def book(self) -> list[list[list[float]]] | None:
        bids, asks = self._bids_asks()
        best = sorted(bids.items(), reverse=True)[:LEVELS], sorted(asks.items())[:LEVELS]
        return [[list(level) for level in side] for side in best]

    def _bids_asks(self) -> tuple[dict[float, float], dict[float, float]]:
        assert self._watch is not None
        assert self._watch.books is not None
        book = self._watch.books.pairs[self._symbol].book
        return book.bids, book.asks

    def counters(self) -> dict[str, float]:
        assert self._watch is not None
        assert self._watch.books is not None
        board = self._watch.books
        return {
            "messages": sum(s.stats.messages for s in self._watch.streams),
            "applied": board.book_updates,
            "gaps": board.gaps,
            "garbled": board.garbled + board.unknown,
            "errors": sum(s.stats.handler_errors for s in self._watch.streams),
            "bursts": sum(s.stats.bursts for s in self._watch.streams),
        }

    def notes(self) -> dict[str, Any]:
        return {"said": self._said[:5]}

    async def close(self) -> None:
        await rounds.cancel(self._sampling)
        if self._watch is not None:
            await self._watch.stop()


if __name__ == "__main__":
    rounds.main(Detour)
