"""Messages of Kraken's websocket v2, spot and unified: rows as typed structs, decoders."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import (
    LevelRow,
    Side,
)
from feeds.venues.reading import Price, Size, Stamp, rows_of


class Frame(Struct, gc=False):
    channel: str = ""
    type: str = ""
    data: Raw = Raw(b"[]")
    method: str = ""
    success: bool | None = None
    error: str | None = None
    symbol: str = ""
    result: Raw = Raw(b"{}")
    req_id: int | None = None
    time_in: Stamp | None = None
    time_out: Stamp | None = None
    failed: str | None = field(name="Error", default=None)


class SubscribedRow(Struct):
    channel: str = ""
    symbol: str = ""


class Level(LevelRow, gc=False, rename={"size": "qty"}):
    price: Price
    size: Size


class BookRow(Struct, gc=False):
    symbol: str
    bids: Annotated[list[Level], Meta(max_length=2_000)]
    asks: Annotated[list[Level], Meta(max_length=2_000)]
    checksum: Annotated[int, Meta(ge=0, lt=1 << 32)] | None = None
    timestamp: Stamp | None = None


class TickerRow(Struct, gc=False):
    symbol: str
    bid: Size
    bid_qty: Size
    ask: Size
    ask_qty: Size
    timestamp: Stamp | None = None


class TradeRow(Struct, gc=False):
    symbol: str
    side: Side
    price: Price
    qty: Size
    trade_id: int
    timestamp: Stamp | None = None


class StatusRow(Struct):
    system: str = ""


read_frame = Decoder(Frame).decode
read_subscribed = Decoder(SubscribedRow).decode
read_books = rows_of(BookRow, strict=True)
read_tickers = rows_of(TickerRow, strict=True)
read_trades = rows_of(TradeRow, strict=True)
read_status = rows_of(StatusRow, strict=True)
