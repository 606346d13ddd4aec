"""One connection to Gate's v4 websockets: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

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
from feeds.venues.gate import wire
from feeds.venues.reading import NS_PER_MS, UNREADABLE, number, rate
from feeds.venues.retry import RetrySchedule
from feeds.venues.sockets import batches

BOOK_LEVELS = 400
"""``obu`` with 400 levels, 100 ms. 50 levels (20 ms) would not fill the narrowest depth band of a liquid pair."""
_LEVELS = (50, BOOK_LEVELS)
_NAMES_A_REQUEST = 10  # names per request: an unknown one fails the request, which is then repeated name by name
_RECONNECT_WITHIN_S = 10.0  # the upgrade notice only says "soon"

_NAMES: Mapping[Channel, str] = {
    Channel.BOOK: "obu",
    Channel.BBO: "book_ticker",
    Channel.TRADES: "trades",
    Channel.LIQUIDATIONS: "public_liquidates",
    Channel.MARK: "tickers",
}
_CHANNELS = {name: channel for channel, name in _NAMES.items()}
# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = frozenset({"candlesticks", "contract_stats", "order_book", "tickers", "trades_v2"})

_FAULTS: Mapping[int, Fault] = {
    1: Fault.BAD_REQUEST,  # invalid argument struct
    2: Fault.BAD_REQUEST,  # invalid argument, unknown name
    3: Fault.OVERLOAD,  # service error
    4: Fault.REFUSED,  # authentication fail
}

R = TypeVar("R")


class GateSession:
    """One connection to the spot or the USDT futures websocket.

    ``obu`` acknowledges unknown names and then sends nothing. It may send its first book before the acknowledgement.
    """

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument], now_s: Callable[[], float]) -> None:
        """``now_s``: seconds since the epoch. Every request must carry them, and they may be wrong by a minute at
        most."""
        self._kind = "spot" if plan.product == "spot" else "futures"
        self._now_s = now_s
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._streams = {f"ob.{name}.{n}": (symbol, n) for name, symbol in self._symbols.items() for n in _LEVELS}
        self._wanted: dict[Channel, list[str]] = {}
        for subscription in plan.subscriptions:
            if subscription.symbol in self._ids and subscription.channel in _NAMES:
                self._wanted.setdefault(subscription.channel, []).append(subscription.symbol)
        self._requests = 0
        self._pending: dict[int, tuple[Channel, tuple[str, ...]]] = {}
        self._retries = RetrySchedule()
        readers: dict[str, Callable[[wire.Frame], Sequence[Event]]] = {
            "obu": self._book,
            "order_book_update": self._update,
            "book_ticker": self._quote,
            "trades": self._spot_trade if self._kind == "spot" else self._trade,
        }
        if self._kind == "futures":
            readers |= {"public_liquidates": self._liquidation, "tickers": self._mark}
        self._readers = {f"{self._kind}.{name}": reader for name, reader in readers.items()}

    def subscribe(self) -> Sequence[Payload]:
        return [
            self._request("subscribe", channel, batch)
            for channel, symbols in self._wanted.items()
            for batch in batches(symbols, _NAMES_A_REQUEST)
        ]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids or channel not in _NAMES:
            return ()
        return [self._request(event, channel, (symbol,)) for event in ("unsubscribe", "subscribe")]

    def ping(self, token: int) -> Payload | None:
        return f'{{"time":{int(self._now_s())},"channel":"{self._kind}.ping"}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = wire.read_frame(raw)
            reader = self._readers.get(frame.channel) if frame.event == "update" else None
            events = self._control(frame, received_ns) if reader is None else reader(frame)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = [key.partition(" ") for key in self._retries.take_due(received_ns)]
            again = (self._request("subscribe", Channel(channel), (symbol,)) for channel, _, symbol in due)
            events = [*events, *(Reply(payload=payload) for payload in again)]
        return events

    # requests and their answers

    def _request(self, event: str, channel: Channel, symbols: Sequence[str]) -> str:
        self._requests += 1
        if event == "subscribe":
            self._pending[self._requests] = channel, tuple(symbols)
        names = [self._ids[symbol] for symbol in symbols]
        payload = [f"ob.{name}.{BOOK_LEVELS}" for name in names] if channel is Channel.BOOK else names
        head = {"time": int(self._now_s()), "id": self._requests, "channel": f"{self._kind}.{_NAMES[channel]}"}
        return encode(head | {"event": event, "payload": payload}).decode()

    def _control(self, frame: wire.Frame, received_ns: int) -> Sequence[Event]:
        name = frame.channel.partition(".")[2]
        if name == "pong":
            at_ns = frame.time_ms * NS_PER_MS or None
            return (Pong(server_in_ns=at_ns, server_out_ns=at_ns),)
        if name == "system":
            return _notice(wire.read_notice(frame.result))
        if frame.type is not None:  # seen in May 2026: without an envelope
            return _notice(wire.Announced(type=frame.type, msg=frame.msg or ""))
        if frame.event == "unsubscribe":
            return ()
        if frame.error is not None:
            return self._refused(frame.error, self._pending.pop(frame.id or 0, None), received_ns)
        if frame.event == "subscribe":
            channel = _CHANNELS.get(name)
            asked = self._pending.pop(frame.id or 0, None)
            if asked is None:
                return (Ack(channel=channel),) if channel is not None else ()
            for symbol in asked[1]:
                self._retries.accepted(f"{asked[0]} {symbol}")
            return [Ack(channel=asked[0], symbol=symbol) for symbol in asked[1]]
        if name in _UNUSED:
            return ()
        return (Unknown(what=f"{frame.channel[:64]} {(frame.event or '')[:32]}"),)

    def _refused(
        self, error: wire.Error, asked: tuple[Channel, tuple[str, ...]] | None, received_ns: int
    ) -> Sequence[Event]:
        fault = _FAULTS.get(error.code, Fault.UNKNOWN)
        code, text = str(error.code)[:16], error.message[:200]
        if asked is None:
            return (Refusal(fault=fault, code=code, text=text),)
        channel, symbols = asked
        if fault is Fault.OVERLOAD:
            for symbol in symbols:
                self._retries.schedule(f"{channel} {symbol}", received_ns)
        elif len(symbols) > 1:
            return [Reply(payload=self._request("subscribe", channel, (symbol,))) for symbol in symbols]
        # ``obu`` accepts any name: the refusal of its best prices tells that a name is unknown, for its book too
        bad = (channel, Channel.BOOK) if channel is Channel.BBO and fault is Fault.BAD_REQUEST else (channel,)
        return [Refusal(channel=c, symbol=s, fault=fault, code=code, text=text) for s in symbols for c in bad]

    # data

    def _book(self, frame: wire.Frame) -> Sequence[Event]:
        row = wire.read_book(frame.result)
        symbol, levels = self._streams.get(row.name, ("", 0))
        return _changes(frame, row, symbol, row.bids, row.asks, levels)

    def _update(self, frame: wire.Frame) -> Sequence[Event]:
        """The older channel, whose first book comes over REST. Captures have only this one."""
        row = wire.read_update(frame.result)
        bids, asks = (None if side is None else wire.pairs(side) for side in (row.bids, row.asks))
        return _changes(frame, row, self._symbols.get(row.name, ""), bids, asks, row.levels)

    def _quote(self, frame: wire.Frame) -> Sequence[Event]:
        row = wire.read_top(frame.result)
        symbol = self._symbols.get(row.name)
        if symbol is None:
            return _unknown_instrument(frame, row.name)
        bid, ask = row.bid or None, row.ask or None
        return (
            Quote(
                symbol=symbol,
                bid=bid,
                bid_size=(row.bid_size or None)
                if bid
                else None,  # seen in 2026: a bid of size "0", rounded from less than 1
                ask=ask,
                ask_size=(row.ask_size or None) if ask else None,
                seq=row.last,
                engine_ns=row.made_ms * NS_PER_MS or None,
                gateway_ns=frame.time_ms * NS_PER_MS or None,
            ),
        )

    def _spot_trade(self, frame: wire.Frame) -> Sequence[Event]:
        events: list[Event] = []
        for row in _rows(wire.read_spot_trades(frame.result)):
            symbol = self._symbols.get(row.currency_pair)
            if symbol is None:
                return _unknown_instrument(frame, row.currency_pair)
            events.append(
                Trade(
                    symbol=symbol,
                    price=row.price,
                    size=row.amount,
                    side=row.side,
                    trade_id=str(row.id),
                    engine_ns=wire.stamp_ns(row.create_time_ms),
                    gateway_ns=frame.time_ms * NS_PER_MS or None,
                )
            )
        return events

    def _trade(self, frame: wire.Frame) -> Sequence[Event]:
        """Internal trades (insurance fund, auto-deleveraging) are not made in the book; they only show that the channel
        works."""
        events: list[Event] = []
        gateway_ns = frame.time_ms * NS_PER_MS or None
        for row in _rows(wire.read_trades(frame.result)):
            symbol = self._symbols.get(row.contract)
            if symbol is None:
                return _unknown_instrument(frame, row.contract)
            if row.is_internal or not row.size:
                events.append(Heartbeat(channel=Channel.TRADES, symbol=symbol, gateway_ns=gateway_ns))
                continue
            events.append(
                Trade(
                    symbol=symbol,
                    price=row.price,
                    size=abs(row.size),
                    side="buy" if row.size > 0 else "sell",
                    trade_id=str(row.id),
                    engine_ns=wire.stamp_ns(row.create_time_ms),
                    gateway_ns=gateway_ns,
                )
            )
        return events

    def _liquidation(self, frame: wire.Frame) -> Sequence[Event]:
        return [
            Liquidation(
                symbol=self._symbols[row.contract],
                price=row.price,
                size=abs(row.size),
                side="buy" if row.size > 0 else "sell",
                engine_ns=wire.stamp_ns(row.time_ms or row.time),
                gateway_ns=frame.time_ms * NS_PER_MS or None,
            )
            for row in _rows(wire.read_liquidations(frame.result))
            if row.contract in self._symbols and row.size
        ] or (Heartbeat(channel=Channel.LIQUIDATIONS),)

    def _mark(self, frame: wire.Frame) -> Sequence[Event]:
        """The time of the next funding is told over REST only."""
        return [
            Mark(
                symbol=self._symbols[row.contract],
                mark=number(row.mark_price),
                index=number(row.index_price),
                funding_rate=rate(row.funding_rate),
                gateway_ns=frame.time_ms * NS_PER_MS or None,
            )
            for row in wire.tickers(frame.result)
            if row.contract in self._symbols
        ]


def _rows(rows: list[R] | R) -> list[R]:
    return rows if isinstance(rows, list) else [rows]


def _changes(
    frame: wire.Frame, row: wire.BookHead, symbol: str, bids: Levels | None, asks: Levels | None, levels: int
) -> Sequence[Event]:
    if not symbol:
        return _unknown_instrument(frame, row.name)
    engine_ns, gateway_ns = row.made_ms * NS_PER_MS or None, frame.time_ms * NS_PER_MS or None
    if row.full:
        if bids is None or asks is None:
            raise ValueError("a book without one of its sides")
        return (
            BookSnapshot(
                symbol=symbol,
                bids=bids,
                asks=asks,
                seq=row.last,
                engine_ns=engine_ns,
                gateway_ns=gateway_ns,
                levels_limit=levels or None,
            ),
        )
    return (
        BookDelta(
            symbol=symbol,
            bids=bids or (),
            asks=asks or (),
            first_seq=row.first,
            last_seq=row.last,
            engine_ns=engine_ns,
            gateway_ns=gateway_ns,
        ),
    )


def _unknown_instrument(frame: wire.Frame, name: str) -> Sequence[Event]:
    return (Unknown(what=f"{frame.channel[:64]} of {name[:64]}"),)


def _notice(row: wire.Announced) -> Sequence[Event]:
    within_s = _RECONNECT_WITHIN_S if row.type == "upgrade" else None
    return (Notice(text=(row.msg or row.type)[:200], reconnect_within_s=within_s),)
