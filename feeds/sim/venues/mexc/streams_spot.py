"""MEXC's spot websocket, simulated: text frames for commands, protobuf frames for data.

The protobuf is written by hand, field by field in the order seen on the wire, so that nothing is shared with the
decoder under test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from feeds.sim.twin import ABNORMAL, Change, Close, Out, SimInstrument, SimTrade, TextLevel, Top, TwinSession, World
from feeds.sim.venues.mexc.rest import VENUE, version
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import S, bare, ms, text
from feeds.sim.wire.limits import FixedLimit

TOPICS = 30
"""Most subscriptions of a connection, counted over its whole life."""
MESSAGES_A_SECOND = 100
UNUSED_NS, SILENT_NS = 30 * S, 60 * S
LIMIT_NS = S // 10
_TOPIC = re.compile(
    r"spot@public\.(?:(aggre\.(?:depth|deals|bookTicker))\.v3\.api\.pb@(10|100)ms@(\w+)"
    r"|(limit\.depth)\.v3\.api\.pb@(\w+)@(5|10|20)"
    r"|(bookTicker\.batch)\.v3\.api\.pb@(\w+))"
)


class _Command(Struct):
    method: str
    params: list[str] = []
    id: int = 0


_read = reader(_Command)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: str | bytes | int) -> bytes:
    """One field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def items(number: int, side: Sequence[TextLevel]) -> bytes:
    return b"".join(field(number, field(1, bare(price)) + field(2, bare(size))) for price, size in side)


class _Topic:
    """One subscription, and what has changed since its last push."""

    def __init__(self, name: str, kind: str, interval_ns: int, instrument: SimInstrument, levels: int) -> None:
        self.name, self.kind, self.interval_ns, self.instrument = name, kind, interval_ns, instrument
        self.levels = levels
        self.pushed_ns = 0
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}
        self.first = self.last = 0
        """First and last batch in ``bids`` and ``asks``. 0: none yet."""
        self.waiting = False
        self.latest: Change | Top | None = None
        self.trades: list[SimTrade] = []

    def due(self, now_ns: int) -> bool:
        return now_ns - self.pushed_ns >= self.interval_ns


class SpotSession(TwinSession):
    """One connection to ``/ws``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._topics: dict[str, _Topic] = {}
        self._counted = 0
        self._newest_ns: dict[str, int] = {}
        """When the newest order of an instrument was made. A change that only removes levels does not move it."""
        self._opened_ns = self._received_ns = world.now_ns()
        self._messages = FixedLimit(MESSAGES_A_SECOND, S)

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._opened_ns = self._received_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if not self._messages.allows(now_ns):
            return (Close(ABNORMAL),)
        self._received_ns = now_ns
        command = _read(raw)
        if command is None:
            return (self._reply(0, "msg format invalid"),)
        match command.method:
            case "PING":
                return (self._reply(command.id, "PONG"),)
            case "SUBSCRIPTION" if command.params:
                return (self._reply(command.id, self._subscribe(command.params)),)
            case "UNSUBSCRIPTION" if command.params:
                for name in command.params:
                    self._topics.pop(name, None)
                return (self._reply(command.id, ",".join(command.params)),)
            case _:
                return (self._reply(command.id, "msg format invalid"),)

    def _subscribe(self, names: Sequence[str]) -> str:
        """A refusal looks like a good answer: ``code`` stays 0 and the text names the topics."""
        good: list[str] = []
        bad: list[str] = []
        for name in names:
            topic = self._topic(name)
            if topic is None or self._counted >= TOPICS:
                bad.append(name)
                continue
            self._counted += 1
            self._topics[name] = topic
            good.append(name)
        if not bad:
            return ",".join(good)
        accepted = f"Subscribed successful! [{','.join(good)}]. " if good else ""
        return f"{accepted}Not Subscribed successfully! [{','.join(bad)}].  Reason： Blocked! "

    def _topic(self, name: str) -> _Topic | None:
        found = _TOPIC.fullmatch(name)
        if found is None:
            return None
        kind = found[1] or found[4] or found[7]
        one = self._world.find(VENUE, found[3] or found[5] or found[8], "spot")
        interval_ns = int(found[2]) * 1_000_000 if found[2] else LIMIT_NS
        return None if one is None else _Topic(name, kind, interval_ns, one, int(found[6] or 0))

    def _reply(self, number: int, words: str) -> str:
        return text({"id": number, "code": 0, "msg": words})

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        name = instrument.venue_id
        if name not in self._newest_ns or any(size != "0" for _, size in (*change.bids, *change.asks)):
            self._newest_ns[name] = change.engine_ns
        for topic in self._of(instrument, "aggre.depth"):
            if topic.waiting and change.seq != topic.last + 1:
                out.append(self._depth(topic))  # a lost batch stays a gap between two messages
            if not topic.waiting:
                topic.first = change.seq
            topic.bids.update(change.bids)
            topic.asks.update(change.asks)
            topic.last, topic.latest, topic.waiting = change.seq, change, True
            if topic.due(change.gateway_ns):
                out.append(self._depth(topic))
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        out: list[Out] = []
        for topic in [*self._of(instrument, "aggre.bookTicker"), *self._of(instrument, "bookTicker.batch")]:
            topic.latest, topic.waiting = top, True
            if topic.due(top.gateway_ns):
                out.append(self._quote(topic, top))
        return out

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        out: list[Out] = []
        for topic in self._of(instrument, "aggre.deals"):
            topic.trades += trades
            topic.waiting = True
            if topic.due(trades[-1].gateway_ns):
                out.append(self._deals(topic))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        if not self._topics and now_ns - self._opened_ns >= UNUSED_NS:
            return (Close(ABNORMAL),)
        told_ns = max((topic.pushed_ns for topic in self._topics.values()), default=0)
        if now_ns - max(told_ns, self._received_ns) >= SILENT_NS:
            return (Close(ABNORMAL),)
        out: list[Out] = []
        for topic in self._topics.values():
            if not topic.due(now_ns):
                continue
            if topic.kind == "limit.depth":
                out.append(self._limit_depth(topic, now_ns))
            elif topic.waiting:
                out.append(self._flush(topic))
        return out

    def _of(self, instrument: SimInstrument, kind: str) -> list[_Topic]:
        return [t for t in self._topics.values() if t.kind == kind and t.instrument.venue_id == instrument.venue_id]

    def _flush(self, topic: _Topic) -> bytes:
        if topic.kind == "aggre.depth":
            return self._depth(topic)
        if topic.kind == "aggre.deals":
            return self._deals(topic)
        assert isinstance(topic.latest, Top)
        return self._quote(topic, topic.latest)

    # -- how messages are written

    def _push(self, topic: _Topic, gateway_ns: int, body: int, content: bytes) -> bytes:
        topic.pushed_ns, topic.waiting = gateway_ns, False
        head = field(1, topic.name) + field(3, topic.instrument.venue_id) + field(6, ms(gateway_ns))
        return head + field(body, content)

    def _depth(self, topic: _Topic) -> bytes:
        """All changes since the last push, as one range of versions."""
        change = topic.latest
        assert isinstance(change, Change)
        one = topic.instrument
        content = items(1, list(topic.asks.items())) + items(2, list(topic.bids.items()))
        content += field(3, topic.name.rpartition("@")[0])
        content += field(4, str(version(one, topic.first - 1) + 1)) + field(5, str(version(one, topic.last)))
        content += field(6, ms(self._newest_ns[one.venue_id]))
        topic.asks.clear()
        topic.bids.clear()
        return self._push(topic, change.gateway_ns, 313, content)

    def _quote(self, topic: _Topic, top: Top) -> bytes:
        prices = b"".join(field(n, bare(part)) for n, part in enumerate((*top.bid, *top.ask), 1))
        number = str(version(topic.instrument, top.seq))
        if topic.kind == "bookTicker.batch":
            content = field(1, prices) + field(2, number) + field(3, ms(top.engine_ns))
            return self._push(topic, top.gateway_ns, 311, content)
        return self._push(topic, top.gateway_ns, 315, prices + field(5, number) + field(6, ms(top.engine_ns)))

    def _deals(self, topic: _Topic) -> bytes:
        trades, topic.trades = topic.trades, []
        content = b"".join(
            field(
                1,
                field(1, bare(trade.price))
                + field(2, bare(trade.size))
                + field(3, 1 if trade.side == "buy" else 2)
                + field(4, ms(trade.engine_ns))
                + field(5, f"{trade.trade_id}X1"),
            )
            for trade in trades
        )
        return self._push(topic, trades[-1].gateway_ns, 314, content + field(2, topic.name.rpartition("@")[0]))

    def _limit_depth(self, topic: _Topic, now_ns: int) -> bytes:
        image = self._world.book(topic.instrument, topic.levels)
        content = items(1, image.asks) + items(2, image.bids) + field(3, "spot@public.limit.depth.v3.api.pb")
        content += field(4, str(version(topic.instrument, image.seq))) + field(5, ms(image.engine_ns))
        return self._push(topic, now_ns, 303, content)
