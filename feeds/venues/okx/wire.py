"""Messages of OKX v5: rows as typed structs, decoders, error codes, status rows. See ``venue.py`` for the sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Fault, Side, StatusNotice
from feeds.venues.reading import MOST_ROWS, Level, Millis, PrevSeq, Price, Seq, Size, ms_ns, rows_of

BOOK_LEVELS = 400

_FAULTS: Mapping[str, Fault] = {
    "50001": Fault.OVERLOAD,  # service temporarily unavailable (HTTP 503); see fault_of for upgrades
    "50004": Fault.OVERLOAD,  # endpoint timeout
    "50005": Fault.MAINTENANCE,  # API offline or unavailable
    "50011": Fault.OUR_LIMIT,  # too many requests
    "50013": Fault.OVERLOAD,  # systems busy: sent with HTTP 429, but it is their overload
    "50026": Fault.OVERLOAD,  # system error
    "50040": Fault.OUR_LIMIT,  # too frequent
    "50061": Fault.OUR_LIMIT,
    "60012": Fault.BAD_REQUEST,
    "60013": Fault.BAD_REQUEST,
    "60014": Fault.OUR_LIMIT,  # requests too frequent
    "60016": Fault.OUR_LIMIT,  # buffer full, cannot write: we read too slowly
    "60018": Fault.BAD_REQUEST,  # no such channel or instrument
    "64000": Fault.BAD_REQUEST,
    "64001": Fault.BAD_REQUEST,
    "64002": Fault.BAD_REQUEST,
    "64003": Fault.REFUSED,  # fee tier too low for the channel
    "64007": Fault.OVERLOAD,  # internal error, retry
}


class Arg(Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    channel: str = ""
    inst_id: str | None = None
    inst_type: str | None = None


class Frame(Struct, rename="camel", gc=False):
    arg: Arg | None = None
    action: str | None = None
    data: Raw = Raw()
    event: str | None = None
    code: str | None = None
    msg: str | None = None
    id: str | None = None


# [price, size, deprecated "0", number of orders]
SideLevels = Annotated[list[Level], Meta(max_length=5_000)]


class BookRow(Struct, rename="camel", gc=False):
    bids: SideLevels
    asks: SideLevels
    ts: Millis = 0
    seq_id: Seq | None = None  # not sent in 2022, and not in all REST answers
    prev_seq_id: PrevSeq | None = None


class BookFrame(Struct, rename="camel", gc=False):
    """A whole ``books`` message, decoded at once: a quarter cheaper than decoding ``Frame`` and then its rows."""

    arg: Arg
    data: Annotated[list[BookRow], MOST_ROWS] = []
    action: str | None = None
    event: str | None = None


class TradeRow(Struct, rename="camel", gc=False):
    px: Price
    sz: Size
    side: Side
    trade_id: str | None = None
    ts: Millis = 0


class LiquidatedRow(Struct, rename="camel", gc=False):
    bk_px: Price
    sz: Size
    side: Side
    ts: Millis = 0


class LiquidationsRow(Struct, rename="camel", gc=False):
    inst_id: str
    details: Annotated[list[LiquidatedRow], MOST_ROWS]


class MarkRow(Struct, rename="camel", gc=False):
    mark_px: Price
    ts: Millis = 0


class FundingRow(Struct, rename="camel", gc=False):
    """Fields are text, since OKX sends "" for values that are not known yet."""

    funding_rate: str = ""
    funding_time: str = ""
    next_funding_time: str = ""
    ts: Millis = 0


class StatusRow(Struct, rename="camel"):
    state: str
    title: str = ""
    begin: str = ""
    end: str = ""
    service_type: str = ""
    maint_type: str = ""
    env: str = "1"


class TimeRow(Struct):
    ts: Millis


class RestBody(Struct):
    code: str
    msg: str = ""
    data: Raw = Raw()


read_frame = Decoder(Frame, strict=False).decode
read_book_frame = Decoder(BookFrame, strict=False).decode
read_books = rows_of(BookRow)
read_trades = rows_of(TradeRow)
read_liquidations = rows_of(LiquidationsRow)
read_marks = rows_of(MarkRow)
read_fundings = rows_of(FundingRow)
read_statuses = rows_of(StatusRow)
read_times = rows_of(TimeRow)
read_body = Decoder(RestBody, strict=False).decode


def fault_of(code: str, text: str) -> Fault | None:
    fault = _FAULTS.get(code)
    if fault is Fault.OVERLOAD and "upgrad" in text.lower():  # 50001 also says "Matching engine upgrading"
        return Fault.MAINTENANCE
    return fault


_States = Literal["normal", "scheduled", "ongoing", "incident", "completed"]
_STATES: Mapping[str, _States] = {
    "scheduled": "scheduled",
    "ongoing": "ongoing",
    "pre_open": "ongoing",  # cancel and post-only
    "completed": "completed",
}

# 0 websocket, 5 trading, 9 trading by product batch. Not: 6 block, 7 bots, 10 spread, 11 copy, 99 others, and 8 trading
# by account batch, during which the market stays open for all others.
_ABOUT_MARKET = frozenset({"", "0", "5", "9"})


def status_notice(row: StatusRow) -> StatusNotice | None:
    """None: cancelled, or about the demo environment."""
    state = _STATES.get(row.state)
    if state is None or row.env not in ("", "1"):
        return None
    if state == "ongoing" and row.maint_type == "3":  # 3: system disruption
        state = "incident"
    return StatusNotice(
        state=state,
        text=row.title[:200],
        begin_ns=ms_ns(row.begin),
        end_ns=ms_ns(row.end),
        market_data=row.service_type in _ABOUT_MARKET,
    )
