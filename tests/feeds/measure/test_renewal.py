"""The list of instruments changes while a route is measured: what is watched follows, and nobody sees a gap."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec import structs

from feeds.clock import SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.route import RouteMonitor
from feeds.model import Instrument, product_in, venue_of
from feeds.samples import LinkSample, Sample
from feeds.sim.scenario import load
from feeds.sim.simulation import Simulation
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import instrument_of

LIMIT_S = 15.0


class Rig:
    """A simulated route under measurement."""

    def __init__(self, route: str) -> None:
        self.simulation = Simulation(load("calm"), (venue_of(route),))
        venue, product = VENUES[venue_of(route)], product_in(route)
        at = self.simulation.ready()["endpoints"][route]
        self.samples: list[Sample] = []
        self.said: list[str] = []
        self.watch = RouteMonitor(
            route,
            venue,
            product,
            Hosts(at["rest"], at["ws"]),
            Meters(SystemClock(), self.samples.append, lambda code, route, text: self.said.append(f"{code}: {text}")),
            offset=OffsetEstimator(),
            limits=ConnectLimits(share=100.0),
            dialler=Dialler(SystemClock()),
        )
        pairs = self.simulation.market.pairs[route]
        self.listed: list[Instrument] = [instrument_of(p.instrument, venue.products[product]) for p in pairs]

    async def __aenter__(self) -> Rig:
        self.simulation.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.watch.stop()
        assert self.simulation.failures == 0
        await self.simulation.close()

    def synced(self) -> set[str]:
        books = self.watch.books
        return set() if books is None else {symbol for symbol, pair in books.pairs.items() if pair.book.synced}

    async def until(self, true: Callable[[], bool], always: Callable[[], bool] = lambda: True) -> None:
        loop = asyncio.get_running_loop()
        end_s, next_s = loop.time() + LIMIT_S, 0.0
        while not true():
            assert loop.time() < end_s
            assert always()
            if loop.time() >= next_s:
                self.watch.sample()
                next_s = loop.time() + 0.1
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("route", ["okx.linear", "binance.linear", "kraken.spot"])
async def test_a_new_listing_is_watched_too_and_the_others_go_on(route: str) -> None:
    async with Rig(route) as rig:
        first, second = rig.listed[:2]
        rig.watch.watch([first])
        await rig.until(lambda: rig.synced() == {first.symbol} and rig.watch.sockets_up > 0)
        rig.samples.clear()
        rig.said.clear()
        rig.watch.watch([first, second])
        await rig.until(
            lambda: rig.synced() == {first.symbol, second.symbol}, always=lambda: first.symbol in rig.synced()
        )
        rig.watch.sample()
        assert rig.watch.sockets_up == rig.watch.sockets == len(rig.watch.streams)
        assert rig.watch.carries(second.symbol)
        assert not [s for s in rig.samples if isinstance(s, LinkSample) and not s.connected]
        assert rig.said == []


@pytest.mark.parametrize("change", [{"contract_size": 0.5}, {"tick": 0.5}, {"lot": 7.0}, {"settle": "USDC"}])
async def test_changed_steps_and_sizes_are_taken_over_with_a_whole_book(change: dict[str, float]) -> None:
    async with Rig("okx.linear") as rig:
        first = rig.listed[0]
        rig.watch.watch([first])
        await rig.until(lambda: first.symbol in rig.synced())
        streams = rig.watch.streams
        other = structs.replace(first, **change)
        rig.watch.watch([other])
        books = rig.watch.books
        await rig.until(lambda: rig.watch.books is not books, always=lambda: first.symbol in rig.synced())
        assert rig.watch.books is not None
        assert rig.watch.books.pairs[first.symbol].book.instrument == other
        assert first.symbol in rig.synced()
        assert rig.watch.streams != streams


@pytest.mark.parametrize("change", [{"taker_fee": 0.001}, {"min_size": 5.0}, {"min_notional": 9.0}, {"active": False}])
async def test_what_no_book_depends_on_is_taken_over_at_once(change: dict[str, float]) -> None:
    async with Rig("okx.linear") as rig:
        first = rig.listed[0]
        rig.watch.watch([first])
        await rig.until(lambda: first.symbol in rig.synced())
        streams, books = rig.watch.streams, rig.watch.books
        other = structs.replace(first, **change)
        rig.watch.watch([other])
        assert (rig.watch.streams, rig.watch.books) == (streams, books) and books is not None
        assert books.pairs[first.symbol].book.instrument == other == books.instruments[first.symbol]
        assert first.symbol in rig.synced()


async def test_a_market_that_never_comes_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.measure.renewal.PATIENCE_S", 0.5)
    async with Rig("okx.linear") as rig:
        first = rig.listed[0]
        ghost = structs.replace(first, symbol="NOPE/USDT:USDT", venue_id="NOPE-USDT-SWAP")
        rig.watch.watch([first])
        await rig.until(lambda: first.symbol in rig.synced())
        rig.watch.watch([first, ghost])
        await rig.until(lambda: rig.watch.books is not None and ghost.symbol in rig.watch.books.pairs)
        await rig.until(lambda: first.symbol in rig.synced())
        # and a second change before the first is through
        rig.watch.watch([first, *rig.listed[1:2]])
        rig.watch.watch([first, *rig.listed[1:3]])
        await rig.until(lambda: len(rig.synced()) == 3)


async def test_counters_and_what_comes_rarely_survive() -> None:
    async with Rig("okx.linear") as rig:
        first, second = rig.listed[:2]
        rig.watch.watch([first])
        await rig.until(lambda: first.symbol in rig.synced())
        books = rig.watch.books
        assert books is not None
        await rig.until(lambda: books.pairs[first.symbol].mark is not None)
        books.gaps, books.resyncs = 3, 2
        books.pairs[first.symbol].liquidations.append((SystemClock().monotonic_ns(), 5.0))
        rig.watch.watch([first, second])
        await rig.until(lambda: second.symbol in rig.synced())
        after = rig.watch.books
        assert after is not None and after is not books
        assert (after.gaps, after.resyncs) == (3, 2)
        assert after.pairs[first.symbol].mark is not None
        assert next(iter(after.pairs[first.symbol].liquidations))[1] == 5.0
