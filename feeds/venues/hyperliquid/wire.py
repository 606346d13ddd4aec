"""Messages of Hyperliquid: rows as typed structs, decoders. See ``venue.py`` for the sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Levels
from feeds.venues.reading import Millis, Price, Rate, Size, rows_of

Coin = Annotated[str, Meta(max_length=64)]


class Frame(Struct, gc=False):
    channel: str
    data: Raw = Raw()


class Level(Struct, gc=False):
    px: Price
    sz: Size


Side = Annotated[list[Level], Meta(max_length=1_000)]


class BookRow(Struct, gc=False):
    """The same on the socket and over REST. ``time`` is that of the block."""

    coin: Coin
    levels: tuple[Side, Side]
    time: Millis = 0


class BboRow(Struct, gc=False):
    coin: Coin
    bbo: Annotated[list[Level | None], Meta(max_length=2)]
    """Bid, ask; null where that side is empty."""
    time: Millis = 0


class TradeRow(Struct, gc=False):
    coin: Coin
    side: Literal["A", "B"]
    """``B``: the taker bought."""
    px: Price
    sz: Size
    tid: Annotated[int, Meta(ge=0, lt=1 << 62)]
    time: Millis = 0


class Context(Struct, rename="camel", gc=False):
    mark_px: Price | None = None
    oracle_px: Price | None = None
    funding: Rate | None = None


class ContextRow(Struct, gc=False):
    coin: Coin
    ctx: Context


class Subscribed(Struct):
    type: str
    coin: Coin | None = None


class SubscriptionAnswer(Struct):
    method: str
    subscription: Subscribed


class Asset(Struct):
    name: Coin


class Universe(Struct):
    universe: Annotated[list[Asset], Meta(max_length=20_000)]


class MetaPayload(Struct):
    type: str
    data: Universe


class MetaResponse(Struct):
    payload: MetaPayload


class MetaPost(Struct):
    """Answer to the ``post`` request for ``meta``. In an error ``payload`` is text."""

    response: MetaResponse


class StatusRow(Struct, rename="camel"):
    time: Millis
    special_statuses: Raw = Raw(b"null")
    """Not documented. ccxt reads anything but null as maintenance."""


read_frame = Decoder(Frame).decode
read_book = Decoder(BookRow, strict=False).decode
read_bbo = Decoder(BboRow, strict=False).decode
read_trades = rows_of(TradeRow)
read_context = Decoder(ContextRow, strict=False).decode
read_subscription = Decoder(SubscriptionAnswer).decode
read_meta = Decoder(MetaPost).decode
read_status = Decoder(StatusRow, strict=False).decode
read_text = Decoder(str).decode


def pairs(side: Sequence[Level]) -> Levels:
    return [(level.px, level.sz) for level in side]
