"""Messages of Kraken's Unified websocket beside market data: its list of instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Instrument
from feeds.venues.base import VenueError
from feeds.venues.kraken.wire import coin_of
from feeds.venues.reading import UNREADABLE, Price, Size

_PERPETUAL = "PF_"  # multi-collateral perpetuals; other names are inverse or dated


class PairRow(Struct):
    symbol: str
    base: str = ""
    quote: str = ""
    status: str = "online"
    price_increment: Price | None = None
    qty_increment: Price | None = None
    qty_min: Size | None = None


class PairsRow(Struct):
    pairs: Annotated[list[PairRow], Meta(max_length=50_000)]


class Head(Struct):
    channel: str = ""
    type: str = ""
    data: Raw = Raw(b"{}")
    error: str | None = None


read_head = Decoder(Head).decode
read_pairs = Decoder(PairsRow).decode


def read_listing(route: str, taker_fee: float, raw: bytes) -> Sequence[Instrument] | None:
    """The perpetuals in the first message of the channel ``instrument``. None: another message. Raises VenueError."""
    try:
        head = read_head(raw)
        if head.error:
            raise VenueError(f"kraken instruments: {head.error[:200]}")
        if head.channel != "instrument" or head.type != "snapshot":
            return None
        pairs = read_pairs(head.data).pairs
    except UNREADABLE as error:
        raise VenueError(f"kraken instruments: {error}") from error
    return [one for pair in pairs if (one := _instrument(route, taker_fee, pair)) is not None]


def _instrument(route: str, taker_fee: float, pair: PairRow) -> Instrument | None:
    base, quote = coin_of(pair.base), coin_of(pair.quote)
    named = pair.symbol.startswith(_PERPETUAL) and base and quote
    if not named or pair.price_increment is None or pair.qty_increment is None:
        return None
    return Instrument(
        route=route,
        symbol=f"{base}/{quote}:{quote}",
        venue_id=pair.symbol,
        base=base,
        quote=quote,
        settle=quote,
        tick=pair.price_increment,
        lot=pair.qty_increment,
        min_size=pair.qty_min or None,
        taker_fee=taker_fee,
        active=pair.status == "online",
    )
