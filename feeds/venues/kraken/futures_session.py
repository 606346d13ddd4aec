"""One connection to Kraken's derivatives websocket (v1): what to send, and bytes -> events.

See ``venue.py`` for the sources, and for why this feed is used and not the newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.json import encode

from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Garbled,
    Heartbeat,
    Instrument,
    Liquidation,
    Mark,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.kraken.futures_wire import Frame, read_frame
from feeds.venues.kraken.wire import fault_of
from feeds.venues.reading import NS_PER_MS, UNREADABLE

_FEEDS: Mapping[Channel, str] = {
    Channel.BOOK: "book",
    Channel.TRADES: "trade",
    Channel.LIQUIDATIONS: "trade",
    Channel.MARK: "ticker",
}
_FUNDING_H = 1.0
# Not traded in the book: settlements at expiry, transfers of positions, trades agreed elsewhere.
_OFF_BOOK = frozenset({"assignment", "termination", "block"})


class KrakenFuturesSession:
    """One connection to ``/ws/v1``.

    Errors do not name what they refuse. So every name has its own request, and an error is read as the answer to the
    oldest request without one.
    """

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: i.venue_id.upper() for i in instruments}
        self._symbols = {name.upper(): i.symbol for name, i in by_venue_id(instruments).items()}
        self._channels: dict[tuple[str, str], list[Channel]] = {}
        """Channels that a (feed, name) serves."""
        for subscription in plan.subscriptions:
            name, feed = self._ids.get(subscription.symbol or ""), _FEEDS.get(subscription.channel)
            if name is not None and feed is not None:
                self._channels.setdefault((feed, name), []).append(subscription.channel)
        self._pending: dict[tuple[str, str], None] = {}
        self._readers: dict[str, Callable[[Frame, str], Sequence[Event]]] = {
            "book": _delta,
            "book_snapshot": _snapshot,
            "trade": _trade,
            "trade_snapshot": lambda frame, symbol: (Heartbeat(channel=Channel.TRADES, symbol=symbol),),
            "ticker": _mark,
            "ticker_lite": lambda frame, symbol: (),  # never subscribed here, but in captures of other clients
        }

    def subscribe(self) -> Sequence[Payload]:
        return [
            '{"event":"subscribe","feed":"heartbeat"}',
            *(self._request("subscribe", *key) for key in self._channels),
        ]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        name, feed = self._ids.get(symbol), _FEEDS.get(channel)
        if name is None or feed is None:
            return ()
        return [self._request(event, feed, name) for event in ("unsubscribe", "subscribe")]

    def ping(self, token: int) -> Payload | None:
        return None

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_frame(raw)
            if frame.event:
                return self._control(frame)
            if frame.feed == "heartbeat":
                return (Heartbeat(gateway_ns=_ns(frame.time)),)
            reader, symbol = self._readers.get(frame.feed), self._symbols.get(frame.product_id.upper())
            if reader is None or symbol is None:
                return (Unknown(what=f"{frame.feed[:64]} of {frame.product_id[:64]}"),)
            return reader(frame, symbol)
        except UNREADABLE as error:
            return (Garbled(what=str(error)[:200]),)

    def _request(self, event: str, feed: str, name: str) -> str:
        if event == "subscribe":
            self._pending.pop((feed, name), None)
            self._pending[feed, name] = None
        return encode({"event": event, "feed": feed, "product_ids": [name]}).decode()

    def _control(self, frame: Frame) -> Sequence[Event]:
        match frame.event:
            case "subscribed":
                done = [(frame.feed, name.upper()) for name in frame.product_ids]
                for key in done:
                    self._pending.pop(key, None)
                return [
                    Ack(channel=c, symbol=self._symbols[key[1]]) for key in done for c in self._channels.get(key, ())
                ]
            case "error":
                fault, text = fault_of(frame.message), frame.message[:200]
                oldest = next(iter(self._pending), None)
                if oldest is None:
                    return (Refusal(fault=fault, text=text),)
                del self._pending[oldest]
                symbol = self._symbols[oldest[1]]
                return [
                    Refusal(channel=c, symbol=symbol, fault=fault, text=text) for c in self._channels.get(oldest, ())
                ]
            case "info" | "unsubscribed" | "alert":
                return ()
            case other:
                return (Unknown(what=f"event {other[:64]}"),)


def _ns(ms: int | None) -> int | None:
    return ms * NS_PER_MS if ms else None


def _snapshot(frame: Frame, symbol: str) -> Sequence[Event]:
    if frame.bids is None or frame.asks is None:
        raise ValueError("a book without one of its sides")
    return (
        BookSnapshot(
            symbol=symbol,
            bids=[(level.price, level.qty) for level in frame.bids],
            asks=[(level.price, level.qty) for level in frame.asks],
            seq=frame.seq,
            engine_ns=_ns(frame.timestamp),
        ),
    )


def _delta(frame: Frame, symbol: str) -> Sequence[Event]:
    if frame.price is None or frame.qty is None or frame.side is None:
        raise ValueError("a book message without its level")
    level, none = [(frame.price, frame.qty)], ()
    return (
        BookDelta(
            symbol=symbol,
            bids=level if frame.side == "buy" else none,
            asks=none if frame.side == "buy" else level,
            first_seq=frame.seq,
            last_seq=frame.seq,
            engine_ns=_ns(frame.timestamp),
        ),
    )


def _trade(frame: Frame, symbol: str) -> Sequence[Event]:
    if frame.type in _OFF_BOOK:
        return (Heartbeat(channel=Channel.TRADES, symbol=symbol),)
    if frame.price is None or not frame.qty or frame.side is None:
        raise ValueError("a trade without price, size or side")
    price, size, side, engine_ns = frame.price, frame.qty, frame.side, _ns(frame.time)
    trade = Trade(symbol=symbol, price=price, size=size, side=side, trade_id=frame.uid, engine_ns=engine_ns)
    if frame.type != "liquidation":
        return (trade,)
    return (trade, Liquidation(symbol=symbol, price=price, size=size, side=side, engine_ns=engine_ns))


def _mark(frame: Frame, symbol: str) -> Sequence[Event]:
    """``relative_funding_rate`` is a fraction per hour; ``funding_rate`` is an amount of quote currency per unit."""
    return (
        Mark(
            symbol=symbol,
            mark=frame.mark or None,
            index=frame.index or None,
            funding_rate=frame.rate,
            next_funding_ns=_ns(frame.next_ms),
            interval_h=None if frame.rate is None else _FUNDING_H,
            gateway_ns=_ns(frame.time),
        ),
    )
