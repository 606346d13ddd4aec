"""Both kinds of route keep one contract: what rows and advice read of a route holds for either, at any moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from feeds.ccxt_pro.process import Pipe
from feeds.ccxt_pro.route import CcxtProRoute
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters, MonitoredRoute
from feeds.measure.route import RouteMonitor
from feeds.samples import BookSample, Sample
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.generic import generic
from tests.feeds.advise.routes import instrument
from tests.feeds.loopback import FakeClock, FakeVenue

NOWHERE = Hosts("http://127.0.0.1:9", "ws://127.0.0.1:9")
SYMBOL = "BTC/USDT"


async def _no_child() -> Pipe:
    raise OSError("no process can be started here")


def native(meters: Meters) -> MonitoredRoute:
    return RouteMonitor(
        "fake.spot",
        FakeVenue(),
        "spot",
        NOWHERE,
        meters,
        offset=OffsetEstimator(),
        limits=ConnectLimits(),
        dialler=Dialler(meters.clock),
    )


def through_ccxt(meters: Meters) -> MonitoredRoute:
    return CcxtProRoute(
        "phemex.spot", generic("phemex"), "spot", NOWHERE, meters, offset=OffsetEstimator(), begin=_no_child
    )


@pytest.mark.parametrize("make", [native, through_ccxt])
async def test_a_route_can_be_read_before_it_is_watched_and_while_nothing_answers(make: Any) -> None:
    clock, samples = FakeClock(), list[Sample]()
    route: MonitoredRoute = make(Meters(clock, samples.append, lambda code, route, text: None))
    assert route.route.endswith(".spot") and route.product == "spot" and route.hosts == NOWHERE
    assert route.books is None and route.channels() == () and not route.carries(SYMBOL)
    assert (route.sockets_up, route.reconnects, route.garbled, route.unknown) == (0, 0, 0, 0)
    route.start()
    clock.advance(1.0)
    route.sample()
    assert not [s for s in samples if isinstance(s, BookSample)], "nothing is watched yet"

    route.watch([instrument(route.route, symbol=SYMBOL, venue_id=SYMBOL, settle=None)])
    assert route.books is not None and set(route.books.pairs) == {SYMBOL}
    await asyncio.sleep(0.05)
    clock.advance(1.0)
    route.sample()
    assert not any(s.synced for s in samples if isinstance(s, BookSample))
    assert route.sockets == 1 and route.sockets_up == 0 and not route.carries(SYMBOL)
    await route.stop()
    route.sample()
    with pytest.raises(AttributeError):
        route.books = None
