"""Messages of Crypto.com: envelopes, rows as typed structs, decoders, error codes. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Fault
from feeds.venues.reading import MOST_LEVELS, MOST_ROWS, Level, Millis, Price, Size, rows_of

Number = Annotated[int, Meta(ge=0, lt=1 << 62)]
Nanos = Annotated[int, Meta(ge=0, lt=1 << 62)]

FAULTS: Mapping[int, Fault] = {
    10001: Fault.OVERLOAD,  # SYS_ERROR
    50001: Fault.OVERLOAD,  # internal error
    40801: Fault.OVERLOAD,  # request timeout
    9010001: Fault.MAINTENANCE,
    42901: Fault.OUR_LIMIT,
    10006: Fault.OUR_LIMIT,
    40107: Fault.OUR_LIMIT,  # EXCEED_MAX_SUBSCRIPTIONS
    10002: Fault.REFUSED,
    10003: Fault.REFUSED,  # IP_ILLEGAL
    10005: Fault.REFUSED,
    40101: Fault.REFUSED,
    40103: Fault.REFUSED,
    40104: Fault.REFUSED,
    10004: Fault.BAD_REQUEST,
    10008: Fault.BAD_REQUEST,
    10009: Fault.BAD_REQUEST,
    30003: Fault.BAD_REQUEST,  # unknown instrument
    206: Fault.BAD_REQUEST,  # INSTRUMENT_EXPIRED
    208: Fault.BAD_REQUEST,  # INSTRUMENT_NOT_TRADABLE
    209: Fault.BAD_REQUEST,  # INVALID_INSTRUMENT
    40401: Fault.BAD_REQUEST,  # NOT_FOUND
    **dict.fromkeys(range(40001, 40008), Fault.BAD_REQUEST),
}


class Sides(Struct, gc=False):
    bids: Annotated[list[Level], MOST_LEVELS]
    asks: Annotated[list[Level], MOST_LEVELS]


class BookRow(Struct, gc=False):
    """Changes have their levels in ``update``; a row without it has both sides itself.

    ``t``: time of publishing; ``tt``: time of the book's last change."""

    bids: Annotated[list[Level], MOST_LEVELS] | None = None
    asks: Annotated[list[Level], MOST_LEVELS] | None = None
    update: Sides | None = None
    t: Millis = 0
    tt: Millis = 0
    u: Number | None = None
    pu: Number | None = None


class BookResult(Struct, gc=False):
    channel: Literal["book", "book.update"]
    instrument_name: str
    data: Annotated[list[BookRow], MOST_ROWS]
    subscription: str = ""
    depth: Annotated[int, Meta(ge=1, le=1_000)] | None = None


class BookFrame(Struct, gc=False):
    result: BookResult
    id: int | None = None


class Result(Struct, gc=False):
    channel: str = ""
    instrument_name: str = ""
    subscription: str = ""
    data: Raw = Raw()


class Frame(Struct, gc=False):
    """Every message of the socket."""

    id: int | None = None
    method: str = ""
    code: int = 0
    message: str = ""
    result: Result | None = None


class TickerRow(Struct, gc=False):
    """``t`` is documented as the time of a trade, so the time of the best prices is not known."""

    b: Size | None = None
    bs: Size | None = None
    k: Size | None = None
    ks: Size | None = None


class TradeRow(Struct, gc=False):
    """``tn`` (in newer messages): ``t`` in nanoseconds."""

    p: Price
    q: Size
    s: str
    d: str | int | None = None
    t: Millis = 0
    tn: Nanos = 0


class ValueRow(Struct, gc=False):
    v: Annotated[float, Meta(gt=-1e18, lt=1e18)]
    t: Millis = 0


class RestBody(Struct):
    """Every answer over REST."""

    code: int = 0
    message: str = ""
    result: Raw = Raw()


class RestBookRow(Sides):
    t: Millis = 0
    tt: Millis = 0
    u: Number | None = None


class RestBooks(Struct):
    data: Annotated[list[RestBookRow], MOST_ROWS]


class Announcement(Struct):
    category: str = ""
    title: str = ""
    product_type: str | None = None
    impacted_params: dict[str, str | None] | None = None
    start_time: Millis | None = None
    end_time: Millis | None = None


class Announcements(Struct):
    data: list[Announcement]


# strict=False: v1 writes numbers as text, v2 wrote them as numbers
read_book_frame = Decoder(BookFrame, strict=False).decode
read_frame = Decoder(Frame, strict=False).decode
read_tickers = rows_of(TickerRow)
read_trades = rows_of(TradeRow)
read_values = rows_of(ValueRow)
read_body = Decoder(RestBody, strict=False).decode
read_rest_books = Decoder(RestBooks, strict=False).decode
read_announcements = Decoder(Announcements, strict=False).decode
