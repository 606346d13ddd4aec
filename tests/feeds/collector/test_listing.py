"""What a route lists of the watched symbols, and what the user reads of it."""

from __future__ import annotations

from feeds.collector.listing import RouteListing

WATCHED = ("BTC/USDT", "ETH/USDT", "PEPE/USDT")
ASKED = "Instruments are not known yet: the venue is being asked."


def test_nothing_is_absent_before_the_venue_has_answered() -> None:
    listing = RouteListing(WATCHED)
    assert listing.notes() == (ASKED,)
    assert not listing.absent("BTC/USDT") and listing.actual("BTC/USDT") == "BTC/USDT"


def test_stand_ins_and_absent_symbols_are_named() -> None:
    listing = RouteListing(WATCHED)
    assert listing.update({"BTC/USDT", "ETH/USDC", "SOL/USDT"}, "")
    assert listing.chosen == ("BTC/USDT", "ETH/USDC")
    assert listing.actual("ETH/USDT") == "ETH/USDC" and listing.actual("BTC/USDT") == "BTC/USDT"
    assert listing.absent("PEPE/USDT") and not listing.absent("BTC/USDT")
    assert listing.notes() == (
        "Not listed here: PEPE/USDT.",
        "ETH/USDC stands in for ETH/USDT, compared through the live basis.",
    )


def test_a_list_that_changes_is_followed() -> None:
    listing = RouteListing(WATCHED[:1])
    assert listing.update({"BTC/USDT"}, "Two days old.")
    assert listing.notes() == ("Two days old.",)
    assert not listing.update({"BTC/USDT", "SOL/USDT"}, ""), "nothing watched has changed"
    assert listing.notes() == () and not listing.absent("SOL/USDT")
    assert listing.update({"BTC/USDC"}, "")
    assert listing.chosen == ("BTC/USDC",) and listing.actual("BTC/USDT") == "BTC/USDC"
    assert listing.update({"ETH/USDT"}, "")
    assert not listing.chosen and listing.notes() == ("Not listed here: BTC/USDT.",)
