"""Messages of Bitfinex: arrays that start with a channel id, rows as typed structs, errors. See ``venue.py``.

With the flags that we set, every array ends in SEQ and TS. The venue may append more fields; without the flags it sends
neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Annotated, Any, Literal
from zlib import crc32

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.model import Fault
from feeds.venues.answers import http_fault
from feeds.venues.base import Answer
from feeds.venues.reading import UNREADABLE, Millis, Price, Rate, Seq, Size

CHECKED_LEVELS = 25
Signed = Annotated[float, Meta(gt=-1e18, lt=1e18)]
Whole = Annotated[int, Meta(ge=0, lt=1 << 62)]

FAULTS: Mapping[int, Fault] = {
    503: Fault.OVERLOAD,
    10000: Fault.BAD_REQUEST,  # unknown event
    10001: Fault.BAD_REQUEST,  # unknown pair
    10020: Fault.BAD_REQUEST,  # an argument of REST
    10300: Fault.BAD_REQUEST,  # subscription failed, generic
    10302: Fault.BAD_REQUEST,  # unknown channel
    10305: Fault.OUR_LIMIT,  # limit of open channels
    10400: Fault.BAD_REQUEST,  # unsubscription failed
    10401: Fault.BAD_REQUEST,  # not subscribed
    11010: Fault.OUR_LIMIT,
    20060: Fault.MAINTENANCE,
}
ALREADY_SUBSCRIBED = 10301
"""Already subscribed: not an error."""
RESTART, PAUSE, RESUME = 20051, 20060, 20061


class Row(Struct, array_like=True, gc=False):
    """[price, count, amount]: amount > 0 is a bid, < 0 an ask; count 0 removes the level."""

    price: Price
    count: Whole
    amount: Signed


class Delta(Struct, array_like=True, gc=False):
    chan: int
    row: Row
    seq: Seq | None = None
    ts: Millis = 0


class Image(Struct, array_like=True, gc=False):
    chan: int
    rows: Annotated[list[Row], Meta(max_length=2_000)]
    seq: Seq | None = None
    ts: Millis = 0


class Check(Struct, array_like=True, gc=False):
    chan: int
    tag: str
    crc: Annotated[int, Meta(ge=-(1 << 31), lt=1 << 31)]
    seq: Seq | None = None
    ts: Millis = 0


class TradeRow(Struct, array_like=True, gc=False):
    """[id, ms, amount, price]: amount > 0: the taker bought, < 0: sold."""

    id: int
    ms: Millis
    amount: Signed
    price: Price


class TradeFrame(Struct, array_like=True, gc=False):
    chan: int
    tag: str
    row: TradeRow
    seq: Seq | None = None
    ts: Millis = 0


class DerivRow(Struct, array_like=True, gc=False):
    """State of a perpetual. The mark price was appended to the row in 2019."""

    ms: Millis
    _1: Any = None
    mid: Size | None = None
    spot: Size | None = None
    _4: Any = None
    fund: Any = None
    _6: Any = None
    next_funding_ms: Millis | None = None
    accrued: Any = None
    step: Any = None
    _10: Any = None
    funding: Rate | None = None
    _12: Any = None
    _13: Any = None
    mark: Size | None = None


class DerivFrame(Struct, array_like=True, gc=False):
    chan: int
    row: DerivRow
    seq: Seq | None = None
    ts: Millis = 0


class LiquidationRow(Struct, array_like=True, gc=False):
    """Amount > 0: a long position was closed. ``is_match`` 0: the first trigger; 1: a part of it that was traded
    later."""

    kind: str
    id: int
    ms: Annotated[float, Meta(ge=0, lt=1 << 43)]
    _3: Any
    name: str
    amount: Signed
    base_price: Price
    _7: Any
    is_match: int | None = None
    is_sold: int | None = None
    _10: Any = None
    price: Size | None = None


class LiquidationFrame(Struct, array_like=True, gc=False):
    chan: int
    rows: Annotated[list[LiquidationRow], Meta(max_length=2_000)]
    seq: Seq | None = None
    ts: Millis = 0


class Plain(Struct, array_like=True, gc=False):
    """Any array with one payload, heartbeats too."""

    chan: int
    body: Raw
    seq: Seq | None = None
    ts: Millis = 0


class Tagged(Struct, array_like=True, gc=False):
    """Any array with a tag and a payload."""

    chan: int
    tag: str
    body: Raw
    seq: Seq | None = None
    ts: Millis = 0


class Platform(Struct):
    status: int = 1


class ControlFrame(Struct, gc=False, rename={"chan_id": "chanId"}):
    """Every message that is not an array."""

    event: str
    channel: str = ""
    symbol: str = ""
    key: str = ""
    len: str | int = ""
    chan_id: int | None = None
    code: int | None = None
    msg: str = ""
    status: str = ""
    platform: Platform | None = None
    cid: int | None = None
    ts: Millis = 0


class ErrorRow(Struct, array_like=True):
    """["error", 10020, "symbol: invalid"]"""

    word: Literal["error"]
    code: int
    text: str = ""


class ErrorBody(Struct):
    error: str
    code: int | None = None


class TxRow(Struct, array_like=True):
    """State of one transfer method: 1 open, 0 closed."""

    method: str
    deposit: int | None = None
    withdraw: int | None = None


read_delta = Decoder(Delta).decode
read_image = Decoder(Image).decode
read_check = Decoder(Check).decode
read_trade = Decoder(TradeFrame).decode
read_deriv = Decoder(DerivFrame).decode
read_liquidations = Decoder(LiquidationFrame).decode
read_plain = Decoder(Plain).decode
read_tagged = Decoder(Tagged).decode
read_control = Decoder(ControlFrame).decode
read_rows = Decoder(Annotated[list[Row], Meta(max_length=2_000)]).decode
read_platform = Decoder(tuple[Literal[0, 1]]).decode
read_transfers = Decoder(tuple[list[TxRow], list[tuple[str, list[str]]], list[tuple[str, str]]]).decode
_read_error_row = Decoder(ErrorRow).decode
_read_error_body = Decoder(ErrorBody).decode


def sides(rows: Sequence[Row]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """(bids, asks) as (price, size)."""
    return (
        [(row.price, row.amount) for row in rows if row.count and row.amount > 0],
        [(row.price, -row.amount) for row in rows if row.count and row.amount < 0],
    )


def error_of(answer: Answer) -> tuple[Fault, str, str] | None:
    """(fault, code, text) of an error that the venue itself sends. None: no such error."""
    try:
        error = _read_error_row(answer.body) if answer.body[:1] == b"[" else _read_error_body(answer.body)
    except UNREADABLE:
        return None
    text = error.text if isinstance(error, ErrorRow) else error.error
    fault = FAULTS.get(error.code or 0)
    if fault is None and ("RATE_LIMIT" in text or "ratelimit" in text):
        fault = Fault.OUR_LIMIT
    return fault or http_fault(answer) or Fault.UNKNOWN, str(error.code or text)[:16], text[:200]


def checksum(bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]) -> int:
    """Signed CRC32 of the best 25 levels per side, computed like the venue's example: numbers as JavaScript prints
    them."""
    parts: list[str] = []
    for bid, ask in zip_longest(bids, asks):
        if bid is not None:
            parts += (js(bid[0]), js(bid[1]))
        if ask is not None:
            parts += (js(ask[0]), "-" + js(ask[1]))
    crc = crc32(":".join(parts).encode())
    return crc - (1 << 32) if crc >= 1 << 31 else crc


@lru_cache(maxsize=4_096)  # most numbers are the same from one checksum to the next
def js(number: float) -> str:
    """A finite number as JavaScript prints it: ``104250``, ``0.00001``, ``1e-7``, ``1e+21``."""
    text = repr(number)
    if text.endswith(".0"):
        return text[:-2]
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    power = int(exponent)
    if -7 < power < 21:
        return f"{number:.{max(0, len(mantissa.strip('-').replace('.', '')) - 1 - power)}f}"
    return f"{mantissa}e{power:+d}"
