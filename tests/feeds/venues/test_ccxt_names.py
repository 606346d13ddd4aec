"""The list of exchanges is that of ccxt.pro, and our own venues are never watched through ccxt.pro."""

from __future__ import annotations

import inspect

import ccxt.pro

from feeds.venues.ccxt_names import LOCAL_CLOCK, PRODUCTS
from feeds.venues.generic import generic, generic_routes
from feeds.venues.registry import VENUES


def test_the_list_is_what_the_installed_ccxt_pro_can_watch() -> None:
    able = {}
    for name in ccxt.pro.exchanges:
        has = getattr(ccxt.pro, name)().has
        if has.get("watchOrderBook"):
            swap = ("linear", "inverse") if has.get("swap") else ()
            able[name] = (*(("spot",) if has.get("spot") else ()), *swap)
    assert able == PRODUCTS, "make feeds/venues/ccxt_names.py anew"
    assert len(able) > 70


def test_exchanges_that_ccxt_stamps_with_our_own_clock_are_known() -> None:
    stamped = {
        name
        for name in PRODUCTS
        for method, code in vars(getattr(ccxt.pro, name)).items()
        if "order_book" in method and inspect.isfunction(code) and "self.milliseconds()" in inspect.getsource(code)
    }
    assert stamped == LOCAL_CLOCK


def test_a_venue_of_our_own_is_no_generic_route() -> None:
    routes = generic_routes(VENUES)
    assert "phemex.spot" in routes and "bitmart.spot" not in routes
    assert not {route.partition(".")[0] for route in routes} & set(VENUES)


def test_what_is_not_known_of_a_generic_venue_is_not_made_up() -> None:
    venue = generic("phemex")
    assert venue.ccxt == {"spot": "phemex", "linear": "phemex", "inverse": "phemex"}
    assert venue.status_request("spot") is None and not venue.transfer_requests(["BTC"])
