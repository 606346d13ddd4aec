"""Messages of Gate v4: rows as typed structs, decoders. See ``venue.py`` for the sources.

Futures sizes are text where the handshake asked for decimals, else whole numbers; both are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import Levels, Side
from feeds.venues.reading import MOST_ROWS, Millis, Price, Size

Signed = Annotated[float, Meta(gt=-1e18, lt=1e18)]
"""Size with a sign: > 0 bought, < 0 sold."""
Stamp = Annotated[float, Meta(ge=0, lt=1 << 43)]
"""Milliseconds or seconds since the epoch, with a fraction. 0: not sent."""
Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]
_SECONDS_END = 1e11  # smaller stamps are seconds: as milliseconds this is 1973, as seconds the year 5138


class Error(Struct):
    code: int
    message: str = ""


class Frame(Struct, gc=False):
    channel: str = ""
    event: str | None = None
    time_ms: Millis = 0
    """When the gateway made the message."""
    result: Raw = Raw(b"null")
    error: Error | None = None
    id: int | None = None
    type: str | None = None
    msg: str | None = None


class Announced(Struct):
    type: str = ""
    msg: str = ""


class Level(Struct, gc=False):
    """A level of futures, in all channels except ``obu``."""

    price: Price = field(name="p")
    size: Size = field(name="s")


Pair = tuple[Price, Size]
SideLevels = Annotated[list[Pair], Meta(max_length=5_000)]
MixedLevels = Annotated[list[Pair | Level], Meta(max_length=5_000)]


class BookHead(Struct, gc=False, kw_only=True):
    name: str = field(name="s")
    full: bool = False
    first: Sequence64 | None = field(name="U", default=None)
    last: Sequence64 = field(name="u")
    made_ms: Millis = field(name="t", default=0)


class BookRow(BookHead, gc=False, kw_only=True):
    """``obu``. A change without both sides: only the id changed."""

    bids: SideLevels | None = field(name="b", default=None)
    asks: SideLevels | None = field(name="a", default=None)


class UpdateRow(BookHead, gc=False, kw_only=True):
    bids: MixedLevels | None = field(name="b", default=None)
    asks: MixedLevels | None = field(name="a", default=None)
    levels: Annotated[int, Meta(ge=0, le=5_000)] = field(name="l", default=0)


class TopRow(Struct, gc=False):
    """An empty side has the price ""."""

    name: str = field(name="s")
    bid: Price | Literal[""] = field(name="b")
    bid_size: Size | Literal[""] = field(name="B")
    ask: Price | Literal[""] = field(name="a")
    ask_size: Size | Literal[""] = field(name="A")
    last: Sequence64 | None = field(name="u", default=None)
    made_ms: Millis = field(name="t", default=0)


class SpotTradeRow(Struct, gc=False):
    currency_pair: str
    price: Price
    amount: Size
    side: Side
    id: int
    create_time_ms: Stamp = 0


class TradeRow(Struct, gc=False):
    contract: str
    price: Price
    size: Signed
    id: int
    create_time_ms: Stamp = 0
    is_internal: bool = False


class LiquidationRow(Struct, gc=False):
    contract: str
    price: Price
    size: Signed
    time_ms: Stamp = 0
    time: Stamp = 0


class TickerRow(Struct, gc=False):
    contract: str
    mark_price: str = ""
    index_price: str = ""
    funding_rate: str = ""


class RestBook(Struct):
    """``current``: time of the answer; ``update``: time of the book's last change."""

    bids: MixedLevels
    asks: MixedLevels
    id: Sequence64 | None = None
    current: Stamp = 0
    update: Stamp = 0


class RestBody(Struct):
    """The part of every answer that tells time or errors. ``label`` only in errors."""

    label: str = ""
    message: str = ""
    server_time: Stamp = 0
    current: Stamp = 0


read_frame = Decoder(Frame, strict=False).decode
read_notice = Decoder(Announced, strict=False).decode
read_book = Decoder(BookRow, strict=False).decode
read_update = Decoder(UpdateRow, strict=False).decode
read_top = Decoder(TopRow, strict=False).decode
read_spot_trades = Decoder(Annotated[list[SpotTradeRow], MOST_ROWS] | SpotTradeRow, strict=False).decode
read_trades = Decoder(Annotated[list[TradeRow], MOST_ROWS] | TradeRow, strict=False).decode
read_liquidations = Decoder(Annotated[list[LiquidationRow], MOST_ROWS] | LiquidationRow, strict=False).decode
"""A list for several, an object for one: the documents and the captures show both shapes of these channels."""
read_tickers = Decoder(Annotated[list[TickerRow | list[TickerRow]], MOST_ROWS] | TickerRow, strict=False).decode
read_rest_book = Decoder(RestBook, strict=False).decode
read_body = Decoder(RestBody, strict=False).decode


def tickers(raw: Raw) -> list[TickerRow]:
    """A list of tickers. In 2021 and 2022 also sent as a list in a list and as a single row."""
    got = read_tickers(raw)
    outer = got if isinstance(got, list) else [got]
    return [row for part in outer for row in (part if isinstance(part, list) else [part])]


def pairs(levels: Sequence[Pair | Level]) -> Levels:
    return [(level.price, level.size) if isinstance(level, Level) else level for level in levels]


def stamp_ns(stamp: float) -> int | None:
    """Milliseconds or seconds (small values) -> ns, rounded to the microsecond. 0 -> None."""
    if not stamp:
        return None
    return int(stamp * (1_000 if stamp > _SECONDS_END else 1_000_000)) * 1_000


class _Chain(Struct):
    name: str = ""
    withdraw_disabled: bool = False
    withdraw_delayed: bool = False
    deposit_disabled: bool = False


class _Currency(Struct):
    currency: str
    delisted: bool = False
    withdraw_disabled: bool = False
    withdraw_delayed: bool = False
    deposit_disabled: bool = False
    chains: list[_Chain] = []


ONE_CHAIN = _Chain()
"""For a coin whose row names no chains: only the flags of the coin count."""
read_currencies = Decoder(list[_Currency]).decode
