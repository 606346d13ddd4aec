"""Bybit's public websockets, simulated: one for each category, one for the system status.

Spot and linear differ: in ``ret_msg``, in the order of keys, and in the fields of a ticker. Linear sends data before
the acknowledgement, spot after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from feeds.sim.twin import (
    ABNORMAL,
    Change,
    Close,
    Out,
    SimInstrument,
    SimLiquidation,
    SimMark,
    SimTrade,
    Top,
    TwinSession,
    World,
)
from feeds.sim.venues.bybit import rest
from feeds.sim.venues.bybit.books import PUSH_NS, DepthTopic
from feeds.sim.wire.best import top_of
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import S, ms, text

SPOT_ARGS = 10
ARGS_CHARACTERS = 21_000
REPEAT_NS = 3 * S
TICKER_NS: Mapping[str, int] = {"spot": S // 20, "linear": S // 10, "inverse": S // 10}
IDLE_NS = 600 * S
STATUS_TOPIC = "system.status"
TRADES_A_MESSAGE = 1024


Depths: TypeAlias = dict[tuple[SimInstrument, str], DepthTopic]
"""Depth topics by instrument and depth. All connections share them."""


class _Command(Struct):
    op: str = ""
    args: list[Any] | None = None
    req_id: str | int | None = None
    """Clients may send a number; the answer carries text."""


_read = reader(_Command)


class _Feed:
    """One subscribed topic: what its client has, and when it was last pushed."""

    def __init__(self, topic: str, instrument: SimInstrument | None) -> None:
        self.topic, self.instrument = topic, instrument
        self.kind = topic.rpartition(".")[0] if instrument is not None else topic
        self.depth: DepthTopic | None = None
        self.number = 0
        """``u`` of the last message of the depth topic that this client got."""
        self.pushed_ns = 0
        self.top: Top | None = None
        self.ticker: rest.Row = {}
        self.sent: list[rest.Row] = []


class BybitSession(TwinSession):
    """One connection to ``/v5/public/{category}`` or ``/v5/public/misc/status``."""

    def __init__(self, world: World, category: str, conn_id: str, depths: Depths) -> None:
        self._world, self._category, self._conn_id = world, category, conn_id
        self._depths = depths
        self._spot = category == "spot"
        self._feeds: dict[str, _Feed] = {}
        self._args_length = 0
        self._active_ns = world.now_ns()
        self._tops: dict[str, Top] = {}
        self._last: dict[str, SimTrade] = {}
        self._marks: dict[str, SimMark] = {}
        self._direction: dict[str, str] = {}
        self._seqs: dict[str, int] = {}

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        command = _read(raw)
        if command is None:
            start = raw[:1].decode("utf-8", "replace")
            words = f"Failed to decode incoming data:readObjectStart: expect {{ or n, but found {start}"
            return (self._reply("", False, words, None),)
        req_id = None if command.req_id is None else str(command.req_id)
        match command.op:
            case "ping":
                return (self._pong(req_id),)
            case "subscribe":
                return self._subscribe(command, req_id)
            case "unsubscribe":
                for topic in command.args or ():
                    self._feeds.pop(str(topic), None)
                return (self._reply(command.op, True, "unsubscribe" if self._spot else "", req_id),)
            case _:
                return (self._reply(command.op, False, "error:invalid op", req_id),)

    def _subscribe(self, command: _Command, req_id: str | None) -> Sequence[Out]:
        """All topics or none: one unknown topic refuses the whole request."""
        topics = [str(topic) for topic in command.args or ()]
        refusal = self._refusal(topics)
        if refusal is not None:
            return (self._reply(command.op, False, refusal, req_id),)
        self._args_length += sum(map(len, topics))
        data: list[Out] = []
        for topic in dict.fromkeys(topics):
            feed = _Feed(topic, self._instrument(topic))
            self._feeds[topic] = feed
            data += self._first(feed)
        words = "subscribe" if self._spot else ""
        acknowledged = self._reply(command.op, True, words, req_id)
        return (acknowledged, *data) if self._spot else (*data, acknowledged)

    def _refusal(self, topics: Sequence[str]) -> str | None:
        if self._spot and len(topics) > SPOT_ARGS:
            return "args size >10"
        if self._args_length + sum(map(len, topics)) > ARGS_CHARACTERS:
            return "error:args length exceeds 21000 characters"
        if not topics:
            return "error:request args is empty"
        for topic in topics:
            if not self._exists(topic):
                return f"Invalid symbol :[{topic}]" if self._spot else f"error:handler not found,topic:{topic}"
            if topic in self._feeds:
                return f"error:already subscribed,topic:{topic}"
        return None

    def _exists(self, topic: str) -> bool:
        if self._category == "misc/status":
            return topic == STATUS_TOPIC
        if self._instrument(topic) is None:
            return False
        match topic.split("."):
            case ["orderbook", depth, _]:
                return depth == "1" or depth in PUSH_NS
            case ["publicTrade" | "tickers", _]:
                return True
            case ["allLiquidation", _]:
                return not self._spot
            case _:
                return False

    def _instrument(self, topic: str) -> SimInstrument | None:
        product = rest.CATEGORIES.get(self._category)
        return None if product is None else self._world.find(rest.VENUE, topic.rpartition(".")[2], product)

    # -- pushed messages

    def _first(self, feed: _Feed) -> Iterable[Out]:
        """What a new subscription gets at once. Trades and liquidations begin with the next one."""
        one = feed.instrument
        if one is None:
            return self._status(feed)
        if feed.kind == "tickers":
            return self._ticker(feed, "snapshot")
        if feed.kind == "orderbook.1":
            top = top_of(one, self._world)
            return () if top is None else self._bbo(feed, top)
        if feed.kind.startswith("orderbook."):
            name = feed.kind.removeprefix("orderbook.")
            depth = feed.depth = self._depths.setdefault((one, name), DepthTopic(one, name))
            snapshot = depth.snapshot(self._world)
            feed.number = depth.number
            return (snapshot,)
        return ()

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        if not self._ours(instrument):
            return ()
        self._seqs[instrument.venue_id] = change.seq
        out: list[Out] = []
        for name in PUSH_NS:
            feed = self._feed(instrument, f"orderbook.{name}")
            if feed is not None and feed.depth is not None:
                feed.depth.change(change)
                out += self._depth(feed, feed.depth)
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        known = self._tops.get(instrument.venue_id)
        if not self._ours(instrument) or (known is not None and top.seq < known.seq):
            return ()
        self._tops[instrument.venue_id] = top
        feed = self._feed(instrument, "orderbook.1")
        return [*(self._bbo(feed, top) if feed is not None else ()), *self._tickers(instrument)]

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if not self._ours(instrument):
            return ()
        out: list[Out] = []
        feed = self._feed(instrument, "publicTrade")
        seq = rest.cross_seq(instrument, self._seq(instrument))
        for start in range(0, len(trades), TRADES_A_MESSAGE):
            batch = trades[start : start + TRADES_A_MESSAGE]
            rows = [self._trade(instrument, trade, seq) for trade in batch]
            if feed is not None:
                out.append(self._message(feed, "snapshot", batch[-1].gateway_ns, rows))
        return [*out, *self._tickers(instrument)]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        """``S`` is the side of the position: ``Buy`` means that a long was closed."""
        feed = self._feed(instrument, "allLiquidation")
        if feed is None:
            return ()
        row = {
            "T": ms(liquidation.engine_ns), "s": instrument.venue_id,
            "S": "Buy" if liquidation.side == "sell" else "Sell", "v": rest.size(instrument, liquidation.size),
            "p": rest.price(instrument, liquidation.price),
        }  # fmt: skip
        return (self._message(feed, "snapshot", liquidation.gateway_ns, [row]),)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        if not self._ours(instrument):
            return ()
        self._marks[instrument.venue_id] = mark
        return self._tickers(instrument)

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        for feed in list(self._feeds.values()):
            if feed.kind == "orderbook.1":
                out += self._again(feed, now_ns)
            elif feed.kind == "tickers" and feed.instrument is not None:
                out += self._tickers(feed.instrument)
            elif feed.instrument is None:
                out += self._status(feed)
            elif feed.depth is not None:
                feed.depth.push(now_ns)
                out += self._depth(feed, feed.depth)
        if out:
            self._active_ns = now_ns
        elif now_ns - self._active_ns >= IDLE_NS:
            return (Close(ABNORMAL),)
        return out

    # -- how messages are written

    def _ours(self, instrument: SimInstrument) -> bool:
        return instrument.product == rest.CATEGORIES.get(self._category)

    def _seq(self, instrument: SimInstrument) -> int:
        """The batch number of the book."""
        name = instrument.venue_id
        if name not in self._seqs:
            self._seqs[name] = self._world.book(instrument, 1).seq
        return self._seqs[name]

    def _feed(self, instrument: SimInstrument, kind: str) -> _Feed | None:
        return self._feeds.get(f"{kind}.{instrument.venue_id}") if self._ours(instrument) else None

    def _depth(self, feed: _Feed, depth: DepthTopic) -> list[Out]:
        messages = list(depth.after(feed.number))
        feed.number = depth.number
        if messages:
            self._active_ns = self._world.now_ns()
        return list(messages)

    def _message(self, feed: _Feed, kind: str, push_ns: int, data: object, tail: rest.Row | None = None) -> str:
        self._active_ns = feed.pushed_ns = self._world.now_ns()
        return text(rest.head(self._spot, feed.topic, kind, push_ns) | {"data": data} | (tail or {}))

    def _bbo(self, feed: _Feed, top: Top, at_ns: int | None = None) -> list[Out]:
        one = feed.instrument
        if one is None:
            return []
        feed.top = top
        data = {
            "s": one.venue_id, "b": rest.levels(one, (top.bid,)), "a": rest.levels(one, (top.ask,)),
            "u": rest.update_id(one, top.seq), "seq": rest.cross_seq(one, top.seq),
        }  # fmt: skip
        push_ns = top.gateway_ns if at_ns is None else at_ns
        return [self._message(feed, "snapshot", push_ns, data, {"cts": ms(top.engine_ns)})]

    def _again(self, feed: _Feed, now_ns: int) -> list[Out]:
        """Best prices that have not changed for three seconds are sent again, unless a fault lost the last change of
        them."""
        top, one = feed.top, feed.instrument
        if top is None or one is None or now_ns - feed.pushed_ns < REPEAT_NS:
            return []
        now = top_of(one, self._world)
        same = now is not None and (now.bid, now.ask) == (top.bid, top.ask)
        return self._bbo(feed, top, now_ns) if same else []

    def _trade(self, one: SimInstrument, trade: SimTrade, seq: int) -> rest.Row:
        before = self._last.get(one.venue_id)
        if before is None or float(trade.price) == float(before.price):
            direction = "Zero" + self._direction.get(one.venue_id, "PlusTick")
        else:
            direction = "PlusTick" if float(trade.price) > float(before.price) else "MinusTick"
        self._last[one.venue_id], self._direction[one.venue_id] = trade, direction.removeprefix("Zero")
        named = {"i": rest.trade_id(one, trade)}
        at, side = {"T": ms(trade.engine_ns)}, {"S": trade.side.capitalize()}
        amount, paid = {"v": rest.size(one, trade.size)}, {"p": rest.price(one, trade.price)}
        flags, symbol = {"BT": False, "RPI": False}, {"s": one.venue_id}
        if self._spot:
            return named | at | paid | amount | side | {"seq": seq} | symbol | flags
        return at | symbol | side | amount | paid | {"L": direction} | named | flags | {"seq": seq}

    def _tickers(self, instrument: SimInstrument) -> list[Out]:
        feed = self._feed(instrument, "tickers")
        if feed is None or self._world.now_ns() - feed.pushed_ns < TICKER_NS[self._category]:
            return []
        return self._ticker(feed, "delta")

    def _ticker(self, feed: _Feed, kind: str) -> list[Out]:
        """Linear: all fields once, then only changed ones. Spot: all fields, whenever one changed."""
        one = feed.instrument
        if one is None:
            return []
        name = one.venue_id
        trade = self._last.get(name) or self._world.last_trade(one)
        top = self._tops.get(name) or top_of(one, self._world)
        if self._spot:
            row = rest.spot_ticker(one, trade)
        else:
            mark = self._marks.get(name) or self._world.mark(one)
            row = rest.linear_ticker(one, top, trade, mark) | {"tickDirection": self._direction.get(name, "PlusTick")}
        changed = {key: value for key, value in row.items() if feed.ticker.get(key) != value}
        if not changed:
            return []
        feed.ticker = row
        now_ns = self._world.now_ns()
        self._active_ns = feed.pushed_ns = now_ns
        cross, at = {"cs": rest.cross_seq(one, self._seq(one))}, {"ts": ms(now_ns)}
        if self._spot:
            return [text({"topic": feed.topic} | at | {"type": "snapshot"} | cross | {"data": row})]
        data = row if kind == "snapshot" else {"symbol": name} | changed
        return [text({"topic": feed.topic, "type": kind, "data": data} | cross | at)]

    def _status(self, feed: _Feed) -> list[Out]:
        rows = rest.status_rows(self._world.notices(rest.VENUE))
        fresh = [row for row in rows if row not in feed.sent]
        feed.sent = rows
        now_ns = self._world.now_ns()
        return [text({"topic": STATUS_TOPIC, "ts": ms(now_ns), "data": fresh})] if fresh else []

    def _pong(self, req_id: str | None) -> str:
        """Spot does not echo ``req_id``. Linear does, as "" when none was sent."""
        head = {"success": True, "ret_msg": "pong", "conn_id": self._conn_id}
        return text(head | ({} if self._spot else {"req_id": req_id or ""}) | {"op": "ping"})

    def _reply(self, op: str, success: bool, words: str, req_id: str | None) -> str:
        head = {"success": success, "ret_msg": words, "conn_id": self._conn_id}
        named = {} if self._spot and req_id is None else {"req_id": req_id or ""}
        return text(head | named | {"op": op})
