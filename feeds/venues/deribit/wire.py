"""Messages of Deribit: JSON-RPC envelopes, rows as typed structs, decoders, error codes. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Fault, LevelRow, Side
from feeds.venues.reading import Level, Millis, PrevSeq, Price, Rate, Seq, Size, rows_of

BOOK_LEVELS = 10_000
"""The most that ``get_order_book`` gives. The channel carries the whole book; a longer side is not called complete."""

Micros = Annotated[int, Meta(ge=0, lt=1 << 53)]

_FAULTS: Mapping[int, Fault] = {
    -32700: Fault.BAD_REQUEST,
    -32602: Fault.BAD_REQUEST,
    -32601: Fault.BAD_REQUEST,
    -32600: Fault.BAD_REQUEST,
    10020: Fault.BAD_REQUEST,  # invalid_or_unsupported_instrument
    10028: Fault.OUR_LIMIT,  # too_many_requests
    10040: Fault.OVERLOAD,  # retry
    10041: Fault.MAINTENANCE,  # settlement_in_progress: daily at 08:00 UTC, some seconds
    10047: Fault.OVERLOAD,  # matching_engine_queue_full
    10048: Fault.BAD_REQUEST,  # not_on_this_server
    10066: Fault.OUR_LIMIT,  # too_many_concurrent_requests
    11043: Fault.BAD_REQUEST,  # bad_argument
    11051: Fault.MAINTENANCE,  # system_maintenance
    11094: Fault.OVERLOAD,  # internal_server_error
    13009: Fault.REFUSED,  # unauthorized
    13778: Fault.REFUSED,  # raw_subscriptions_not_available_for_unauthorized
}


class Error(Struct, gc=False):
    code: int
    message: str = ""

    @property
    def fault(self) -> Fault | None:
        return _FAULTS.get(self.code)


class Params(Struct, gc=False):
    """Parameters of a notification (``channel``, ``data``) or of a heartbeat (``type``)."""

    channel: str = ""
    data: Raw = Raw()
    type: str = ""


class Frame(Struct, gc=False, rename={"us_in": "usIn", "us_out": "usOut"}):
    """Every message, over REST too."""

    id: int | None = None
    method: str = ""
    params: Params | None = None
    result: Raw = Raw()
    error: Error | None = None
    us_in: Micros = 0
    us_out: Micros = 0


class Row(LevelRow, array_like=True, gc=False):
    """[action, price, amount]"""

    action: Literal["new", "change", "delete"]
    price: Price
    size: Size


Rows = Annotated[list[Row], Meta(max_length=4 * BOOK_LEVELS)]


class BookRow(Struct, gc=False):
    instrument_name: str
    change_id: Seq
    bids: Rows
    asks: Rows
    type: str = ""  # not sent in 2019
    prev_change_id: PrevSeq | None = None
    timestamp: Millis = 0


class BookParams(Struct, gc=False):
    data: BookRow


class BookFrame(Struct, gc=False):
    params: BookParams


class RestBook(Struct, gc=False):
    change_id: Seq
    bids: Annotated[list[Level], Meta(max_length=4 * BOOK_LEVELS)]
    asks: Annotated[list[Level], Meta(max_length=4 * BOOK_LEVELS)]
    timestamp: Millis = 0


class QuoteRow(Struct, gc=False):
    """Price 0: that side is empty."""

    instrument_name: str
    best_bid_price: Size | None = None
    best_bid_amount: Size | None = None
    best_ask_price: Size | None = None
    best_ask_amount: Size | None = None
    timestamp: Millis = 0


class TradeRow(Struct, gc=False):
    instrument_name: str
    price: Price
    amount: Size
    direction: Side
    trade_id: str | None = None
    liquidation: str = ""
    """Whose position was liquidated: ``M`` the maker's, ``T`` the taker's, ``MT`` both."""
    timestamp: Millis = 0


class TickerRow(Struct, gc=False):
    instrument_name: str
    mark_price: Size | None = None
    index_price: Size | None = None
    funding_8h: Rate | None = None
    timestamp: Millis = 0


class PlatformRow(Struct):
    maintenance: bool | None = None
    locked: bool | None = None
    price_index: str = ""


class StatusRow(Struct):
    locked: str | bool
    locked_indices: list[str] = []
    locked_currencies: list[str] = []
    """The former name of ``locked_indices``."""


read_frame = Decoder(Frame, strict=False).decode
_read_book_frame = Decoder(BookFrame).decode
_read_book = Decoder(BookRow).decode
read_rest_book = Decoder(RestBook).decode
read_quote = Decoder(QuoteRow).decode
read_trades = rows_of(TradeRow, strict=True)
read_ticker = Decoder(TickerRow).decode
read_platform = Decoder(PlatformRow).decode
read_status = Decoder(StatusRow).decode
read_names = Decoder(list[str]).decode


def read_book_frame(raw: bytes) -> BookRow:
    """Decodes a whole message of a book channel at once. Raises what decoders raise."""
    return _deleted(_read_book_frame(raw).params.data)


def read_book(raw: Raw) -> BookRow:
    """Raises what decoders raise."""
    return _deleted(_read_book(raw))


def _deleted(row: BookRow) -> BookRow:
    """Gives deleted levels the size 0, whatever size the message has."""
    for level in row.bids:
        if level.action == "delete":
            level.size = 0.0
    for level in row.asks:
        if level.action == "delete":
            level.size = 0.0
    return row
