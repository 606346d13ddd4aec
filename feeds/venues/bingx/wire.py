"""Messages of BingX: typed structs, decoders, error codes. See ``venue.py``.

Spot and perpetuals use the same field names. Spot sends some rows alone that perpetuals send in lists, and sometimes
writes numbers and booleans as text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import Fault
from feeds.venues.reading import Millis, Price, Size, rows_of

Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]
SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=5_000)]
_NULL = Raw(b"null")
_BUSY = re.compile(r"busy", re.IGNORECASE)
_MAINTENANCE = re.compile(r"maintenance|upgrad", re.IGNORECASE)

_FAULTS: Mapping[int, Fault] = {
    429: Fault.OUR_LIMIT,
    80403: Fault.OUR_LIMIT,  # "your topic num over max 200"
    100410: Fault.OUR_LIMIT,  # with the text "the current system is busy" it is their overload
    100416: Fault.OUR_LIMIT,  # topics on a socket
    100419: Fault.OUR_LIMIT,  # sockets of an IP
    500: Fault.OVERLOAD,
    504: Fault.OVERLOAD,
    80016: Fault.OVERLOAD,  # service busy
    100500: Fault.OVERLOAD,
    100503: Fault.OVERLOAD,
    109500: Fault.OVERLOAD,
    100403: Fault.REFUSED,
    100421: Fault.REFUSED,  # a pair that is closed to API trading
    80014: Fault.BAD_REQUEST,
    80015: Fault.BAD_REQUEST,  # "dataType not support"
    100204: Fault.BAD_REQUEST,
    100400: Fault.BAD_REQUEST,
    100490: Fault.BAD_REQUEST,  # the pair is offline
    104414: Fault.BAD_REQUEST,
    109400: Fault.BAD_REQUEST,
    109425: Fault.BAD_REQUEST,  # no such symbol
}


def fault_of(code: int, text: str) -> Fault | None:
    """``Fault.UNKNOWN`` for a code that is not in the table, None for 0."""
    if not code:
        return None
    if _MAINTENANCE.search(text):
        return Fault.MAINTENANCE
    return Fault.OVERLOAD if _BUSY.search(text) else _FAULTS.get(code, Fault.UNKNOWN)


class Frame(Struct, gc=False):
    """Every message of a socket except the plain text ``Ping``."""

    topic: str = field(name="dataType", default="")
    data: Raw = _NULL
    id: str = ""
    code: int = 0
    msg: str = ""
    ping: str = ""
    """Spot: the id to send back, together with ``time``."""
    time: str = ""


class Book(Struct, gc=False):
    """``incrDepth``. An unchanged side may be absent or null. Spot sends no time."""

    action: Literal["all", "update"]
    last: Sequence64 = field(name="lastUpdateId")
    bids: SideLevels | None = None
    asks: SideLevels | None = None
    made_ms: Millis = field(name="time", default=0)


class Ticker(Struct, gc=False):
    """``bookTicker``: small letters are prices, capitals are sizes (in the channel ``ticker`` it is the other way
    round)."""

    bid: Size | None = field(name="b", default=None)
    bid_size: Size | None = field(name="B", default=None)
    ask: Size | None = field(name="a", default=None)
    ask_size: Size | None = field(name="A", default=None)
    seq: Sequence64 | None = field(name="u", default=None)
    made_ms: Millis = field(name="T", default=0)
    sent_ms: Millis = field(name="E", default=0)


class TradeRow(Struct, gc=False):
    """Only spot sends ids and ``E``."""

    price: Price = field(name="p")
    size: Size = field(name="q")
    buyer_is_maker: bool = field(name="m")
    made_ms: Millis = field(name="T", default=0)
    sent_ms: Millis = field(name="E", default=0)
    trade_id: str | None = field(name="t", default=None)


class MarkRow(Struct, gc=False):
    price: Price = field(name="p")
    sent_ms: Millis = field(name="E", default=0)


class RestBody(Struct):
    """Errors have HTTP 200 and a code too. ``timestamp`` only on spot."""

    code: int
    msg: str = ""
    data: Raw = _NULL
    timestamp: Millis = 0


class RestBook(Struct):
    """Perpetuals: ``T`` (time of the book). Spot: ``ts`` (time of the answer) and ``lastUpdateId``. Asks are not
    sorted."""

    bids: SideLevels
    asks: SideLevels
    made_ms: Millis = field(name="T", default=0)
    sent_ms: Millis = field(name="ts", default=0)
    last: Sequence64 | None = field(name="lastUpdateId", default=None)


class ServerTime(Struct):
    server_ms: Annotated[int, Meta(gt=0, lt=1 << 43)] = field(name="serverTime")


read_frame = Decoder(Frame, strict=False).decode
read_book = Decoder(Book, strict=False).decode
read_ticker = Decoder(Ticker, strict=False).decode
read_mark = Decoder(MarkRow, strict=False).decode
read_body = Decoder(RestBody, strict=False).decode
read_rest_book = Decoder(RestBook, strict=False).decode
read_time = Decoder(ServerTime, strict=False).decode
_read_trade = Decoder(TradeRow, strict=False).decode
_read_trades = rows_of(TradeRow)


def read_trades(data: Raw) -> Sequence[TradeRow]:
    """Perpetuals send a list, spot a single row."""
    return _read_trades(data) if bytes(data)[:1] == b"[" else (_read_trade(data),)
