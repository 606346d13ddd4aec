"""One connection to Bybit v5's public websocket: what to send, and bytes -> events. See ``venue.py``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
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
    Liquidation,
    Mark,
    Pong,
    Quote,
    Refusal,
    Reply,
    Side,
    Trade,
    Unknown,
)
from feeds.venues.base import Payload, SocketPlan, by_venue_id
from feeds.venues.bybit.wire import Frame, read_book, read_frame, read_liquidations, read_ticker, read_trades
from feeds.venues.reading import NS_PER_MS, UNREADABLE, ms_ns, number, rate
from feeds.venues.retry import RetrySchedule

BOOK_LEVELS = 1_000
"""``orderbook.1000``, 200 ms. In a capture of 2026-08 the 200 levels (100 ms) of the ETHUSDT perpetual reached 12 bp
from mid, so 50 levels (20 ms) would not fill the 10 bp band. Best prices have their own faster topic,
``orderbook.1``."""

_NAMES: Mapping[Channel, str] = {
    Channel.BOOK: f"orderbook.{BOOK_LEVELS}",
    Channel.BBO: "orderbook.1",
    Channel.TRADES: "publicTrade",
    Channel.LIQUIDATIONS: "allLiquidation",
    Channel.MARK: "tickers",
}
_DEPTHS = frozenset({"50", "200", "1000"})

_TAKER: Mapping[str, Side] = {"Buy": "buy", "Sell": "sell"}
_CLOSING: Mapping[str, Side] = {"Buy": "sell", "Sell": "buy"}  # a long position is closed by selling

_NAMED = re.compile(r"(?:topic:\s?|\[)([\w.\-]{1,96})")  # linear: ",topic:X", spot: "[X]"

_WRONG = re.compile(r"not found|invalid|exceed|args size", re.IGNORECASE)

_Reader: TypeAlias = "Callable[[_Route, Frame], Sequence[Event]]"


class _Route(Struct, frozen=True):
    """Channel and reader of a topic."""

    reader: _Reader
    channel: Channel
    symbol: str
    levels: int = 0


class _Top(Struct):
    """The last message of the level-1 topic, to recognise repeats and to apply deltas (sent in the past) to."""

    update: int
    bid: tuple[float, float] | None
    ask: tuple[float, float] | None


def topic_of(channel: Channel, venue_id: str) -> str:
    return f"{_NAMES[channel]}.{venue_id}"


class BybitSession:
    """One connection to ``/v5/public/{spot,linear,inverse}``.

    One bad topic fails its whole request. So every symbol has its own request, and one that fails is repeated topic by
    topic.
    """

    def __init__(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> None:
        self._ids = {i.symbol: i.venue_id for i in instruments}
        self._symbols = {name: i.symbol for name, i in by_venue_id(instruments).items()}
        self._wanted: dict[str, list[str]] = {}
        self._routes: dict[str, _Route] = {}
        for channel, symbol in ((s.channel, s.symbol) for s in plan.subscriptions):
            if symbol is not None and symbol in self._ids and channel in _NAMES:
                self._wanted.setdefault(symbol, []).append(topic_of(channel, self._ids[symbol]))
        self._requests = 0
        self._pending: dict[str, tuple[str, ...]] = {}
        self._retries = RetrySchedule()
        self._tops: dict[str, _Top] = {}

    def subscribe(self) -> Sequence[Payload]:
        return [self._request("subscribe", topics) for topics in self._wanted.values()]

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        if symbol not in self._ids or channel not in _NAMES:
            return ()
        if channel is Channel.BBO:
            self._tops.pop(symbol, None)
        topics = (topic_of(channel, self._ids[symbol]),)
        return (self._request("unsubscribe", topics), self._request("subscribe", topics))

    def ping(self, token: int) -> Payload | None:
        return f'{{"req_id":"{token}","op":"ping"}}'

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        try:
            frame = read_frame(raw)
            topic = frame.topic
            if topic is None:
                events = self._control(frame, received_ns)
            else:
                route = self._routes.get(topic) or self._find_route(topic)
                events = route.reader(route, frame) if route is not None else _unused_channel(topic)
        except UNREADABLE as error:
            events = (Garbled(what=str(error)[:200]),)
        if received_ns >= self._retries.due_ns:
            due = self._retries.take_due(received_ns)
            events = [*events, *(Reply(payload=self._request("subscribe", (topic,))) for topic in due)]
        return events

    # requests

    def _request(self, op: str, topics: Sequence[str]) -> str:
        self._requests += 1
        req_id = f"{op[0]}{self._requests}"
        if op == "subscribe":
            self._pending[req_id] = tuple(topics)
        return encode({"req_id": req_id, "op": op, "args": topics}).decode()

    def _find_route(self, topic: str) -> _Route | None:
        """Made when a topic is first seen, and only for topics of our instruments, so their number is bounded."""
        name, _, rest = topic.partition(".")
        depth, _, venue_id = rest.rpartition(".")
        symbol = self._symbols.get(venue_id)
        if symbol is None:
            return None
        match name, depth:
            case "orderbook", "1":
                route = _Route(self._quote, Channel.BBO, symbol)
            case "orderbook", _ if depth in _DEPTHS:
                route = _Route(self._book, Channel.BOOK, symbol, int(depth))
            case "publicTrade", "":
                route = _Route(self._trade, Channel.TRADES, symbol)
            case "allLiquidation", "":
                route = _Route(self._liquidation, Channel.LIQUIDATIONS, symbol)
            case "tickers", "":
                route = _Route(self._ticker, Channel.MARK, symbol)
            case _:
                return None
        self._routes[topic] = route
        return route

    # control messages

    def _control(self, frame: Frame, received_ns: int) -> Sequence[Event]:
        if frame.ret_msg == "pong" or frame.op == "pong":
            token = frame.req_id or ""  # spot does not repeat it
            return (Pong(token=int(token) if token.isdecimal() and len(token) < 19 else None),)
        if frame.op == "unsubscribe":
            return ()
        if frame.success is None:
            return (Unknown(what=f"op {(frame.op or '?')[:64]}"),)
        if frame.op not in ("subscribe", None):
            return (Refusal(text=f"{frame.op[:32]}: {(frame.ret_msg or '')[:160]}"),)
        text = frame.ret_msg or ""
        topics = self._answered(frame.req_id or "", text)
        if frame.success or (len(topics) == 1 and "already subscribed" in text.lower()):
            return [self._accepted(topic) for topic in topics] or (Ack(),)
        return self._refused(topics, text, received_ns)

    def _answered(self, req_id: str, text: str) -> tuple[str, ...]:
        """Topics of the request that this answers: by its id, else by the topic in the text, else the oldest request
        (spot)."""
        if req_id:
            return self._pending.pop(req_id, ())
        named = _NAMED.search(text)
        for key, topics in self._pending.items():
            if named is None or named[1] in topics:
                return self._pending.pop(key)
        return ()

    def _accepted(self, topic: str) -> Event:
        self._retries.accepted(topic)
        route = self._routes.get(topic) or self._find_route(topic)
        return Ack() if route is None else Ack(channel=route.channel, symbol=route.symbol)

    def _refused(self, topics: Sequence[str], text: str, received_ns: int) -> Sequence[Event]:
        if len(topics) > 1:
            return [Reply(payload=self._request("subscribe", (topic,))) for topic in topics]
        route = None
        for topic in topics:
            route = self._routes.get(topic) or self._find_route(topic)
            self._retries.schedule(
                topic, received_ns
            )  # after mass disconnects valid topics are refused for a minute or two
        fault = Fault.BAD_REQUEST if _WRONG.search(text) else Fault.UNKNOWN
        channel, symbol = (None, None) if route is None else (route.channel, route.symbol)
        return (Refusal(channel=channel, symbol=symbol, fault=fault, text=text[:200]),)

    # data

    def _book(self, route: _Route, frame: Frame) -> Sequence[Event]:
        row = read_book(frame.data)
        if frame.type == "delta" and row.update != 1:  # 1: the service has restarted, and this is the whole book
            return (
                BookDelta(
                    symbol=route.symbol,
                    bids=row.bids,
                    asks=row.asks,
                    first_seq=row.update,
                    last_seq=row.update,
                    engine_ns=frame.cts * NS_PER_MS or None,
                    gateway_ns=frame.ts * NS_PER_MS or None,
                ),
            )
        if frame.type not in ("snapshot", "delta"):
            return (Unknown(what=f"book type {(frame.type or '')[:32]}"),)
        return (
            BookSnapshot(
                symbol=route.symbol,
                bids=row.bids,
                asks=row.asks,
                seq=row.update,
                engine_ns=frame.cts * NS_PER_MS or None,
                gateway_ns=frame.ts * NS_PER_MS or None,
                levels_limit=route.levels,
            ),
        )

    def _quote(self, route: _Route, frame: Frame) -> Sequence[Event]:
        """Only snapshots are sent today. The same update id again (after 3 s without change) is a heartbeat."""
        row = read_book(frame.data)
        symbol, last = route.symbol, self._tops.get(route.symbol)
        gateway_ns = frame.ts * NS_PER_MS or None
        if last is not None and last.update == row.update:
            return (Heartbeat(channel=Channel.BBO, symbol=symbol, gateway_ns=gateway_ns),)
        delta = frame.type == "delta" and last is not None
        bid = _best(row.bids, last.bid if delta and last is not None else None)
        ask = _best(row.asks, last.ask if delta and last is not None else None)
        self._tops[symbol] = _Top(row.update, bid, ask)
        return (
            Quote(
                symbol=symbol,
                bid=bid[0] if bid else None,
                bid_size=bid[1] if bid else None,
                ask=ask[0] if ask else None,
                ask_size=ask[1] if ask else None,
                seq=row.cross_seq,
                engine_ns=frame.cts * NS_PER_MS or None,
                gateway_ns=gateway_ns,
            ),
        )

    def _trade(self, route: _Route, frame: Frame) -> Sequence[Event]:
        """Block trades are made outside the book, so their prices are not used; they only show that the channel
        works."""
        gateway_ns = frame.ts * NS_PER_MS or None
        return [
            Trade(
                symbol=route.symbol,
                price=row.price,
                size=row.size,
                side=_TAKER[row.taker],
                trade_id=row.trade_id,
                engine_ns=row.filled_ms * NS_PER_MS or None,
                gateway_ns=gateway_ns,
            )
            for row in read_trades(frame.data)
            if not row.block
        ] or (Heartbeat(channel=Channel.TRADES, symbol=route.symbol, gateway_ns=gateway_ns),)

    def _liquidation(self, route: _Route, frame: Frame) -> Sequence[Event]:
        return [
            Liquidation(
                symbol=route.symbol,
                price=row.price,
                size=row.size,
                side=_CLOSING[row.position],
                engine_ns=row.updated_ms * NS_PER_MS or None,
                gateway_ns=frame.ts * NS_PER_MS or None,
            )
            for row in read_liquidations(frame.data)
        ]

    def _ticker(self, route: _Route, frame: Frame) -> Sequence[Event]:
        row = read_ticker(frame.data)
        gateway_ns = frame.ts * NS_PER_MS or None
        mark = Mark(
            symbol=route.symbol,
            mark=number(row.mark_price),
            index=number(row.index_price),
            funding_rate=rate(row.funding_rate),
            next_funding_ns=ms_ns(row.next_funding_time),
            interval_h=number(row.funding_interval_hour),
            gateway_ns=gateway_ns,
        )
        if mark.mark is mark.index is mark.funding_rate is mark.next_funding_ns is mark.interval_h is None:
            return (Heartbeat(channel=Channel.MARK, symbol=route.symbol, gateway_ns=gateway_ns),)
        return (mark,)


def _best(levels: Levels, before: tuple[float, float] | None) -> tuple[float, float] | None:
    """The best level of one side after a level-1 message. No rows: unchanged; only deletions: none."""
    if not levels:
        return before
    left = [level for level in levels if level[1]]
    return left[-1] if left else None


def _unused_channel(topic: str) -> Sequence[Event]:
    return () if topic.startswith("kline.") else (Unknown(what=f"topic {topic[:96]}"),)
