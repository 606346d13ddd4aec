"""One connection to MEXC's websocket of perpetuals, which uses JSON. See ``venue.py``."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from msgspec.json import encode

from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Event,
    Fault,
    Garbled,
    Instrument,
    Levels,
    Mark,
    Pong,
    Refusal,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.mexc.linear_wire import (
    Frame,
    read_deals,
    read_depth,
    read_frame,
    read_funding,
    read_ms,
    read_price,
    read_text,
    read_ticker,
)
from feeds.venues.reading import GZIP_HEAD, NS_PER_MS, UNREADABLE, gunzip

_METHODS: Mapping[str, Channel] = {
    "depth": Channel.BOOK,
    "deal": Channel.TRADES,
    "fair.price": Channel.MARK,
    "index.price": Channel.MARK,
    "funding.rate": Channel.MARK,
}
METHODS_A_SYMBOL = len(_METHODS)
# Channels that Detour never subscribes to. Captures of other clients have them, so they are ignored, not counted.
_UNUSED = ("push.kline", "push.tickers", "push.depth.", "push.contract", "push.event", "push.fullDepth")
_NAMED = re.compile(r"Contract \[([^\]]{1,64})\]")
_OUR_LIMIT = re.compile(r"frequent|limit|too many|exceed", re.IGNORECASE)


class LinearSession:
    """One connection to ``/edge``. Acknowledgements name no symbol; they come in the order of the requests."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._ids = {i.symbol: i.venue_id for i in instruments}
        wanted = {(s.channel, s.symbol) for s in plan.subscriptions}
        self._asked = [
            (method, symbol)
            for symbol in self._ids
            for method, channel in _METHODS.items()
            if (channel, symbol) in wanted
        ]
        self._waiting: dict[str, deque[str]] = {method: deque(maxlen=1_000) for method in _METHODS}

    def subscribe(self) -> Sequence[Payload]:
        return [self._ask(method, symbol) for method, symbol in self._asked]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        payloads: list[Payload] = []
        for method, known in self._asked:
            if known == symbol and _METHODS[method] is channel:
                payloads += [_request(f"unsub.{method}", self._ids[symbol]), self._ask(method, symbol)]
        return payloads

    def ping(self, token: int) -> Payload | None:
        return '{"method":"ping"}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            # gzip is documented but was not seen in any capture
            frame = read_frame(gunzip(raw) if raw[:2] == GZIP_HEAD else raw)
            reader = _READERS.get(frame.channel)
            if reader is None:
                return self._control(frame)
            symbol = self._symbols.get(frame.symbol)
            if symbol is None:
                return (Unknown(what=f"{frame.channel} {frame.symbol}"[:96]),)
            return reader(symbol, frame)
        except UNREADABLE as error:
            return (Garbled(what=str(error)[:200]),)

    def _ask(self, method: str, symbol: str) -> str:
        self._waiting[method].append(symbol)
        return _request(f"sub.{method}", self._ids[symbol])

    def _control(self, frame: Frame) -> Sequence[Event]:
        kind, _, method = frame.channel.partition(".sub.")
        if frame.channel == "pong":
            return (Pong(server_out_ns=(read_ms(frame.data) or frame.ts) * NS_PER_MS or None),)
        if frame.channel == "rs.error":
            return self._refused(read_text(frame.data))
        if kind == "rs" and method in _METHODS:
            waiting = self._waiting[method]
            return (Ack(channel=_METHODS[method], symbol=waiting.popleft() if waiting else None),)
        if frame.channel.startswith(("rs.unsub.", *_UNUSED)):
            return ()
        return (Unknown(what=f"channel {frame.channel}"[:96]),)

    def _refused(self, error_text: str) -> Sequence[Event]:
        """An error names its contract. It refuses the first request for it that has no answer yet."""
        fault = Fault.OUR_LIMIT if _OUR_LIMIT.search(error_text) else Fault.UNKNOWN
        named = _NAMED.search(error_text)
        symbol = self._symbols.get(named[1]) if named else None
        if symbol is None:
            return (Refusal(fault=fault, text=error_text[:200]),)
        method = next((method for method, waiting in self._waiting.items() if symbol in waiting), None)
        if method is not None:
            self._waiting[method].remove(symbol)
        channel = None if method is None else _METHODS[method]
        return (Refusal(channel=channel, symbol=symbol, fault=Fault.BAD_REQUEST, text=error_text[:200]),)


def _request(method: str, venue_id: str) -> str:
    return encode({"method": method, "param": {"symbol": venue_id}}).decode()


def _delta(symbol: str, frame: Frame) -> Sequence[Event]:
    """Merged messages cover the versions ``begin`` to ``end``; others are one version."""
    row = read_depth(frame.data)
    return (
        BookDelta(
            symbol=symbol,
            bids=cast(Levels, row.bids),
            asks=cast(Levels, row.asks),
            first_seq=row.version if row.begin is None else row.begin,
            last_seq=row.version if row.end is None else row.end,
            engine_ns=row.cts * NS_PER_MS or None,
            gateway_ns=frame.ts * NS_PER_MS or None,
        ),
    )


def _trades(symbol: str, frame: Frame) -> Sequence[Event]:
    rows = read_deals(frame.data)
    return [
        Trade(
            symbol=symbol,
            price=row.price,
            size=row.size,
            side="buy" if row.kind == 1 else "sell",
            trade_id=None if row.trade_id is None else str(row.trade_id),
            engine_ns=row.at_ms * NS_PER_MS or None,
            gateway_ns=frame.ts * NS_PER_MS or None,
        )
        for row in (rows if isinstance(rows, list) else [rows])
    ]


def _fair_price(symbol: str, frame: Frame) -> Sequence[Event]:
    return (Mark(symbol=symbol, mark=read_price(frame.data).price, gateway_ns=frame.ts * NS_PER_MS or None),)


def _index_price(symbol: str, frame: Frame) -> Sequence[Event]:
    return (Mark(symbol=symbol, index=read_price(frame.data).price, gateway_ns=frame.ts * NS_PER_MS or None),)


def _funding(symbol: str, frame: Frame) -> Sequence[Event]:
    row = read_funding(frame.data)
    return (
        Mark(
            symbol=symbol,
            funding_rate=row.funding_rate if row.rate is None else row.rate,
            next_funding_ns=row.next_ms * NS_PER_MS or None,
            gateway_ns=frame.ts * NS_PER_MS or None,
        ),
    )


def _ticker(symbol: str, frame: Frame) -> Sequence[Event]:
    """Not subscribed: it comes once a second and has no sizes, so it cannot serve as a channel of best prices."""
    row = read_ticker(frame.data)
    return (
        Mark(
            symbol=symbol,
            mark=row.fair_price,
            index=row.index_price,
            funding_rate=row.funding_rate,
            gateway_ns=frame.ts * NS_PER_MS or None,
        ),
    )


_READERS: Mapping[str, Callable[[str, Frame], Sequence[Event]]] = {
    "push.depth": _delta,
    "push.deal": _trades,
    "push.fair.price": _fair_price,
    "push.index.price": _index_price,
    "push.funding.rate": _funding,
    "push.ticker": _ticker,
}
