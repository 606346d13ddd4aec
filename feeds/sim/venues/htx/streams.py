"""HTX's market websockets, simulated: spot (``/ws``, ``/feed``) and swaps (``/linear-swap-ws``, ``/ws_index``).

Every frame to the client is a gzip member, pings too. Candles are not simulated, except those of mark prices.
"""

from __future__ import annotations

import gzip
import re
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from msgspec import Raw, Struct, json

from feeds.model import Product
from feeds.sim.twin import Change, Close, Out, SimInstrument, SimMark, SimTrade, Top, TwinSession, World
from feeds.sim.venues.htx import rest
from feeds.sim.venues.htx.pings import Pings
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, ms
from feeds.sim.wire.limits import SlidingLimit

BEHIND = 3
"""A requested book is this many batches old (measured: 10 to 14 of the 20 deltas before it were newer)."""
REQUESTS_A_SECOND = 23
"""Measured: of 45 requests in one burst, 23 were answered."""
PATIENCE_NS: Mapping[Product, int] = {"spot": 16 * S, "linear": 20 * S}
_BBO, _TRADES, _MARK = "bbo", "trade.detail", "mark_price.1min"
_SUMMARIES = ("detail", "ticker")
_DIFFS = re.compile(r"mbp\.(5|20|150|400)")
_IMAGES = re.compile(r"mbp\.refresh\.(5|10|20)|depth\.step(\d{1,2})")
_HIGH_FREQ = re.compile(r"depth\.size_(20|150)\.high_freq")
KINDS: Mapping[str, re.Pattern[str]] = {
    "/feed": _DIFFS,
    "/ws": re.compile(r"bbo|trade\.detail|detail|ticker|mbp\.refresh\.(?:5|10|20)|depth\.step[0-5]"),
    "/linear-swap-ws": re.compile(rf"bbo|trade\.detail|detail|depth\.step1?[0-9]|{_HIGH_FREQ.pattern}"),
    "/ws_index": re.compile(re.escape(_MARK)),
}
"""What can be subscribed on which path, after ``market.<name>.``"""


class _Command(Struct):
    sub: str = ""
    unsub: str = ""
    req: str = ""
    id: Raw = Raw(b'""')
    data_type: str = "snapshot"
    ping: int | None = None
    pong: int | None = None


_read = reader(_Command)


class _Mbp:
    """A spot book as diffs, and the older book that answers a request for it."""

    def __init__(self, instrument: SimInstrument, levels: int, world: World) -> None:
        self.instrument, self.levels, self._world = instrument, levels, world
        self._start()

    def _start(self) -> None:
        image = self._world.book(self.instrument)
        self._window, self._older = DepthWindow(image, self.levels), DepthWindow(image, self.levels)
        self._ahead: deque[Change] = deque()

    def change(self, change: Change) -> rest.Row | None:
        one, bids, asks = self.instrument, change.bids, change.asks
        if change.seq == self._window.seq + 1:
            self._window.apply(change)
            changed = self._window.take_changes()
            bids, asks = tuple(changed[0]), tuple(changed[1])
            self._ahead.append(change)
            if len(self._ahead) > BEHIND:
                self._older.apply(self._ahead.popleft())
                self._older.take_changes()
        elif change.seq <= self._window.seq:
            return None
        else:
            self._start()  # batches were lost: the client sees it in the numbers
        numbers = {"seqNum": rest.seq_num(one, change.seq), "prevSeqNum": rest.seq_num(one, change.seq - 1)}
        return numbers | {"bids": rest.levels(one, bids), "asks": rest.levels(one, asks)}

    def whole(self) -> rest.Row:
        one, older = self.instrument, self._older
        sides = {"bids": rest.levels(one, older.bids()), "asks": rest.levels(one, older.asks())}
        return {"seqNum": rest.seq_num(one, older.seq)} | sides


class _Incremental:
    """A swap's book: a snapshot and diffs, numbered for this connection only."""

    def __init__(self, instrument: SimInstrument, topic: str, levels: int, version: int) -> None:
        self.instrument, self.topic, self.levels, self.version = instrument, topic, levels, version
        self._window: DepthWindow | None = None

    def first(self, world: World) -> rest.Row:
        image = world.book(self.instrument)
        window = self._window = DepthWindow(image, self.levels)
        sides = {"bids": window.bids(), "asks": window.asks()}
        return self._row("snapshot", image.seq, image.engine_ns, sides)

    def change(self, change: Change) -> rest.Row | None:
        window = self._window
        if window is None or change.seq <= window.seq:
            return None
        self.version += change.seq - window.seq
        window.apply(change)
        bids, asks = window.take_changes()
        return self._row("update", change.seq, change.engine_ns, {"bids": bids, "asks": asks})

    def _row(self, event: str, seq: int, engine_ns: int, sides: Mapping[str, Sequence[Any]]) -> rest.Row:
        mrid = rest.seq_num(self.instrument, seq)
        written = {name: rest.levels(self.instrument, side) for name, side in sides.items()}
        head = {"ch": self.topic, "event": event, "id": mrid, "mrid": mrid, "ts": ms(engine_ns)}
        return written | head | {"version": self.version}


class _Images:
    """Whole books, pushed at a fixed pace."""

    def __init__(self, instrument: SimInstrument, levels: int, pace_ns: int) -> None:
        self.instrument, self.levels, self._pace_ns = instrument, levels, pace_ns
        self._pushed_ns = 0
        self.changed = True

    def due(self, now_ns: int) -> bool:
        """True when a push is due. A book that has not changed is not pushed again."""
        if not self.changed or now_ns - self._pushed_ns < self._pace_ns:
            return False
        self._pushed_ns, self.changed = now_ns, False
        return True


class MarketSession(TwinSession):
    """One connection to market data."""

    def __init__(self, world: World, product: Product, path: str, once: EncodeOnce[bytes], number: int) -> None:
        self._world, self._product, self._kinds, self._once = world, product, KINDS[path], once
        self._mbps: dict[str, _Mbp] = {}
        self._incremental: dict[str, _Incremental] = {}
        self._images: dict[str, _Images] = {}
        self._plain: set[str] = set()
        self._versions = count(1_000_000 + 7_919 * number, 5_000_011)
        self._pings = Pings(world.now_ns(), PATIENCE_NS[product])
        self._requests = SlidingLimit(REQUESTS_A_SECOND, S)

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._pings = Pings(now_ns, PATIENCE_NS[self._product])
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            return (self._error(_Command(), "not json, is not json string"),)
        if command.pong is not None:
            self._pings.answered(command.pong, now_ns)
            return ()
        if command.ping is not None:
            if self._product != "spot":
                return ()  # documented, but measurements got no answer
            self._pings.heard(now_ns)
            return (pack({"pong": command.ping}),)
        if command.unsub:
            return (self._unsubscribe(command),)
        topic = command.sub or command.req
        market, _, rest_of = topic.partition(".")
        name, _, kind = rest_of.partition(".")
        if market != "market" or not self._kinds.fullmatch(kind):
            return (self._error(command, f"invalid topic {topic}"),)
        one = self._world.find(rest.VENUE, name.upper() if self._product == "linear" else name, self._product)
        if one is None:
            return (
                self._error(command, f"invalid {'symbol ' + name if self._product == 'spot' else 'topic ' + topic}"),
            )
        if command.req:
            return (self._requested(command, one, kind, now_ns),)
        return (
            pack(self._head(command) | {"status": "ok", "subbed": topic, "ts": ms(now_ns)}),
            *self._sub(command, one, kind),
        )

    def _sub(self, command: _Command, one: SimInstrument, kind: str) -> Sequence[Out]:
        topic = f"market.{one.venue_id}.{kind}"
        if diffs := _DIFFS.fullmatch(kind):
            self._mbps.setdefault(topic, _Mbp(one, int(diffs[1]), self._world))
            return ()
        high_freq, images = _HIGH_FREQ.fullmatch(kind), _IMAGES.fullmatch(kind)
        if high_freq and command.data_type == "incremental":
            known = self._incremental.get(topic)
            book = known or _Incremental(one, topic, int(high_freq[1]), next(self._versions))
            self._incremental[topic] = book
            return (self._push(topic, self._world.now_ns(), book.first(self._world)),)
        if high_freq or images:
            if high_freq:
                levels, pace_ns = int(high_freq[1]), 0
            elif images and images[1]:
                levels, pace_ns = int(images[1]), S // 10
            else:
                levels = 30 if self._product == "linear" and kind == "depth.step6" else 150
                pace_ns = S if self._product == "spot" else S // 10
            held = self._images[topic] = _Images(one, levels, pace_ns)
            held.due(self._world.now_ns())
            return (self._image(topic, held, self._world.now_ns()),)
        self._plain.add(topic)
        return ()

    def _unsubscribe(self, command: _Command) -> Out:
        market, _, rest_of = command.unsub.partition(".")
        name, _, kind = rest_of.partition(".")
        topic = f"{market}.{name.upper() if self._product == 'linear' else name}.{kind}"
        known = False
        for held in (self._mbps, self._incremental, self._images):
            known = held.pop(topic, None) is not None or known
        if not known and topic not in self._plain:
            return self._error(command, "unsub with not subbed topic")
        self._plain.discard(topic)
        return pack(self._head(command) | {"status": "ok", "unsubbed": command.unsub, "ts": ms(self._world.now_ns())})

    def _requested(self, command: _Command, one: SimInstrument, kind: str, now_ns: int) -> Out:
        if not self._requests.allows(now_ns):
            return self._error(command, f"429 too many request topic is {command.req}")
        diffs = _DIFFS.fullmatch(kind)
        if diffs is None:
            return self._error(command, f"invalid topic {command.req}")
        book = self._mbps.get(command.req) or _Mbp(one, int(diffs[1]), self._world)
        return pack(self._head(command) | {"status": "ok", "ts": ms(now_ns), "rep": command.req, "data": book.whole()})

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        if instrument.product != self._product:
            return out
        for diffs in (self._mbps, self._incremental):
            for topic, book in diffs.items():
                if book.instrument.venue_id == instrument.venue_id and (row := book.change(change)) is not None:
                    out.append(self._push(topic, change.gateway_ns, row))
        for topic, images in self._images.items():
            if images.instrument.venue_id == instrument.venue_id:
                images.changed = True
                if images.due(self._world.now_ns()):
                    out.append(self._image(topic, images, change.gateway_ns))
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        def row() -> rest.Row:
            seq = rest.seq_num(instrument, top.seq)
            (bid, ask), engine_ms = rest.levels(instrument, (top.bid, top.ask)), ms(top.engine_ns)
            if self._product == "spot":
                sides = {"ask": ask[0], "askSize": ask[1], "bid": bid[0], "bidSize": bid[1]}
                return {"seqId": seq} | sides | {"quoteTime": engine_ms, "symbol": instrument.venue_id}
            head = {"mrid": seq, "id": engine_ms // 1000, "bid": bid, "ask": ask, "ts": engine_ms, "version": seq}
            return head | {"ch": f"market.{instrument.venue_id}.{_BBO}"}

        return self._shared(instrument, _BBO, top, top.gateway_ns, row)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        last = trades[-1]

        def row() -> rest.Row:
            head = {"id": rest.seq_num(instrument, last.trade_id), "ts": ms(last.engine_ns)}
            return head | {"data": rest.trade_rows(instrument, trades)}

        return self._shared(instrument, _TRADES, trades, last.gateway_ns, row)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        return self._shared(instrument, _MARK, mark, mark.gateway_ns, lambda: rest.mark_tick(mark))

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        for topic in sorted(self._plain):
            _, name, kind = topic.split(".", 2)
            if kind in _SUMMARIES and (one := self._world.find(rest.VENUE, name, self._product)):
                out.append(self._push(topic, now_ns, rest.flat(one, self._world)))
        out += [self._image(topic, held, now_ns) for topic, held in self._images.items() if held.due(now_ns)]
        due = self._pings.due(now_ns)
        return [*out, due if isinstance(due, Close) else pack({"ping": due})] if due is not None else out

    # -- how messages are written

    def _shared(self, one: SimInstrument, kind: str, event: object, sent_ns: int, row: Any) -> Sequence[Out]:
        topic = f"market.{one.venue_id}.{kind}"
        if one.product != self._product or topic not in self._plain:
            return ()
        return (self._once.get(topic, event, lambda: self._push(topic, sent_ns, row())),)

    def _image(self, topic: str, images: _Images, sent_ns: int) -> bytes:
        return self._push(topic, sent_ns, rest.book_tick(images.instrument, self._world, images.levels))

    def _push(self, topic: str, sent_ns: int, tick: rest.Row) -> bytes:
        return pack({"ch": topic, "ts": ms(sent_ns), "tick": tick})

    def _head(self, command: _Command) -> rest.Row:
        return {"id": command.id} if bytes(command.id) != b'""' else {}

    def _error(self, command: _Command, words: str) -> bytes:
        head = {"status": "error", "ts": ms(self._world.now_ns())} | self._head(command)
        return pack(head | {"err-code": "bad-request", "err-msg": words})


def pack(message: object) -> bytes:
    return gzip.compress(json.encode(message), compresslevel=1, mtime=0)
