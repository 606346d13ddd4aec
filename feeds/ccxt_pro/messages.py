"""Messages between the collector and the child that runs ccxt.pro: msgpack, each after its length in four bytes.

Prices and sizes are checked while they are decoded: ccxt hands on what a venue sent, and a venue may send anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from feeds.model import Fault, Product, Side
from feeds.venues.reading import Millis, Price, Size

MAX_FRAME_BYTES = 4_000_000
LEVELS = 200
"""Of each side, the best ones: more than any band of a frame needs, and bounded whatever ccxt keeps."""
TEXT_CHARS = 160
MAX_TRADES = 200

Text: TypeAlias = Annotated[str, Meta(max_length=TEXT_CHARS)]
BookSide: TypeAlias = Annotated[list[tuple[Price, Size]], Meta(max_length=LEVELS)]
Nanos: TypeAlias = Annotated[int, Meta(gt=0, lt=1 << 62)]
Duration: TypeAlias = Annotated[float, Meta(ge=0, lt=1e9)]


class Job(Struct, frozen=True, tag="job", kw_only=True):
    """The first message to the child: which exchange to watch."""

    ccxt_id: str
    product: Product
    rest: str = ""
    """Base URL in place of the published one, empty for that."""
    ws: str = ""


class Follow(Struct, frozen=True, tag="follow"):
    """Which symbols to watch. Sent once, as soon as they are known."""

    symbols: tuple[str, ...]


class BookNow(Struct, frozen=True, tag="book", kw_only=True):
    """The newest book of a symbol; those in between were left out."""

    symbol: str
    bids: BookSide
    asks: BookSide
    nonce: Annotated[int, Meta(ge=0, lt=1 << 62)] | None = None
    venue_ms: Millis | None = None
    """The venue's time as ccxt reads it. ccxt does not say which of the venue's clocks it is."""
    received_ns: Nanos
    received_mono_ns: Nanos
    """The monotonic clock is the same for all processes of a machine."""
    updates: int = 1
    """How many came since the last message about this symbol."""


class TradeNow(Struct, frozen=True, tag="trade", kw_only=True):
    symbol: str
    price: Price
    size: Size
    side: Side
    venue_ms: Millis | None = None
    received_ns: Nanos
    received_mono_ns: Nanos
    """The monotonic clock is the same for all processes of a machine."""


class Probed(Struct, frozen=True, tag="probe", kw_only=True):
    """One timed REST call. ``wait_ms`` of ``total_ms`` is our own lateness."""

    name: str
    scheduled_ns: Nanos
    scheduled_mono_ns: Nanos | None = None
    total_ms: Duration
    wait_ms: Duration
    cold: bool = False
    """A connection was made for it."""
    lost: bool = False
    status: int | None = None
    fault: Fault | None = None
    text: Text = ""
    sent_ns: Nanos | None = None
    sent_mono_ns: Nanos | None = None
    rtt_ns: Annotated[int, Meta(ge=0, lt=1 << 53)] | None = None
    server_ms: Millis | None = None


class Lost(Struct, frozen=True, tag="lost", kw_only=True):
    """A subscription (``symbol`` None: all of them) has ended and is tried again."""

    symbol: str | None
    text: Text
    fault: Fault | None = None
    gap: bool = False
    """ccxt found its book wrong (sequence, checksum). The connection is not affected."""


class Refused(Struct, frozen=True, tag="refused", kw_only=True):
    """The venue or ccxt refuses a subscription; the connection is not at fault. ``trades``: trades, else book."""

    symbol: str
    trades: bool
    text: Text


class Beat(Struct, frozen=True, tag="beat", kw_only=True):
    """Sent once a second, whatever happens: the child is alive."""

    lag_ms: Duration | None = None
    """How late the child's event loop is, p99: our own delay, never the venue's."""


ChildCommand: TypeAlias = Job | Follow
"""To the child."""
ChildMessage: TypeAlias = BookNow | TradeNow | Probed | Lost | Refused | Beat
"""From the child."""

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[ChildCommand] = msgspec.msgpack.Decoder(ChildCommand)
_messages: msgspec.msgpack.Decoder[ChildMessage] = msgspec.msgpack.Decoder(ChildMessage)


def frame(message: ChildCommand | ChildMessage) -> bytes:
    """With its length in front."""
    body = _encoder.encode(message)
    return len(body).to_bytes(4, "big") + body


def read_command(body: bytes) -> ChildCommand:
    """Raises msgspec.DecodeError."""
    return _commands.decode(body)


def read_message(body: bytes) -> ChildMessage:
    """Raises msgspec.DecodeError."""
    return _messages.decode(body)


class Unframer:
    """Cuts bytes, as they come, into the bodies of whole messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises ValueError at a length that none of our messages has."""
        self._rest += data
        while len(self._rest) >= 4:
            length = int.from_bytes(self._rest[:4], "big")
            if length > MAX_FRAME_BYTES:
                raise ValueError(f"a message of {length} bytes")
            if len(self._rest) < 4 + length:
                return
            body = bytes(self._rest[4 : 4 + length])
            del self._rest[: 4 + length]
            yield body
