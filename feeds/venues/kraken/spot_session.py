"""One connection to Kraken's websocket v2: what to send, and bytes -> events. See ``venue.py``.

This is the session of spot; ``unified_session.py`` derives that of derivatives from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

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
    Notice,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan
from feeds.venues.kraken.spot_rule import BOOK_LEVELS
from feeds.venues.kraken.spot_wire import (
    Frame,
    read_books,
    read_frame,
    read_status,
    read_subscribed,
    read_tickers,
    read_trades,
)
from feeds.venues.kraken.wire import fault_of, v2_name
from feeds.venues.reading import UNREADABLE, stamp_ns
from feeds.venues.retry import RetrySchedule

_NAMES: Mapping[Channel, str] = {Channel.BOOK: "book", Channel.BBO: "ticker", Channel.TRADES: "trade"}
_CHANNELS = {name: channel for channel, name in _NAMES.items()}
_MORE: Mapping[Channel, Mapping[str, object]] = {
    Channel.BOOK: {"depth": BOOK_LEVELS, "snapshot": True},
    Channel.BBO: {"event_trigger": "bbo", "snapshot": True},
    Channel.TRADES: {"snapshot": False},
}


class KrakenSpotSession:
    """One connection to ``/v2``. Every symbol of a request has its own answer, in any order."""

    extra: Mapping[str, object] = {}
    """Parameters of every request beside channel and symbols."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: self.venue_name(i) for i in instruments}
        self._symbols = {name: symbol for symbol, name in self._ids.items()}
        self._wanted: dict[Channel, list[str]] = {}
        for subscription in plan.subscriptions:
            if subscription.symbol in self._ids and subscription.channel in _NAMES:
                self._wanted.setdefault(subscription.channel, []).append(subscription.symbol)
        self._requests = 0
        self._pending: dict[int, Channel] = {}
        self._retries = RetrySchedule()
        self._readers: dict[str, Callable[[Frame], Sequence[Event]]] = {
            "book": self.books,
            "ticker": self._quotes,
            "trade": self._trades,
            "heartbeat": lambda frame: (Heartbeat(),),
            "status": _notices,
        }

    def venue_name(self, instrument: Instrument) -> str:
        """The name of an instrument on this websocket."""
        return v2_name(instrument)

    def subscribe(self) -> Sequence[Payload]:
        return [self._request("subscribe", channel, symbols) for channel, symbols in self._wanted.items()]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids or channel not in _NAMES:
            return ()
        return [self._request(method, channel, (symbol,)) for method in ("unsubscribe", "subscribe")]

    def ping(self, token: int) -> Payload | None:
        return f'{{"method":"ping","req_id":{token}}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        frame: Frame | None = None
        try:
            frame = read_frame(raw)
            reader = self._readers.get(frame.channel)
            events = self._control(frame, received_ns) if reader is None else reader(frame)
        except UNREADABLE as error:
            # messages are not numbered, so an unreadable one may have changed any book, unless its channel is known
            known = None if frame is None else _CHANNELS.get(frame.channel, Channel.STATUS)
            events = [Garbled(what=str(error)[:200], channel=known)]
        if received_ns >= self._retries.due_ns:
            due = [key.partition(" ") for key in self._retries.take_due(received_ns)]
            again = (self._request("subscribe", Channel(channel), (symbol,)) for channel, _, symbol in due)
            events = [*events, *(Reply(payload=payload) for payload in again)]
        return events

    def _request(self, method: Literal["subscribe", "unsubscribe"], channel: Channel, symbols: Sequence[str]) -> str:
        self._requests += 1
        self._pending[self._requests] = channel
        if len(self._pending) > 1_000:
            del self._pending[next(iter(self._pending))]
        names = [self._ids[symbol] for symbol in symbols]
        params = {"channel": _NAMES[channel], **self.extra, "symbol": names, **_MORE[channel]}
        return encode({"method": method, "params": params, "req_id": self._requests}).decode()

    def _control(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        error_text = frame.failed or frame.error
        if frame.method == "pong" and not error_text:
            return (
                Pong(
                    token=frame.req_id,
                    server_in_ns=stamp_ns(frame.time_in),
                    server_out_ns=stamp_ns(frame.time_out),
                ),
            )
        if frame.method == "unsubscribe":
            return ()  # a failure too: it was not subscribed
        if error_text:
            return self._refused(frame, error_text, received_ns)
        if frame.method == "subscribe" and frame.success:
            done = read_subscribed(frame.result)
            channel, symbol = _CHANNELS.get(done.channel), self._symbols.get(done.symbol)
            if channel is not None and symbol is not None:
                self._retries.accepted(f"{channel} {symbol}")
                return (Ack(channel=channel, symbol=symbol),)
        return (Unknown(what=f"{frame.method[:32]} {frame.channel[:64]} {frame.type[:32]}"),)

    def _refused(self, frame: Frame, error_text: str, received_ns: int) -> Sequence[Event]:
        fault, symbol = fault_of(error_text), self._symbols.get(frame.symbol)
        channel = self._pending.get(frame.req_id or 0) if frame.method == "subscribe" else None
        if channel is not None and symbol is not None:
            if "lready subscribed" in error_text:
                return (Ack(channel=channel, symbol=symbol),)
            if fault in (Fault.OVERLOAD, Fault.OUR_LIMIT):
                self._retries.schedule(f"{channel} {symbol}", received_ns)
        return (Refusal(channel=channel, symbol=symbol, fault=fault, text=error_text[:200]),)

    def books(self, frame: Frame) -> Sequence[Event]:
        events: list[Event] = []
        for row in read_books(frame.data):
            symbol = self._symbols.get(row.symbol)
            if symbol is None:
                events += _unknown_instrument(frame, row.symbol)
                continue
            bids, asks = cast(Levels, row.bids), cast(Levels, row.asks)
            engine_ns = stamp_ns(row.timestamp)
            if frame.type == "snapshot":
                events.append(
                    BookSnapshot(
                        symbol=symbol,
                        bids=bids,
                        asks=asks,
                        engine_ns=engine_ns,
                        checksum=row.checksum,
                        levels_limit=BOOK_LEVELS,
                    )
                )
            else:
                events.append(
                    BookDelta(symbol=symbol, bids=bids, asks=asks, engine_ns=engine_ns, checksum=row.checksum)
                )
        return events

    def _quotes(self, frame: Frame) -> Sequence[Event]:
        """A price of 0 means an empty side."""
        events: list[Event] = []
        for row in read_tickers(frame.data):
            symbol = self._symbols.get(row.symbol)
            if symbol is None:
                return _unknown_instrument(frame, row.symbol)
            events.append(
                Quote(
                    symbol=symbol,
                    bid=row.bid or None,
                    bid_size=(row.bid_qty or None) if row.bid else None,
                    ask=row.ask or None,
                    ask_size=(row.ask_qty or None) if row.ask else None,
                    engine_ns=stamp_ns(row.timestamp),
                )
            )
        return events

    def _trades(self, frame: Frame) -> Sequence[Event]:
        """A snapshot holds past trades, which only show that the channel works."""
        events: list[Event] = []
        for row in read_trades(frame.data):
            symbol = self._symbols.get(row.symbol)
            if symbol is None:
                return _unknown_instrument(frame, row.symbol)
            if frame.type == "snapshot":
                events.append(Heartbeat(channel=Channel.TRADES, symbol=symbol))
                continue
            events.append(
                Trade(
                    symbol=symbol,
                    price=row.price,
                    size=row.qty,
                    side=row.side,
                    trade_id=str(row.trade_id),
                    engine_ns=stamp_ns(row.timestamp),
                )
            )
        return events


def _unknown_instrument(frame: Frame, name: str) -> Sequence[Event]:
    return (Unknown(what=f"{frame.channel[:64]} of {name[:64]}"),)


def _notices(frame: Frame) -> Sequence[Event]:
    """Sent after connecting and when the state of the system changes."""
    states = [row.system[:64] for row in read_status(frame.data) if row.system]
    return [Heartbeat() if state == "online" else Notice(text=f"system {state}") for state in states]
