"""Messages of Bybit v5: rows as typed structs, decoders, error codes, status rows. See ``venue.py`` for the sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import Fault, Product, StatusNotice
from feeds.venues.answers import http_fault
from feeds.venues.base import Answer
from feeds.venues.reading import Millis, Price, Seq, Size, ms_ns, rows_of

_FAULTS: Mapping[int, Fault] = {
    429: Fault.OVERLOAD,  # "high server load"
    10000: Fault.OVERLOAD,  # server timeout
    10001: Fault.BAD_REQUEST,
    10006: Fault.OUR_LIMIT,  # too many visits (per UID)
    10009: Fault.OUR_LIMIT,  # IP banned
    10016: Fault.OVERLOAD,  # server error, service restarting
    10018: Fault.OUR_LIMIT,  # IP rate; no longer documented, HTTP 403 is used now
    10019: Fault.OVERLOAD,  # service restarting
    10024: Fault.GEO_BLOCK,  # compliance rules
    10429: Fault.OVERLOAD,  # system-level protection
    170001: Fault.OVERLOAD,  # internal error
    170007: Fault.OVERLOAD,  # back end timeout
    170032: Fault.OVERLOAD,  # network error
}

BAN_S = 600.0
"""HTTP 403 "access too frequent": the ban ends by itself after at least ten minutes without requests."""

_TOO_OFTEN = re.compile(r"too frequent|rate limit|too many", re.IGNORECASE)
_GEO = re.compile(r"country|region|jurisdiction|restricted", re.IGNORECASE)


class Frame(Struct, gc=False):
    topic: str | None = None
    type: str | None = None
    ts: Millis = 0
    cts: Millis = 0
    data: Raw = Raw()
    op: str | None = None
    success: bool | None = None
    ret_msg: str | None = None
    req_id: str | None = None


SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]


class BookRow(Struct, gc=False):
    bids: SideLevels = field(name="b")
    asks: SideLevels = field(name="a")
    update: Seq = field(name="u")
    cross_seq: Seq | None = field(name="seq", default=None)


class RestBook(Struct):
    bids: SideLevels = field(name="b")
    asks: SideLevels = field(name="a")
    ts: Millis = 0
    cts: Millis = 0


class TradeRow(Struct, gc=False):
    price: Price = field(name="p")
    size: Size = field(name="v")
    taker: Literal["Buy", "Sell"] = field(name="S")
    filled_ms: Millis = field(name="T", default=0)
    trade_id: str | None = field(name="i", default=None)
    block: bool = field(name="BT", default=False)


class LiquidationRow(Struct, gc=False):
    price: Price = field(name="p")
    size: Size = field(name="v")
    position: Literal["Buy", "Sell"] = field(name="S")
    updated_ms: Millis = field(name="T", default=0)


class TickerRow(Struct, rename="camel", gc=False):
    """A delta omits what did not change; "" means not applicable."""

    mark_price: str = ""
    index_price: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""
    funding_interval_hour: str = ""


class StatusRow(Struct, rename="camel"):
    state: str
    title: str = ""
    begin: str = ""
    end: str = ""
    service_types: list[int] = []
    product: list[int] = []
    uid_suffix: list[int | str] = []
    maintain_type: int = 0
    env: int = 1


class StatusList(Struct):
    rows: list[StatusRow] = field(name="list")


class TimeRow(Struct, rename="camel"):
    time_nano: Annotated[int, Meta(gt=0, lt=1 << 62)]


class RestBody(Struct, rename="camel"):
    ret_code: int
    ret_msg: str = ""
    result: Raw = Raw()
    time: Millis = 0
    """When the gateway answered."""


read_frame = Decoder(Frame, strict=False).decode
read_book = Decoder(BookRow, strict=False).decode
read_trades = rows_of(TradeRow)
read_liquidations = rows_of(LiquidationRow)
read_ticker = Decoder(TickerRow, strict=False).decode
read_body = Decoder(RestBody, strict=False).decode
read_time = Decoder(TimeRow, strict=False).decode
read_rest_book = Decoder(RestBook, strict=False).decode
read_statuses = Decoder(StatusList, strict=False).decode


def fault_of(code: int) -> Fault | None:
    """``Fault.UNKNOWN`` for a code that is not in the table, None for 0."""
    return _FAULTS.get(code, Fault.UNKNOWN) if code else None


def http_fault_of(answer: Answer) -> Fault | None:
    """Meaning of the HTTP status at Bybit: 429 is their overload protection, 403 our request rate or our country."""
    if answer.status == 429:
        return Fault.OVERLOAD
    if answer.status != 403:
        return http_fault(answer)
    text = answer.body[:2_000].decode(errors="replace")
    if _TOO_OFTEN.search(text):
        return Fault.OUR_LIMIT
    if _GEO.search(text) or "cloudfront" in answer.headers.get("x-cache", "").lower():
        return Fault.GEO_BLOCK  # CloudFront blocks whole countries before the request reaches Bybit
    return Fault.REFUSED


_States = Literal["normal", "scheduled", "ongoing", "incident", "completed"]
_STATES: Mapping[str, _States] = {"scheduled": "scheduled", "ongoing": "ongoing", "completed": "completed"}
_PRODUCTS: Mapping[int, tuple[Product, ...]] = {1: ("linear", "inverse"), 2: ("spot",)}
_ABOUT_MARKET = frozenset({1, 2, 3, 5})  # trading, trading by HTTP, by websocket, market data; not 4: private websocket


def status_notice(row: StatusRow) -> StatusNotice | None:
    """None: cancelled, about the demo environment, or only about options and spreads."""
    state = _STATES.get(row.state)
    products = tuple(p for number in row.product for p in _PRODUCTS.get(number, ()))
    if state is None or row.env != 1 or (row.product and not products):
        return None
    if state == "ongoing" and row.maintain_type == 3:  # 3: incident
        state = "incident"
    return StatusNotice(
        state=state,
        text=row.title[:200],
        products=products,
        begin_ns=ms_ns(row.begin),
        end_ns=ms_ns(row.end),
        # with uidSuffix only some accounts are affected; the market stays open for all others
        market_data=not row.uid_suffix and (not row.service_types or not _ABOUT_MARKET.isdisjoint(row.service_types)),
    )
