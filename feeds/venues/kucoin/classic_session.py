"""One connection to KuCoin's classic sockets (behind a token, text frames). See ``venue.py``.

Only trades are subscribed here, yet every market channel of the classic protocol is decoded, because the only captures
of real KuCoin messages are of this protocol.
"""

from __future__ import annotations

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
    Mark,
    Notice,
    Pong,
    Product,
    Quote,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, Subscription, by_venue_id
from feeds.venues.kucoin.classic_wire import (
    ClassicFrame,
    read_classic,
    read_contract,
    read_depth,
    read_futures_update,
    read_level1,
    read_match,
    read_spot_update,
    read_text,
    read_ticker,
)
from feeds.venues.kucoin.session import Requests, token_of
from feeds.venues.reading import NS_PER_MS, UNREADABLE

_NS_PER_US = 1_000
_TRADES: Mapping[Product, str] = {"spot": "/market/match", "linear": "/contractMarket/execution"}
_FAULTS: Mapping[str, Fault] = {
    "400": Fault.BAD_REQUEST,
    "403": Fault.REFUSED,
    "404": Fault.BAD_REQUEST,  # topic does not exist
    "415": Fault.BAD_REQUEST,
    "500": Fault.OVERLOAD,
    "503": Fault.OVERLOAD,
    "509": Fault.OUR_LIMIT,  # too many topics, or messages per second
}
_UNUSED = ("/market/candles", "/contractMarket/candle", "/market/snapshot", "/contractMarket/snapshot", "/spotMarket/level3", "/contractMarket/level3v2", "/contract/announcement")  # fmt: skip  # noqa: E501 - a list of names


class ClassicSession:
    """One connection to the endpoint that came with a token. Subscribes when the venue has sent its welcome."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        ids = {i.symbol: i.venue_id for i in instruments}
        self._topics: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        asked: dict[str, tuple[Subscription, bool]] = {}
        for s in plan.subscriptions:
            if s.channel is Channel.TRADES and s.symbol is not None and s.symbol in ids:
                key = self._keys[s.symbol] = f"s{len(asked)}"
                asked[key] = (s, True)
                self._topics[key] = f"{_TRADES[plan.product]}:{ids[s.symbol]}"
        self._asked = Requests(asked)
        self._welcomed = False

    def subscribe(self) -> Sequence[Payload]:
        """Nothing: the venue sends a welcome first."""
        return ()

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        key = self._keys.get(symbol)
        if key is None or channel is not Channel.TRADES:
            return ()
        return (self._request("unsubscribe", key), self._request("subscribe", key))

    def ping(self, token: int) -> Payload | None:
        return f'{{"id":"p{token}","type":"ping"}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_classic(raw)
            events = self._control(frame, received_ns) if frame.topic is None else self._message(frame, frame.topic)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        due: Iterable[str] = self._asked.due(received_ns)
        if not self._welcomed:
            self._welcomed, due = True, self._topics
        return [*events, *(Reply(payload=self._request("subscribe", key)) for key in due)] if due else events

    def _request(self, action: str, key: str) -> str:
        name = key if action == "subscribe" else f"u{key}"
        fields = {"id": name, "type": action, "topic": self._topics[key], "privateChannel": False, "response": True}
        return encode(fields).decode()

    def _control(self, frame: ClassicFrame, received_ns: int) -> Sequence[Event]:
        match frame.type:
            case "pong":
                return (Pong(token=token_of(frame.id), server_out_ns=frame.timestamp * _NS_PER_US or None),)
            case "ack":
                return self._asked.accepted(frame.id)
            case "welcome":
                return ()
            case "error":
                text = read_text(frame.data) if bytes(frame.data) else ""
                if "token" in text.lower():  # expired after 24 h: only a new connection gets a new token
                    return (Notice(text=text[:200], reconnect_within_s=0.0),)
                fault = _FAULTS.get(str(frame.code), Fault.UNKNOWN)
                return self._asked.refused(frame.id, fault, str(frame.code), text, received_ns)
            case _:
                return (Unknown(what=f"type {frame.type}"[:96]),)

    def _message(self, frame: ClassicFrame, topic: str) -> Sequence[Event]:
        name, _, venue_id = topic.partition(":")
        reader = _READERS.get(name)
        if reader is None:
            return () if name in _UNUSED else (Unknown(what=f"topic {topic}"[:96]),)
        symbol = self._symbols.get(frame.subject if venue_id == "all" else venue_id)
        return (Unknown(what=f"topic {topic}"[:96]),) if symbol is None else reader(symbol, frame)


def _match(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_match(frame.data)
    return (
        Trade(
            symbol=symbol,
            price=row.price,
            size=row.size,
            side=row.side,
            trade_id=row.trade_id,
            engine_ns=row.time or row.ts or None,
        ),
    )


def _spot_update(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_spot_update(frame.data)
    return (
        BookDelta(
            symbol=symbol,
            bids=[(price, size) for price, size, _ in row.changes.bids if price],
            asks=[(price, size) for price, size, _ in row.changes.asks if price],
            first_seq=row.sequence_start,
            last_seq=row.sequence_end,
            engine_ns=row.time * NS_PER_MS or None,
        ),
    )


def _futures_update(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_futures_update(frame.data)
    price_text, side, size_text = row.change.split(",")
    price, size = float(price_text), float(size_text)
    if side not in ("buy", "sell") or not (0 < price < 1e18 and 0 <= size < 1e18):
        raise ValueError("not a change of a level")
    level = [(price, size)]
    return (
        BookDelta(
            symbol=symbol,
            bids=level if side == "buy" else [],
            asks=level if side == "sell" else [],
            first_seq=row.sequence,
            last_seq=row.sequence,
            engine_ns=row.timestamp * NS_PER_MS or None,
        ),
    )


def _depth(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_depth(frame.data)
    levels = 50 if frame.topic is not None and "Depth50" in frame.topic else 5
    return (
        BookSnapshot(
            symbol=symbol,
            bids=row.bids,
            asks=row.asks,
            seq=row.sequence,
            engine_ns=(row.timestamp or row.ts) * NS_PER_MS or None,
            levels_limit=levels,
        ),
    )


def _ticker(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_ticker(frame.data)
    return (
        Quote(
            symbol=symbol,
            bid=row.best_bid or row.best_bid_price,
            bid_size=row.best_bid_size,
            ask=row.best_ask or row.best_ask_price,
            ask_size=row.best_ask_size,
            seq=row.sequence,
            engine_ns=row.ts or row.time * NS_PER_MS or None,
        ),
    )


def _level1(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_level1(frame.data)
    bid, bid_size = row.bids or (None, None)
    ask, ask_size = row.asks or (None, None)
    at_ns = row.timestamp * NS_PER_MS or None
    return (Quote(symbol=symbol, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size, engine_ns=at_ns),)


def _contract(symbol: str, frame: ClassicFrame) -> Sequence[Event]:
    row = read_contract(frame.data)
    return (
        Mark(
            symbol=symbol,
            mark=row.mark_price,
            index=row.index_price,
            funding_rate=row.funding_rate,
            gateway_ns=row.timestamp * NS_PER_MS or None,
        ),
    )


_READERS: Mapping[str, Callable[[str, ClassicFrame], Sequence[Event]]] = {
    "/market/match": _match,
    "/contractMarket/execution": _match,
    "/market/level2": _spot_update,
    "/contractMarket/level2": _futures_update,
    "/spotMarket/level2Depth5": _depth,
    "/spotMarket/level2Depth50": _depth,
    "/contractMarket/level2Depth5": _depth,
    "/contractMarket/level2Depth50": _depth,
    "/market/ticker": _ticker,
    "/spotMarket/level1": _level1,
    "/contractMarket/ticker": _ticker,
    "/contractMarket/tickerV2": _ticker,
    "/contract/instrument": _contract,
}
