"""One connection to OKX v5's public websocket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

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
    Levels,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.okx.wire import (
    BOOK_LEVELS,
    Arg,
    BookRow,
    Frame,
    fault_of,
    read_book_frame,
    read_books,
    read_frame,
    read_fundings,
    read_liquidations,
    read_marks,
    read_statuses,
    read_trades,
    status_notice,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE, ms_ns, rate
from feeds.venues.retry import RetrySchedule

_NOTICE_S = 60.0  # the connection closes 60 s after notice 64008

_CHANNELS: Mapping[str, Channel] = {
    "books": Channel.BOOK,
    "bbo-tbt": Channel.BBO,
    "trades": Channel.TRADES,
    "mark-price": Channel.MARK,
    "funding-rate": Channel.MARK,
    "liquidation-orders": Channel.LIQUIDATIONS,
    "status": Channel.STATUS,
}
_NAMES: Mapping[Channel, tuple[str, ...]] = {
    channel: tuple(name for name, c in _CHANNELS.items() if c is channel) for channel in Channel
}

# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = ("books5", "candle", "index-tickers", "open-interest", "price-limit", "tickers")

_BOOK_HEAD = b'{"arg":{"channel":"books"'
"""The start of nearly all messages; they take a fast decoder. A message written differently is decoded in full."""

_NAMED = re.compile(r"channel:([\w-]{1,64})(?:,inst(?:Id|Type):([\w-]{1,64}))?")


class OkxSession:
    """One connection to ``/ws/v5/public``. One request per symbol, so that a bad argument can harm few others."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._ids = ids
        self._wanted: dict[str | None, list[Arg]] = {}
        for subscription in plan.subscriptions:
            symbol = subscription.symbol
            if symbol is None or symbol in ids:
                self._wanted.setdefault(symbol, []).extend(self._args(subscription.channel, symbol))
        self._requests = 0
        self._pending: dict[str, tuple[Arg, ...]] = {}
        self._retries = RetrySchedule()
        self._readers = {
            "books": self._book,
            "books-l2-tbt": self._book,  # the same rows at 10 ms, for clients with a login
            "bbo-tbt": self._quote,
            "trades": self._trade,
            "trades-all": self._trade,
            "mark-price": self._mark,
            "funding-rate": self._funding,
            "liquidation-orders": self._liquidation,
            "status": self._status,
        }

    def subscribe(self) -> Sequence[Payload]:
        return [self._request("subscribe", args) for args in self._wanted.values()]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids:
            return ()
        args = self._args(channel, symbol)
        return (self._request("unsubscribe", args), self._request("subscribe", args))

    def ping(self, token: int) -> Payload | None:
        return "ping"

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        if raw == b"pong":
            events: Sequence[Event] = (Pong(),)
        elif raw == b"ping":
            events = (Reply(payload="pong"),)
        else:
            try:
                events = self._read(raw, received_ns)
            except UNREADABLE as error:
                events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = [_key_arg(key) for key in self._retries.take_due(received_ns)]
            events = [*events, *(Reply(payload=self._request("subscribe", (arg,))) for arg in due)]
        return events

    def _read(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        if raw.startswith(_BOOK_HEAD):
            book = read_book_frame(raw)
            if book.event is None and book.arg.channel == "books":
                return self._levels(book.arg, book.action, book.data)
        frame = read_frame(raw)
        arg = frame.arg
        if frame.event is not None:
            return self._control(frame, received_ns)
        if arg is None:
            return (Unknown(what="neither event nor channel"),)
        reader = self._readers.get(arg.channel)
        return _unused_channel(arg.channel) if reader is None else reader(arg, frame)

    # requests

    def _args(self, channel: Channel, symbol: str | None) -> list[Arg]:
        if channel is Channel.LIQUIDATIONS:
            return [Arg("liquidation-orders", inst_type="SWAP")]
        inst_id = None if symbol is None else self._ids[symbol]
        return [Arg(name, inst_id) for name in _NAMES[channel]]

    def _request(self, op: str, args: Sequence[Arg]) -> str:
        self._requests += 1
        number = str(self._requests)
        if op == "subscribe":
            self._pending[number] = tuple(args)
        return encode({"id": number, "op": op, "args": args}).decode()

    # control messages

    def _control(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        match frame.event:
            case "subscribe" if frame.arg is not None:
                self._settle(frame.id, frame.arg)
                channel = _CHANNELS.get(frame.arg.channel)
                if channel is None:
                    return _unused_channel(frame.arg.channel)
                return (Ack(channel=channel, symbol=self._symbol(frame.arg.inst_id)),)
            case "unsubscribe":
                return ()
            case "error":
                return self._refused(frame, received_ns)
            case "notice":
                within_s = _NOTICE_S if frame.code == "64008" else None
                return (Notice(text=(frame.msg or "notice")[:200], reconnect_within_s=within_s),)
            case event:
                return (Unknown(what=f"event {(event or '')[:64]}"),)

    def _settle(self, number: str | None, arg: Arg) -> None:
        self._retries.accepted(_arg_key(arg))
        asked = self._pending.get(number or "")
        if number is None or asked is None:
            return
        left = tuple(a for a in asked if a != arg)
        if left:
            self._pending[number] = left
        else:
            del self._pending[number]

    def _refused(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        """An error names its argument in the text. Other arguments of the same request without an answer are requested
        once more, each alone: only one source says that they survive a bad one."""
        code, text = frame.code or "", frame.msg or ""
        fault = fault_of(code, text) or Fault.UNKNOWN
        asked = self._pending.pop(frame.id or "", ())
        bad = _named(text) or (asked[0] if len(asked) == 1 else None)
        rest = [a for a in asked if bad is None or (a.channel, a.inst_id) != (bad.channel, bad.inst_id)]
        replies: list[Event] = []
        if fault is Fault.OUR_LIMIT:  # more requests now would be refused too
            for arg in rest:
                self._retries.schedule(_arg_key(arg), received_ns)
        else:
            replies = [Reply(payload=self._request("subscribe", (arg,))) for arg in rest]
        if bad is None and replies:
            return replies
        if bad is not None and bad in asked and fault in (Fault.OUR_LIMIT, Fault.OVERLOAD):
            self._retries.schedule(_arg_key(bad), received_ns)
        channel = None if bad is None else _CHANNELS.get(bad.channel)
        symbol = None if bad is None else self._symbol(bad.inst_id)
        return [*replies, Refusal(channel=channel, symbol=symbol, fault=fault, code=code[:16], text=text[:200])]

    def _symbol(self, inst_id: str | None) -> str | None:
        return None if inst_id is None else self._symbols.get(inst_id)

    # data

    def _unknown_instrument(self, arg: Arg) -> Sequence[Event]:
        return (Unknown(what=f"{arg.channel} of {(arg.inst_id or '?')[:64]}"),)

    def _book(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        return self._levels(arg, frame.action, read_books(frame.data))

    def _levels(self, arg: Arg, action: str | None, rows: Sequence[BookRow]) -> Sequence[Event]:
        symbol = self._symbols.get(arg.inst_id or "")
        if symbol is None:
            return self._unknown_instrument(arg)
        events: list[Event] = []
        delta = action == "update"
        if not delta and action != "snapshot":
            return (Unknown(what=f"book action {(action or '')[:32]}"),)
        for row in rows:
            gateway_ns = row.ts * NS_PER_MS or None
            if delta:
                events.append(
                    BookDelta(
                        symbol=symbol,
                        bids=cast(Levels, row.bids),
                        asks=cast(Levels, row.asks),
                        last_seq=row.seq_id,
                        prev_seq=row.prev_seq_id,
                        gateway_ns=gateway_ns,
                    )
                )
            else:
                events.append(
                    BookSnapshot(
                        symbol=symbol,
                        bids=cast(Levels, row.bids),
                        asks=cast(Levels, row.asks),
                        seq=row.seq_id,
                        gateway_ns=gateway_ns,
                        levels_limit=BOOK_LEVELS,
                    )
                )
        return events

    def _quote(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        symbol = self._symbols.get(arg.inst_id or "")
        if symbol is None:
            return self._unknown_instrument(arg)
        events: list[Event] = []
        for row in read_books(frame.data):
            bid = row.bids[0] if row.bids else None
            ask = row.asks[0] if row.asks else None
            events.append(
                Quote(
                    symbol=symbol,
                    bid=bid.price if bid else None,
                    bid_size=bid.size if bid else None,
                    ask=ask.price if ask else None,
                    ask_size=ask.size if ask else None,
                    seq=row.seq_id,
                    engine_ns=row.ts * NS_PER_MS or None,
                )
            )
        return events

    def _trade(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        symbol = self._symbols.get(arg.inst_id or "")
        if symbol is None:
            return self._unknown_instrument(arg)
        return [
            Trade(
                symbol=symbol,
                price=row.px,
                size=row.sz,
                side=row.side,
                trade_id=row.trade_id,
                engine_ns=row.ts * NS_PER_MS or None,
            )
            for row in read_trades(frame.data)
        ]

    def _mark(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        symbol = self._symbols.get(arg.inst_id or "")
        if symbol is None:
            return self._unknown_instrument(arg)
        return [
            Mark(symbol=symbol, mark=row.mark_px, gateway_ns=row.ts * NS_PER_MS or None)
            for row in read_marks(frame.data)
        ]

    def _funding(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        symbol = self._symbols.get(arg.inst_id or "")
        if symbol is None:
            return self._unknown_instrument(arg)
        events: list[Event] = []
        for row in read_fundings(frame.data):
            due_ns, following_ns = ms_ns(row.funding_time), ms_ns(row.next_funding_time)
            interval_h = (following_ns - due_ns) / 3.6e12 if due_ns and following_ns and following_ns > due_ns else None
            events.append(
                Mark(
                    symbol=symbol,
                    funding_rate=rate(row.funding_rate),
                    next_funding_ns=due_ns,
                    interval_h=interval_h,
                    gateway_ns=row.ts * NS_PER_MS or None,
                )
            )
        return events

    def _liquidation(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        """Covers all swaps of OKX. Those that are not watched only show that the channel works."""
        events: list[Event] = []
        for row in read_liquidations(frame.data):
            symbol = self._symbols.get(row.inst_id)
            if symbol is not None:
                events.extend(
                    Liquidation(
                        symbol=symbol, price=d.bk_px, size=d.sz, side=d.side, engine_ns=d.ts * NS_PER_MS or None
                    )
                    for d in row.details
                )
        return events or (Heartbeat(channel=Channel.LIQUIDATIONS),)

    def _status(self, arg: Arg, frame: Frame) -> Sequence[Event]:
        notices = [n for n in map(status_notice, read_statuses(frame.data)) if n is not None]
        events: list[Event] = [Notice(text=f"{n.state}: {n.text}") for n in notices]
        return events or (Heartbeat(channel=Channel.STATUS),)


def _unused_channel(channel: str) -> Sequence[Event]:
    return () if channel.startswith(_UNUSED) else (Unknown(what=f"channel {channel[:64]}"),)


def _arg_key(arg: Arg) -> str:
    return f"{arg.channel} {arg.inst_id or ''} {arg.inst_type or ''}"


def _key_arg(key: str) -> Arg:
    channel, inst_id, inst_type = key.split(" ")
    return Arg(channel, inst_id or None, inst_type or None)


def _named(text: str) -> Arg | None:
    """``Wrong URL or channel:books,instId:X-USDT doesn't exist. …`` -> the argument that it names."""
    found = _NAMED.search(text)
    if found is None:
        return None
    if ",instType:" in found[0]:
        return Arg(found[1], inst_type=found[2])
    return Arg(found[1], found[2])
