"""One connection to Coinbase's Advanced Trade websocket: what to send, and bytes -> events.

See ``venue.py`` for the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

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
    Refusal,
    Reply,
    Side,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan
from feeds.venues.coinbase.wire import (
    Frame,
    read_books,
    read_frame,
    read_subscribed,
    read_trades,
)
from feeds.venues.reading import UNREADABLE, stamp_ns
from feeds.venues.retry import RetrySchedule

_NAMES: Mapping[Channel, str] = {Channel.BOOK: "level2", Channel.TRADES: "market_trades"}
_CHANNELS = {name: channel for channel, name in _NAMES.items()}
# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = frozenset({"ticker", "ticker_batch", "candles", "status"})
# Pairs in USDC with a book of their own. All others are another name of the pair in dollars.
_OWN_USDC = frozenset({"USDT-USDC", "EURC-USDC"})
_TAKER: Mapping[str, Side] = {"BUY": "sell", "SELL": "buy"}
"""Side of the taker, by the side in the message, which is the maker's."""
_FAULTS: tuple[tuple[str, Fault], ...] = (
    ("rate limit", Fault.OUR_LIMIT),
    ("too many", Fault.OUR_LIMIT),
    ("authenticat", Fault.REFUSED),
    ("internal", Fault.OVERLOAD),
    ("unavailable", Fault.OVERLOAD),
)


def book_id(instrument: Instrument) -> str:
    """The product id that messages carry, whichever name was subscribed."""
    name = instrument.venue_id
    return name.removesuffix("C") if name.endswith("-USDC") and name not in _OWN_USDC else name


class CoinbaseSession:
    """One connection. A request with one bad product fails as a whole, and the error does not name the product."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: book_id(i) for i in instruments}
        self._symbols: dict[str, list[str]] = {}
        """Our symbols by product id. There are two when both the pair in dollars and the one in USDC are watched."""
        self._wanted: dict[Channel, list[str]] = {channel: [] for channel in _NAMES}
        for subscription in plan.subscriptions:
            name = self._ids.get(subscription.symbol or "")
            if name is None or subscription.channel not in _NAMES:
                continue
            if name not in self._wanted[subscription.channel]:
                self._wanted[subscription.channel].append(name)
            known = self._symbols.setdefault(name, [])
            if subscription.symbol is not None and subscription.symbol not in known:
                known.append(subscription.symbol)
        self._pending: list[tuple[Channel, tuple[str, ...]]] = []
        """Requests without an answer, oldest first."""
        self._acked: set[tuple[Channel, str]] = set()
        self._retries = RetrySchedule()
        self._next = 0
        self._last: dict[str, int] = {}
        """Number of the last message of each book. A book that may have missed a message is not in it."""
        self._readers: dict[str, Callable[[Frame], Sequence[Event]]] = {
            "l2_data": self._books,
            "market_trades": self._trades,
            "subscriptions": self._subscribed,
            "heartbeats": lambda frame: (Heartbeat(gateway_ns=stamp_ns(frame.timestamp)),),
        }

    def subscribe(self) -> Sequence[Payload]:
        asked = [self._request("subscribe", channel, names) for channel, names in self._wanted.items() if names]
        return [*asked, '{"type":"subscribe","channel":"heartbeats"}']

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        name = self._ids.get(symbol)
        if name is None or channel not in _NAMES:
            return ()
        return [self._request(kind, channel, (name,)) for kind in ("unsubscribe", "subscribe")]

    def ping(self, token: int) -> Payload | None:
        return None

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        lost: Sequence[Event] = ()
        frame: Frame | None = None
        try:
            frame = read_frame(raw)
            lost = self._check_number(frame)
            reader = self._readers.get(frame.channel)
            events = self._control(frame, received_ns) if reader is None else reader(frame)
        except UNREADABLE as error:
            # it may have been any book's; without a readable number it shows as a gap at the next one
            lost = () if frame is None else self._gaps()
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = [key.partition(" ") for key in self._retries.take_due(received_ns)]
            again = (self._request("subscribe", Channel(channel), (name,)) for channel, _, name in due)
            events = [*events, *(Reply(payload=payload) for payload in again)]
        return [*lost, *events] if lost else events

    # numbers

    def _check_number(self, frame: Frame) -> Sequence[Event]:
        """The message of a skipped number may have been any book's."""
        if frame.sequence_num is None:
            return ()
        whole = frame.sequence_num == self._next
        self._next = frame.sequence_num + 1
        return () if whole else self._gaps()

    def _gaps(self) -> Sequence[Event]:
        """A delta that is a gap, for every book without a loss so far."""
        names = list(self._last)
        self._last.clear()
        return [BookDelta(symbol=s, bids=(), asks=()) for name in names for s in self._symbols.get(name, ())]

    # requests and their answers

    def _request(self, kind: Literal["subscribe", "unsubscribe"], channel: Channel, names: Sequence[str]) -> str:
        for name in names:
            self._acked.discard((channel, name))
        if kind == "subscribe":
            self._pending.append((channel, tuple(names)))
        return encode({"type": kind, "product_ids": list(names), "channel": _NAMES[channel]}).decode()

    def _subscribed(self, frame: Frame) -> Sequence[Event]:
        """Each message lists all subscriptions of the connection."""
        events: list[Event] = []
        for row in read_subscribed(frame.events):
            for name, ids in row.subscriptions.items():
                channel = _CHANNELS.get(name)
                if channel is None:
                    continue
                listed = set(ids)
                self._pending = [p for p in self._pending if p[0] is not channel or not listed.issuperset(p[1])]
                for one in ids:
                    if one in self._symbols and (channel, one) not in self._acked:
                        self._acked.add((channel, one))
                        self._retries.accepted(f"{channel} {one}")
                        events += [Ack(channel=channel, symbol=symbol) for symbol in self._symbols[one]]
        return events

    def _control(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        if frame.type != "error":
            if frame.channel in _UNUSED:
                return ()
            return (Unknown(what=f"{frame.channel[:64]} {frame.type[:32]}"),)
        text = frame.message.lower()
        fault = next((fault for part, fault in _FAULTS if part in text), Fault.BAD_REQUEST)
        text = frame.message[:200]
        if not self._pending:
            return (Refusal(fault=fault, text=text),)
        channel, names = self._pending.pop(0)
        if fault in (Fault.OVERLOAD, Fault.OUR_LIMIT):
            for name in names:
                self._retries.schedule(f"{channel} {name}", received_ns)
        elif len(names) > 1:
            return [Reply(payload=self._request("subscribe", channel, (name,))) for name in names]
        return [
            Refusal(channel=channel, symbol=symbol, fault=fault, text=text)
            for name in names
            for symbol in self._symbols[name]
        ]

    # data

    def _books(self, frame: Frame) -> Sequence[Event]:
        events: list[Event] = []
        gateway_ns = stamp_ns(frame.timestamp)
        for row in read_books(frame.events):
            symbols = self._symbols.get(row.product_id)
            if symbols is None:
                return _unknown_instrument(frame, row.product_id)
            bids = [(r.price_level, r.new_quantity) for r in row.updates if r.side == "bid"]
            asks = [(r.price_level, r.new_quantity) for r in row.updates if r.side == "offer"]
            # in every capture all levels of a message have the same time
            engine_ns = stamp_ns(row.updates[0].event_time) if row.updates else None
            before, seq = self._last.get(row.product_id), frame.sequence_num
            if seq is not None and (before is not None or row.type == "snapshot"):
                self._last[row.product_id] = seq
            for symbol in symbols:
                if row.type == "snapshot":
                    events.append(
                        BookSnapshot(
                            symbol=symbol, bids=bids, asks=asks, seq=seq, engine_ns=engine_ns, gateway_ns=gateway_ns
                        )
                    )
                else:
                    events.append(
                        BookDelta(
                            symbol=symbol,
                            bids=bids,
                            asks=asks,
                            prev_seq=before,
                            last_seq=seq,
                            engine_ns=engine_ns,
                            gateway_ns=gateway_ns,
                        )
                    )
        return events

    def _trades(self, frame: Frame) -> Sequence[Event]:
        """Newest first in a message. Trades in the answer to a subscription are past ones."""
        events: list[Event] = []
        gateway_ns = stamp_ns(frame.timestamp)
        for event in read_trades(frame.events):
            for row in reversed(event.trades):
                symbols = self._symbols.get(row.product_id)
                if symbols is None:
                    return _unknown_instrument(frame, row.product_id)
                if event.type == "snapshot" or not row.size:
                    continue
                events += [
                    Trade(
                        symbol=symbol,
                        price=row.price,
                        size=row.size,
                        side=_TAKER[row.side],
                        trade_id=row.trade_id,
                        engine_ns=stamp_ns(row.time),
                        gateway_ns=gateway_ns,
                    )
                    for symbol in symbols
                ]
        return events or (Heartbeat(channel=Channel.TRADES, gateway_ns=gateway_ns),)


def _unknown_instrument(frame: Frame, name: str) -> Sequence[Event]:
    return (Unknown(what=f"{frame.channel[:64]} of {name[:64]}"),)
