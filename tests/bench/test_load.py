from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path

import pytest

from feeds.config.load import load_config
from tests.bench import screen
from tests.bench.home import Home
from tests.bench.load import RATE, ROUTES, load
from tests.bench.race import server
from tests.usage import cpu_s, rss_mb


def test_the_whole_collector_takes_a_burst_and_every_message_is_accounted_for() -> None:
    with server() as host:
        done = load(host, seconds=0.3)
    assert done.sent >= 0.3 * RATE
    assert (done.lost, done.gaps, done.garbled) == (0, 0, 0)
    assert done.cpu_share > 0
    assert done.own_lag_ms is None or done.own_lag_ms > 0


def test_a_measurement_has_folders_and_a_config_file_of_its_own(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert {Path(place).parent for place in home.environment().values()} == {tmp_path}
    hosts = {route: {"rest": "http://127.0.0.1:1", "ws": "ws://127.0.0.1:1"} for route in ROUTES}
    path = home.configure(ROUTES, ("BTC/USDT", "BTC/USDT:USDT"), hosts)
    read = load_config(path)
    assert set(read.chosen().routes) == set(ROUTES)
    assert read.witnesses == ("127.0.0.1:1",)
    assert read.endpoints[ROUTES[0]].ws == "ws://127.0.0.1:1"
    assert tomllib.loads(path.read_text())["watchlists"]["default"]["home"] == ROUTES[-1]


def test_the_command_answers_and_its_time_is_measured() -> None:
    assert 0 < screen.help_s() < 20


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(),
    reason="CPU and memory of a process are read from /proc",
)
def test_cpu_and_memory_are_those_of_the_process_named() -> None:
    assert abs(cpu_s(os.getpid()) - time.process_time()) < 0.5
    now_mb, most_mb = rss_mb(os.getpid())
    assert 5 < now_mb <= most_mb < 5_000
