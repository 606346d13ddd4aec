"""KuCoin's UTA websockets, simulated.

An unknown symbol is acknowledged and gets no data, here and on the classic websockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, json

from feeds.model import Product
from feeds.sim.twin import (
    ABNORMAL,
    BookImage,
    Change,
    Close,
    Out,
    SimInstrument,
    SimMark,
    SimTrade,
    Top,
    TwinSession,
    World,
)
from feeds.sim.venues.kucoin.books import Increments, Numbers, Row, nanos, obu, trade_type, uta
from feeds.sim.venues.kucoin.rest import PING_MS, PONG_MS, VENUE
from feeds.sim.wire.commands import reader
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, bare, ms
from feeds.sim.wire.limits import FixedLimit

BARE_NS = 60 * S
"""A connection without subscriptions is closed after this."""
MESSAGES, MESSAGES_NS = 300, 10 * S
TOPICS = 600
DEPTH_NS = S // 10
FUNDING_NS = 60 * S
DEPTHS = ("increment@10ms", "increment", "50", "5", "1")
PLAIN = ("trade", "ticker", "mark-price", "funding-fee")
FUTURES_ONLY = ("mark-price", "funding-fee", "funding-fee-all-symbols")
ALL = "funding-fee-all-symbols"


class _Command(Struct, rename={"trade_type": "tradeType"}):
    id: str | int = ""
    action: str = ""
    channel: str = ""
    trade_type: str = ""
    symbol: str = ""
    symbols: list[Any] | None = None
    depth: str = ""
    type: str = ""
    op: str = ""


_read = reader(_Command)


class Books:
    """What all connections share: numbers, the increment channel of each book, encoded frames."""

    def __init__(self) -> None:
        self._numbers: dict[str, Numbers] = {}
        self._increments: dict[str, Increments] = {}
        self.once: EncodeOnce[Any] = EncodeOnce()

    def numbers(self, one: SimInstrument) -> Numbers:
        key = f"{one.route} {one.venue_id}"
        return self._numbers.get(key) or self._numbers.setdefault(key, Numbers(one))

    def increments(self, one: SimInstrument) -> Increments:
        key = f"{one.route} {one.venue_id}"
        return self._increments.get(key) or self._increments.setdefault(key, Increments(one, self.numbers(one)))


class UtaSession(TwinSession):
    """One connection to ``x-push-spot`` or ``x-push-futures``."""

    def __init__(self, world: World, product: Product, books: Books, session_id: str) -> None:
        self._world, self._product, self._books, self._session_id = world, product, books, session_id
        self._feeds: dict[tuple[str, str], int] = {}
        """(channel with depth, symbol) -> when it was last pushed."""
        self._bare_ns = world.now_ns()
        self._ping_ns = 0
        self._messages = FixedLimit(MESSAGES, MESSAGES_NS)

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._bare_ns = now_ns
        hello = {"sessionId": self._session_id, "message": "welcome", "pingInterval": PING_MS, "pingTimeout": PONG_MS}
        return (json.encode(hello),)

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if not self._messages.allows(now_ns):
            return (Close(1008, "too many messages"),)
        command = _read(raw)
        if command is None:
            return (_answer("", False, message="invalid request data"),)
        if "ping" in (command.type, command.op):
            return self._pong(command.id, now_ns)
        match command.action.upper():
            case "SUBSCRIBE":
                return self._subscribe(command, now_ns)
            case "UNSUBSCRIBE":
                for name in command.symbols or [command.symbol]:
                    self._feeds.pop((_key(command), str(name)), None)
                self._bare_ns = now_ns
                return (_answer(command.id, True),)
            case _:
                return (_answer(command.id, False, message="invalid request data"),)

    def _pong(self, ping_id: str | int, now_ns: int) -> Sequence[Out]:
        last, self._ping_ns = self._ping_ns, now_ns
        if now_ns - last < S:
            return (Close(ABNORMAL),)  # at most one push a second
        return (json.encode({"id": str(ping_id), "type": "pong", "ts": now_ns}),)

    def _subscribe(self, command: _Command, now_ns: int) -> Sequence[Out]:
        channel = command.channel
        if channel not in ("obu", ALL, *PLAIN) or (channel == "obu" and command.depth not in DEPTHS):
            return (_answer(command.id, False, message="invalid request data"),)
        futures = self._product != "spot"
        if (channel in FUTURES_ONLY and not futures) or (
            command.trade_type not in (("FUTURES" if futures else "SPOT"), "")
            or (not command.trade_type and channel in PLAIN[:2])
        ):
            return (_answer(command.id, False, message="invalid request data"),)
        if channel == "obu" and command.symbols:
            return (_answer(command.id, False, reason="symbols are not supported for topic obu"),)
        names = [str(name) for name in command.symbols or ([command.symbol] if command.symbol else [])]
        if channel == ALL:
            names = [one.venue_id for one in self._world.instruments(VENUE, self._product)]
        if not names:
            return (_answer(command.id, False, reason=f"missing `symbol` for topic: {channel}"),)
        if len(self._feeds) + len(names) > TOPICS:
            return (_answer(command.id, False, reason="exceed max subscription count limitation of 600 per session"),)
        out: list[Out] = [_answer(command.id, True)]
        for name in names:
            fresh = (_key(command), name) not in self._feeds
            self._feeds[_key(command), name] = now_ns
            one = self._world.find(VENUE, name, self._product)
            if one is not None and fresh:
                out += self._first(one, _key(command))
        return out

    # -- pushed messages

    def _first(self, one: SimInstrument, key: str) -> Sequence[Out]:
        match key:
            case "obu increment@10ms":
                return (self._books.increments(one).snapshot(self._world),)
            case "obu 1" | "obu 5" | "obu 50":
                return (self._depth(one, key.removeprefix("obu ")),)
            case "mark-price":
                return (_mark(one, self._world.mark(one)),)
            case "funding-fee" | "funding-fee-all-symbols":
                return (_funding(one, self._world.mark(one), key),)
            case _:
                return ()

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        if self._has(instrument, "obu increment@10ms"):
            frame = self._books.increments(instrument).change(change)
            if frame is not None:
                out.append(frame)
        if self._has(instrument, "obu increment"):
            before, last = self._books.numbers(instrument).take(change)
            out.append(
                obu(instrument, "increment", "delta", change.gateway_ns, before + 1, last, change.engine_ns,
                    change.bids, change.asks)
            )  # fmt: skip
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        out: list[Out] = []
        if self._has(instrument, "obu 1"):
            image = BookImage(seq=top.seq, bids=(top.bid,), asks=(top.ask,), engine_ns=top.engine_ns)
            out.append(self._books.once.get(("1", instrument.route, instrument.venue_id), top,
                                            lambda: self._image(instrument, "1", image, top.gateway_ns)))  # fmt: skip
        if self._has(instrument, "ticker"):
            trade = self._world.last_trade(instrument)
            data = {
                "s": instrument.venue_id, "a": bare(top.ask[0]), "A": bare(top.ask[1]), "b": bare(top.bid[0]),
                "B": bare(top.bid[1]), "l": bare(trade.price), "q": bare(trade.size), "S": trade.side.upper(),
                "E": self._books.numbers(instrument).at(top.seq), "M": nanos(instrument, top.engine_ns),
            }  # fmt: skip
            out.append(uta(f"ticker.{trade_type(instrument)}", nanos(instrument, top.gateway_ns), data))
        return out

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if not self._has(instrument, "trade"):
            return ()
        number = str(20_000_000_000_000_000)
        return [
            uta(f"trade.{trade_type(instrument)}", nanos(instrument, trade.gateway_ns), {
                "s": instrument.venue_id, "S": trade.side, "p": bare(trade.price), "q": bare(trade.size),
                "ti": str(int(number) + trade.trade_id), "E": str(int(number) + trade.trade_id),
                "M": nanos(instrument, trade.engine_ns),
            })
            for trade in trades
        ]  # fmt: skip

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        out: list[Out] = []
        if self._has(instrument, "mark-price"):
            out.append(_mark(instrument, mark))
        for key in ("funding-fee", ALL):
            told_ns = self._feeds.get((key, instrument.venue_id))
            if told_ns is not None and instrument.product == self._product and mark.gateway_ns - told_ns >= FUNDING_NS:
                self._feeds[key, instrument.venue_id] = mark.gateway_ns
                out.append(_funding(instrument, mark, key))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        if not self._feeds:
            return (Close(ABNORMAL),) if now_ns - self._bare_ns >= BARE_NS else ()
        out: list[Out] = []
        for (key, name), told_ns in self._feeds.items():
            one = self._world.find(VENUE, name, self._product) if key in ("obu 5", "obu 50") else None
            if one is not None and now_ns - told_ns >= DEPTH_NS:
                self._feeds[key, name] = now_ns
                out.append(self._depth(one, key.removeprefix("obu ")))
        return out

    def _has(self, instrument: SimInstrument, key: str) -> bool:
        return instrument.product == self._product and (key, instrument.venue_id) in self._feeds

    def _depth(self, one: SimInstrument, depth: str) -> bytes:
        return self._image(one, depth, self._world.book(one, int(depth)), self._world.now_ns())

    def _image(self, one: SimInstrument, depth: str, image: BookImage, push_ns: int) -> bytes:
        number = self._books.numbers(one).at(image.seq)
        return obu(one, depth, "snapshot", push_ns, number, number, image.engine_ns, image.bids, image.asks)


def _key(command: _Command) -> str:
    return f"obu {command.depth}" if command.channel == "obu" else command.channel


def _answer(command_id: str | int, result: bool, **why: str) -> bytes:
    return json.encode({"id": str(command_id), "result": result, **why})


def _mark(one: SimInstrument, mark: SimMark) -> bytes:
    data: Row = {
        "s": one.venue_id, "mp": bare(mark.mark), "ip": bare(mark.index), "oi": "50541824", "ts": ms(mark.gateway_ns),
    }  # fmt: skip
    return uta("mark-price", str(mark.gateway_ns), data)


def _funding(one: SimInstrument, mark: SimMark, topic: str) -> bytes:
    interval_ms = mark.interval_h * 3_600_000
    next_ms = ms(mark.next_funding_ns)
    data: Row = {
        "s": one.venue_id, "fr": mark.funding_rate, "ft": next_ms - interval_ms, "nt": next_ms, "gl": interval_ms,
        "fc": "0.00375", "ff": "-0.00375",
    }  # fmt: skip
    return uta(topic, str(mark.gateway_ns), data)
