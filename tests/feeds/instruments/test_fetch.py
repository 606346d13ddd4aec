"""ccxt's markets become instruments; its URLs can be redirected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from feeds.instruments import fetch
from feeds.instruments.cache import Job, cache_path, load_cached
from feeds.instruments.fetch import convert, narrow, redirect, store, table_fee
from feeds.venues.registry import VENUES

OKX = VENUES["okx"].products["linear"]
TICK_SIZE, DECIMAL_PLACES, SIGNIFICANT_DIGITS = 4, 2, 3


def market(**changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTC/USDT:USDT",
        "id": "BTC-USDT-SWAP",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "spot": False,
        "swap": True,
        "linear": True,
        "inverse": False,
        "active": True,
        "contractSize": 0.01,
        "taker": 0.0005,
        "precision": {"price": 0.1, "amount": 0.01},
        "limits": {"amount": {"min": 0.01}, "cost": {"min": None}},
    } | changes


SPOT = {"symbol": "BTC/USDT", "id": "BTCUSDT", "settle": None, "spot": True, "swap": False, "linear": None}


def test_a_market_becomes_an_instrument() -> None:
    (found,), skipped = convert([market()], "okx.linear", TICK_SIZE, 0.0005)
    assert skipped == 0
    assert (found.symbol, found.venue_id, found.base, found.quote, found.settle) == (
        "BTC/USDT:USDT",
        "BTC-USDT-SWAP",
        "BTC",
        "USDT",
        "USDT",
    )
    assert (found.tick, found.lot, found.contract_size, found.min_size, found.min_notional) == (
        0.1,
        0.01,
        0.01,
        0.01,
        None,
    )


def test_a_market_that_ccxt_numbers_goes_by_its_coin() -> None:
    numbered = market(id="0", baseName="kPEPE", symbol="KPEPE/USDC:USDC")
    (found,), _ = convert([numbered], "hyperliquid.linear", TICK_SIZE, 0.0005)
    assert found.venue_id == "kPEPE"
    (spot,), _ = convert([market(**SPOT | {"id": "@142"}, baseName="UBTC")], "hyperliquid.spot", TICK_SIZE, 0.0005)
    assert spot.venue_id == "@142"


def test_a_contract_size_that_is_not_the_unit_of_sizes_is_left_out() -> None:
    (found,), _ = convert([market()], "deribit.linear", TICK_SIZE, 0.0005, sizes_in_contracts=False)
    assert (found.contract_size, found.lot) == (1.0, 0.01)


def test_only_the_routes_product_is_taken() -> None:
    every = [
        market(),
        market(**SPOT),
        market(symbol="BTC/USD:BTC", linear=False, inverse=True, settle="BTC", quote="USD"),
        market(symbol="BTC/USDT:USDT-261225", swap=False, future=True),
    ]
    assert [i.symbol for i in convert(every, "okx.linear", TICK_SIZE, 0.0)[0]] == ["BTC/USDT:USDT"]
    assert [i.symbol for i in convert(every, "okx.spot", TICK_SIZE, 0.0)[0]] == ["BTC/USDT"]
    assert [i.inverse for i in convert(every, "okx.inverse", TICK_SIZE, 0.0)[0]] == [True]


def test_spot_has_no_contract_size() -> None:
    (found,), _ = convert([market(**SPOT, contractSize=None)], "okx.spot", TICK_SIZE, 0.0)
    assert found.contract_size == 1.0


def test_precision_in_decimal_places_is_a_step() -> None:
    places = {"price": 2, "amount": 5}
    (found,), _ = convert([market(precision=places)], "x.linear", DECIMAL_PLACES, 0.0)
    assert (found.tick, found.lot) == (0.01, 1e-05)


def test_significant_digits_of_prices_leave_the_lowest_price_as_their_step() -> None:
    digits, limits = {"price": 5, "amount": 8}, {"price": {"min": 1e-8}, "amount": {"min": 0.00004}}
    (found,), _ = convert([market(precision=digits, limits=limits)], "x.linear", SIGNIFICANT_DIGITS, 0.0)
    assert (found.tick, found.lot, found.min_size) == (1e-08, 1e-08, 0.00004)


@pytest.mark.parametrize(
    ("mode", "changes"),
    [
        (SIGNIFICANT_DIGITS, {"limits": {}}),
        (TICK_SIZE, {"precision": {"price": None, "amount": 1}}),
        (TICK_SIZE, {"precision": None}),
        (TICK_SIZE, {"precision": {"price": 0, "amount": 1}}),
        (TICK_SIZE, {"precision": {"price": float("nan"), "amount": 1}}),
        (TICK_SIZE, {"contractSize": None}),
        (TICK_SIZE, {"contractSize": -1}),
        (TICK_SIZE, {"id": None}),
        (TICK_SIZE, {"taker": 7}),
    ],
)
def test_a_market_that_cannot_be_calculated_with_is_counted(mode: int, changes: dict[str, Any]) -> None:
    assert convert([market(**changes)], "okx.linear", mode, 0.0005) == ([], 1)


def test_fees_that_the_venue_lists_win_over_ours_and_ccxts_table_does_not() -> None:
    listed = [market(), market(symbol="ETH/USDT:USDT", taker=0.0002), market(symbol="SOL/USDT:USDT", taker=None)]
    assert [i.taker_fee for i in convert(listed, "okx.linear", TICK_SIZE, 0.0009)[0]] == [0.0005, 0.0002, 0.0009]
    table = [market(taker=0.0006), market(symbol="ETH/USDT:USDT", taker=0.0006)]
    assert {i.taker_fee for i in convert(table, "bybit.linear", TICK_SIZE, 0.00055)[0]} == {0.00055}


def test_urls_keep_their_paths_and_change_their_hosts() -> None:
    urls = {
        "public": "https://api.binance.com/api/v3",
        "nested": {"rest": "https://{hostname}", "v5": "https://api.{hostname}/v5?x=1"},
        "none": None,
    }
    assert redirect(urls, "http://127.0.0.1:8080/base/") == {
        "public": "http://127.0.0.1:8080/base/api/v3",
        "nested": {"rest": "http://127.0.0.1:8080/base", "v5": "http://127.0.0.1:8080/base/v5?x=1"},
        "none": None,
    }


@pytest.mark.parametrize(
    ("options", "product", "asked"),
    [
        ({"types": ["spot", "linear", "inverse"], "more": 1}, "linear", {"types": ["linear"], "more": 1}),
        ({"types": ["spot", "future", "swap", "option"]}, "linear", {"types": ["swap"]}),
        ({"types": ["spot", "swap"]}, "spot", {"types": ["spot"]}),
        (["spot", "linear"], "linear", ["linear"]),
        ({"types": {"spot": True, "linear": True, "inverse": True}}, "spot", {"types": {"spot": True}}),
        ({"types": {"spot": True, "swap": {"linear": True}}}, "linear", {"types": {"swap": {"linear": True}}}),
        ({"types": ["future"]}, "spot", {"types": ["future"]}),
        ({"other": 1}, "spot", {"other": 1}),
        (None, "spot", None),
    ],
)
def test_only_the_kind_of_market_that_is_wanted_is_asked_for(options: Any, product: Any, asked: Any) -> None:
    all_options = {"fetchMarkets": options}
    narrow(all_options, product)
    assert all_options["fetchMarkets"] == asked


def job(folder: Path) -> Job:
    return Job(cache_dir=str(folder), label="sim", routes=("okx.linear",), rest={})


def test_a_failure_of_any_kind_is_a_line_and_leaves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def good(*_: object) -> Any:
        return convert([market()], "okx.linear", TICK_SIZE, 0.0005)

    monkeypatch.setattr(fetch, "fetch", good)
    assert store(job(tmp_path), "okx.linear", "okx", OKX).count == 1
    before = cache_path(tmp_path, "sim", "okx.linear").read_bytes()

    def broken(*_: object) -> Any:
        raise KeyError("x" * 5000 + "\n")

    monkeypatch.setattr(fetch, "fetch", broken)
    outcome = store(job(tmp_path), "okx.linear", "okx", OKX)
    assert outcome.error is not None and outcome.error.startswith("KeyError") and len(outcome.error) <= 160

    monkeypatch.setattr(fetch, "fetch", lambda *_: ([], 3))
    assert store(job(tmp_path), "okx.linear", "okx", OKX).error == "the venue lists nothing"
    assert cache_path(tmp_path, "sim", "okx.linear").read_bytes() == before
    assert load_cached(["okx.linear"], tmp_path, "sim")


@pytest.mark.parametrize(
    ("fees", "fee"),
    [
        ({"trading": {"taker": 0.002}, "swap": {"taker": 0.0006}}, 0.0006),
        ({"trading": {"taker": "0.0015"}}, 0.0015),
        ({"linear": {"taker": 0.0004}, "swap": {"taker": 0.0006}}, 0.0004),
        ({"trading": {"taker": None}}, 0.001),
        ({"trading": {"taker": 12}}, 0.001),
        ({"trading": None}, 0.001),
        (None, 0.001),
    ],
)
def test_an_exchange_we_hold_no_facts_of_has_the_fee_of_ccxts_table_and_is_never_free(fees: object, fee: float) -> None:
    assert table_fee(fees, "linear", 0.001) == fee
