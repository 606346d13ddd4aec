"""Which routes are measured through ccxt.pro, and that a simulation asks nobody real."""

from __future__ import annotations

from pathlib import Path

from feeds.ccxt_pro.route import CcxtProRoute
from feeds.clock import SystemClock
from feeds.collector.event_log import EventLog
from feeds.collector.route_builder import RouteBuilder
from feeds.collector.simulated import Simulation
from feeds.config.load import Config, Endpoint, parse
from feeds.measure.contract import MonitoredRoute
from feeds.measure.route import RouteMonitor
from feeds.samples import Sample

CONFIG = """
[watchlists.default]
symbols = ["BTC/USDT"]
routes = ["okx.spot", "phemex.spot", "woo.spot"]
home = "phemex.spot"
[endpoints."phemex.spot"]
rest = "http://127.0.0.1:1"
"""


def config() -> Config:
    return parse(CONFIG, Path("config.toml"))


def builder(events: EventLog, simulation: Simulation | None = None) -> RouteBuilder:
    return RouteBuilder(config(), simulation, clock=SystemClock(), events=events)


def ignore(sample: Sample) -> None:
    pass


async def test_an_exchange_without_a_venue_of_ours_goes_through_ccxt_at_the_users_host() -> None:
    routes = builder(EventLog(SystemClock()))

    def built(route: str) -> MonitoredRoute:
        return routes.build(route, ignore)

    assert routes.within_reach(config().chosen()) == config().chosen()
    phemex, woo = built("phemex.spot"), built("woo.spot")
    assert isinstance(phemex, CcxtProRoute) and phemex.venue.ccxt_id == "phemex"
    assert (phemex.hosts.rest, phemex.hosts.ws) == ("http://127.0.0.1:1", "")
    assert isinstance(woo, CcxtProRoute) and woo.hosts.rest == woo.facts.rest == ""
    okx = built("okx.spot")
    assert isinstance(okx, RouteMonitor) and okx.hosts.rest == okx.facts.rest


async def test_a_clock_offset_outlives_its_route() -> None:
    routes = builder(EventLog(SystemClock()))
    first, second = (routes.build("okx.spot", ignore) for _ in range(2))
    assert first.offset is second.offset is routes.offsets["okx.spot"]


async def test_a_simulation_leaves_out_what_nobody_simulates_with_an_event() -> None:
    simulation = Simulation(
        scenario="calm",
        endpoints={
            "okx.spot": Endpoint("http://127.0.0.1:2", "ws://127.0.0.1:2"),
            "woo.spot": Endpoint("http://a", "ws://a"),
        },
        witnesses=(),
        control="",
        control_token="",
        label="sim",
    )
    events = EventLog(SystemClock())
    reached = builder(events, simulation).within_reach(config().chosen())
    assert reached.routes == ("okx.spot", "woo.spot") and reached.home is None
    logged = [(row.route, row.text) for row in events.rows()]
    assert logged == [("phemex.spot", "left out: nobody simulates this exchange")]
