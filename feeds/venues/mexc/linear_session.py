"""One connection to MEXC's websocket of perpetuals: JSON both ways. See ``venue.py``."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, cast

from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder, encode

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
from feeds.venues.base import Level, Millis, Payload, Price, Size, SocketPlan, by_venue_id
from feeds.venues.reading import NS_PER_MS, UNREADABLE, gunzip

_METHODS: Mapping[str, Channel] = {
    "depth": Channel.BOOK,
    "deal": Channel.TRADES,
    "fair.price": Channel.MARK,
    "index.price": Channel.MARK,
    "funding.rate": Channel.MARK,
}
METHODS_A_SYMBOL = len(_METHODS)
# Somebody else's subscriptions on the same protocol, which Detour never makes.
_UNASKED = ("push.kline", "push.tickers", "push.depth.", "push.contract", "push.event", "push.fullDepth")
_NAMED = re.compile(r"Contract \[([^\]]{1,64})\]")
_OURS = re.compile(r"frequent|limit|too many|exceed", re.IGNORECASE)

_GZIP = b"\x1f\x8b"
_Rate = Annotated[float, Meta(ge=-10, le=10)]
_Version = Annotated[int, Meta(ge=0, lt=1 << 62)]


class _Frame(Struct, gc=False):
    channel: str
    data: Raw = Raw()
    symbol: str = ""
    ts: Millis = 0


# [price, contracts, number of orders]
SideLevels = Annotated[list[Level], Meta(max_length=20_000)]


class _Depth(Struct, gc=False):
    version: _Version
    asks: SideLevels = []
    bids: SideLevels = []
    begin: _Version | None = None
    end: _Version | None = None
    cts: Millis = 0


class _Deal(Struct, gc=False, rename={"price": "p", "size": "v", "kind": "T", "at_ms": "t", "trade_id": "i"}):
    price: Price
    size: Size
    kind: Literal[1, 2]
    at_ms: Millis = 0
    trade_id: str | int | None = None


class _PriceRow(Struct, gc=False):
    price: Price


class _Funding(Struct, gc=False, rename={"next_ms": "nextSettleTime", "funding_rate": "fundingRate"}):
    rate: _Rate | None = None
    funding_rate: _Rate | None = None
    next_ms: Millis = 0


class _Ticker(Struct, gc=False, rename="camel"):
    fair_price: Price | None = None
    index_price: Price | None = None
    funding_rate: _Rate | None = None


_read_frame = Decoder(_Frame, strict=False).decode
_read_depth = Decoder(_Depth, strict=False).decode
_read_deals = Decoder(list[_Deal] | _Deal, strict=False).decode
_read_price = Decoder(_PriceRow, strict=False).decode
_read_funding = Decoder(_Funding, strict=False).decode
_read_ticker = Decoder(_Ticker, strict=False).decode
_read_text = Decoder(str).decode
_read_ms = Decoder(Millis, strict=False).decode


class LinearSession:
    """One connection to ``/edge``. Acknowledgements name no symbol: they come in the order of the requests."""

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
            # the documents speak of gzip, which nobody has seen since
            frame = _read_frame(gunzip(raw) if raw[:2] == _GZIP else raw)
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

    def _control(self, frame: _Frame) -> Sequence[Event]:
        kind, _, method = frame.channel.partition(".sub.")
        if frame.channel == "pong":
            return (Pong(server_out_ns=(_read_ms(frame.data) or frame.ts) * NS_PER_MS or None),)
        if frame.channel == "rs.error":
            return self._refused(_read_text(frame.data))
        if kind == "rs" and method in _METHODS:
            waiting = self._waiting[method]
            return (Ack(channel=_METHODS[method], symbol=waiting.popleft() if waiting else None),)
        if frame.channel.startswith(("rs.unsub.", *_UNASKED)):
            return ()
        return (Unknown(what=f"channel {frame.channel}"[:96]),)

    def _refused(self, words: str) -> Sequence[Event]:
        """An error names its contract: what was asked first for it, and has no answer yet, is what it refuses."""
        fault = Fault.OUR_LIMIT if _OURS.search(words) else Fault.UNKNOWN
        named = _NAMED.search(words)
        symbol = self._symbols.get(named[1]) if named else None
        if symbol is None:
            return (Refusal(fault=fault, text=words[:200]),)
        method = next((method for method, waiting in self._waiting.items() if symbol in waiting), None)
        if method is not None:
            self._waiting[method].remove(symbol)
        channel = None if method is None else _METHODS[method]
        return (Refusal(channel=channel, symbol=symbol, fault=Fault.BAD_REQUEST, text=words[:200]),)


def _request(method: str, venue_id: str) -> str:
    return encode({"method": method, "param": {"symbol": venue_id}}).decode()


def _delta(symbol: str, frame: _Frame) -> Sequence[Event]:
    """Merged messages cover ``begin`` to ``end``; others are one version."""
    row = _read_depth(frame.data)
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


def _trades(symbol: str, frame: _Frame) -> Sequence[Event]:
    rows = _read_deals(frame.data)
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


def _fair_price(symbol: str, frame: _Frame) -> Sequence[Event]:
    return (Mark(symbol=symbol, mark=_read_price(frame.data).price, gateway_ns=frame.ts * NS_PER_MS or None),)


def _index_price(symbol: str, frame: _Frame) -> Sequence[Event]:
    return (Mark(symbol=symbol, index=_read_price(frame.data).price, gateway_ns=frame.ts * NS_PER_MS or None),)


def _funding(symbol: str, frame: _Frame) -> Sequence[Event]:
    row = _read_funding(frame.data)
    return (
        Mark(
            symbol=symbol,
            funding_rate=row.funding_rate if row.rate is None else row.rate,
            next_funding_ns=row.next_ms * NS_PER_MS or None,
            gateway_ns=frame.ts * NS_PER_MS or None,
        ),
    )


def _ticker(symbol: str, frame: _Frame) -> Sequence[Event]:
    """Not asked for: once a second and without sizes, its best prices are no best-price channel."""
    row = _read_ticker(frame.data)
    return (
        Mark(
            symbol=symbol,
            mark=row.fair_price,
            index=row.index_price,
            funding_rate=row.funding_rate,
            gateway_ns=frame.ts * NS_PER_MS or None,
        ),
    )


_READERS: Mapping[str, Callable[[str, _Frame], Sequence[Event]]] = {
    "push.depth": _delta,
    "push.deal": _trades,
    "push.fair.price": _fair_price,
    "push.index.price": _index_price,
    "push.funding.rate": _funding,
    "push.ticker": _ticker,
}
