"""The simulator and our routes in one event loop, over loopback sockets; tests order the faults."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
from msgspec import structs

from feeds.books.book import Book
from feeds.books.route_books import RouteBooks
from feeds.clock import SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.route import RouteMonitor
from feeds.model import Channel, Instrument
from feeds.samples import FeedSample, LinkSample, Sample
from feeds.sim.market.pair import SimPair
from feeds.sim.scenario import load
from feeds.sim.simulation import Simulation
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.base import Venue
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import Cell, instrument_of
from tests.feeds.matrix.tampering import Tampering

LIMIT_S = 15.0
"""Limit of every wait. Tests do not wait for time to pass; this only ends those that would hang."""
POLL_S = 0.01
BASES = ("BTC", "ETH", "SOL")


class Floor:
    """One simulator of some venues."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = tuple(cells)
        self.simulation = Simulation(load("calm"), tuple({cell.venue for cell in cells}))
        self.limits = ConnectLimits(share=100.0)
        self._http: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self.simulation.start()
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIMIT_S))

    async def close(self) -> None:
        assert self._http is not None
        await self._http.close()
        await self.simulation.close()

    async def order(self, path: str, cell: Cell, **fields: Any) -> None:
        """Posts an ``event`` or a ``phase`` for one route to the control endpoint."""
        assert self._http is not None
        when = {"from_s": 0, "to_s": 3600} if path == "phase" else {"at_s": 0}
        body = json.dumps({"assumed": True, **when, "routes": [cell.route], **fields})
        control = self.simulation.control
        async with self._http.post(f"{control.url}/{path}", data=body, headers=control.credentials) as answer:
            assert answer.status == 200, await answer.text()

    def pairs(self, cell: Cell) -> list[SimPair]:
        """The watched pairs of a cell."""
        pairs = self.simulation.market.pairs[cell.route]
        first = {pair.instrument.base: pair for pair in reversed(pairs)}
        return [first[base] for base in BASES if base in first]

    def instruments(self, cell: Cell) -> list[Instrument]:
        return [instrument_of(pair.instrument, cell.facts) for pair in self.pairs(cell)]


class WatchedRoute:
    """One of our routes, connected to the simulator. A context manager: it stops at the end of its block."""

    def __init__(
        self,
        floor: Floor,
        cell: Cell,
        *,
        beside: Sequence[Instrument] = (),
        facts: Mapping[str, Any] | None = None,
        withhold: int = 0,
    ) -> None:
        """``beside``: further instruments, which the venue may not know. ``facts`` replaces published facts, so that a
        test does not wait for minutes. ``withhold``: so many first books of the first symbol never come."""
        self.floor, self.cell = floor, cell
        self.samples: list[Sample] = []
        self.said: list[str] = []
        self.pairs = floor.pairs(cell)
        self.tampering = Tampering(self.symbol, withhold=withhold)
        self._instruments = [*floor.instruments(cell), *beside]
        hosts = floor.simulation.ready()["endpoints"][cell.route]
        self.watch = RouteMonitor(
            cell.route,
            self.tampering.at(_hurried(VENUES[cell.venue], cell, facts or {})),
            cell.product,
            Hosts(hosts["rest"], hosts["ws"]),
            Meters(SystemClock(), self.samples.append, lambda code, route, words: self.said.append(f"{code}: {words}")),
            offset=OffsetEstimator(),
            limits=floor.limits,
            dialler=Dialler(SystemClock()),
        )

    async def __aenter__(self) -> WatchedRoute:
        self.watch.watch(self._instruments)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.watch.stop()

    @property
    def route_books(self) -> RouteBooks:
        assert self.watch.books is not None
        return self.watch.books

    @property
    def books(self) -> list[Book]:
        return [self.route_books.pairs[pair.instrument.symbol].book for pair in self.pairs]

    @property
    def symbol(self) -> str:
        """The symbol for faults of single books."""
        return self.pairs[0].instrument.symbol

    def synced(self) -> bool:
        return all(book.synced for book in self.books)

    def equal(self) -> bool:
        """Do all books have the best levels that the simulator has sent so far?"""
        return self.synced() and all(self._equal(pair) for pair in self.pairs)

    def _equal(self, pair: SimPair) -> bool:
        book, levels = self.route_books.pairs[pair.instrument.symbol].book, self.cell.compared
        truth = pair.feed.image(levels)
        bids = sorted(book.bids.items(), reverse=True)[:levels]
        asks = sorted(book.asks.items())[:levels]
        return [bids, asks] == [[(float(p), float(s)) for p, s in side] for side in (truth.bids, truth.asks)]

    def crossed(self) -> bool:
        return any(book.synced and book.ladder().crossed for book in self.books)

    async def until(self, true: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Returns as soon as ``true`` is. AssertionError names what did not happen; a crossed book ends the wait
        too."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + limit_s
        while not true():
            assert not self.crossed(), f"a crossed book while waiting until {what}"
            assert loop.time() < end_s, f"in vain: until {what}; said {self.said[-8:]}"
            await asyncio.sleep(POLL_S)

    async def updates(self, count: int, or_when: Callable[[], bool] = lambda: False) -> None:
        """Returns after this many book messages: time enough for an ordered fault to happen."""
        enough = self.route_books.book_updates + count
        await self.until(
            lambda: self.route_books.book_updates >= enough or or_when(), f"{count} more messages of books"
        )

    def ask_again(self) -> None:
        """Requests a new snapshot of the first book."""
        for stream in self.watch.streams:
            stream.resubscribe(Channel.BOOK, self.symbol)

    async def live(self) -> None:
        """Waits until every book equals the simulator's and has changed."""
        await self.until(self.equal, "the books equal the simulator's")
        versions = [book.version for book in self.books]
        await self.until(
            lambda: all(b.synced and b.version > v for b, v in zip(self.books, versions, strict=True)),
            "every book moves on",
        )

    def silent(self) -> list[str]:
        """Channels without data or with late data, in a sample taken now."""
        self.watch.sample()
        sample = [one for one in self.samples if isinstance(one, FeedSample)][-1]
        late = {key for key, limit in sample.quiet_limit_ms.items() if sample.channel_silence_ms.get(key, 0) > limit}
        return sorted(late | set(sample.never_data))

    def pongs_ms(self) -> list[float]:
        """Round trips of keepalives so far."""
        self.watch.sample()
        return [one.ws_ms for one in self.samples if isinstance(one, LinkSample) and one.ws_ms is not None]

    def keepalive(self) -> bool | None:
        """Keepalive state in the newest sample."""
        self.watch.sample()
        return [one for one in self.samples if isinstance(one, FeedSample)][-1].keepalive_ok

    @property
    def sockets(self) -> int:
        return len(self.watch.streams)

    @property
    def handovers(self) -> int:
        return sum(stream.stats.handovers for stream in self.watch.streams)

    @property
    def noise(self) -> int:
        """Number of messages counted as garbled or unknown."""
        return self.watch.garbled + self.watch.unknown

    @property
    def bugs(self) -> int:
        """Number of exceptions in our own handlers."""
        return sum(stream.stats.handler_errors for stream in self.watch.streams)


def _hurried(venue: Venue, cell: Cell, facts: Mapping[str, Any]) -> Venue:
    hurried = copy.copy(venue)
    hurried.products = {**venue.products, cell.product: structs.replace(cell.facts, **facts)}
    return hurried


async def each(cells: Sequence[Cell], story: Callable[[Cell], Awaitable[None]]) -> None:
    """Runs one test for all cells at the same time. AssertionError names the cells that failed, with the reasons."""
    outcomes = await asyncio.gather(*(story(cell) for cell in cells), return_exceptions=True)
    failed = [f"{cell.route}: {type(o).__name__}: {o}" for cell, o in zip(cells, outcomes, strict=True) if o]
    assert not failed, "\n".join(failed)
