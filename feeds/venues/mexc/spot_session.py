"""One connection to MEXC's spot websocket: JSON for control messages, protobuf for data. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import convert
from msgspec.json import encode

from feeds.model import (
    Ack,
    BookDelta,
    Channel,
    Event,
    Fault,
    Garbled,
    Instrument,
    Pong,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.mexc.spot_wire import (
    BestRow,
    DealsRow,
    DepthRow,
    read_answer,
    read_push,
)
from feeds.venues.reading import NS_PER_MS, UNREADABLE
from feeds.venues.retry import RetrySchedule

_TOPICS: Mapping[Channel, str] = {
    Channel.BOOK: "spot@public.aggre.depth.v3.api.pb@10ms@",
    Channel.BBO: "spot@public.aggre.bookTicker.v3.api.pb@10ms@",
    Channel.TRADES: "spot@public.aggre.deals.v3.api.pb@10ms@",
}
_TOPIC = re.compile(r"spot@[^\s,\[\]]{1,200}")
_REFUSED = re.compile(r"Not Subscribed successfully! \[([^\[\]]*)\]")
_OUR_LIMIT = re.compile(r"limit|exceed|too many|frequent", re.IGNORECASE)


class SpotSession:
    """One connection to ``/ws``. One request per symbol: MEXC refuses an unknown name on all channels."""

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        ids = {i.symbol: i.venue_id for i in instruments}
        self._asked: dict[str, tuple[Channel, str]] = {
            _TOPICS[s.channel] + ids[s.symbol]: (s.channel, s.symbol)
            for s in plan.subscriptions
            if s.symbol is not None and s.symbol in ids and s.channel in _TOPICS
        }
        self._retries = RetrySchedule()

    def subscribe(self) -> Sequence[Payload]:
        by_symbol: dict[str, list[str]] = {}
        for topic, (_, symbol) in self._asked.items():
            by_symbol.setdefault(symbol, []).append(topic)
        return [_request("SUBSCRIPTION", topics) for topics in by_symbol.values()]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        topics = [topic for topic, asked in self._asked.items() if asked == (channel, symbol)]
        return [_request(method, topics) for method in ("UNSUBSCRIPTION", "SUBSCRIPTION")] if topics else ()

    def ping(self, token: int) -> Payload | None:
        return '{"method":"PING"}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            events = self._control(raw, received_ns) if raw[:1] == b"{" else self._push(raw)
        except UNREADABLE as error:
            events = self._spaced(raw, received_ns) or (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = self._retries.take_due(received_ns)
            return [*events, *(Reply(payload=_request("SUBSCRIPTION", [topic])) for topic in due)]
        return events

    def _spaced(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        """A JSON message after white space, which is not told from a push by its first byte (a push begins with 10)."""
        text = raw.lstrip()
        try:
            return self._control(text, received_ns) if text[:1] == b"{" and text != raw else ()
        except UNREADABLE:
            return ()

    def _control(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        """``code`` is always 0. The text tells what happened and names the topics."""
        answer_text = read_answer(raw).msg
        if answer_text == "PONG":
            return (Pong(),)
        refused = {topic for found in _REFUSED.finditer(answer_text) for topic in _TOPIC.findall(found[1])}
        events: list[Event] = []
        for topic in _TOPIC.findall(answer_text):
            asked = self._asked.get(topic)
            if asked is None:
                continue
            channel, symbol = asked
            if topic not in refused:
                self._retries.accepted(topic)
                events.append(Ack(channel=channel, symbol=symbol))
                continue
            fault = Fault.OUR_LIMIT if _OUR_LIMIT.search(answer_text) else Fault.BAD_REQUEST
            self._retries.schedule(topic, received_ns)
            events.append(Refusal(channel=channel, symbol=symbol, fault=fault, text=answer_text[-200:]))
        if events or refused or _TOPIC.search(answer_text):  # topics that are not ours: the answer to an unsubscription
            return events
        return (Refusal(text=answer_text[:200]),)

    def _push(self, raw: bytes) -> Sequence[Event]:
        push = read_push(raw)
        kind = push.WhichOneof("body")
        if kind is None:
            return (Unknown(what=f"push {push.channel}"[:96]),)
        symbol = self._symbols.get(push.symbol or push.channel.rpartition("@")[2])
        match kind:
            case _ if symbol is None:
                return (Unknown(what=f"push {push.channel}"[:96]),)
            case "publicAggreDepths":
                return (_delta(symbol, push),)
            case "publicAggreBookTicker":
                return (_quote(symbol, push),)
            case "publicAggreDeals":
                return _trades(symbol, push)
            case _:  # never subscribed
                return ()


def _request(method: str, topics: Sequence[str]) -> str:
    return encode({"method": method, "params": topics}).decode()


def _delta(symbol: str, push: Any) -> BookDelta:
    """``lastOrderCreateTime`` is not used: it is the time of the newest *order*, which can be minutes old while orders
    are only cancelled, and would look like lag inside MEXC. Trades measure that lag."""
    body = push.publicAggreDepths
    bids, asks = ([(level.price, level.quantity) for level in side] for side in (body.bids, body.asks))
    fields = (bids, asks, body.fromVersion, body.toVersion, push.createTime, push.sendTime)
    row = convert(fields, DepthRow, strict=False)
    return BookDelta(
        symbol=symbol,
        bids=row.bids,
        asks=row.asks,
        first_seq=row.first,
        last_seq=row.last,
        engine_ns=row.created_ms * NS_PER_MS or None,
        gateway_ns=row.sent_ms * NS_PER_MS or None,
    )


def _quote(symbol: str, push: Any) -> Quote:
    body = push.publicAggreBookTicker
    parts = (body.bidPrice, body.bidQuantity, body.askPrice, body.askQuantity, body.version)
    row = convert((*(part or None for part in parts), push.createTime, push.sendTime), BestRow, strict=False)
    return Quote(
        symbol=symbol,
        bid=row.bid,
        bid_size=row.bid_size,
        ask=row.ask,
        ask_size=row.ask_size,
        seq=row.version,
        engine_ns=row.created_ms * NS_PER_MS or None,
        gateway_ns=row.sent_ms * NS_PER_MS or None,
    )


def _trades(symbol: str, push: Any) -> Sequence[Event]:
    fields = [(d.price, d.quantity, d.tradeType, d.time, d.tradeId) for d in push.publicAggreDeals.deals]
    row = convert((fields, push.sendTime), DealsRow, strict=False)
    return [
        Trade(
            symbol=symbol,
            price=deal.price,
            size=deal.size,
            side="buy" if deal.kind == 1 else "sell",
            trade_id=deal.trade_id or None,
            engine_ns=deal.at_ms * NS_PER_MS or None,
            gateway_ns=row.sent_ms * NS_PER_MS or None,
        )
        for deal in row.deals
    ]
