"""KuCoin's classic websockets, simulated: topics as text, a welcome message, JSON pings, a token to connect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from feeds.model import Product
from feeds.sim.twin import ABNORMAL, Change, Close, Out, SimInstrument, SimMark, SimTrade, Top, TwinSession, World
from feeds.sim.venues.kucoin.books import Numbers, Row, futures_updates, lots, spot_update, texts
from feeds.sim.venues.kucoin.rest import VENUE
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, bare, ms, text
from feeds.sim.wire.limits import FixedLimit

SILENT_NS = 60 * S
"""A client that sends nothing for this long is cut, also while it gets data."""
MESSAGES, MESSAGES_NS = 100, 10 * S
AT_ONCE, TOPICS = 100, 300
DEPTH_NS = S // 10
FUNDING_NS = 60 * S
_NAMES: Mapping[Product, Sequence[str]] = {
    "spot": (
        "/market/level2", "/market/match", "/market/ticker", "/spotMarket/level1", "/spotMarket/level2Depth5",
        "/spotMarket/level2Depth50",
    ),
    "linear": (
        "/contractMarket/level2", "/contractMarket/execution", "/contractMarket/tickerV2",
        "/contractMarket/level2Depth5", "/contractMarket/level2Depth50", "/contract/instrument",
    ),
}  # fmt: skip


class _Command(Struct):
    id: Raw = Raw(b'""')
    type: str = ""
    topic: str = ""
    response: bool = False


_read = json.Decoder(_Command).decode


class ClassicSession(TwinSession):
    """One connection, opened with a token of its product. ``refusal``: why the token is not accepted."""

    def __init__(
        self,
        world: World,
        product: Product,
        numbers: Callable[[SimInstrument], Numbers],
        once: EncodeOnce[Any],
        connect_id: str,
        refusal: str | None,
    ) -> None:
        self._world, self._product, self._numbers, self._once = world, product, numbers, once
        self._connect_id, self._refusal = connect_id, refusal
        self._topics: dict[str, int] = {}
        """Topic -> when it was last pushed."""
        self._said_ns = world.now_ns()
        self._messages = FixedLimit(MESSAGES, MESSAGES_NS)

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._said_ns = now_ns
        if self._refusal is not None:
            return (_error(self._connect_id, 401, self._refusal), Close(1000, self._refusal))
        return (text({"id": self._connect_id, "type": "welcome"}),)

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        self._said_ns = now_ns
        allowed = self._messages.allows(now_ns)
        try:
            command = _read(raw)
            command_id = json.decode(command.id, type=str | int)
        except (DecodeError, ValidationError, UnicodeDecodeError):
            return (_error("", 400, "bad request"),)
        if not allowed:
            return (_error(command_id, 509, "exceed max permits per second"),)
        match command.type:
            case "ping":
                return (text({"id": str(command_id), "type": "pong", "timestamp": now_ns // 1_000}),)
            case "subscribe":
                return self._subscribe(command, str(command_id), now_ns)
            case "unsubscribe":
                for topic in _topics(command.topic):
                    self._topics.pop(topic, None)
                return (text({"id": str(command_id), "type": "ack"}),) if command.response else ()
            case _:
                return (_error(command_id, 415, "type is not supported"),)

    def _subscribe(self, command: _Command, command_id: str, now_ns: int) -> Sequence[Out]:
        asked = _topics(command.topic)
        if not asked or command.topic.partition(":")[0] not in _NAMES[self._product]:
            return (_error(command_id, 404, "topic does not exist"),)
        if len(asked) > AT_ONCE:
            return (_error(command_id, 509, f"exceed max subscription count limitation of {AT_ONCE} per time"),)
        if len(set(self._topics).union(asked)) > TOPICS:
            return (_error(command_id, 509, f"exceed max subscription count limitation of {TOPICS} per session"),)
        self._topics.update(dict.fromkeys(asked, now_ns))
        out: list[Out] = [text({"id": command_id, "type": "ack"})] if command.response else []
        for topic in asked:
            one = self._world.find(VENUE, topic.partition(":")[2], self._product)
            if one is not None and topic.startswith("/contract/instrument"):
                mark = self._world.mark(one)
                out += (self._price(topic, mark), self._funding(topic, mark))
        return out

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        spot = self._product == "spot"
        topic = self._has(instrument, "/market/level2" if spot else "/contractMarket/level2")
        if topic is None:
            return ()

        def make() -> list[Out]:
            numbers = self._numbers(instrument)
            if spot:
                return [_message(topic, "trade.l2update", spot_update(instrument, change, numbers))]
            rows = futures_updates(change, numbers)
            return [_message(topic, "level2", row, sn=row["sequence"]) for row in rows]

        made: list[Out] = self._once.get(topic, change, make)
        return made

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        if instrument.product != self._product:
            return ()
        out: list[Out] = []
        (bid, ask), number = texts((top.bid, top.ask)), self._numbers(instrument).at(top.seq)
        if (topic := self._has(instrument, "/market/ticker")) is not None:
            trade = self._world.last_trade(instrument)
            row: Row = {
                "bestAsk": ask[0], "bestAskSize": ask[1], "bestBid": bid[0], "bestBidSize": bid[1],
                "price": bare(trade.price), "sequence": str(number), "size": bare(trade.size),
                "time": ms(top.engine_ns),
            }  # fmt: skip
            out.append(_message(topic, "trade.ticker", row))
        if (topic := self._has(instrument, "/spotMarket/level1")) is not None:
            out.append(_message(topic, "level1", {"asks": ask, "bids": bid, "timestamp": ms(top.engine_ns)}))
        if (topic := self._has(instrument, "/contractMarket/tickerV2")) is not None:
            row = {
                "symbol": instrument.venue_id, "sequence": number, "bestBidSize": lots(bid[1]), "bestBidPrice": bid[0],
                "bestAskPrice": ask[0], "bestAskSize": lots(ask[1]), "ts": top.engine_ns,
            }  # fmt: skip
            out.append(_message(topic, "tickerV2", row, sn=number))
        return out

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if (topic := self._has(instrument, "/market/match")) is not None:
            return [_message(topic, "trade.l3match", _spot_match(instrument, trade)) for trade in trades]
        if (topic := self._has(instrument, "/contractMarket/execution")) is not None:
            number = 1_743_000_000_000
            return [
                _message(topic, "match", _contract_match(instrument, trade, number), sn=number + trade.trade_id)
                for trade in trades
            ]
        return ()

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        topic = self._has(instrument, "/contract/instrument")
        if topic is None:
            return ()
        if mark.gateway_ns - self._topics[topic] < FUNDING_NS:
            return (self._price(topic, mark),)
        self._topics[topic] = mark.gateway_ns
        return (self._price(topic, mark), self._funding(topic, mark))

    def tick(self, now_ns: int) -> Sequence[Out]:
        if now_ns - self._said_ns >= SILENT_NS:
            return (Close(ABNORMAL),)
        out: list[Out] = []
        for topic, told_ns in self._topics.items():
            name, _, venue_id = topic.partition(":")
            if "level2Depth" not in name or now_ns - told_ns < DEPTH_NS:
                continue
            one = self._world.find(VENUE, venue_id, self._product)
            if one is not None:
                self._topics[topic] = now_ns
                out.append(self._depth(topic, one, 50 if name.endswith("50") else 5))
        return out

    def _has(self, instrument: SimInstrument, name: str) -> str | None:
        topic = f"{name}:{instrument.venue_id}"
        return topic if instrument.product == self._product and topic in self._topics else None

    def _depth(self, topic: str, one: SimInstrument, levels: int) -> str:
        image = self._world.book(one, levels)
        bids, asks = texts(image.bids), texts(image.asks)
        if self._product == "spot":
            return _message(topic, "level2", {"asks": asks, "bids": bids, "timestamp": ms(image.engine_ns)})
        number = self._numbers(one).at(image.seq)
        row = {
            "bids": [(price, lots(size)) for price, size in bids], "sequence": number,
            "timestamp": ms(image.engine_ns), "ts": ms(image.engine_ns),
            "asks": [(price, lots(size)) for price, size in asks],
        }  # fmt: skip
        return _message(topic, "level2", row, sn=number)

    def _price(self, topic: str, mark: SimMark) -> str:
        row = {
            "markPrice": float(mark.mark), "indexPrice": float(mark.index), "granularity": 1000,
            "timestamp": ms(mark.gateway_ns),
        }  # fmt: skip
        return _message(topic, "mark.index.price", row)

    def _funding(self, topic: str, mark: SimMark) -> str:
        row = {"granularity": 60_000, "fundingRate": float(mark.funding_rate), "timestamp": ms(mark.gateway_ns)}
        return _message(topic, "funding.rate", row)


def _topics(asked: str) -> list[str]:
    """``/market/match:A,B`` -> one topic for each symbol."""
    name, _, symbols = asked.partition(":")
    return [f"{name}:{symbol.strip()}" for symbol in symbols.split(",") if symbol.strip()]


def _message(topic: str, subject: str, data: Row, **more: int) -> str:
    return text({"topic": topic, "type": "message", "subject": subject, **more, "data": data})


def _error(command_id: str | int, code: int, words: str) -> str:
    return text({"id": str(command_id), "type": "error", "code": code, "data": words})


def _spot_match(one: SimInstrument, trade: SimTrade) -> Row:
    return {
        "symbol": one.venue_id, "sequence": str(20_000_000_000 + trade.trade_id), "type": "match",
        "side": trade.side, "price": bare(trade.price), "size": bare(trade.size),
        "tradeId": str(20_000_000_000_000_000 + trade.trade_id), "takerOrderId": f"{2 * trade.trade_id:024x}",
        "makerOrderId": f"{2 * trade.trade_id + 1:024x}", "time": str(trade.engine_ns),
    }  # fmt: skip


def _contract_match(one: SimInstrument, trade: SimTrade, number: int) -> Row:
    return {
        "symbol": one.venue_id, "sequence": number + trade.trade_id, "side": trade.side,
        "size": lots(trade.size), "price": bare(trade.price), "takerOrderId": f"{2 * trade.trade_id:024x}",
        "makerOrderId": f"{2 * trade.trade_id + 1:024x}", "tradeId": str(number + trade.trade_id),
        "ts": trade.engine_ns,
    }  # fmt: skip
