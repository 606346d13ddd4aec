"""Which routes the collector measures through ccxt.pro, and that a simulation asks nobody real."""

from __future__ import annotations

from pathlib import Path

from feeds.ccxt_pro.route import CcxtProRoute
from feeds.collector.collector import Collector
from feeds.collector.simulated import Simulation
from feeds.config.load import Config, Endpoint, parse
from feeds.measure.route import RouteMonitor

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


async def test_what_is_no_venue_of_ours_goes_through_ccxt_where_the_user_says() -> None:
    collector = Collector(config())
    assert collector._within_reach(config().chosen()) == config().chosen()
    phemex, woo = collector._route("phemex.spot"), collector._route("woo.spot")
    assert isinstance(phemex, CcxtProRoute) and phemex.venue.ccxt_id == "phemex"
    assert (phemex.hosts.rest, phemex.hosts.ws) == ("http://127.0.0.1:1", "")
    assert isinstance(woo, CcxtProRoute) and woo.hosts.rest == woo.facts.rest == ""
    assert isinstance(collector._route("okx.spot"), RouteMonitor)


async def test_a_simulation_leaves_out_what_nobody_simulates_and_says_so() -> None:
    simulation = Simulation(
        scenario="calm",
        endpoints={
            "okx.spot": Endpoint("http://127.0.0.1:2", "ws://127.0.0.1:2"),
            "woo.spot": Endpoint("http://a", "ws://a"),
        },
        witnesses=(),
        control="",
        label="sim",
    )
    collector = Collector(config(), simulation=simulation)
    reached = collector._within_reach(config().chosen())
    assert reached.routes == ("okx.spot", "woo.spot") and reached.home is None
    said = [(row.route, row.text) for row in collector._journal.rows()]
    assert said == [("phemex.spot", "left out: nobody simulates this exchange")]
