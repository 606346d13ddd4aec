"""Messages of Kraken's derivatives websocket (v1): one flat struct for all."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field
from msgspec.json import Decoder

from feeds.model import (
    Side,
)
from feeds.venues.reading import Millis, Price, Rate, Size

Signed = Annotated[float, Meta(gt=-1e18, lt=1e18)]
Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]


class LevelRow(Struct, gc=False):
    price: Price
    qty: Size


SideLevels = Annotated[list[LevelRow], Meta(max_length=100_000)]


class Frame(Struct, gc=False):
    """Any message. Its feed tells which fields it has."""

    feed: str = ""
    event: str = ""
    product_id: str = ""
    product_ids: list[str] = []
    message: str = ""
    seq: Sequence64 | None = None
    side: Side | None = None
    price: Price | None = None
    qty: Size | None = None
    timestamp: Millis = 0
    time: Millis = 0
    type: str = ""
    uid: str | None = None
    bids: SideLevels | None = None
    asks: SideLevels | None = None
    mark: Size | None = field(name="markPrice", default=None)
    index: Size | None = None
    rate: Rate | None = field(name="relative_funding_rate", default=None)
    next_ms: Millis | None = field(name="next_funding_rate_time", default=None)


read_frame = Decoder(Frame).decode
