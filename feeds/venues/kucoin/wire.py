"""KuCoin's REST answers, and number types of all of its messages. See ``venue.py`` for the sources.

Numbers are text in some channels and JSON numbers in others; both are read. Nanoseconds and sequence numbers exceed
2^53 and are always integers.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from feeds.venues.reading import Millis, Price, Size

Nanos = Annotated[int, Meta(ge=0, lt=1 << 62)]
"""Since the epoch; 0 means not sent."""
Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]
SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]


class Body(Struct):
    code: str
    msg: str = ""
    data: Raw = Raw()


class RestBook(Struct):
    bids: SideLevels
    asks: SideLevels
    sequence: Sequence64
    time: Millis = 0
    """ms since the epoch, on spot."""
    ts: Nanos = 0
    """ns since the epoch, on futures."""


class Status(Struct):
    status: str
    msg: str = ""


class _Server(Struct):
    endpoint: Annotated[str, Meta(max_length=500)]


class Bullet(Struct, rename="camel"):
    token: Annotated[str, Meta(min_length=1, max_length=4_000)]
    instance_servers: Annotated[list[_Server], Meta(min_length=1)]


read_body = Decoder(Body, strict=False).decode
read_time = Decoder(Millis, strict=False).decode
read_rest_book = Decoder(RestBook, strict=False).decode
read_status = Decoder(Status).decode
read_bullet = Decoder(Bullet).decode


class _Chain(Struct, rename="camel"):
    chain_name: str = ""
    is_deposit_enabled: bool = False
    is_withdraw_enabled: bool = False


class _Currency(Struct):
    currency: str
    chains: list[_Chain] | None = None


NO_CHAIN = _Chain()
"""For a coin without chains: no deposits and no withdrawals."""
read_currency = Decoder(_Currency | list[_Currency]).decode
