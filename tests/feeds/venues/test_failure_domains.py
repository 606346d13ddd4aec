"""Failure domains have sources, and the user's own replace them."""

from __future__ import annotations

import re

from feeds.venues.failure_domains import judged, members, of_venue, shipped
from feeds.venues.registry import VENUES


def test_every_domain_has_a_source_and_a_date() -> None:
    for name, domain in shipped().items():
        assert domain.source and re.fullmatch(r"\d{4}-\d\d(-\d\d)?", domain.date), name
        assert len(domain.venues) >= 2, name


def test_hearsay_is_shown_but_blames_nobody() -> None:
    assert "cloudfront" not in members({})
    assert "cloudfront?" in of_venue("hyperliquid", {})


def test_the_user_has_the_last_word() -> None:
    own = {"aws-tokyo": ("binance", "mexc"), "my-colo": ("okx", "bybit"), "cloudflare": ()}
    assert members(own)["aws-tokyo"] == ("binance", "mexc")
    assert members(own)["my-colo"] == ("okx", "bybit")
    assert "cloudflare" not in members(own)
    assert of_venue("okx", own)[0] == "my-colo"


def test_a_venue_is_judged_in_one_domain_and_the_users_comes_first() -> None:
    assert judged({})["binance"] == "AWS Tokyo"
    assert judged({"my-colo": ("binance", "okx")})["binance"] == "my-colo"
    assert "hyperliquid" not in judged({})


def test_known_venues_are_spelled_as_we_spell_them() -> None:
    known = {"mexc", "hyperliquid", "deribit", "kraken", "coinbase", "bingx", "bitfinex", "cryptocom", "htx", "kucoin"}
    for domain in shipped().values():
        assert set(domain.venues) <= set(VENUES) | known
