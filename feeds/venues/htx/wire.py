"""Messages of HTX: rows as typed structs, decoders, error codes. See ``venue.py`` for the sources.

Levels are JSON numbers, very small and large ones with exponents (``9.7E-4``). Trade ids of spot do not fit 64 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import (
    Fault,
    Side,
)
from feeds.venues.reading import MOST_ROWS, Millis, Price, Size, rows_of

Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]
SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=5_000)]
_NULL = Raw(b"null")


class Frame(Struct, gc=False):
    """Every message of all sockets. ``op`` and ``topic`` only on the notification socket."""

    ch: str = ""
    ts: Millis = 0
    """When the gateway sent it."""
    tick: Raw = _NULL
    ping: Annotated[int, Meta(ge=0, lt=1 << 62)] | None = None
    id: str | int | None = None
    status: str = ""
    subbed: str | None = None
    unsubbed: str | None = None
    rep: str = ""
    op: str = ""
    topic: str = ""
    cid: str = ""
    data: Raw = _NULL
    code: str | int = field(name="err-code", default=0)
    text: str = field(name="err-msg", default="")


class Book(Struct, gc=False, kw_only=True):
    """Any book. ``mbp`` has ``seqNum``, the others ``version``. An empty or unchanged side may be absent or null."""

    bids: SideLevels | None = None
    asks: SideLevels | None = None
    event: Literal["snapshot", "update", ""] = ""
    version: Sequence64 | None = None
    last: Sequence64 | None = field(name="seqNum", default=None)
    prev: Sequence64 | None = field(name="prevSeqNum", default=None)
    made_ms: Millis = field(name="ts", default=0)


class BookFrame(Struct, gc=False):
    """A whole message of a book channel, decoded at once: cheaper than decoding ``Frame`` and then its ``tick``."""

    ch: str
    tick: Book
    ts: Millis = 0


class SpotTop(Struct, gc=False, kw_only=True):
    """An empty side is absent, null or 0."""

    bid: Size | None = None
    bid_size: Size | None = field(name="bidSize", default=None)
    ask: Size | None = None
    ask_size: Size | None = field(name="askSize", default=None)
    seq: Sequence64 | None = field(name="seqId", default=None)
    made_ms: Millis = field(name="quoteTime", default=0)


class SwapTop(Struct, gc=False, kw_only=True):
    """Pairs of price and size. Not one struct with ``SpotTop``: msgspec 0.22 crashes on ``tuple | constrained
    float``."""

    bid: tuple[Size, Size] | None = None
    ask: tuple[Size, Size] | None = None
    seq: Sequence64 | None = field(name="version", default=None)
    made_ms: Millis = field(name="ts", default=0)


class TradeRow(Struct, gc=False):
    """Sizes are coins on spot, contracts on swaps. ``direction`` was empty in messages of 2022."""

    price: Price
    amount: Size
    direction: Side | Literal[""]
    ts: Millis = 0
    id: Raw = _NULL
    trade_id: int | None = field(name="tradeId", default=None)


class Trades(Struct, gc=False):
    data: Annotated[list[TradeRow], MOST_ROWS]


class Kline(Struct, gc=False):
    close: Price


class LiquidationRow(Struct, gc=False):
    """``volume``: contracts; ``direction``: side of the order that closes the position."""

    contract_code: str
    direction: Side
    volume: Size
    price: Price
    created_at: Millis = 0


class FundingRow(Struct, gc=False):
    """``funding_time`` is when the rate was computed, ``settlement_time`` when it is paid."""

    contract_code: str
    funding_rate: str | None = None
    settlement_time: Millis | None = None


class RestBody(Struct):
    """The part of every answer that tells time or errors. Three generations of interfaces write errors differently."""

    status: str | int = ""
    ts: Millis = 0
    data: Raw = _NULL
    tick: Raw = _NULL
    err_dash: str | int | None = field(name="err-code", default=None)
    err_line: str | int | None = field(name="err_code", default=None)
    code: str | int | None = None
    text_dash: str | None = field(name="err-msg", default=None)
    text_line: str | None = field(name="err_msg", default=None)
    message: str | None = None

    @property
    def good(self) -> bool:
        return self.status == "ok" or str(self.code) == "200"

    @property
    def error(self) -> tuple[str, str]:
        """(code, text) of the error."""
        codes = (self.err_dash, self.err_line, self.code, self.status)
        code = next((str(one) for one in codes if one not in (None, "")), "")
        return code[:32], (self.text_dash or self.text_line or self.message or "")[:200]


class MarketStatus(Struct, rename="camel"):
    market_status: int
    halt_start_time: Millis | None = None
    halt_end_time: Millis | None = None


class SwapStatus(Struct):
    heartbeat: int = field(name="linear_swap_heartbeat")
    recovery_ms: Millis | None = field(name="linear_swap_estimated_recovery_time", default=None)


read_frame = Decoder(Frame, strict=False).decode
read_book_frame = Decoder(BookFrame).decode
read_book = Decoder(Book).decode
read_spot_top = Decoder(SpotTop).decode
read_swap_top = Decoder(SwapTop).decode
read_trades = Decoder(Trades).decode
read_kline = Decoder(Kline, strict=False).decode
read_liquidations = rows_of(LiquidationRow, strict=True)
read_funding = rows_of(FundingRow)
read_body = Decoder(RestBody, strict=False).decode
read_time = Decoder(Millis, strict=False).decode
read_market_status = Decoder(MarketStatus).decode
read_swap_status = Decoder(SwapStatus, strict=False).decode


class _Chain(Struct, rename="camel"):
    display_name: str = ""
    deposit_status: str = "prohibited"
    withdraw_status: str = "prohibited"


class _Currency(Struct):
    currency: str
    chains: list[_Chain] | None = None


NO_CHAIN = _Chain()
"""For a coin without chains: no deposits and no withdrawals."""
read_currencies = Decoder(list[_Currency]).decode


_TOO_MANY = re.compile(r"too many request|too-many-request|frequency", re.IGNORECASE)
FAULTS: Mapping[str, Fault] = {
    "too-many-request": Fault.OUR_LIMIT,
    "429": Fault.OUR_LIMIT,
    "1032": Fault.OUR_LIMIT,  # accessed too often
    "2004": Fault.OUR_LIMIT,  # visits exceed the limit
    "2030": Fault.OUR_LIMIT,  # connections exceed the limit
    "gateway-internal-error": Fault.OVERLOAD,
    "base-system-busy": Fault.OVERLOAD,
    "internal-error": Fault.OVERLOAD,
    "system-maintenance": Fault.MAINTENANCE,
    **{str(code): Fault.OVERLOAD for code in range(1000, 1005)},  # 1001: system not ready, 1004: busy
    "bad-request": Fault.BAD_REQUEST,
    "invalid-parameter": Fault.BAD_REQUEST,
    "1014": Fault.BAD_REQUEST,  # no such contract
    "2010": Fault.BAD_REQUEST,  # topic error
    "2011": Fault.BAD_REQUEST,  # no such contract
}


def fault_of(code: str, text: str) -> Fault | None:
    """The fault of an error. Bursts of requests are refused with the code ``bad-request`` and 429 in the text."""
    return Fault.OUR_LIMIT if _TOO_MANY.search(text) else FAULTS.get(code)
