"""Messages of MEXC's websocket of perpetuals (JSON): rows as typed structs, decoders."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.venues.reading import MOST_ROWS, Level, Millis, Price, Rate, Size

Version = Annotated[int, Meta(ge=0, lt=1 << 62)]


class Frame(Struct, gc=False):
    channel: str
    data: Raw = Raw()
    symbol: str = ""
    ts: Millis = 0


# [price, contracts, number of orders]
SideLevels = Annotated[list[Level], Meta(max_length=20_000)]


class DepthRow(Struct, gc=False):
    version: Version
    asks: SideLevels = []
    bids: SideLevels = []
    begin: Version | None = None
    end: Version | None = None
    cts: Millis = 0


class DealRow(Struct, gc=False, rename={"price": "p", "size": "v", "kind": "T", "at_ms": "t", "trade_id": "i"}):
    price: Price
    size: Size
    kind: Literal[1, 2]
    at_ms: Millis = 0
    trade_id: str | int | None = None


class PriceRow(Struct, gc=False):
    price: Price


class FundingRow(Struct, gc=False, rename={"next_ms": "nextSettleTime", "funding_rate": "fundingRate"}):
    rate: Rate | None = None
    funding_rate: Rate | None = None
    next_ms: Millis = 0


class TickerRow(Struct, gc=False, rename="camel"):
    fair_price: Price | None = None
    index_price: Price | None = None
    funding_rate: Rate | None = None


read_frame = Decoder(Frame, strict=False).decode
read_depth = Decoder(DepthRow, strict=False).decode
read_deals = Decoder(Annotated[list[DealRow], MOST_ROWS] | DealRow, strict=False).decode
read_price = Decoder(PriceRow, strict=False).decode
read_funding = Decoder(FundingRow, strict=False).decode
read_ticker = Decoder(TickerRow, strict=False).decode
read_text = Decoder(str).decode
read_ms = Decoder(Millis, strict=False).decode
