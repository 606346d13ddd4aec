"""One connection to KuCoin's UTA push sockets (no token, binary frames of JSON). See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.json import encode

from feeds.model import (
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Instrument,
    Levels,
    Mark,
    Pong,
    Quote,
    Reply,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, Subscription, by_venue_id
from feeds.venues.kucoin.session import Requests, token_of
from feeds.venues.kucoin.uta_wire import UtaFrame, read_uta, read_uta_book, read_uta_funding, read_uta_mark
from feeds.venues.reading import NS_PER_MS, UNREADABLE

BOOK_LEVELS = 500
"""Levels per side of ``increment@10ms``. Levels that drop out of them are removed by message."""
_INCREMENT, _BEST = "increment@10ms", "1"
_MS_PER_HOUR = 3_600_000

_Fields = Mapping[str, str | int]

_REQUESTS: Mapping[Channel, Sequence[_Fields]] = {
    Channel.BOOK: ({"channel": "obu", "depth": _INCREMENT, "rpiFilter": 0},),
    Channel.BBO: ({"channel": "obu", "depth": _BEST, "rpiFilter": 0},),
    Channel.MARK: ({"channel": "mark-price"}, {"channel": "funding-fee"}),
}
"""Requests of each channel. The answer to the first one counts for the channel."""
REQUESTS_A_SYMBOL = sum(map(len, _REQUESTS.values()))

_OUR_LIMIT = re.compile(r"exceed|limit|too many|frequen", re.IGNORECASE)
_WRONG = re.compile(r"invalid|missing|not support|not exist|not found", re.IGNORECASE)


class UtaSession:
    """One connection to ``x-push-spot`` or ``x-push-futures``. Subscribes when the venue has sent its welcome."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._trade_type = "SPOT" if plan.product == "spot" else "FUTURES"
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        ids = {i.symbol: i.venue_id for i in instruments}
        self._fields: dict[str, _Fields] = {}
        self._parts: dict[tuple[Channel, str], list[str]] = {}
        asked: dict[str, tuple[Subscription, bool]] = {}
        for s in plan.subscriptions:
            if s.symbol is None or s.symbol not in ids:
                continue
            for number, fields in enumerate(_REQUESTS.get(s.channel, ())):
                key = f"s{len(asked)}"
                asked[key] = (s, number == 0)
                self._fields[key] = {**fields, "tradeType": self._trade_type, "symbol": ids[s.symbol]}
                self._parts.setdefault((s.channel, s.symbol), []).append(key)
        self._asked = Requests(asked)
        self._readers: Mapping[str, Callable[[UtaFrame], Sequence[Event]]] = {
            f"obu.{self._trade_type}": self._levels,
            "mark-price": self._mark,
            "funding-fee": self._funding,
        }
        self._welcomed = False

    def subscribe(self) -> Sequence[Payload]:
        """Nothing: the venue sends a welcome first."""
        return ()

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        keys = self._parts.get((channel, symbol), ())
        return [
            *(self._request("UNSUBSCRIBE", key) for key in keys),
            *(self._request("SUBSCRIBE", key) for key in keys),
        ]

    def ping(self, token: int) -> Payload | None:
        return f'{{"id":"p{token}","type":"ping"}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_uta(raw)
            if frame.topic is None:
                events = self._control(frame, received_ns)
            else:
                reader = self._readers.get(frame.topic)
                events = _unknown(f"topic {frame.topic}") if reader is None else reader(frame)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        due: Iterable[str] = self._asked.due(received_ns)
        if not self._welcomed:  # any first message counts as the welcome, in case its text changes
            self._welcomed, due = True, self._fields
        return [*events, *(Reply(payload=self._request("SUBSCRIBE", key)) for key in due)] if due else events

    def _request(self, action: str, key: str) -> str:
        name = key if action == "SUBSCRIBE" else f"u{key}"
        return encode({"id": name, "action": action, **self._fields[key]}).decode()

    def _control(self, frame: UtaFrame, received_ns: int) -> Sequence[Event]:
        if frame.type == "pong":
            return (Pong(token=token_of(frame.id), server_out_ns=frame.ts or None),)
        if "welcome" in (frame.message, frame.type):
            return ()
        if frame.result is None:
            return _unknown(f"type {frame.type}")
        if frame.result:
            return self._asked.accepted(frame.id)
        text = frame.reason or frame.message or ""
        fault = Fault.OUR_LIMIT if _OUR_LIMIT.search(text) else Fault.UNKNOWN
        if fault is Fault.UNKNOWN and _WRONG.search(text):
            fault = Fault.BAD_REQUEST
        return self._asked.refused(frame.id, fault, "", text, received_ns)

    def _levels(self, frame: UtaFrame) -> Sequence[Event]:
        row = read_uta_book(frame.data)
        symbol = self._symbols.get(row.venue_id)
        if symbol is None:
            return _unknown(f"symbol {row.venue_id}")
        engine_ns, gateway_ns = row.matched_ns or None, frame.pushed_ns or None
        match frame.depth, frame.kind:
            case "increment@10ms", "delta":
                return (
                    BookDelta(
                        symbol=symbol,
                        bids=row.bids,
                        asks=row.asks,
                        first_seq=row.first,
                        last_seq=row.last,
                        engine_ns=engine_ns,
                        gateway_ns=gateway_ns,
                    ),
                )
            case "increment@10ms", "snapshot":
                return (
                    BookSnapshot(
                        symbol=symbol,
                        bids=row.bids,
                        asks=row.asks,
                        seq=row.last,
                        engine_ns=engine_ns,
                        gateway_ns=gateway_ns,
                        levels_limit=BOOK_LEVELS,
                    ),
                )
            case "1", "snapshot":
                bid, bid_size = _best(row.bids)
                ask, ask_size = _best(row.asks)
                return (
                    Quote(
                        symbol=symbol,
                        bid=bid,
                        bid_size=bid_size,
                        ask=ask,
                        ask_size=ask_size,
                        seq=row.last,
                        engine_ns=engine_ns,
                        gateway_ns=gateway_ns,
                    ),
                )
            case depth, kind:
                return _unknown(f"{kind} of depth {depth}")

    def _mark(self, frame: UtaFrame) -> Sequence[Event]:
        row = read_uta_mark(frame.data)
        symbol = self._symbols.get(row.venue_id)
        if symbol is None:
            return _unknown(f"symbol {row.venue_id}")
        return (Mark(symbol=symbol, mark=row.mark, index=row.index, gateway_ns=frame.pushed_ns or None),)

    def _funding(self, frame: UtaFrame) -> Sequence[Event]:
        row = read_uta_funding(frame.data)
        symbol = self._symbols.get(row.venue_id)
        if symbol is None:
            return _unknown(f"symbol {row.venue_id}")
        return (
            Mark(
                symbol=symbol,
                funding_rate=row.rate,
                next_funding_ns=row.next_ms * NS_PER_MS if row.next_ms else None,
                interval_h=row.interval_ms / _MS_PER_HOUR if row.interval_ms else None,
                gateway_ns=frame.pushed_ns or None,
            ),
        )


def _best(levels: Levels) -> tuple[float, float] | tuple[None, None]:
    return levels[0] if levels else (None, None)


def _unknown(what: str) -> Sequence[Event]:
    return (Unknown(what=what[:96]),)
