"""Messages of Binance: typed structs, decoders, error codes. Sources: ``venue.py`` and ``session.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Raw, Struct

from feeds.model import (
    Fault,
)
from feeds.venues.reading import MOST_LEVELS, Millis, PrevSeq, Price, Seq, Size


class ErrorRow(Struct):
    code: int = 0
    msg: str = ""


class Frame(Struct):
    stream: str | None = None
    data: Raw = Raw()
    e: str | None = None
    result: Raw = Raw()
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: ErrorRow | None = None


class DepthRow(Struct, rename={"event_ms": "E", "engine_ms": "T", "first": "U", "last": "u", "bids": "b", "asks": "a"}):
    event_ms: Millis
    first: Seq
    last: Seq
    bids: Annotated[list[tuple[Price, Size]], MOST_LEVELS]
    asks: Annotated[list[tuple[Price, Size]], MOST_LEVELS]
    engine_ms: Millis = 0
    pu: PrevSeq | None = None


class BookTickerRow(
    Struct,
    rename={"bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A", "seq": "u", "event_ms": "E", "engine_ms": "T"},
):
    bid: Size  # an empty side is sent as price and size 0
    bid_size: Size
    ask: Size
    ask_size: Size
    seq: Seq
    event_ms: Millis = 0
    engine_ms: Millis = 0


class TradeRow(
    Struct,
    rename={
        "price": "p",
        "size": "q",
        "engine_ms": "T",
        "event_ms": "E",
        "buyer_is_maker": "m",
        "trade_id": "t",
        "aggregate_id": "a",
        "kind": "X",
    },
):
    price: Size
    size: Size
    engine_ms: Millis
    event_ms: Millis
    buyer_is_maker: bool
    trade_id: int | None = None
    aggregate_id: int | None = None  # only of aggTrade: old trade messages have an order id in this field
    kind: str = "MARKET"


class OrderRow(
    Struct,
    rename={"side": "S", "size": "q", "price": "p", "average": "ap", "filled": "z", "engine_ms": "T"},
):
    side: Literal["BUY", "SELL"]
    size: Size
    price: Size
    average: Size = 0.0
    filled: Size = 0.0
    engine_ms: Millis = 0


class ForceOrderRow(Struct, rename={"event_ms": "E", "order": "o"}):
    event_ms: Millis
    order: OrderRow


class MarkPriceRow(
    Struct, rename={"event_ms": "E", "mark": "p", "index": "i", "funding_rate": "r", "next_funding_ms": "T"}
):
    event_ms: Millis
    mark: str
    index: str = ""
    funding_rate: str = ""
    next_funding_ms: Millis = 0


read_frame = msgspec.json.Decoder(Frame, strict=False).decode
read_depth = msgspec.json.Decoder(DepthRow, strict=False).decode
read_book_ticker = msgspec.json.Decoder(BookTickerRow, strict=False).decode
read_trade = msgspec.json.Decoder(TradeRow, strict=False).decode
read_force_order = msgspec.json.Decoder(ForceOrderRow, strict=False).decode
read_mark_price = msgspec.json.Decoder(MarkPriceRow, strict=False).decode
_CODES: Mapping[int, Fault] = {
    -1000: Fault.UNKNOWN,
    -1001: Fault.OVERLOAD,
    -1002: Fault.REFUSED,
    -1003: Fault.OUR_LIMIT,
    -1004: Fault.OVERLOAD,
    -1005: Fault.REFUSED,
    -1006: Fault.OVERLOAD,
    -1007: Fault.OVERLOAD,
    -1008: Fault.OVERLOAD,
    -1011: Fault.REFUSED,
    -1015: Fault.OUR_LIMIT,
    -1016: Fault.MAINTENANCE,
    -1034: Fault.OUR_LIMIT,
    -1099: Fault.REFUSED,
}


def code_fault(code: int) -> Fault | None:
    """The fault that an error code of Binance means. None: the code is not documented.

    https://developers.binance.com/docs/binance-spot-api-docs/errors. Codes 0 to 3 are those of the websocket.
    """
    if code in _CODES:
        return _CODES[code]
    if 0 <= code <= 3 or -1999 <= code <= -1100 or code in (-1010, -1013, -1014, -1020, -1021, -1022, -1023):
        return Fault.BAD_REQUEST
    return None


class TimeRow(Struct, rename="camel"):
    server_time: Millis


class RestBook(Struct, rename={"last_update_id": "lastUpdateId", "event_ms": "E", "engine_ms": "T"}):
    last_update_id: Seq
    bids: Annotated[list[tuple[Price, Size]], MOST_LEVELS]
    asks: Annotated[list[tuple[Price, Size]], MOST_LEVELS]
    event_ms: Millis = 0
    engine_ms: Millis = 0


class RestError(Struct):
    code: int
    msg: str = ""


class SystemStatus(Struct):
    status: int
    msg: str = ""


read_time = msgspec.json.Decoder(TimeRow).decode
read_book = msgspec.json.Decoder(RestBook, strict=False).decode
read_error = msgspec.json.Decoder(RestError, strict=False).decode
read_system_status = msgspec.json.Decoder(SystemStatus).decode
