"""One connection to a websocket of BingX: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from msgspec.json import encode

from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Instrument,
    Mark,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan
from feeds.venues.bingx import wire
from feeds.venues.reading import GZIP_HEAD, NS_PER_MS, UNREADABLE, gunzip
from feeds.venues.retry import RetrySchedule

BOOK_LEVELS: Mapping[str, int] = {"spot": 1_000, "linear": 1_024}
"""Levels per side of the first book, by product."""
UNCROSSED, CROSSED = 0, 1
"""Used as checksums: every delta asks the rule to check that the book is not crossed."""
NAMES: Mapping[Channel, str] = {
    Channel.BOOK: "incrDepth",
    Channel.BBO: "bookTicker",
    Channel.TRADES: "trade",
    Channel.MARK: "markPrice",
}
# Channels that Detour does not read. lastPrice is subscribed only as a ping (see ``ping``).
_UNUSED = ("kline", "ticker", "lastPrice", "depth")
_STALE_AT_FIRST = (Channel.BBO, Channel.TRADES)


class _Topic(Struct):
    channel: Channel
    symbol: str
    state: Literal["asked", "open", "refused"] = "asked"
    held: Sequence[Event] = ()
    """Events that came before the answer. A refused subscription can still send one message."""
    first: bool = True
    """No data yet since the subscription was requested."""


class BingxSession:
    """The id of a request holds its verb and topic, so every answer tells what it answers."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        ids = {i.symbol: i.venue_id for i in instruments}
        self._levels = BOOK_LEVELS[plan.product]
        self._topics: dict[str, _Topic] = {}
        for one in plan.subscriptions:
            if one.symbol in ids and one.channel in NAMES:
                self._topics[f"{ids[one.symbol]}@{NAMES[one.channel]}"] = _Topic(one.channel, one.symbol)
        marks = (name for name, topic in self._topics.items() if topic.channel is Channel.MARK)
        names = (f"{name.partition('@')[0]}@lastPrice" for name in self._topics)
        self._echo = next(marks, None) or next(names, None)
        self._retries = RetrySchedule()
        self._readers: Mapping[Channel, Callable[[wire.Frame, str], Sequence[Event]]] = {
            Channel.BOOK: self._book,
            Channel.BBO: _quote,
            Channel.TRADES: _trades,
            Channel.MARK: _mark,
        }

    def subscribe(self) -> Sequence[Payload]:
        return [self._ask(name) for name in self._topics]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        return [
            payload
            for name, topic in self._topics.items()
            if (topic.channel, topic.symbol) == (channel, symbol)
            for payload in (_request("unsub", name, f"unsub:{name}"), self._ask(name))
        ]

    def ping(self, token: int) -> Payload | None:
        """A repeated subscription: it is acknowledged again, and nothing else on this socket is answered. The mark
        price (on spot the last price) is used, since repeating it sends no book and no old trade."""
        return None if self._echo is None else _request("sub", self._echo, f"ping:{token}")

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        events: Sequence[Event]
        frame: wire.Frame | None = None
        try:
            # recordings are plain text; the venue compresses every message
            content = gunzip(raw) if raw[:2] == GZIP_HEAD else raw
            if content == b"Ping":
                events = (Reply(payload="Pong"), Heartbeat())
            else:
                frame = wire.read_frame(content)
                events = self._data(frame) if frame.topic and not frame.id else self._control(frame, received_ns)
        except UNREADABLE as error:
            events = (self._garbled(str(error)[:200], frame),)
        if received_ns >= self._retries.due_ns:
            events = [*events, *(Reply(payload=self._ask(name)) for name in self._retries.take_due(received_ns))]
        return events

    def _garbled(self, what: str, frame: wire.Frame | None) -> Garbled:
        """Ids of books skip numbers, so no later message tells what an unreadable one has changed."""
        if frame is None:
            return Garbled(what=what)
        topic = self._topics.get(frame.topic)
        if topic is None:
            return Garbled(what=what, channel=Channel.STATUS)
        return Garbled(what=what, channel=topic.channel, symbol=topic.symbol)

    # requests and their answers

    def _ask(self, name: str) -> str:
        topic = self._topics[name]
        topic.state, topic.held, topic.first = "asked", (), True
        return _request("sub", name, f"sub:{name}")

    def _control(self, frame: wire.Frame, received_ns: int) -> Sequence[Event]:
        if frame.ping:
            return Reply(payload=encode({"pong": frame.ping, "time": frame.time}).decode()), Heartbeat()
        verb, _, about = frame.id.partition(":")
        match verb:
            case "ping":  # a refusal is an answer too
                return (Pong(token=int(about) if about.isdecimal() and len(about) < 19 else None),)
            case "unsub":
                return ()
        fault = wire.fault_of(frame.code, frame.msg)
        topic = self._topics.get(about)
        code, text = str(frame.code), frame.msg[:200]
        if topic is None:
            if fault is None:
                return (Unknown(what=f"an answer to {frame.id[:96]!r}"),)
            return (Refusal(fault=fault, code=code, text=text),)
        if fault is None:
            held, topic.state, topic.held = topic.held, "open", ()
            self._retries.accepted(about)
            return (Ack(channel=topic.channel, symbol=topic.symbol), *held)
        topic.state, topic.held = "refused", ()
        if fault in (Fault.OVERLOAD, Fault.OUR_LIMIT):
            self._retries.schedule(about, received_ns)
        return (Refusal(channel=topic.channel, symbol=topic.symbol, fault=fault, code=code, text=text),)

    # data

    def _data(self, frame: wire.Frame) -> Sequence[Event]:
        topic = self._topics.get(frame.topic)
        if topic is None:
            kind = frame.topic.partition("@")[2]
            return () if kind.startswith(_UNUSED) else (Unknown(what=f"topic {frame.topic[:96]}"),)
        if topic.state == "refused":
            return ()
        events = self._readers[topic.channel](frame, topic.symbol)
        if topic.first and topic.channel in _STALE_AT_FIRST:
            # can be minutes old on a quiet market: it only shows that the channel works
            events = (Heartbeat(channel=topic.channel, symbol=topic.symbol),)
        first, topic.first = topic.first, False
        if topic.state == "open":
            return events
        if first:
            topic.held = events
            return ()
        # a second message: the subscription works, its answer is late or lost
        held, topic.state, topic.held = topic.held, "open", ()
        return (*held, *events)

    def _book(self, frame: wire.Frame, symbol: str) -> Sequence[Event]:
        row = wire.read_book(frame.data)
        bids, asks, engine_ns = row.bids or (), row.asks or (), row.made_ms * NS_PER_MS or None
        if row.action == "all":
            snapshot = BookSnapshot(
                symbol=symbol, bids=bids, asks=asks, seq=row.last, engine_ns=engine_ns, levels_limit=self._levels
            )
            return (snapshot,)
        return (
            BookDelta(
                symbol=symbol, bids=bids, asks=asks, last_seq=row.last, engine_ns=engine_ns, checksum=UNCROSSED
            ),
        )  # fmt: skip


def _request(verb: Literal["sub", "unsub"], name: str, identity: str) -> str:
    return encode({"id": identity, "reqType": verb, "dataType": name}).decode()


def _quote(frame: wire.Frame, symbol: str) -> Sequence[Event]:
    row = wire.read_ticker(frame.data)
    return (
        Quote(
            symbol=symbol,
            bid=row.bid or None,
            bid_size=(row.bid_size or None) if row.bid else None,
            ask=row.ask or None,
            ask_size=(row.ask_size or None) if row.ask else None,
            seq=row.seq,
            engine_ns=row.made_ms * NS_PER_MS or None,
            gateway_ns=row.sent_ms * NS_PER_MS or None,
        ),
    )


def _trades(frame: wire.Frame, symbol: str) -> Sequence[Event]:
    return [
        Trade(
            symbol=symbol,
            price=row.price,
            size=row.size,
            side="sell" if row.buyer_is_maker else "buy",
            trade_id=None if row.trade_id is None else row.trade_id[:40],
            engine_ns=row.made_ms * NS_PER_MS or None,
            gateway_ns=row.sent_ms * NS_PER_MS or None,
        )
        for row in wire.read_trades(frame.data)
    ]


def _mark(frame: wire.Frame, symbol: str) -> Sequence[Event]:
    row = wire.read_mark(frame.data)
    return (Mark(symbol=symbol, mark=row.price, gateway_ns=row.sent_ms * NS_PER_MS or None),)
