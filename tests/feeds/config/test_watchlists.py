"""Names and patterns in, routes and symbols out."""

from __future__ import annotations

import pytest

from feeds.config.watchlists import default_watchlist, expand, guess_symbol, is_name, pairs_of, product_of

ROUTES = ("binance.spot", "binance.linear", "okx.spot", "okx.linear")


@pytest.mark.parametrize(
    ("symbol", "product"),
    [
        ("BTC/USDT", "spot"),
        ("BTC/USDT:USDT", "linear"),
        ("BTC/USD:BTC", "inverse"),
        ("币安人生/USDT", "spot"),
        ("1000PEPE/USDT:USDT", "linear"),
        ("BTC/USDT:BTC/X", None),
        ("BTC/USDT:USDT-261225", None),
        ("BTC/USD:ETH", None),
        ("BTCUSDT", None),
        ("/USDT", None),
        ("BTC/", None),
        ("B TC/USDT", None),
        ("[bold]BTC/USDT", None),
        ("<b>BTC/USDT", None),
        ("BTC`id`/USDT", None),
        ("{BTC}/USDT:USDT", None),
        ("BTC\u200b/USDT", None),
        ("BTC\u202e/USDT", None),
        ("BTC\x1b/USDT", None),
        ("BTC/USD:[BTC]", None),
        ("$PAC/USDT", "spot"),
        ("H.O.T-2/USDT", "spot"),
        ("", None),
    ],
)
def test_product_of(symbol: str, product: str | None) -> None:
    assert product_of(symbol) == product


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("btcusdt", "BTC/USDT"),
        ("BTC-USDT", "BTC/USDT"),
        ("BTC_USDC", "BTC/USDC"),
        ("BTC-USDT-SWAP", "BTC/USDT:USDT"),
        ("ETHUSDTPERP", "ETH/USDT:USDT"),
        ("btc/usdt:usdt", "BTC/USDT:USDT"),
        ("ethbtc", "ETH/BTC"),
        ("USDT", None),
        ("?", None),
        ("[bold]BTCUSDT", None),
    ],
)
def test_guess_symbol(typed: str, meant: str | None) -> None:
    assert guess_symbol(typed) == meant


def test_patterns_stand_for_routes_in_the_registrys_order() -> None:
    assert expand("*", ROUTES) == ROUTES
    assert expand("okx.*", ROUTES) == ("okx.spot", "okx.linear")
    assert expand("*.linear", ROUTES) == ("binance.linear", "okx.linear")
    assert expand("okx.spot", ROUTES) == ("okx.spot",)
    assert expand("okx", ROUTES) == ()
    assert expand("[b]*", ROUTES) == ()


def test_pairs_match_the_product() -> None:
    assert pairs_of(["okx.spot", "okx.linear"], ["BTC/USDT", "BTC/USDT:USDT"]) == (
        ("okx.spot", "BTC/USDT"),
        ("okx.linear", "BTC/USDT:USDT"),
    )


def test_names() -> None:
    assert is_name("my-list_2") and not is_name("") and not is_name("a b") and not is_name("a.b") and not is_name("ä")


def test_the_default_without_its_home_has_none() -> None:
    assert default_watchlist(["okx.spot", "okx.inverse"]).home is None
    assert default_watchlist(["okx.spot", "okx.inverse"]).routes == ("okx.spot",)
