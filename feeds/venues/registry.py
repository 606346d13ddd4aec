"""The list of all venues, one line each."""

from __future__ import annotations

from feeds.venues.base import Venue
from feeds.venues.binance.venue import Binance
from feeds.venues.bingx.venue import Bingx
from feeds.venues.bitfinex.venue import Bitfinex
from feeds.venues.bitget.venue import Bitget
from feeds.venues.bybit.venue import Bybit
from feeds.venues.coinbase.venue import Coinbase
from feeds.venues.cryptocom.venue import Cryptocom
from feeds.venues.deribit.venue import Deribit
from feeds.venues.gate.venue import Gate
from feeds.venues.htx.venue import Htx
from feeds.venues.hyperliquid.venue import Hyperliquid
from feeds.venues.kraken.venue import Kraken
from feeds.venues.kucoin.venue import Kucoin
from feeds.venues.mexc.venue import Mexc
from feeds.venues.okx.venue import Okx

_ALL: tuple[Venue, ...] = (
    Binance(),
    Okx(),
    Bybit(),
    Bitget(),
    Gate(),
    Kucoin(),
    Htx(),
    Mexc(),
    Hyperliquid(),
    Deribit(),
    Bingx(),
    Bitfinex(),
    Cryptocom(),
    Kraken(),
    Coinbase(),
)
VENUES: dict[str, Venue] = {venue.name: venue for venue in _ALL}
"""Venues by name, in the order of lists on screen."""


def venue(name: str) -> Venue:
    """Raises KeyError for a name that is not in ``VENUES``."""
    return VENUES[name]
