"""Every venue, one line each."""

from __future__ import annotations

from feeds.venues.base import Venue
from feeds.venues.binance import Binance
from feeds.venues.bingx import Bingx
from feeds.venues.bitfinex import Bitfinex
from feeds.venues.bitget import Bitget
from feeds.venues.bybit import Bybit
from feeds.venues.coinbase import Coinbase
from feeds.venues.cryptocom import Cryptocom
from feeds.venues.deribit import Deribit
from feeds.venues.gate import Gate
from feeds.venues.htx import Htx
from feeds.venues.hyperliquid import Hyperliquid
from feeds.venues.kraken import Kraken
from feeds.venues.kucoin import Kucoin
from feeds.venues.mexc import Mexc
from feeds.venues.okx import Okx

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
"""By our word for it, in the order in which lists show them."""


def venue(name: str) -> Venue:
    """Raises KeyError for a name that is not in ``VENUES``."""
    return VENUES[name]
