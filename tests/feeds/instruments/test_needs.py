"""What is asked of each venue for each of its routes, and what may fail without taking the route along."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import ccxt
import pytest

from feeds.child_process import start_ready
from feeds.instruments import fetch
from feeds.model import product_in, venue_of
from feeds.venues.registry import VENUES

ASKED = {
    "binance.spot": ["/api/v3/exchangeInfo"],
    "binance.linear": ["/fapi/v1/exchangeInfo"],
    "binance.inverse": ["/dapi/v1/exchangeInfo"],
    "okx.spot": ["/api/v5/public/instruments?instType=SPOT"],
    "okx.linear": ["/api/v5/public/instruments?instType=SWAP"],
    "okx.inverse": ["/api/v5/public/instruments?instType=SWAP"],
    "bybit.spot": ["/v5/market/instruments-info?category=spot"],
    "bybit.linear": ["/v5/market/instruments-info?category=linear&limit=1000"],
    "bybit.inverse": ["/v5/market/instruments-info?category=inverse&limit=1000"],
    "bitget.spot": ["/api/v2/spot/public/symbols"],
    "bitget.linear": [
        "/api/v2/mix/market/contracts?productType=USDT-FUTURES",
        "/api/v2/mix/market/contracts?productType=USDC-FUTURES",
    ],
    "gate.spot": ["/api/v4/spot/currency_pairs"],
    "gate.linear": ["/api/v4/futures/usdt/contracts"],
    "kucoin.spot": ["/api/v2/symbols"],
    "kucoin.linear": ["/api/v1/contracts/active"],
    "htx.spot": ["/v1/common/symbols"],
    "htx.linear": ["/linear-swap-api/v1/swap_contract_info?business_type=all"],
    "mexc.spot": ["/api/v3/exchangeInfo"],
    "mexc.linear": ["/api/v1/contract/detail"],
    "hyperliquid.linear": ["/info"],
    "deribit.spot": ["/api/v2/public/get_instruments"],
    "deribit.linear": ["/api/v2/public/get_instruments"],
    "deribit.inverse": ["/api/v2/public/get_instruments"],
    "bingx.spot": ["/openApi/spot/v1/common/symbols"],
    "bingx.linear": ["/openApi/swap/v2/quote/contracts"],
    "bitfinex.spot": ["/v2/conf/pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin"],
    "bitfinex.linear": ["/v2/conf/pub:info:pair,pub:info:pair:futures,pub:list:pair:securities,pub:list:pair:margin"],
    "cryptocom.spot": ["/exchange/v1/public/get-instruments"],
    "cryptocom.linear": ["/exchange/v1/public/get-instruments"],
    "kraken.spot": ["/0/public/AssetPairs"],
    "kraken.linear": ["/derivatives/api/v3/instruments"],
    "coinbase.spot": ["/api/v3/brokerage/market/products"],
}
"""By route: what it cannot do without. One request for the list of that kind of market, from that kind's address."""
WELCOME = {
    "bybit.linear": ["/v5/market/instruments-info?category=linear&limit=1000&status=PreLaunch"],
    "bybit.inverse": ["/v5/market/instruments-info?category=inverse&limit=1000&status=PreLaunch"],
    "kucoin.spot": ["/api/v1/market/allTickers"],
}
"""By route: what is asked too, and may fail."""


@pytest.fixture
async def simulated() -> AsyncIterator[dict[str, str]]:
    child, line = await start_ready("feeds.sim", ["--scenario", "calm", "--with-parent"])
    try:
        yield {route: each["rest"] for route, each in json.loads(line)["endpoints"].items()}
    finally:
        await child.end()


def asking(monkeypatch: pytest.MonkeyPatch, base: str, broken: list[str]) -> list[str]:
    """Every path that is asked from now on; the ``broken`` ones answer nothing."""
    asked: list[str] = []
    real = ccxt.Exchange.fetch

    def fetched(self: Any, url: str, *arguments: Any) -> Any:
        path = url.removeprefix(base).partition("?timestamp=")[0]
        asked.append(path)
        if path in broken:
            raise ccxt.NetworkError(path)
        return real(self, url, *arguments)

    monkeypatch.setattr(ccxt.Exchange, "fetch", fetched)
    return asked


async def test_every_route_is_asked_for_what_it_needs(
    simulated: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(ASKED) == set(simulated)
    for route, base in simulated.items():
        venue, product = VENUES[venue_of(route)], product_in(route)
        with monkeypatch.context() as patch:
            asked = asking(patch, base, [])
            whole, _ = fetch.fetch(venue.ccxt[product], route, venue.products[product], base)
        assert sorted(asked) == sorted(ASKED[route] + WELCOME.get(route, [])), route
        assert whole, route
        if route in WELCOME:
            with monkeypatch.context() as patch:
                asking(patch, base, WELCOME[route])
                found, _ = fetch.fetch(venue.ccxt[product], route, venue.products[product], base)
            assert {i.symbol for i in found} == {i.symbol for i in whole}, route
        with monkeypatch.context() as patch, pytest.raises(ccxt.NetworkError):
            asking(patch, base, ASKED[route][:1])
            fetch.fetch(venue.ccxt[product], route, venue.products[product], base)
