"""Fixtures of the tests over sockets: one simulator for each file, and one route of ours for every cell in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from feeds.measure import route_sockets
from feeds.measure.resyncs import ResyncTiming
from feeds.measure.route_feed import RouteFeed
from feeds.transport.connection import StreamTiming
from feeds.transport.stream import Stream
from tests.feeds.matrix.floor import Floor, WatchedRoute
from tests.feeds.matrix.products import share_of

TIMING = StreamTiming(
    backoff_s=0.1,
    backoff_cap_s=0.5,
    open_timeout_s=1.0,
    pong_timeout_s=1.5,
    handover_s=5.0,
    close_s=0.3,
    notice_spread_s=0.3,
    notice_settle_s=0.2,
)


RESYNCS = ResyncTiming(patience_s=1.0, pauses_s=(0.2, 0.4, 0.8), steady_s=2.0, turn_s=0.05)


class _Hasty(Stream):
    """A stream with short timings for tests."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options, timing=TIMING)  # type: ignore[arg-type] # passed on as they came


class Stage:
    """The simulator and the routes that all tests of a file share."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.watched = {cell: WatchedRoute(floor, cell) for cell in floor.cells}


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    patch = pytest.MonkeyPatch()
    patch.setattr(route_sockets, "Stream", _Hasty)
    patch.setattr(RouteFeed, "resync_timing", RESYNCS)
    assert request.cls is not None
    stage = Stage(Floor(share_of(request.cls.share)))
    await stage.floor.open()
    try:
        for watched in stage.watched.values():
            await watched.__aenter__()
        yield stage
        assert stage.floor.simulation.failures == 0
        assert sum(watched.bugs for watched in stage.watched.values()) == 0
    finally:
        await asyncio.gather(*(watched.__aexit__() for watched in stage.watched.values()))
        await stage.floor.close()
        patch.undo()
