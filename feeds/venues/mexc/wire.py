"""MEXC's REST answers: typed structs, decoders."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.venues.mexc.linear_wire import SideLevels
from feeds.venues.reading import Millis, Price, Size


class RestBody(Struct):
    """Perpetuals wrap their answers. Good answers of spot are not wrapped; its errors have ``code`` and ``msg``."""

    code: int | str = 0
    msg: str = ""
    message: str = ""
    success: bool = True
    data: Raw = Raw(b"{}")
    serverTime: Millis = 0  # noqa: N815 - as spot writes it


class SpotBook(Struct, rename="camel"):
    last_update_id: Annotated[int, Meta(ge=0, lt=1 << 62)]
    bids: Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]
    asks: Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]
    timestamp: Millis = 0


class LinearBook(Struct):
    version: Annotated[int, Meta(ge=0, lt=1 << 62)]
    bids: SideLevels
    asks: SideLevels
    timestamp: Millis = 0


read_body = Decoder(RestBody, strict=False).decode
read_spot_book = Decoder(SpotBook, strict=False).decode
read_linear_book = Decoder(LinearBook, strict=False).decode
read_ms = Decoder(Millis, strict=False).decode
