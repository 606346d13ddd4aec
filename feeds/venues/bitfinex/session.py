"""One connection to Bitfinex's public websocket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Sequence

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
from feeds.venues.bitfinex import wire
from feeds.venues.reading import NS_PER_MS, UNREADABLE

LEVELS = 250
"""Levels per side of our books: the most there are."""
FUNDING_H = 8.0
FLAGS = 32768 + 65536 + 131072
"""TIMESTAMP, SEQ_ALL, OB_CHECKSUM."""
_BOOK, _BBO = Channel.BOOK, Channel.BBO  # local names: read for every message
_HEAD = re.compile(rb'\[(\d{1,12}),(\[\[|\[\]|\[(?=[-\d])|"\w{1,8}")')
"""The start of an array: channel id, then a list of rows, an empty list, a single row or a tag."""
_SPACED_HEAD = re.compile(rb'\s*\[\s*(\d{1,12})\s*,\s*(\[\s*\[|\[\s*\]|\[|"\w{1,8}")')
"""The same with white space in it, or with a row of something else."""
_MARKS = {mark: mark for mark in (b"[[", b"[]", b"[", b'"cs"', b'"hb"', b'"te"', b'"tu"')}
"""Marks without white space: nearly all."""
_LOST = -1
"""A number that no message has: a delta that claims to follow it is a gap."""


class _Stream(Struct):
    """One subscription."""

    channel: Channel
    symbol: str | None
    name: str
    """Made by ``_key``, from our request and from the venue's answer alike."""
    request: dict[str, str]
    chan: int | None = None
    asked: bool = False
    lost: int = 0
    """Value of ``BitfinexSession._lost`` at the snapshot."""
    seq: int | None = None
    bid: tuple[float, float] | None = None
    ask: tuple[float, float] | None = None
    quoted: bool = True
    """The present best prices have been sent as a Quote."""


class BitfinexSession:
    """One connection to ``/ws/2``.

    Messages are numbered per connection, not per book. A missing number can belong to any channel, so then every book
    must start again. Best prices are read from a book of one level, which is repaired here.
    """

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._streams: dict[str, _Stream] = {}
        for one in plan.subscriptions:
            if one.symbol is None or one.symbol in ids:
                request = _request(one.channel, "" if one.symbol is None else ids[one.symbol])
                name = _key(request["channel"], request.get("key") or request["symbol"], request.get("len", ""))
                self._streams[name] = _Stream(one.channel, one.symbol, name, request)
        self._by_chan: dict[int, _Stream] = {}
        self._seq = 0
        self._lost = 0

    def subscribe(self) -> Sequence[Payload]:
        conf = encode({"event": "conf", "flags": FLAGS}).decode()
        return [conf, *(self._ask(stream) for stream in self._streams.values())]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        mine = [s for s in self._streams.values() if (s.channel, s.symbol) == (channel, symbol)]
        # asked for again although an answer is awaited: the first may never come
        return [p for stream in mine for p in (self._retries(stream) or [self._ask(stream)])]

    def ping(self, token: int) -> Payload | None:
        return f'{{"event":"ping","cid":{token}}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        # nearly all messages are one row; only rows and whole books have no quotes in them
        if b'"' not in raw and (events := self._level(raw)) is not None:
            return events
        try:
            head = _HEAD.match(raw) or _SPACED_HEAD.match(raw)
            if head is None:
                return self._control(wire.read_control(raw))
            before = self._lost
            events = self._array(raw, self._by_chan.get(int(head[1])), _MARKS.get(head[2]) or b"".join(head[2].split()))
            return events if before == self._lost else [*events, *self._restart_best_prices()]
        except UNREADABLE as error:
            return (Garbled(what=str(error)[:200]),)

    # requests and their answers

    def _ask(self, stream: _Stream) -> str:
        stream.asked = True
        return encode({"event": "subscribe"} | stream.request).decode()

    def _retries(self, stream: _Stream) -> list[str]:
        """Payloads to unsubscribe and subscribe again; none while an answer is awaited."""
        if stream.chan is None:
            return [] if stream.asked else [self._ask(stream)]
        leave = encode({"event": "unsubscribe", "chanId": stream.chan}).decode()
        self._by_chan.pop(stream.chan, None)
        stream.chan = None
        return [leave, self._ask(stream)]

    def _control(self, frame: wire.ControlFrame) -> Sequence[Event]:
        match frame.event:
            case "subscribed":
                return self._subscribed(frame)
            case "pong":
                return (Pong(token=frame.cid, server_out_ns=frame.ts * NS_PER_MS or None),)
            case "info":
                return self._info(frame)
            case "error":
                return self._refused(frame)
            case "conf" if frame.status != "OK":
                return (Refusal(fault=Fault.BAD_REQUEST, text=f"flags: {frame.status[:64]}"),)
            case "conf" | "unsubscribed":
                return ()
        return (Unknown(what=f"event {frame.event[:64]}"),)

    def _subscribed(self, frame: wire.ControlFrame) -> Sequence[Event]:
        stream = self._stream(frame)
        if stream is None or frame.chan_id is None:
            return (Unknown(what=f"subscribed to {frame.channel[:32]} {frame.symbol[:32]}{frame.key[:32]}"),)
        if stream.chan is not None and self._by_chan.get(stream.chan) is stream:
            del self._by_chan[stream.chan]  # else every answer with a new number would leave one behind
        stream.chan, stream.asked = frame.chan_id, False
        stream.bid = stream.ask = None
        self._by_chan[frame.chan_id] = stream
        return (Ack(channel=stream.channel, symbol=stream.symbol),)

    def _refused(self, frame: wire.ControlFrame) -> Sequence[Event]:
        stream = self._stream(frame)
        if frame.code == wire.ALREADY_SUBSCRIBED and stream is not None:
            return (Ack(channel=stream.channel, symbol=stream.symbol),)
        fault, code, text = wire.FAULTS.get(frame.code or 0, Fault.UNKNOWN), str(frame.code or ""), frame.msg[:200]
        if stream is None or stream.chan is not None:
            return (Refusal(fault=fault, code=code, text=text),)
        stream.asked = False
        return (Refusal(channel=stream.channel, symbol=stream.symbol, fault=fault, code=code, text=text),)

    def _stream(self, frame: wire.ControlFrame) -> _Stream | None:
        length = str(frame.len) if frame.channel == "book" else ""
        return self._streams.get(_key(frame.channel, frame.key or frame.symbol, length))

    def _info(self, frame: wire.ControlFrame) -> Sequence[Event]:
        match frame.code:
            case None if frame.platform is None or frame.platform.status:
                return (Heartbeat(),)
            case None | wire.PAUSE:
                return (Notice(text="maintenance"),)
            case wire.RESTART:
                return (Notice(text="the server restarts", reconnect_within_s=0.0),)
            case wire.RESUME:  # the venue asks us to subscribe to everything again
                again = [payload for stream in self._streams.values() for payload in self._retries(stream)]
                return [Notice(text="maintenance is over"), *(Reply(payload=payload) for payload in again)]
        return (Notice(text=frame.msg[:200] or f"code {frame.code}"),)

    # data

    def _count(self, seq: int | None) -> None:
        if seq is not None:
            self._lost += seq != self._seq + 1
            self._seq = seq

    def _restart_best_prices(self) -> list[Event]:
        """A message was lost, perhaps one of best prices: they are subscribed again. Books do so when they find the
        gap."""
        old = [s for s in self._streams.values() if s.channel is Channel.BBO and s.lost != self._lost]
        return [Reply(payload=payload) for stream in old for payload in self._retries(stream)]

    def _array(self, raw: bytes, stream: _Stream | None, mark: bytes) -> Sequence[Event]:
        if mark == b'"hb"' or (stream is None and mark[0] != 0x22):
            plain = wire.read_plain(raw)
            self._count(plain.seq)
            if stream is None:
                return ()  # of a channel that we have unsubscribed
            beat = Heartbeat(channel=stream.channel, symbol=stream.symbol, gateway_ns=plain.ts * NS_PER_MS or None)
            return (beat, *self._quote(stream, plain.seq, plain.ts))
        if stream is None:
            self._count(wire.read_tagged(raw).seq)
            return ()
        match stream.channel, mark:
            case Channel.BOOK | Channel.BBO, b"[":
                return self._delta(stream, wire.read_delta(raw))
            case Channel.BOOK | Channel.BBO, b'"cs"':
                return self._check(stream, wire.read_check(raw))
            case Channel.BOOK | Channel.BBO, b"[[" | b"[]":
                return self._image(stream, wire.read_image(raw))
            case Channel.TRADES, b'"te"':
                return self._trade(stream, wire.read_trade(raw))
            case Channel.TRADES, b'"tu"':  # confirms a trade that was sent already
                self._count(wire.read_tagged(raw).seq)
                return ()
            case Channel.TRADES, b"[[" | b"[]":  # past trades
                self._count(wire.read_plain(raw).seq)
                return ()
            case Channel.MARK, b"[":
                return self._deriv(stream, wire.read_deriv(raw))
            case Channel.LIQUIDATIONS, b"[[" | b"[]":
                return self._liquidations(wire.read_liquidations(raw))
        self._count((wire.read_tagged(raw) if mark[0] == 0x22 else wire.read_plain(raw)).seq)
        return (Unknown(what=f"{stream.channel} {mark.decode()}"),)

    def _image(self, stream: _Stream, frame: wire.Image) -> Sequence[Event]:
        self._count(frame.seq)
        bids, asks = wire.sides(frame.rows)
        stream.seq, stream.lost = frame.seq, self._lost
        if stream.channel is Channel.BBO:
            stream.bid, stream.ask, stream.quoted = max(bids, default=None), min(asks, default=None), False
            return self._quote(stream, frame.seq, frame.ts)
        return (
            BookSnapshot(
                symbol=stream.symbol or "",
                bids=bids,
                asks=asks,
                seq=frame.seq,
                gateway_ns=frame.ts * NS_PER_MS or None,
                levels_limit=LEVELS,
            ),
        )

    def _level(self, raw: bytes) -> Sequence[Event] | None:
        """The fast path for one level of a book. None: it is something else, for the full decoder; no state has
        changed."""
        try:
            frame = wire.read_delta(raw)
        except UNREADABLE:
            return None
        stream, seq, row = self._by_chan.get(frame.chan), frame.seq, frame.row
        if stream is None or stream.lost != self._lost or seq != self._seq + 1:
            return None
        if stream.channel is not _BOOK:
            if stream.channel is not _BBO:
                return None
            self._seq = seq
            return self._best(stream, row, frame)
        change = BookDelta(
            symbol=stream.symbol or "",
            bids=[(row.price, row.amount if row.count else 0.0)] if row.amount > 0 else (),
            asks=() if row.amount > 0 else [(row.price, -row.amount if row.count else 0.0)],
            last_seq=seq,
            prev_seq=stream.seq,
            gateway_ns=frame.ts * NS_PER_MS or None,
        )
        stream.seq = self._seq = seq
        return (change,)

    def _delta(self, stream: _Stream, frame: wire.Delta) -> Sequence[Event]:
        self._count(frame.seq)
        row = frame.row
        if stream.channel is Channel.BBO:
            return self._best(stream, row, frame)
        if row.amount > 0:
            return (self._change(stream, frame, [(row.price, row.amount if row.count else 0.0)], ()),)
        return (self._change(stream, frame, (), [(row.price, -row.amount if row.count else 0.0)]),)

    def _check(self, stream: _Stream, frame: wire.Check) -> Sequence[Event]:
        """A checksum follows the changes that were made together."""
        self._count(frame.seq)
        if stream.channel is Channel.BBO:
            return self._quote(stream, frame.seq, frame.ts)
        change = self._change(stream, frame, (), ())
        change.checksum = frame.crc
        return (change,)

    def _change(
        self,
        stream: _Stream,
        frame: wire.Delta | wire.Check,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
    ) -> BookDelta:
        before, stream.seq = stream.seq if stream.lost == self._lost else _LOST, frame.seq
        return BookDelta(
            symbol=stream.symbol or "",
            bids=bids,
            asks=asks,
            last_seq=frame.seq,
            prev_seq=before,
            gateway_ns=frame.ts * NS_PER_MS or None,
        )

    def _best(self, stream: _Stream, row: wire.Row, frame: wire.Delta) -> Sequence[Event]:
        """A removed best price is sent together with its successor, or when the venue says that there is none."""
        if row.count:
            if row.amount > 0:
                stream.bid = (row.price, row.amount)
            else:
                stream.ask = (row.price, -row.amount)
        elif row.amount > 0 and stream.bid is not None and stream.bid[0] == row.price:
            stream.bid = None
        elif row.amount < 0 and stream.ask is not None and stream.ask[0] == row.price:
            stream.ask = None
        stream.quoted = False
        whole = stream.bid is not None and stream.ask is not None and stream.bid[0] < stream.ask[0]
        return self._quote(stream, frame.seq, frame.ts) if whole else ()

    def _quote(self, stream: _Stream, seq: int | None, ts_ms: int) -> Sequence[Event]:
        if stream.quoted or stream.channel is not Channel.BBO or stream.lost != self._lost:
            return ()
        stream.quoted = True
        bid, ask = stream.bid or (None, None), stream.ask or (None, None)
        return (
            Quote(
                symbol=stream.symbol or "",
                bid=bid[0],
                bid_size=bid[1],
                ask=ask[0],
                ask_size=ask[1],
                seq=seq,
                gateway_ns=ts_ms * NS_PER_MS or None,
            ),
        )

    def _trade(self, stream: _Stream, frame: wire.TradeFrame) -> Sequence[Event]:
        self._count(frame.seq)
        row = frame.row
        return (
            Trade(
                symbol=stream.symbol or "",
                price=row.price,
                size=abs(row.amount),
                side="buy" if row.amount > 0 else "sell",
                trade_id=str(row.id),
                engine_ns=row.ms * NS_PER_MS or None,
                gateway_ns=frame.ts * NS_PER_MS or None,
            ),
        )

    def _deriv(self, stream: _Stream, frame: wire.DerivFrame) -> Sequence[Event]:
        self._count(frame.seq)
        row = frame.row
        return (
            Mark(
                symbol=stream.symbol or "",
                mark=row.mark or None,
                index=row.spot or None,
                funding_rate=row.funding,
                next_funding_ns=(row.next_funding_ms or 0) * NS_PER_MS or None,
                interval_h=FUNDING_H,
                gateway_ns=(frame.ts or row.ms) * NS_PER_MS or None,
            ),
        )

    def _liquidations(self, frame: wire.LiquidationFrame) -> Sequence[Event]:
        """Covers all markets and margin trading. Rows of other symbols are skipped, and so are later parts of a
        liquidation. Where the closing price is not told, the price of the position is used."""
        self._count(frame.seq)
        return [
            Liquidation(
                symbol=symbol,
                price=row.price or row.base_price,
                size=abs(row.amount),
                side="sell" if row.amount > 0 else "buy",
                engine_ns=int(row.ms) * NS_PER_MS or None,
                gateway_ns=frame.ts * NS_PER_MS or None,
            )
            for row in frame.rows
            if not row.is_match and row.amount and (symbol := self._symbols.get(row.name)) is not None
        ]


def _request(channel: Channel, name: str) -> dict[str, str]:
    match channel:
        case Channel.BOOK | Channel.BBO:
            levels = str(LEVELS if channel is Channel.BOOK else 1)
            return {"channel": "book", "symbol": name, "prec": "P0", "freq": "F0", "len": levels}
        case Channel.TRADES:
            return {"channel": "trades", "symbol": name}
        case Channel.MARK:
            return {"channel": "status", "key": f"deriv:{name}"}
    return {"channel": "status", "key": "liq:global"}


def _key(channel: str, name: str, length: str) -> str:
    return f"{channel} {name} {length}"
