"""Exchanges that only ccxt.pro knows can be named in a watchlist, and are never meant by a pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from feeds.config.checks import ConfigError
from feeds.config.known import everything_known
from feeds.config.load import Config, parse
from feeds.venues.registry import VENUES


def read(routes: str, more: str = "", symbols: str = '["BTC/USDT"]') -> Config:
    text = f"[watchlists.w]\nsymbols = {symbols}\nroutes = {routes}\n{more}"
    return parse(text, Path("config.toml"))


def test_a_named_route_is_watched_beside_ours() -> None:
    routes = '["okx.spot", "phemex.spot", "phemex.linear"]'
    watchlist = read(routes, 'home = "phemex.linear"', '["BTC/USDT", "BTC/USDT:USDT"]').chosen("w")
    assert watchlist.routes == ("okx.spot", "phemex.spot", "phemex.linear")
    assert ("phemex.linear", "BTC/USDT:USDT") in watchlist.pairs and watchlist.home_for("BTC/USDT") == "phemex.spot"


@pytest.mark.parametrize("pattern", ["*.spot", "*", "*.*", "???????.spot"])
def test_patterns_mean_our_own_venues_only(pattern: str) -> None:
    assert {route.partition(".")[0] for route in read(f'["{pattern}"]').chosen("w").routes} <= set(VENUES)


def test_a_pattern_of_an_exchange_that_must_be_named_points_to_its_routes() -> None:
    with pytest.raises(ConfigError, match=r'unknown route "phemex.\*"; nearest is "phemex\.'):
        read('["phemex.*"]')


def test_the_nearest_spelling_is_found_among_them() -> None:
    with pytest.raises(ConfigError, match=r'unknown route "femex\.spot"; nearest is "phemex\.spot"'):
        read('["femex.spot"]')


def test_their_fees_and_hosts_can_be_given() -> None:
    config = read(
        '["phemex.spot"]',
        '[fees."phemex.spot"]\ntaker = 0.0007\n[endpoints.phemex.spot]\nrest = "http://127.0.0.1:1"\n'
        '[domains.mine]\nvenues = ["phemex", "okx"]\n',
    )
    assert config.fees == {"phemex.spot": 0.0007}
    assert config.endpoints["phemex.spot"].rest == "http://127.0.0.1:1" and config.endpoints["phemex.spot"].ws is None
    assert config.domains["mine"] == ("phemex", "okx")


def test_a_venue_of_ours_is_named_once() -> None:
    known = everything_known()
    assert len(set(known.all_routes)) == len(known.all_routes) and not set(known.routes) & set(known.by_name)
