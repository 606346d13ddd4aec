"""Instruments from the cache and from the process that fills it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feeds.child_process import start_ready
from feeds.instruments import cache
from feeds.instruments.cache import FRESH_NS, LIVE, Markets, Stored, cache_path, is_fresh, listed, load_cached, refresh
from feeds.model import Instrument

NOW = 1_760_000_000_000_000_000
DAY = 24 * 3600 * 1_000_000_000
ROUTE = "bybit.linear"
BTC = Instrument(
    route=ROUTE,
    symbol="BTC/USDT:USDT",
    venue_id="BTCUSDT",
    base="BTC",
    quote="USDT",
    settle="USDT",
    tick=0.1,
    lot=0.001,
    min_size=0.001,
    min_notional=5.0,
    taker_fee=0.00055,
)


def put(folder: Path, data: bytes | Stored, route: str = ROUTE, label: str = LIVE) -> Path:
    path = cache_path(folder, label, route)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else msgspec.json.encode(data))
    return path


def stored(**changes: Any) -> Stored:
    base = Stored(schema=cache.CACHE_SCHEMA, route=ROUTE, fetched_ns=NOW, instruments=(BTC,))
    return msgspec.structs.replace(base, **changes)


def cached(folder: Path, now_ns: int = NOW) -> Markets | None:
    return load_cached([ROUTE, "okx.spot"], folder, now_ns=now_ns).get(ROUTE)


def test_what_was_stored_is_read_back(tmp_path: Path) -> None:
    put(tmp_path, stored())
    found = cached(tmp_path)
    assert found is not None
    assert found.instruments == {"BTC/USDT:USDT": BTC}
    assert found.note == "" and is_fresh(found, NOW)
    assert listed(tmp_path, LIVE, ROUTE) == frozenset({"BTC/USDT:USDT"})
    assert listed(tmp_path, LIVE, "okx.spot") is None


def test_a_stale_cache_is_used_and_said_so(tmp_path: Path) -> None:
    put(tmp_path, stored())
    found = cached(tmp_path, NOW + 3 * DAY + 5)
    assert found is not None and found.instruments
    assert found.note == "instruments of bybit.linear are 3 days old."
    assert not is_fresh(found, NOW + 3 * DAY + 5)
    assert is_fresh(found, NOW + FRESH_NS - 1) and not is_fresh(found, NOW + FRESH_NS)


def test_labels_keep_simulated_venues_apart(tmp_path: Path) -> None:
    put(tmp_path, stored(), label="sim")
    assert cached(tmp_path) is None
    assert load_cached([ROUTE], tmp_path, "sim", NOW)
    with pytest.raises(ValueError, match="label"):
        cache_path(tmp_path, "../elsewhere", ROUTE)


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": 99},
        {"route": "okx.linear"},
        {"fetched_ns": NOW + 3 * DAY},
        {"fetched_ns": -1},
        {"instruments": (msgspec.structs.replace(BTC, tick=0.0),)},
        {"instruments": (msgspec.structs.replace(BTC, lot=-1.0),)},
        {"instruments": (msgspec.structs.replace(BTC, contract_size=0.0),)},
        {"instruments": (msgspec.structs.replace(BTC, taker_fee=3.0),)},
        {"instruments": (msgspec.structs.replace(BTC, min_size=-1.0),)},
        {"instruments": (msgspec.structs.replace(BTC, route="okx.linear"),)},
    ],
)
def test_a_cache_that_cannot_be_right_is_as_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    put(tmp_path, stored(**changes))
    assert cached(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(garbage=st.binary(max_size=200), cut=st.integers(0, 400))
def test_garbage_in_the_cache_is_survived(tmp_path: Path, garbage: bytes, cut: int) -> None:
    deep = b'{"x":' + b"[" * 5000
    for data in (garbage, msgspec.json.encode(stored())[:cut] + garbage, b'{"schema":1e999}', b"[" * 5000, deep):
        put(tmp_path, data)
        found = cached(tmp_path)
        assert found is None or found.instruments == {"BTC/USDT:USDT": BTC}


def test_a_file_without_end_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, stored())
    monkeypatch.setattr(cache, "MAX_CACHE_BYTES", 10)
    assert cached(tmp_path) is None


async def test_a_process_that_takes_too_long_is_ended_and_the_old_instruments_stay(tmp_path: Path) -> None:
    put(tmp_path, stored())
    out = await refresh([ROUTE], tmp_path, rest={ROUTE: "http://127.0.0.1:9"}, now_ns=NOW + 3 * DAY, timeout_s=0.05)
    assert out.failures == {ROUTE: "no answer within 0.05 s"}
    assert out.markets[ROUTE].note == "instruments of bybit.linear are 3 days old: venue could not be asked."
    assert out.markets[ROUTE].instruments


async def test_a_process_that_cannot_start_is_a_failure_of_the_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    out = await refresh([ROUTE], tmp_path)
    assert out.failures[ROUTE].startswith("the process that asks cannot be started")
    assert out.markets == {}


async def test_nothing_to_ask_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))
    out = await refresh([], tmp_path)
    assert (dict(out.markets), dict(out.failures)) == ({}, {})


@pytest.fixture
async def simulated() -> AsyncIterator[dict[str, str]]:
    """REST bases by route of simulated venues in a process of their own."""
    child, line = await start_ready("feeds.sim", ["--scenario", "calm", "--with-parent"])
    try:
        yield {route: each["rest"] for route, each in json.loads(line)["endpoints"].items()}
    finally:
        await child.end()


async def closed_port() -> int:
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_ccxt_loads_the_simulated_venues_and_one_dead_venue_stops_nobody(
    simulated: dict[str, str], tmp_path: Path
) -> None:
    rest = {**simulated, "okx.spot": f"http://127.0.0.1:{await closed_port()}"}
    arrived: list[str] = []
    out = await refresh(rest, tmp_path, "sim", rest=rest, arrived=lambda each: arrived.append(each.route))

    assert set(out.failures) == {"okx.spot"} and "okx.spot" not in out.markets
    assert set(arrived) == set(out.markets) == set(rest) - {"okx.spot"}
    assert all(each.note == "" for each in out.markets.values())

    binance = out.markets["binance.linear"].instruments["BTC/USDT:USDT"]
    assert (binance.venue_id, binance.tick, binance.lot, binance.contract_size) == ("BTCUSDT", 0.1, 0.001, 1.0)
    assert (binance.quote, binance.settle, binance.inverse, binance.active) == ("USDT", "USDT", False, True)
    okx = out.markets["okx.linear"].instruments["BTC/USDT:USDT"]
    assert (okx.venue_id, okx.contract_size, okx.taker_fee) == ("BTC-USDT-SWAP", 0.01, 0.0005)
    # the published fee, not the older one in ccxt's table
    assert out.markets["bybit.linear"].instruments["BTC/USDT:USDT"].taker_fee == 0.00055
    assert out.markets["binance.spot"].instruments["BTC/USDT"].settle is None
    # nothing of another product slips in
    assert all(":" not in symbol for symbol in out.markets["bybit.spot"].instruments)
    assert load_cached(rest, tmp_path, "sim").keys() == out.markets.keys()
