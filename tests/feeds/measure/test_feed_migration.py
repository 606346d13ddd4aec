"""The day on which a venue ends one feed for another: the user is told, and no venue is blamed for keeping its word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec import structs

from feeds.clock import Clock, SystemClock
from feeds.collector.rows import channel_row
from feeds.instruments.cache import Job, load_cached
from feeds.instruments.fetch import store
from feeds.instruments.ws_listing import ask
from feeds.judge.judge import Judge
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.feed_migration import FeedMigration
from feeds.measure.route import RouteMonitor
from feeds.measure.route_context import RouteContext
from feeds.model import Cause, Channel, Instrument, Product, State
from feeds.samples import LinkSample, ProbeSample, Sample
from feeds.sim.scenario import load
from feeds.sim.simulation import Simulation
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.base import Listing, VenueError
from feeds.venues.kraken.unified_session import UNIFIED_PATH
from feeds.venues.kraken.venue import UNIFIED_FACTS, UNIFIED_LISTING, UNIFIED_NOTE, UNIFIED_STARTS_S, Kraken
from tests.feeds.loopback import FakeClock

ROUTE = "kraken.linear"
LIMIT_S = 10.0


@pytest_asyncio.fixture
async def simulation() -> AsyncIterator[Simulation]:
    made = Simulation(load("calm"), ("kraken",))
    made.start()
    yield made
    assert made.failures == 0
    await made.close()


def instruments(simulation: Simulation) -> list[Instrument]:
    return [
        Instrument(
            route=ROUTE,
            symbol=one.symbol,
            venue_id=one.venue_id,
            base=one.base,
            quote=one.quote,
            tick=float(one.tick),
            lot=float(one.lot),
            taker_fee=0.0005,
        )
        for one in (pair.instrument for pair in simulation.market.pairs[ROUTE][:2])
    ]


async def until(true: Callable[[], bool]) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + LIMIT_S
    while not true():
        assert loop.time() < end_s
        await asyncio.sleep(0.01)


def watching(
    venue: Kraken, hosts: Hosts, samples: list[Sample], said: list[str], clock: Clock | None = None
) -> RouteMonitor:
    return RouteMonitor(
        ROUTE,
        venue,
        "linear",
        hosts,
        Meters(clock or SystemClock(), samples.append, lambda code, route, words: said.append(f"{code}: {words}")),
        offset=OffsetEstimator(),
        limits=ConnectLimits(share=100.0),
        dialler=Dialler(SystemClock()),
    )


def synced(watch: RouteMonitor) -> bool:
    return watch.books is not None and all(pair.book.synced for pair in watch.books.pairs.values())


async def test_a_running_route_moves_to_the_new_feed_and_blames_nobody(simulation: Simulation) -> None:
    now_s = [UNIFIED_STARTS_S - 1]
    at, samples, said = simulation.ready()["endpoints"][ROUTE], list[Sample](), list[str]()
    watch = watching(Kraken(lambda: now_s[0]), Hosts(at["rest"], at["ws"]), samples, said)
    watch.watch(instruments(simulation))
    try:
        await until(lambda: synced(watch) and any(isinstance(s, ProbeSample) for s in samples))
        watch.sample()
        assert not watch.notes and {row.channel.partition(":")[0] for row in map(channel_row, watch.channels())} >= {
            "mark"
        }

        now_s[0] = UNIFIED_STARTS_S
        watch.sample()
        assert watch.notes == (UNIFIED_NOTE,)
        await until(lambda: synced(watch))
        samples.clear()
        watch.sample()
        watch.sample()
        assert [stream.plan.path for stream in watch.streams] == [UNIFIED_PATH]
        rows = {(row.channel.partition(":")[0], row.state) for row in map(channel_row, watch.channels())}
        assert {channel for channel, _ in rows} == {Channel.BOOK, Channel.TRADES}
        await until(lambda: not watch._feed.rest.probing)  # nothing is left to be asked
        assert not [s for s in samples if isinstance(s, ProbeSample)]
        assert not [s for s in samples if isinstance(s, LinkSample) and not s.connected]
        assert said == [f"status: {UNIFIED_NOTE}"]
        assert watch.hosts == Hosts(at["rest"], at["ws"]), "who replaced the published hosts meant them"
    finally:
        await watch.stop()


async def test_published_hosts_follow_the_feed_also_before_instruments_are_known() -> None:
    now_s = [UNIFIED_STARTS_S - 1]
    venue = Kraken(lambda: now_s[0])
    facts = venue.products["linear"]
    watch = watching(venue, Hosts(facts.rest, facts.ws), [], [])
    try:
        watch.sample()
        now_s[0] = UNIFIED_STARTS_S
        watch.sample()
        assert watch.hosts == Hosts(UNIFIED_FACTS.rest, UNIFIED_FACTS.ws)
        assert watch.facts is UNIFIED_FACTS
    finally:
        await watch.stop()


def at_home(simulation: Simulation) -> Listing:
    ws = simulation.ready()["endpoints"][ROUTE]["ws"]
    return structs.replace(UNIFIED_LISTING, url=f"{ws}{UNIFIED_PATH}")


async def test_instruments_come_over_the_websocket_where_rest_has_ended(simulation: Simulation, tmp_path: Path) -> None:
    class Moved(Kraken):
        def listing(self, product: Product) -> Listing | None:
            return at_home(simulation)

    job = Job(cache_dir=str(tmp_path), label="sim", routes=(ROUTE,), rest={})
    venue = Moved(lambda: UNIFIED_STARTS_S)
    outcome = await asyncio.to_thread(store, job, ROUTE, "krakenfutures", UNIFIED_FACTS, venue)
    listed = simulation.market.pairs[ROUTE]
    assert (outcome.error, outcome.count) == (None, len(listed))
    found = load_cached([ROUTE], tmp_path, "sim")[ROUTE].instruments
    assert {(i.symbol, i.venue_id, i.tick, i.lot) for i in found.values()} == {
        (one.symbol, one.venue_id, float(one.tick), float(one.lot)) for one in (pair.instrument for pair in listed)
    }


async def test_a_venue_that_lists_nothing_is_not_waited_for(simulation: Simulation) -> None:
    with pytest.raises(VenueError, match="no list of instruments within"):
        await asyncio.to_thread(ask, at_home(simulation), lambda raw: None, 0.2)
    with pytest.raises(VenueError, match="no list of instruments"):
        await asyncio.to_thread(ask, Listing(url="ws://127.0.0.1:9/", ask="{}"), lambda raw: None, 1.0)


def test_until_the_feed_after_an_announced_end_has_worked_once_its_silence_is_that_end() -> None:
    now_s, second = [UNIFIED_STARTS_S - 1], 1_000_000_000
    context = RouteContext(
        route=ROUTE,
        venue=Kraken(lambda: now_s[0]),
        product="linear",
        meters=Meters(FakeClock(), lambda sample: None, lambda code, route, text: None),
        offset=OffsetEstimator(),
        limits=ConnectLimits(),
        dialler=Dialler(SystemClock()),
    )
    change = FeedMigration(context, 0)
    assert not change.due(10 * second)
    assert change.notices(10 * second, whole=False) is None, "a feed that has not ended is judged"
    now_s[0] = UNIFIED_STARTS_S
    assert change.due(20 * second) and not change.due(20 * second)
    assert change.notices(24 * second, whole=False) is None
    [notice] = change.notices(26 * second, whole=False) or ()
    assert (notice.state, notice.text, notice.products) == (
        "ongoing", "Kraken ended this feed on 2027-03-01", ("linear",)
    )  # fmt: skip
    assert change.notices(27 * second, whole=True) == ()
    assert change.notices(60 * second, whole=False) is None, "one that has worked is judged like any other"


async def test_a_new_feed_that_never_comes_is_an_announced_end_and_nobodys_failure(simulation: Simulation) -> None:
    at, samples = simulation.ready()["endpoints"][ROUTE], list[Sample]()
    clock = FakeClock()
    watch = watching(Kraken(lambda: UNIFIED_STARTS_S), Hosts(at["rest"], "ws://127.0.0.1:9"), samples, [], clock)
    judge = Judge((ROUTE, "okx.spot"))
    watch.watch(instruments(simulation))
    try:
        for _ in range(60):
            clock.advance(1.0)
            watch.sample()
            good = ProbeSample(
                route="okx.spot", t_ns=clock.time_ns(), name="time", cold=False, total_ms=9.0, status=200
            )
            samples.append(good)  # our own line is well
            await asyncio.sleep(0)
        for sample in samples:
            judge.observe(sample)
        verdict = judge.verdicts(clock.time_ns())[ROUTE]
        assert (verdict.state, verdict.cause) == (State.HALTED, Cause.PLANNED)
        assert verdict.reasons[0].text == "official: Kraken ended this feed on 2027-03-01"
    finally:
        await watch.stop()
