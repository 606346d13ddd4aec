"""Messages of KuCoin's classic websocket: rows as typed structs, decoders."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.venues.kucoin.wire import Nanos, Sequence64, SideLevels
from feeds.venues.reading import Millis, Price, Rate, Size


class ClassicFrame(Struct, gc=False):
    topic: str | None = None
    subject: str = ""
    data: Raw = Raw()
    id: str | int | None = None
    type: str | None = None
    code: int | str = ""
    timestamp: Nanos = 0
    """Microseconds, in a pong."""


class Match(Struct, rename="camel", gc=False):
    price: Price
    size: Size
    side: Literal["buy", "sell"]
    trade_id: str | None = None
    time: Nanos = 0
    """The engine's time, on spot."""
    ts: Nanos = 0
    """The engine's time, on futures."""


_AnyPrice = Annotated[float, Meta(ge=0, lt=1e18)]
_Changed = Annotated[list[tuple[_AnyPrice, Size, Sequence64]], Meta(max_length=20_000)]


class Changes(Struct, gc=False):
    """A price of 0 is not a level; the row only carries a sequence number."""

    asks: _Changed
    bids: _Changed


class SpotUpdate(Struct, rename="camel", gc=False):
    changes: Changes
    sequence_start: Sequence64
    sequence_end: Sequence64
    time: Millis = 0


class FuturesUpdate(Struct, gc=False):
    sequence: Sequence64
    change: Annotated[str, Meta(max_length=100)]
    """``price,side,size``"""
    timestamp: Millis = 0


class DepthImage(Struct, gc=False):
    bids: SideLevels
    asks: SideLevels
    timestamp: Millis = 0
    ts: Millis = 0
    sequence: Sequence64 | None = None


class Ticker(Struct, rename="camel", gc=False):
    """Spot: prices ``bestBid``, times in ms. Futures: ``bestBidPrice``, times in ns."""

    best_bid: Price | None = None
    best_bid_price: Price | None = None
    best_bid_size: Size | None = None
    best_ask: Price | None = None
    best_ask_price: Price | None = None
    best_ask_size: Size | None = None
    time: Millis = 0
    ts: Nanos = 0
    sequence: Sequence64 | None = None


class Level1(Struct, gc=False):
    bids: tuple[Price, Size] | None
    asks: tuple[Price, Size] | None
    timestamp: Millis = 0


class ContractNews(Struct, rename="camel", gc=False):
    mark_price: Price | None = None
    index_price: Price | None = None
    funding_rate: Rate | None = None
    timestamp: Millis = 0


read_classic = Decoder(ClassicFrame, strict=False).decode
read_match = Decoder(Match, strict=False).decode
read_spot_update = Decoder(SpotUpdate, strict=False).decode
read_futures_update = Decoder(FuturesUpdate, strict=False).decode
read_depth = Decoder(DepthImage, strict=False).decode
read_ticker = Decoder(Ticker, strict=False).decode
read_level1 = Decoder(Level1, strict=False).decode
read_contract = Decoder(ContractNews, strict=False).decode
read_text = Decoder(str).decode
