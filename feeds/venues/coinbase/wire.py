"""Messages of Coinbase: rows as typed structs, decoders. See ``venue.py`` for the sources."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.venues.reading import Price, Size, Stamp, rows_of


class Frame(Struct, gc=False):
    channel: str = ""
    timestamp: Stamp | None = None
    sequence_num: Annotated[int, Meta(ge=0, lt=1 << 62)] | None = None
    events: Raw = Raw(b"[]")
    type: str = ""
    message: str = ""


class LevelRow(Struct, gc=False):
    side: Literal["bid", "offer"]
    price_level: Price
    new_quantity: Size
    event_time: Stamp | None = None


class BookRow(Struct, gc=False):
    type: Literal["snapshot", "update"]
    product_id: str
    updates: Annotated[list[LevelRow], Meta(max_length=500_000)] = []


class TradeRow(Struct, gc=False):
    product_id: str
    trade_id: str
    price: Price
    size: Size
    side: Literal["BUY", "SELL"]
    time: Stamp | None = None


class TradesRow(Struct, gc=False):
    type: str
    trades: Annotated[list[TradeRow], Meta(max_length=10_000)] = []


class SubscribedRow(Struct):
    subscriptions: dict[str, list[str]] = {}


read_frame = Decoder(Frame).decode
read_books = rows_of(BookRow)
read_trades = rows_of(TradesRow)
read_subscribed = rows_of(SubscribedRow, strict=True)


class ErrorRow(Struct):
    id: str = ""
    message: str = ""


class RestLevel(Struct):
    price: Price
    size: Size


class RestBook(Struct):
    bids: list[RestLevel]
    asks: list[RestLevel]
    time: Stamp | None = None


class RestBooks(Struct):
    pricebook: RestBook


class RestBody(Struct):
    """The part of every answer that tells time or errors; errors come in two forms."""

    ms: Annotated[int, Meta(ge=0, lt=1 << 43)] = field(name="epochMillis", default=0)
    error: str = ""
    message: str = ""
    errors: list[ErrorRow] = []


class Network(Struct):
    id: str
    status: str = ""


class Currency(Struct):
    id: str
    status: str = ""
    networks: list[Network] = field(name="supported_networks", default_factory=list)


read_currencies = Decoder(list[Currency]).decode
read_body = Decoder(RestBody, strict=False).decode
read_rest_books = Decoder(RestBooks, strict=False).decode
