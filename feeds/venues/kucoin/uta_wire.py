"""Messages of KuCoin's UTA websocket: rows as typed structs, decoders."""

from __future__ import annotations

from msgspec import Raw, Struct, field
from msgspec.json import Decoder

from feeds.venues.kucoin.wire import Nanos, Sequence64, SideLevels
from feeds.venues.reading import Millis, Price, Rate


class UtaFrame(Struct, gc=False):
    topic: str | None = field(name="T", default=None)
    depth: str = field(name="dp", default="")
    kind: str = field(name="t", default="")
    pushed_ns: Nanos = field(name="P", default=0)
    data: Raw = field(name="d", default=Raw())
    id: str | int | None = None
    type: str | None = None
    result: bool | None = None
    message: str | None = None
    reason: str | None = None
    ts: Nanos = 0


class UtaBook(Struct, gc=False):
    venue_id: str = field(name="s")
    bids: SideLevels = field(name="b")
    asks: SideLevels = field(name="a")
    first: Sequence64 = field(name="O")
    last: Sequence64 = field(name="C")
    matched_ns: Nanos = field(name="M", default=0)


class UtaMark(Struct, gc=False):
    venue_id: str = field(name="s")
    mark: Price | None = field(name="mp", default=None)
    index: Price | None = field(name="ip", default=None)


class UtaFunding(Struct, gc=False):
    venue_id: str = field(name="s")
    rate: Rate | None = field(name="fr", default=None)
    next_ms: Millis | None = field(name="nt", default=None)
    interval_ms: Millis | None = field(name="gl", default=None)


read_uta = Decoder(UtaFrame, strict=False).decode
read_uta_book = Decoder(UtaBook, strict=False).decode
read_uta_mark = Decoder(UtaMark, strict=False).decode
read_uta_funding = Decoder(UtaFunding, strict=False).decode
