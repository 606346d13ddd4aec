"""Reading numbers, times and compressed bytes from messages that may hold anything."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import GenericAlias
from typing import Annotated, Any, TypeAlias, TypeVar, cast

from msgspec import Meta, MsgspecError, Raw
from msgspec.json import Decoder

from feeds.model import (
    LevelRow,
)

UNREADABLE: tuple[type[Exception], ...] = (MsgspecError, ValueError, IndexError, RecursionError)
"""All exceptions of reading bytes that may hold anything: malformed, wrong types, not UTF-8, missing rows, too deep."""

T = TypeVar("T")
NS_PER_MS = 1_000_000
GZIP_HEAD = b"\x1f\x8b"
"""The first bytes of a gzip member; no text starts so."""
GZIP_WINDOW = 31
"""zlib's ``wbits`` for a gzip member with any window."""
MOST_UNZIPPED = 1 << 20
"""The most bytes that one message may have after decompression: 25 times the largest known, a few ms of work."""


def gunzip(raw: bytes, most: int = MOST_UNZIPPED) -> bytes:
    """Content of exactly one gzip member. Raises ValueError for anything else, and for content of more than ``most``
    bytes, before making it."""
    unzip = zlib.decompressobj(GZIP_WINDOW)
    try:
        content = unzip.decompress(raw, most)
    except zlib.error as error:
        raise ValueError(f"not gzip: {error}") from error
    if not unzip.eof or unzip.unused_data:
        raise ValueError(f"not one whole gzip member of at most {most} bytes")
    return content


def number(text: str) -> float | None:
    """Decimal text -> float; "" -> None. Raises ValueError for NaN, infinities and 1e18 or more."""
    if not text:
        return None
    value = float(text)
    if not abs(value) < 1e18:
        raise ValueError("not a finite number")
    return value


def rate(text: str) -> float | None:
    """A funding rate as decimal text -> fraction; "" -> None. Raises ValueError for more than the whole position."""
    value = number(text)
    if value is not None and abs(value) > 1:
        raise ValueError("not a funding rate")
    return value


def ms_ns(text: str) -> int | None:
    """Milliseconds since the epoch as text -> ns; "" and "0" -> None. Raises ValueError."""
    if not text or text == "0":
        return None
    ms = int(text)
    if not 0 < ms < 1 << 43:
        raise ValueError("not a time")
    return ms * NS_PER_MS


Stamp = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 text with a time zone, for typed decoding; rounded to the microsecond."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def stamp_ns(stamp: datetime | None) -> int | None:
    """A ``Stamp`` -> ns since the epoch, rounded to the microsecond. A time that is not after 1970 means not sent ->
    None."""
    if stamp is None:
        return None
    us = (stamp - _EPOCH) // _US
    return us * 1_000 if 0 < us < 1 << 53 else None


Price: TypeAlias = Annotated[float, Meta(gt=0, lt=1e18)]
"""For typed decoding; with ``strict=False`` decimal text is read too. msgspec refuses NaN, infinities and negatives
while it decodes, so no loop of ours has to check every level."""
Size: TypeAlias = Annotated[float, Meta(ge=0, lt=1e18)]
Seq: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 62)]
"""A sequence number."""
PrevSeq: TypeAlias = Annotated[int, Meta(ge=-1, lt=1 << 62)]
"""The number of the message before; some venues write -1 where there is none."""
Rate: TypeAlias = Annotated[float, Meta(ge=-1, le=1)]
"""A funding rate of one interval, as a fraction. The highest known caps are a few per cent."""
MOST_ROWS = Meta(max_length=10_000)
"""Rows of trades, liquidations and the like in one message. Real ones have at most a few hundred."""
MOST_LEVELS = Meta(max_length=20_000)
"""Levels of one side of a book in one message."""
Millis: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 43)]
"""A venue's time, ms since the epoch; bounded so that its nanoseconds fit 64 bits. 0 means not sent."""


class Level(LevelRow, array_like=True, gc=False):
    """[price, size, ...]: further fields are not read."""

    price: Price
    size: Size


def rows_of(row: type[T], *, strict: bool = False) -> Callable[[bytes | Raw], list[T]]:
    """A decoder of a list of ``row``, of at most ``MOST_ROWS``."""
    # Any: a type that is only known when this runs
    bounded = cast("Any", Annotated)[GenericAlias(list, (row,)), MOST_ROWS]
    return cast("Callable[[bytes | Raw], list[T]]", Decoder(bounded, strict=strict).decode)
