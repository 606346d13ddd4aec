"""Reading text and bytes that may hold anything, for venues whose numbers are text and may be empty."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias

from msgspec import Meta, MsgspecError

from feeds.model import (
    LevelRow,
)

UNREADABLE: tuple[type[Exception], ...] = (MsgspecError, ValueError, IndexError, RecursionError)
"""All that reading hostile bytes can raise: malformed, wrongly typed, not UTF-8, no row where one must be, too deep."""

NS_PER_MS = 1_000_000
GZIP_WINDOW = 31
"""zlib's word for "a gzip member, of any window"."""
MOST_UNZIPPED = 4 << 20
"""Bytes that one compressed message may become: a hundred times the largest that is known."""


def gunzip(raw: bytes, most: int = MOST_UNZIPPED) -> bytes:
    """One whole gzip member -> its content. Raises ValueError for anything else, and before it has made more than
    ``most`` bytes."""
    unzip = zlib.decompressobj(GZIP_WINDOW)
    try:
        content = unzip.decompress(raw, most)
    except zlib.error as error:
        raise ValueError(f"not gzip: {error}") from error
    if not unzip.eof or unzip.unused_data:
        raise ValueError(f"not one whole gzip member of at most {most} bytes")
    return content


def number(text: str) -> float | None:
    """Decimal text of either sign -> float; "" is None. Raises ValueError for NaN, infinities and the absurd."""
    if not text:
        return None
    value = float(text)
    if not abs(value) < 1e18:
        raise ValueError("not a finite number")
    return value


def ms_ns(text: str) -> int | None:
    """Milliseconds since the epoch as text -> ns; "" and "0" are None. Raises ValueError."""
    if not text or text == "0":
        return None
    ms = int(text)
    if not 0 < ms < 1 << 43:
        raise ValueError("not a time")
    return ms * NS_PER_MS


Stamp = Annotated[datetime, Meta(tz=True)]
"""RFC 3339 text with a zone, for typed decoding; it is rounded to the microsecond."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def stamp_ns(stamp: datetime | None) -> int | None:
    """A ``Stamp`` -> ns since the epoch, to the microsecond; what does not lie after 1970 means not sent: None."""
    if stamp is None:
        return None
    us = (stamp - _EPOCH) // _US
    return us * 1_000 if 0 < us < 1 << 53 else None


Price: TypeAlias = Annotated[float, Meta(gt=0, lt=1e18)]
"""For typed decoding; with ``strict=False`` decimal text is read too. msgspec refuses NaN, infinities and negatives
while it decodes, so that no loop of ours has to look at every level again."""
Size: TypeAlias = Annotated[float, Meta(ge=0, lt=1e18)]
Millis: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 43)]
"""A venue's time stamp, ms since the epoch; bounded so that nanoseconds of it fit 64 bits. 0 means not sent."""


class Level(LevelRow, array_like=True, gc=False):
    """[price, size, ...]: what follows is left unread."""

    price: Price
    size: Size
