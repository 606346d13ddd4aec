"""Messages of Bitget, v2 and v3: rows as typed structs, decoders, error codes. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import Fault, Side
from feeds.venues.reading import Millis, PrevSeq, Price, Seq, Size, rows_of

_FAULTS: Mapping[str, Fault] = {
    "429": Fault.OUR_LIMIT,
    "40010": Fault.OVERLOAD,  # request timed out (ccxt: a signature error, but public requests are not signed)
    "40015": Fault.OVERLOAD,  # system abnormal
    "40200": Fault.MAINTENANCE,  # server upgrade
    "40725": Fault.OVERLOAD,  # service error
    "45001": Fault.OVERLOAD,  # system error
    "30001": Fault.BAD_REQUEST,  # no such channel or symbol
    "30002": Fault.BAD_REQUEST,
    "30003": Fault.BAD_REQUEST,
    "30004": Fault.REFUSED,  # needs a login
    "30006": Fault.OUR_LIMIT,  # too many requests
    "30007": Fault.OUR_LIMIT,  # over the limit, the connection is closed
    "30016": Fault.BAD_REQUEST,
}


class Arg(Struct, rename="camel", gc=False, frozen=True, omit_defaults=True):
    """Identifies a subscription: ``topic`` and ``symbol`` on v3, ``channel`` and ``instId`` on v2."""

    inst_type: str = ""
    topic: str = ""
    symbol: str = ""
    channel: str = ""
    inst_id: str = ""


class Frame(Struct, gc=False):
    action: str | None = None
    arg: Arg | None = None
    data: Raw = Raw()
    ts: Millis = 0
    """When the gateway pushed it."""
    event: str | None = None
    code: int | str | None = None
    msg: str | None = None


SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=5_000)]


class ClassicBookRow(Struct, kw_only=True, gc=False):
    """A book of v2; v3 has shorter field names."""

    bids: SideLevels
    asks: SideLevels
    ts: Millis = 0
    """Time of the matching engine."""
    seq: Seq | None = None  # not sent by v2 in 2024
    pseq: PrevSeq | None = None


class BookRow(ClassicBookRow, kw_only=True, gc=False):
    bids: SideLevels = field(name="b")
    asks: SideLevels = field(name="a")


class ClassicTradeRow(Struct, kw_only=True, gc=False):
    price: Price
    size: Size
    taker: Side = field(name="side")
    trade_id: str = field(name="tradeId", default="")
    ts: Millis = 0


class TradeRow(ClassicTradeRow, kw_only=True, gc=False):
    price: Price = field(name="p")
    size: Size = field(name="v")
    taker: Side = field(name="S")
    trade_id: str = field(name="i", default="")
    ts: Millis = field(name="T", default=0)


class TickerRow(Struct, rename="camel", gc=False):
    """Spot has none of these. A v3 update may omit what did not change; "" means not applicable."""

    mark_price: str = ""
    index_price: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""


class LiquidationRow(Struct, gc=False):
    symbol: str
    position: Side = field(name="side")
    price: Price
    value: Size = field(name="amount")
    """In the quote currency: in a capture of 2026-04 both rows are the price times a whole number of lots. (The
    documents only say "amount", and tardis-node reads it as coins.)"""
    ts: Millis = 0


class TimeRow(Struct, rename="camel"):
    server_time: Millis


class RestBody(Struct, rename="camel"):
    code: str
    msg: str | None = None
    data: Raw = Raw()
    request_time: Millis = 0
    """When the server handled the request; 0 on some paths."""


read_frame = Decoder(Frame, strict=False).decode
read_books = rows_of(BookRow)
read_classic_books = rows_of(ClassicBookRow)
read_trades = rows_of(TradeRow)
read_classic_trades = rows_of(ClassicTradeRow)
read_tickers = rows_of(TickerRow)
read_liquidations = rows_of(LiquidationRow)
read_body = Decoder(RestBody, strict=False).decode
read_time = Decoder(TimeRow, strict=False).decode
read_rest_book = Decoder(BookRow, strict=False).decode


def fault_of(code: str) -> Fault | None:
    """None for a code that is not in the table."""
    return _FAULTS.get(code)


class _Chain(Struct):
    """A chain of a coin; booleans are text."""

    chain: str = ""
    withdrawable: str = "false"
    rechargeable: str = "false"
    congestion: str = "normal"


class _Coin(Struct):
    coin: str
    chains: list[_Chain] = []


NO_CHAIN = _Chain()
"""For a coin without chains: no deposits and no withdrawals."""
read_coins = Decoder(list[_Coin]).decode
