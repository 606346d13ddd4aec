"""One connection to Crypto.com's market socket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    Mark,
    Pong,
    Quote,
    Refusal,
    Reply,
    Side,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, Subscription, by_venue_id
from feeds.venues.cryptocom import wire
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.retry import RetrySchedule

BOOK_LEVELS = 50
FUNDING_H = 1.0

_NAMES: Mapping[Channel, str] = {
    Channel.BOOK: f"book.{{}}.{BOOK_LEVELS}",
    Channel.BBO: "ticker.{}",
    Channel.TRADES: "trade.{}",
    Channel.MARK: "mark.{}",
}
_REQUEST_CHARACTERS = 3_000  # of channel names; clients limit a message to 4000 bytes
_FIRST_REQUEST = 1_000_000_000  # lower ids are tokens of pings
_PINGS_KEPT = 16
_HOUR_NS = 3_600_000_000_000
_BOOK_HEAD = b'"channel":"book'
"""In nearly all messages; they take a fast decoder. A message written differently is decoded in full, then as a
book."""
_BOOKS = frozenset({"book", "book.update"})
# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = frozenset({"candlestick", "settlement", "estimatedfunding", "otc_book"})
_PASSING = (Fault.OUR_LIMIT, Fault.OVERLOAD, Fault.MAINTENANCE)
_SIDES: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}


class CryptocomSession:
    """One unknown name makes the venue refuse the whole request, which is then repeated in halves."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._asked: dict[str, Subscription | None] = {}
        """By the venue's name of a channel. None: its data belong to another subscription."""
        for one in plan.subscriptions:
            if one.symbol not in self._ids or one.channel not in _NAMES:
                continue
            name = self._ids[one.symbol]
            self._asked[_NAMES[one.channel].format(name)] = one
            if one.channel is Channel.MARK:
                index = f"{name.removesuffix('-PERP')}-INDEX"
                self._symbols[index] = one.symbol
                self._asked |= {f"funding.{name}": None, f"index.{index}": None}
        self._echo = next((name for name in self._asked if name.startswith("ticker.")), None)
        self._requests = _FIRST_REQUEST
        self._pending: dict[int, tuple[str, ...]] = {}
        self._waiting: set[str] = set()
        """Requested and not answered yet."""
        self._first = set(self._asked)
        """No data yet since the request. The first data can be old."""
        self._pings: dict[int, None] = {}
        self._retries = RetrySchedule(wait_s=1.0, attempts=8)
        self._readers: Mapping[str, Callable[[wire.Result, str], Sequence[Event]]] = {
            "ticker": self._quote,
            "trade": self._trades,
            "mark": self._value,
            "index": self._value,
            "funding": self._value,
        }

    def subscribe(self) -> Sequence[Payload]:
        return self._ask(self._asked)

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        """Unsubscribes first: without that, the subscription would be refused as a duplicate."""
        if symbol not in self._ids or channel not in _NAMES:
            return ()
        name = _NAMES[channel].format(self._ids[symbol])
        return (self._request("unsubscribe", (name,)), *self._ask((name,)))

    def ping(self, token: int) -> Payload | None:
        """A repeated subscription: it is answered, even when refused as a duplicate. Nothing else on this socket is."""
        if self._echo is None:
            return None
        self._pings[token] = None
        if len(self._pings) > _PINGS_KEPT:
            del self._pings[next(iter(self._pings))]
        return encode({"id": token, "method": "subscribe", "params": {"channels": [self._echo]}}).decode()

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            if _BOOK_HEAD in raw:
                events = self._book(wire.read_book_frame(raw))
            else:
                frame = wire.read_frame(raw)
                is_book = frame.result is not None and frame.result.channel in _BOOKS
                events = self._book(wire.read_book_frame(raw)) if is_book else self._read(frame, received_ns)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            events = [*events, *(Reply(payload=one) for one in self._ask(self._retries.take_due(received_ns)))]
        return events

    # requests and their answers

    def _request(self, method: str, names: tuple[str, ...]) -> str:
        self._requests += 1
        params: dict[str, object] = {"channels": names}
        if method == "subscribe" and names[0].startswith("book."):
            params |= {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}
        return encode({"id": self._requests, "method": method, "params": params}).decode()

    def _ask(self, names: Iterable[str]) -> Sequence[str]:
        """Books and indices are requested separately: books have parameters of their own, names of indices are
        derived."""
        parts: dict[str, list[list[str]]] = {}
        for name in names:
            kind = name.partition(".")[0]
            part = parts.setdefault(kind if kind in ("book", "index") else "", [[]])
            if sum(map(len, part[-1])) + 3 * len(part[-1]) + len(name) > _REQUEST_CHARACTERS:
                part.append([])
            part[-1].append(name)
        return [self._ask_together(tuple(one)) for part in parts.values() for one in part]

    def _ask_together(self, names: tuple[str, ...]) -> str:
        payload = self._request("subscribe", names)
        self._pending[self._requests] = names
        self._waiting.update(names)
        self._first.update(names)
        return payload

    def _read(self, frame: wire.Frame, received_ns: int) -> Sequence[Event]:
        if frame.method == "public/heartbeat":
            answer = encode({"id": frame.id, "method": "public/respond-heartbeat"}).decode()
            return Reply(payload=answer), Heartbeat()
        if frame.id in self._pings:
            del self._pings[frame.id]
            data = () if frame.result is None or frame.code else self._data(frame.result)
            return (Pong(token=frame.id), *data)
        if frame.code:
            return self._refused(frame, self._pending.pop(frame.id or 0, None), received_ns)
        if frame.result is not None and frame.result.channel:
            return (*self._accepted((frame.result.subscription,)), *self._data(frame.result))
        if frame.method == "subscribe":
            return self._accepted(self._pending.pop(frame.id or 0, ()))
        return () if frame.method == "unsubscribe" else (Unknown(what=f"method {frame.method[:64]}"),)

    def _accepted(self, names: Iterable[str]) -> Sequence[Event]:
        """The first data can come instead of the answer, or before it."""
        events: list[Event] = []
        for name in names:
            if name not in self._waiting:
                continue
            self._waiting.discard(name)
            self._retries.accepted(name)
            one = self._asked[name]
            if one is not None:
                events.append(Ack(channel=one.channel, symbol=one.symbol))
        if not self._waiting:
            self._pending.clear()
        return events

    def _refused(self, frame: wire.Frame, asked: tuple[str, ...] | None, received_ns: int) -> Sequence[Event]:
        """A temporary refusal is repeated later. Any other request is repeated in halves, to find the bad name."""
        fault = wire.FAULTS.get(frame.code, Fault.UNKNOWN)
        code, text = str(frame.code)[:16], frame.message[:200]
        whole = Refusal(fault=fault, code=code, text=text)
        if asked is None:
            return (whole,)
        if fault in _PASSING:
            asked = tuple(name for name in asked if not self._retries.schedule(name, received_ns))
            if not asked:
                return (whole,)
        elif len(asked) > 1:
            half = len(asked) // 2
            return [Reply(payload=self._ask_together(part)) for part in (asked[:half], asked[half:])]
        self._waiting.difference_update(asked)
        refused = [self._asked[name] for name in asked]
        return [
            whole if one is None else Refusal(channel=one.channel, symbol=one.symbol, fault=fault, code=code, text=text)
            for one in refused
        ]

    # data

    def _book(self, frame: wire.BookFrame) -> Sequence[Event]:
        result = frame.result
        symbol = self._symbols.get(result.instrument_name)
        if symbol is None:
            return _unknown_instrument(result.channel, result.instrument_name)
        events: list[Event] = list(self._accepted((result.subscription,))) if self._waiting else []
        for row in result.data:
            # t: time of publishing; tt: time of the book's last change, where sent
            engine_ns, gateway_ns = row.tt * NS_PER_MS or None, row.t * NS_PER_MS or None
            sides = row if row.update is None else row.update
            bids, asks = sides.bids, sides.asks
            if bids is None or asks is None:
                raise ValueError("a book without one of its sides")
            if result.channel == "book":
                events.append(
                    BookSnapshot(
                        symbol=symbol,
                        bids=cast(Levels, bids),
                        asks=cast(Levels, asks),
                        seq=row.u,
                        engine_ns=engine_ns,
                        gateway_ns=gateway_ns,
                        levels_limit=result.depth or BOOK_LEVELS,
                    )
                )
                continue
            if not bids and not asks:
                engine_ns = None  # no change for 5 s, so the old time of change is no lag
            events.append(
                BookDelta(
                    symbol=symbol,
                    bids=cast(Levels, bids),
                    asks=cast(Levels, asks),
                    last_seq=row.u,
                    prev_seq=row.pu,
                    engine_ns=engine_ns,
                    gateway_ns=gateway_ns,
                )
            )
        return events

    def _data(self, result: wire.Result) -> Sequence[Event]:
        reader = self._readers.get(result.channel)
        if reader is None:
            return () if result.channel in _UNUSED else (Unknown(what=f"channel {result.channel[:64]}"),)
        symbol = self._symbols.get(result.instrument_name)
        return _unknown_instrument(result.channel, result.instrument_name) if symbol is None else reader(result, symbol)

    def _is_first(self, result: wire.Result) -> bool:
        first = result.subscription in self._first
        self._first.discard(result.subscription)
        return first

    def _quote(self, result: wire.Result, symbol: str) -> Sequence[Event]:
        return [
            Quote(
                symbol=symbol,
                bid=row.b or None,
                bid_size=(row.bs or None) if row.b else None,
                ask=row.k or None,
                ask_size=(row.ks or None) if row.k else None,
            )
            for row in wire.read_tickers(result.data)
        ]

    def _trades(self, result: wire.Result, symbol: str) -> Sequence[Event]:
        """Newest first in a message. The first message after the request holds past trades."""
        rows = wire.read_trades(result.data)
        if self._is_first(result):
            return (Heartbeat(channel=Channel.TRADES, symbol=symbol),)
        return [
            Trade(
                symbol=symbol,
                price=row.p,
                size=row.q,
                side="buy" if row.s.upper() == "BUY" else "sell",
                trade_id=None if row.d is None else str(row.d)[:40],
                engine_ns=row.tn or row.t * NS_PER_MS or None,
            )
            for row in reversed(rows)
        ]

    def _value(self, result: wire.Result, symbol: str) -> Sequence[Event]:
        """Mark and index price (with a time in whole seconds) and the funding rate of this hour, paid at its end."""
        events: list[Event] = []
        for row in wire.read_values(result.data):
            at_ns = row.t * NS_PER_MS
            if result.channel == "funding":
                if abs(row.v) > 1:
                    raise ValueError("not a funding rate")
                due_ns = (at_ns // _HOUR_NS + 1) * _HOUR_NS if at_ns else None
                events.append(Mark(symbol=symbol, funding_rate=row.v, next_funding_ns=due_ns, interval_h=FUNDING_H))
                continue
            if row.v <= 0:
                raise ValueError("not a price")
            is_mark = result.channel == "mark"
            mark, index = (row.v, None) if is_mark else (None, row.v)
            events.append(Mark(symbol=symbol, mark=mark, index=index, gateway_ns=at_ns or None))
        return events


def _unknown_instrument(kind: str, name: str) -> Sequence[Event]:
    return (Unknown(what=f"{kind[:32]} of {name[:64]}"),)
