"""What KuCoin writes, as typed structs, and our requests by the ids that answers echo. See ``venue.py``.

Numbers come as text on one channel and as JSON numbers on the next; both are read. Nanoseconds and sequence numbers go
beyond 2^53 and are always integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from feeds.model import Ack, Event, Fault, Refusal
from feeds.venues.base import Millis, Price, Size, Subscription
from feeds.venues.retry import RetrySchedule

Nanos = Annotated[int, Meta(ge=0, lt=1 << 62)]
"""Since the epoch; 0 means not sent."""
Sequence64 = Annotated[int, Meta(ge=0, lt=1 << 62)]
Rate = Annotated[float, Meta(gt=-1e6, lt=1e6)]
SideLevels = Annotated[list[tuple[Price, Size]], Meta(max_length=20_000)]

# UTA


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


# classic


class ClassicFrame(Struct, gc=False):
    topic: str | None = None
    subject: str = ""
    data: Raw = Raw()
    id: str | int | None = None
    type: str | None = None
    code: int | str = ""
    timestamp: Nanos = 0
    """Of a pong: microseconds."""


class Match(Struct, rename="camel", gc=False):
    price: Price
    size: Size
    side: Literal["buy", "sell"]
    trade_id: str | None = None
    time: Nanos = 0
    """Spot's name of the engine's time."""
    ts: Nanos = 0
    """Futures' name of it."""


_AnyPrice = Annotated[float, Meta(ge=0, lt=1e18)]
_Changed = Annotated[list[tuple[_AnyPrice, Size, Sequence64]], Meta(max_length=20_000)]


class Changes(Struct, gc=False):
    """Price 0 is no level: it only carries a sequence number."""

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
    """Spot names prices ``bestBid`` and times in ms, futures ``bestBidPrice`` and ns."""

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


# REST


class Body(Struct):
    code: str
    msg: str = ""
    data: Raw = Raw()


class RestBook(Struct):
    bids: SideLevels
    asks: SideLevels
    sequence: Sequence64
    time: Millis = 0
    """Spot's time, ms."""
    ts: Nanos = 0
    """Futures' time, ns."""


class Status(Struct):
    status: str
    msg: str = ""


class _Server(Struct):
    endpoint: Annotated[str, Meta(max_length=500)]


class Bullet(Struct, rename="camel"):
    token: Annotated[str, Meta(min_length=1, max_length=4_000)]
    instance_servers: Annotated[list[_Server], Meta(min_length=1)]


read_uta = Decoder(UtaFrame, strict=False).decode
read_uta_book = Decoder(UtaBook, strict=False).decode
read_uta_mark = Decoder(UtaMark, strict=False).decode
read_uta_funding = Decoder(UtaFunding, strict=False).decode
read_classic = Decoder(ClassicFrame, strict=False).decode
read_match = Decoder(Match, strict=False).decode
read_spot_update = Decoder(SpotUpdate, strict=False).decode
read_futures_update = Decoder(FuturesUpdate, strict=False).decode
read_depth = Decoder(DepthImage, strict=False).decode
read_ticker = Decoder(Ticker, strict=False).decode
read_level1 = Decoder(Level1, strict=False).decode
read_contract = Decoder(ContractNews, strict=False).decode
read_text = Decoder(str).decode
read_body = Decoder(Body, strict=False).decode
read_time = Decoder(Millis, strict=False).decode
read_rest_book = Decoder(RestBook, strict=False).decode
read_status = Decoder(Status).decode
read_bullet = Decoder(Bullet).decode


class Asked:
    """One connection's requests by their ids. An id stands for one request for ever, so the table cannot grow."""

    def __init__(self, ids: Mapping[str, tuple[Subscription, bool]]) -> None:
        """``ids``: what each asks for, and whether its answer speaks for the whole channel."""
        self._ids = ids
        self._retries = RetrySchedule()

    def accepted(self, answered: str | int | None) -> Sequence[Event]:
        asked = self._ids.get(str(answered))
        if asked is None:  # an unsubscription
            return ()
        self._retries.accepted(str(answered))
        subscription, leads = asked
        return (Ack(channel=subscription.channel, symbol=subscription.symbol),) if leads else ()

    def refused(
        self, answered: str | int | None, fault: Fault, code: str, text: str, received_ns: int
    ) -> Sequence[Event]:
        """Asked again later, a few times: venues refuse what is right while they recover."""
        asked = self._ids.get(str(answered))
        subscription, leads = (None, False) if asked is None else asked
        if asked is not None:
            self._retries.schedule(str(answered), received_ns)
        if subscription is None or not leads:
            return (Refusal(fault=fault, code=code, text=text[:200]),)
        return (
            Refusal(channel=subscription.channel, symbol=subscription.symbol, fault=fault, code=code, text=text[:200]),
        )

    def due(self, received_ns: int) -> Iterable[str]:
        """Ids of the requests to repeat now."""
        return self._retries.take_due(received_ns) if received_ns >= self._retries.due_ns else ()


def token_of(answered: str | int | None) -> int | None:
    """The token in the id of a ping of ours, ``p17``."""
    text = str(answered)
    digits = text[1:]
    return int(digits) if text[:1] == "p" and digits.isdecimal() and len(digits) < 19 else None


class _Chain(Struct, rename="camel"):
    chain_name: str = ""
    is_deposit_enabled: bool = False
    is_withdraw_enabled: bool = False


class _Currency(Struct):
    currency: str
    chains: list[_Chain] | None = None


NO_CHAIN = _Chain()
"""What no chains at all mean: nothing goes in or out."""
read_currency = Decoder(_Currency | list[_Currency]).decode
