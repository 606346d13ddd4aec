"""One connection to Bitget's public websocket v3: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence

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
    Liquidation,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Side,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.bitget.wire import (
    Arg,
    ClassicBookRow,
    Frame,
    fault_of,
    read_books,
    read_classic_books,
    read_classic_trades,
    read_frame,
    read_liquidations,
    read_tickers,
    read_trades,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE, ms_ns, number, rate
from feeds.venues.retry import RetrySchedule
from feeds.venues.sockets import batches

BOOK_LEVELS = 1_000
"""Levels per side in the snapshot of v3's ``books``; v2 has half of that."""
INST_TYPES: Mapping[Product, str] = {"spot": "spot", "linear": "usdt-futures"}
ARGS_A_MESSAGE = 16
"""At most 20 are allowed; with 25 ``books`` the socket was closed."""
_REMEMBERED_TRADES = 100

_TOPICS: Mapping[Channel, str] = {
    Channel.BOOK: "books",
    Channel.BBO: "books1",
    Channel.TRADES: "publicTrade",
    Channel.MARK: "ticker",
    Channel.LIQUIDATIONS: "liquidation",
}
_CHANNELS: Mapping[str, Channel] = {topic: channel for channel, topic in _TOPICS.items()} | {"trade": Channel.TRADES}

# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = ("books5", "books15", "books50", "candle", "kline", "rpi-")

_CLOSING: Mapping[Side, Side] = {"buy": "sell", "sell": "buy"}  # a long position is closed by selling

_NAMED = re.compile(r"(?:topic|channel):([\w-]{1,32})(?:,(?:symbol|instId):([^\s,]{1,64}))?")


class BitgetSession:
    """One connection to ``/v3/ws/public``. Reads messages of v2 too: only field names differ."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._inst_type = INST_TYPES[plan.product]
        self._wanted = [
            self._arg(s.channel, s.symbol)
            for s in plan.subscriptions
            if s.channel in _TOPICS and (s.symbol is None or s.symbol in self._ids)
        ]
        self._asked: dict[Arg, None] = {}
        """Requested and not answered yet, oldest first."""
        self._retries = RetrySchedule()
        self._seen: dict[str, deque[str]] = {}
        self._readers = {
            "books": self._book,
            "books1": self._quote,
            "publicTrade": self._trade,
            "trade": self._trade,
            "ticker": self._ticker,
            "liquidation": self._liquidation,
        }

    def subscribe(self) -> Sequence[Payload]:
        return self._ask(self._wanted)

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids or channel not in _TOPICS:
            return ()
        args = (self._arg(channel, symbol),)
        return (encode({"op": "unsubscribe", "args": args}).decode(), *self._ask(args))

    def ping(self, token: int) -> Payload | None:
        return "ping"

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        if raw == b"pong":
            events: Sequence[Event] = (Pong(),)
        else:
            try:
                events = self._read(raw, received_ns)
            except UNREADABLE as error:
                events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = [self._arg_of(*key.split(" ")) for key in self._retries.take_due(received_ns)]
            events = [*events, *(Reply(payload=payload) for payload in self._ask(due))]
        return events

    def _read(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        frame = read_frame(raw)
        arg = frame.arg
        if frame.event is not None:
            return self._control(frame, received_ns)
        if arg is None:
            return (Unknown(what="neither event nor topic"),)
        topic = arg.topic or arg.channel
        reader = self._readers.get(topic)
        if reader is None:
            return _unused_channel(topic)
        symbol = self._symbols.get(arg.symbol or arg.inst_id)
        if arg.inst_type.lower() != self._inst_type or (symbol is None and topic != "liquidation"):
            return (Unknown(what=f"{topic} of {arg.inst_type[:32]} {(arg.symbol or arg.inst_id)[:64]}"),)
        return reader(symbol or "", frame, arg.topic == "")

    # requests

    def _arg(self, channel: Channel, symbol: str | None) -> Arg:
        return self._arg_of(_TOPICS[channel], "" if symbol is None else self._ids[symbol])

    def _arg_of(self, topic: str, venue_id: str) -> Arg:
        return Arg(inst_type=self._inst_type, topic=topic, symbol=venue_id)

    def _ask(self, args: Sequence[Arg]) -> list[str]:
        self._asked.update(dict.fromkeys(args))
        return [encode({"op": "subscribe", "args": batch}).decode() for batch in batches(args, ARGS_A_MESSAGE)]

    # control messages

    def _control(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        match frame.event:
            case "subscribe" if frame.arg is not None:
                arg = self._arg_of(frame.arg.topic or frame.arg.channel, frame.arg.symbol or frame.arg.inst_id)
                self._asked.pop(arg, None)
                self._retries.accepted(_key(arg))
                channel = _CHANNELS.get(arg.topic)
                return (
                    _unused_channel(arg.topic) if channel is None else (Ack(channel=channel, symbol=self._symbol(arg)),)
                )
            case "unsubscribe":
                return ()
            case "error":
                return self._refused(frame, received_ns)
            case event:
                return (Unknown(what=f"event {(event or '')[:64]}"),)

    def _refused(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        """Every argument of a request has its own answer, so a bad one does not harm the others. v3 does not repeat the
        argument in an error: it is named in the text, or it is the only one without an answer, or it is not known."""
        code, text = str(frame.code or ""), frame.msg or ""
        fault = fault_of(code) or Fault.UNKNOWN
        arg = frame.arg
        if arg is not None:
            bad: Arg | None = self._arg_of(arg.topic or arg.channel, arg.symbol or arg.inst_id)
        elif (named := _NAMED.search(text)) is not None:
            bad = self._arg_of(named[1], named[2] or "")
        else:
            bad = next(iter(self._asked)) if len(self._asked) == 1 else None
        lost = [one for one in self._asked if bad in (None, one)]
        if bad is not None:
            self._asked.pop(bad, None)
        if fault in (Fault.OUR_LIMIT, Fault.OVERLOAD):
            for one in lost:
                self._retries.schedule(_key(one), received_ns)
        channel = None if bad is None else _CHANNELS.get(bad.topic)
        symbol = None if bad is None else self._symbol(bad)
        return (Refusal(channel=channel, symbol=symbol, fault=fault, code=code[:16], text=text[:200]),)

    def _symbol(self, arg: Arg) -> str | None:
        return self._symbols.get(arg.symbol)

    # data

    def _book(self, symbol: str, frame: Frame, classic: bool) -> Sequence[Event]:
        gateway_ns = frame.ts * NS_PER_MS or None
        rows = _book_rows(frame, classic)
        if frame.action == "update":
            return [
                BookDelta(
                    symbol=symbol,
                    bids=row.bids,
                    asks=row.asks,
                    last_seq=row.seq,
                    prev_seq=row.pseq,
                    engine_ns=row.ts * NS_PER_MS or None,
                    gateway_ns=gateway_ns,
                )
                for row in rows
            ]
        if frame.action != "snapshot":
            return (Unknown(what=f"book action {(frame.action or '')[:32]}"),)
        return [
            BookSnapshot(
                symbol=symbol,
                bids=row.bids,
                asks=row.asks,
                seq=row.seq,
                engine_ns=row.ts * NS_PER_MS or None,
                gateway_ns=gateway_ns,
                levels_limit=BOOK_LEVELS // 2 if classic else BOOK_LEVELS,
            )
            for row in rows
        ]

    def _quote(self, symbol: str, frame: Frame, classic: bool) -> Sequence[Event]:
        events: list[Event] = []
        for row in _book_rows(frame, classic):
            bid, bid_size = row.bids[0] if row.bids else (None, None)
            ask, ask_size = row.asks[0] if row.asks else (None, None)
            events.append(
                Quote(
                    symbol=symbol,
                    bid=bid,
                    bid_size=bid_size,
                    ask=ask,
                    ask_size=ask_size,
                    seq=row.seq,
                    engine_ns=row.ts * NS_PER_MS or None,
                    gateway_ns=frame.ts * NS_PER_MS or None,
                )
            )
        return events

    def _trade(self, symbol: str, frame: Frame, classic: bool) -> Sequence[Event]:
        """Newest first in a message. A snapshot holds past trades, and a trade can be pushed twice."""
        rows = read_classic_trades(frame.data) if classic else read_trades(frame.data)
        seen = self._seen.setdefault(symbol, deque(maxlen=_REMEMBERED_TRADES))
        gateway_ns = frame.ts * NS_PER_MS or None
        fresh = [row for row in reversed(rows) if not row.trade_id or row.trade_id not in seen]
        seen.extend(row.trade_id for row in fresh)
        if frame.action != "update" or not fresh:
            return (Heartbeat(channel=Channel.TRADES, symbol=symbol, gateway_ns=gateway_ns),)
        return [
            Trade(
                symbol=symbol,
                price=row.price,
                size=row.size,
                side=row.taker,
                trade_id=row.trade_id or None,
                engine_ns=row.ts * NS_PER_MS or None,
                gateway_ns=gateway_ns,
            )
            for row in fresh
        ]

    def _ticker(self, symbol: str, frame: Frame, classic: bool) -> Sequence[Event]:
        gateway_ns = frame.ts * NS_PER_MS or None
        events: list[Event] = []
        for row in read_tickers(frame.data):
            mark = Mark(
                symbol=symbol,
                mark=_price(row.mark_price),
                index=_price(row.index_price),
                funding_rate=rate(row.funding_rate),
                next_funding_ns=ms_ns(row.next_funding_time),
                gateway_ns=gateway_ns,
            )
            known = mark.mark, mark.index, mark.funding_rate, mark.next_funding_ns
            empty = all(value is None for value in known)
            events.append(Heartbeat(channel=Channel.MARK, symbol=symbol, gateway_ns=gateway_ns) if empty else mark)
        return events

    def _liquidation(self, symbol: str, frame: Frame, classic: bool) -> Sequence[Event]:
        """Covers all contracts of the product. Those that are not watched only show that the channel works."""
        return [
            Liquidation(
                symbol=self._symbols[row.symbol],
                price=row.price,
                size=_size(row.value / row.price),
                side=_CLOSING[row.position],
                engine_ns=row.ts * NS_PER_MS or None,
                gateway_ns=frame.ts * NS_PER_MS or None,
            )
            for row in read_liquidations(frame.data)
            if row.symbol in self._symbols
        ] or (Heartbeat(channel=Channel.LIQUIDATIONS, gateway_ns=frame.ts * NS_PER_MS or None),)


def _book_rows(frame: Frame, classic: bool) -> Sequence[ClassicBookRow]:
    return read_classic_books(frame.data) if classic else read_books(frame.data)


def _price(text: str) -> float | None:
    """A price as text; "0" means unknown. Raises ValueError."""
    value = number(text)
    if value is not None and value < 0:
        raise ValueError("not a price")
    return value or None


def _size(value: float) -> float:
    if value >= 1e18:
        raise ValueError("not a size")
    return value


def _key(arg: Arg) -> str:
    return f"{arg.topic} {arg.symbol}"


def _unused_channel(topic: str) -> Sequence[Event]:
    return () if topic.startswith(_UNUSED) else (Unknown(what=f"topic {topic[:64]}"),)
