"""One connection to Binance's websockets: what to send, and bytes -> events with one reader for each type of stream.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
Spot and futures messages have the same fields; futures add ``T`` (matching engine) and ``pu``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import Raw

from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Event,
    Fault,
    Garbled,
    Instrument,
    Liquidation,
    Mark,
    Notice,
    Pong,
    Quote,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, Subscription
from feeds.venues.binance.wire import (
    Frame,
    TradeRow,
    code_fault,
    read_book_ticker,
    read_depth,
    read_force_order,
    read_frame,
    read_mark_price,
    read_trade,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE, number, rate
from feeds.venues.sockets import batches

STREAMS_A_MESSAGE = 200
"""Streams in one SUBSCRIBE message, to keep messages small."""
PENDING = 256
"""The most unanswered requests that are remembered; the oldest is dropped first."""
SHUTDOWN_NOTICE_S = 600.0
"""``serverShutdown`` is sent about ten minutes before the server closes (Binance connector documentation, 2026)."""

_WHAT = 120

Reader: TypeAlias = Callable[[Raw, str], Sequence[Event]]


def _delta(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_depth(body)
    return (
        BookDelta(
            symbol=symbol,
            bids=m.bids,
            asks=m.asks,
            first_seq=m.first,
            last_seq=m.last,
            prev_seq=m.pu,
            engine_ns=m.engine_ms * NS_PER_MS or None,
            gateway_ns=m.event_ms * NS_PER_MS or None,
        ),
    )


def _quote(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_book_ticker(body)
    return (
        Quote(
            symbol=symbol,
            bid=m.bid or None,
            bid_size=m.bid_size if m.bid else None,
            ask=m.ask or None,
            ask_size=m.ask_size if m.ask else None,
            seq=m.seq,
            engine_ns=m.engine_ms * NS_PER_MS or None,
            gateway_ns=m.event_ms * NS_PER_MS or None,
        ),
    )


def _trade_event(m: TradeRow, symbol: str, trade_id: int | None) -> Sequence[Event]:
    if m.kind != "MARKET":
        return ()  # insurance fund, auto-deleveraging: not traded in the order book, often without a price
    if not m.price or not m.size:
        return (Garbled(what="trade without price or size"),)
    return (
        Trade(
            symbol=symbol,
            price=m.price,
            size=m.size,
            side="sell" if m.buyer_is_maker else "buy",
            trade_id=None if trade_id is None else str(trade_id),
            engine_ns=m.engine_ms * NS_PER_MS or None,
            gateway_ns=m.event_ms * NS_PER_MS or None,
        ),
    )


def _trade(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_trade(body)
    return _trade_event(m, symbol, m.trade_id)


def _agg_trade(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_trade(body)
    return _trade_event(m, symbol, m.aggregate_id)


def _liquidation(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_force_order(body)
    order = m.order
    price, size = order.average or order.price, order.filled or order.size
    if not price or not size:
        return (Garbled(what="liquidation without price or size"),)
    return (
        Liquidation(
            symbol=symbol,
            price=price,
            size=size,
            side="sell" if order.side == "SELL" else "buy",
            engine_ns=order.engine_ms * NS_PER_MS or None,
            gateway_ns=m.event_ms * NS_PER_MS or None,
        ),
    )


def _mark(body: Raw, symbol: str) -> Sequence[Event]:
    m = read_mark_price(body)
    return (
        Mark(
            symbol=symbol,
            mark=_positive(m.mark),
            index=_positive(m.index),
            funding_rate=rate(m.funding_rate) if m.next_funding_ms else None,  # dated futures send 0 and no time
            next_funding_ns=m.next_funding_ms * NS_PER_MS or None,
            gateway_ns=m.event_ms * NS_PER_MS or None,
        ),
    )


def _positive(text: str) -> float | None:
    """A price, None for empty text or 0. Raises ValueError."""
    value = number(text)
    if value is not None and value < 0:
        raise ValueError("negative price")
    return value or None


READERS: Mapping[str, Reader] = {
    "depth": _delta,
    "depth@0ms": _delta,
    "depth@100ms": _delta,
    "depth@500ms": _delta,
    "bookTicker": _quote,
    "trade": _trade,
    "aggTrade": _agg_trade,
    "forceOrder": _liquidation,
    "markPrice": _mark,
    "markPrice@1s": _mark,
}
"""Reader by type of stream: the part of its name after the ``@``."""


class BinanceSession:
    """One connection to a ``/stream`` path, where every message names its stream."""

    def __init__(self, streams: Mapping[str, Subscription], instruments: Sequence[Instrument]) -> None:
        """``streams``: the subscriptions by name of stream."""
        self._streams = dict(streams)
        self._names = {subscription: name for name, subscription in streams.items()}
        self._symbols = {name.lower(): i.symbol for i in instruments for name in (i.venue_id, *i.aliases)}
        self._known: dict[str, tuple[Reader, str]] = {}
        self._asked: dict[int, tuple[Subscription, ...]] = {}
        self._last_id = 0

    def subscribe(self) -> Sequence[Payload]:
        return [self._ask("SUBSCRIBE", batch) for batch in batches(list(self._streams), STREAMS_A_MESSAGE)]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        """For a stream that is silent. A book's snapshot comes over REST instead."""
        name = self._names.get(Subscription(channel, symbol))
        return () if name is None else (self._ask("UNSUBSCRIBE", [name]), self._ask("SUBSCRIBE", [name]))

    def ping(self, token: int) -> Payload | None:
        """LIST_SUBSCRIPTIONS, which the stream server itself answers (a PING frame may not reach it). Counts as a
        message."""
        return msgspec.json.encode({"method": "LIST_SUBSCRIPTIONS", "id": token}).decode()

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_frame(raw)
            if frame.stream is None:
                return self._control(frame)
            known = self._known.get(frame.stream) or self._find(frame.stream)
            if known is None:
                return self._other(frame.stream)
            reader, symbol = known
            return reader(frame.data, symbol)
        except UNREADABLE as error:
            return (Garbled(what=f"{type(error).__name__}: {error}"[:_WHAT]),)

    def _find(self, stream: str) -> tuple[Reader, str] | None:
        venue_id, _, kind = stream.partition("@")
        symbol, reader = self._symbols.get(venue_id), READERS.get(kind)
        if symbol is None or reader is None:
            return None
        self._known[stream] = reader, symbol
        return reader, symbol

    def _other(self, stream: str) -> Sequence[Event]:
        if stream == "!serverShutdown":
            return _shutdown()
        venue_id, _, kind = stream.partition("@")
        named = kind or venue_id
        return (Unknown(what=f"stream {named}"[:_WHAT] if kind not in READERS else f"symbol {venue_id}"[:_WHAT]),)

    def _control(self, frame: Frame) -> Sequence[Event]:
        if frame.error is not None:
            return self._refused(frame.id, frame.error.code, frame.error.msg)
        if frame.code is not None:
            return self._refused(frame.id, frame.code, frame.msg)
        result = bytes(frame.result)
        if result == b"null":
            return [Ack(channel=s.channel, symbol=s.symbol) for s in self._answered(frame.id)]
        if result.startswith(b"[") and isinstance(frame.id, int):
            return (Pong(token=frame.id),)
        if frame.e == "serverShutdown":
            return _shutdown()
        return (Unknown(what=f"event {frame.e}"[:_WHAT] if frame.e else "message without stream"),)

    def _refused(self, request: int | str | None, code: int, text: str) -> Sequence[Event]:
        fault = code_fault(code) or Fault.UNKNOWN
        asked = self._answered(request)
        if not asked:
            return (Refusal(fault=fault, code=str(code), text=text[:_WHAT]),)
        return [
            Refusal(channel=s.channel, symbol=s.symbol, fault=fault, code=str(code), text=text[:_WHAT]) for s in asked
        ]

    def _answered(self, request: int | str | None) -> tuple[Subscription, ...]:
        return self._asked.pop(request, ()) if isinstance(request, int) else ()

    def _ask(self, method: str, names: Sequence[str]) -> Payload:
        self._last_id += 1
        if method == "SUBSCRIBE":
            self._asked[self._last_id] = tuple(self._streams[name] for name in names)
        while len(self._asked) > PENDING:
            del self._asked[next(iter(self._asked))]
        return msgspec.json.encode({"method": method, "params": names, "id": self._last_id}).decode()


def _shutdown() -> Sequence[Event]:
    return (Notice(text="Binance will close this connection: server shutdown", reconnect_within_s=SHUTDOWN_NOTICE_S),)
