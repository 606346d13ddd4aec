"""BingX's websockets, simulated: spot (``/market``) and perpetuals (``/swap-market``).

Every frame to the client is a gzip member, ``Ping`` too. Candles are not simulated.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from uuid import NAMESPACE_DNS, uuid5

from msgspec import Struct, field, json

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
from feeds.sim.venues.bingx import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, iso, ms, times

PING_NS, PATIENCE_NS = 5 * S, 30 * S + S // 2
MOST_TOPICS = 200
LEVELS: Mapping[Product, int] = {"spot": 1_000, "linear": 1_024}
STALE_NS = 22 * 60 * S
"""Age of the best prices that were once seen right after a subscription."""
FAST = ("BTC", "ETH")
"""Perpetuals pushed every 200 ms. The others are pushed at every second change."""
_IMAGES = re.compile(r"depth(5|10|20|50|100)(?:@(?:100|200|500)ms)?")
_PLAIN: Mapping[Product, frozenset[str]] = {
    "spot": frozenset({"bookTicker", "trade", "lastPrice", "ticker"}),
    "linear": frozenset({"bookTicker", "trade", "lastPrice", "ticker", "markPrice"}),
}


class _Command(Struct):
    id: str = ""
    verb: str = field(name="reqType", default="")
    topic: str = field(name="dataType", default="")
    pong: str = ""


_read = reader(_Command)


class _Incremental:
    """One incremental book: a snapshot, then changes.

    The ids do not show a lost change, so the session does not report one.
    """

    def __init__(self, instrument: SimInstrument) -> None:
        self.instrument = instrument
        self._levels = LEVELS[instrument.product]
        self._window: DepthWindow | None = None
        self._waited = False

    def first(self, image: BookImage) -> rest.Row:
        window = self._window = DepthWindow(image, self._levels)
        return self._row("all", image.seq, image.engine_ns, rest.sides(self.instrument, window.bids(), window.asks()))

    def change(self, change: Change, image: Callable[[], BookImage]) -> rest.Row | None:
        window = self._window
        if window is None or change.seq <= window.seq:
            return None
        if change.seq > window.seq + 1:  # a lost change is in the venue's book and never reaches the client's
            self._window = DepthWindow(image(), self._levels)
            bids, asks = list(change.bids), list(change.asks)
        else:
            window.apply(change)
            slow = self.instrument.product == "linear" and self.instrument.base not in FAST
            self._waited = slow and not self._waited
            if self._waited:
                return None
            bids, asks = window.take_changes()
        levels = {"bids": rest.levels(self.instrument, bids), "asks": rest.levels(self.instrument, asks[::-1])}
        return self._row("update", change.seq, change.engine_ns, levels)

    def _row(self, action: str, seq: int, engine_ns: int, levels: rest.Row) -> rest.Row:
        at = {"time": ms(engine_ns)} if self.instrument.product == "linear" else {}
        return {"action": action, "lastUpdateId": rest.update_id(self.instrument, seq)} | at | levels


class BingxSession(TwinSession):
    """One connection."""

    def __init__(self, world: World, product: Product, once: EncodeOnce[bytes]) -> None:
        self._world, self._product, self._once = world, product, once
        self._books: dict[str, _Incremental] = {}
        self._images: dict[str, tuple[SimInstrument, int]] = {}
        self._plain: dict[str, SimInstrument] = {}
        self._heard_ns = self._pinged_ns = world.now_ns()

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._heard_ns = self._pinged_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if raw == b"Pong":
            self._heard_ns = now_ns
            return ()
        command = _read(raw)
        if command is None:
            return ()  # no answer, as for an array of topics
        if command.pong:
            self._heard_ns = now_ns
            return ()
        # spot clients leave ``reqType`` out
        verb = command.verb or ("sub" if self._product == "spot" else "")
        name, _, kind = command.topic.partition("@")
        one = self._world.find(rest.VENUE, name, self._product)
        images = _IMAGES.fullmatch(kind)
        known = kind == "incrDepth" or images is not None or kind in _PLAIN[self._product]
        if verb not in ("sub", "unsub") or one is None or not known:
            return (self._refusal(command, now_ns),)
        if verb == "unsub":
            for held in (self._books, self._images, self._plain):
                held.pop(command.topic, None)
            return (self._ack(command, now_ns),)
        held_now = {*self._books, *self._images, *self._plain}
        if command.topic not in held_now and len(held_now) >= MOST_TOPICS:
            return (self._answer(command, 80403, f"your topic num over max {MOST_TOPICS}", now_ns),)
        return (self._ack(command, now_ns), *self._first(command.topic, one, kind, images))

    def _first(self, topic: str, one: SimInstrument, kind: str, images: re.Match[str] | None) -> Sequence[Out]:
        """What is pushed right after the acknowledgement."""
        now_ns = self._world.now_ns()
        if kind == "incrDepth":
            book = self._books[topic] = _Incremental(one)
            return (self._push(topic, book.first(self._world.book(one))),)
        if images is not None:
            self._images[topic] = one, int(images[1])
            return (self._image(topic, now_ns),)
        self._plain[topic] = one
        if kind == "bookTicker":
            image = self._world.book(one, 1)
            if image.bids and image.asks:
                old_ns = now_ns - STALE_NS
                old = Top(seq=image.seq, bid=image.bids[0], ask=image.asks[0], engine_ns=old_ns, gateway_ns=now_ns)
                return (self._push(topic, self._best(one, old)),)
        if kind == "trade":
            return (self._push(topic, self._trade_rows(one, [self._world.last_trade(one)])),)
        return ()

    def _ack(self, command: _Command, now_ns: int) -> bytes:
        if self._product == "spot":
            return pack({"code": 0, "id": command.id, "msg": "SUCCESS", "timestamp": ms(now_ns)})
        return self._answer(command, 0, "", now_ns)

    def _refusal(self, command: _Command, now_ns: int) -> bytes:
        if self._product == "spot":
            return pack({"code": 100400, "id": command.id, "msg": "", "timestamp": ms(now_ns)})
        answer = {
            "id": command.id,
            "code": 80015,
            "msg": "dataType not support",
            "dataType": command.topic,
            "data": None,
        }
        return pack(answer)

    def _answer(self, command: _Command, code: int, words: str, now_ns: int) -> bytes:
        return pack({"id": command.id, "code": code, "msg": words, "dataType": "", "data": None})

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for topic, book in self._books.items():
            if book.instrument == instrument:
                row = book.change(change, lambda: self._world.book(instrument))
                if row is not None:
                    out.append(self._push(topic, row))
        out += [self._image(topic, change.gateway_ns) for topic, (one, _) in self._images.items() if one == instrument]
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        return self._shared(instrument, "bookTicker", top, lambda: self._best(instrument, top))

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        out: list[Out] = []
        if instrument.product == "spot":  # one trade a frame
            for trade in trades:
                out += self._shared(instrument, "trade", trade, partial(self._trade_rows, instrument, [trade]))
        else:
            out += self._shared(instrument, "trade", trades, lambda: self._trade_rows(instrument, trades))
        last = {"e": "lastPriceUpdate", "E": ms(trades[-1].gateway_ns), "s": instrument.venue_id}
        return [*out, *self._shared(instrument, "lastPrice", trades, lambda: last | {"c": trades[-1].price})]

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        row = {"e": "markPriceUpdate", "E": ms(mark.gateway_ns), "s": instrument.venue_id, "p": mark.mark}
        return self._shared(instrument, "markPrice", mark, lambda: row)

    def tick(self, now_ns: int) -> Sequence[Out]:
        if now_ns - self._heard_ns >= PATIENCE_NS:
            return (Close(ABNORMAL),)
        tickers = ((topic, one) for topic, one in self._plain.items() if topic.endswith("@ticker"))
        out: list[Out] = [self._push(topic, self._day(one, now_ns)) for topic, one in tickers]
        if now_ns - self._pinged_ns >= PING_NS:
            self._pinged_ns = now_ns
            out.append(self._ping(now_ns))
        return out

    # -- how messages are written

    def _ping(self, now_ns: int) -> bytes:
        if self._product == "linear":
            return gzip.compress(b"Ping", compresslevel=1, mtime=0)
        identity = uuid5(NAMESPACE_DNS, f"bingx.{now_ns}").hex
        return pack({"ping": identity, "time": iso(now_ns, 3).replace("Z", "+0000")})

    def _shared(self, one: SimInstrument, kind: str, event: object, row: Callable[[], object]) -> Sequence[Out]:
        topic = f"{one.venue_id}@{kind}"
        if one.product != self._product or topic not in self._plain:
            return ()
        return (self._once.get((self._product, topic), event, lambda: self._push(topic, row())),)

    def _push(self, topic: str, data: object) -> bytes:
        end = {"success": True} if self._product == "spot" else {}
        return pack({"code": 0, "dataType": topic, "data": data} | end)

    def _image(self, topic: str, sent_ns: int) -> bytes:
        one, most = self._images[topic]
        image = self._world.book(one, most)
        both = rest.sides(one, image.bids, image.asks)
        if self._product == "linear":
            return pack({"code": 0, "dataType": topic, "ts": ms(image.engine_ns), "data": both})
        data = both | {"lastUpdateId": rest.update_id(one, image.seq)}
        return pack({"code": 0, "dataType": topic, "data": data, "success": True, "timestamp": ms(sent_ns)})

    def _best(self, one: SimInstrument, top: Top) -> rest.Row:
        made = {"u": rest.update_id(one, top.seq), "T": ms(top.engine_ns)} if self._product == "linear" else {}
        head = {"e": "bookTicker", "E": ms(top.gateway_ns), "s": one.venue_id}
        return head | made | {"b": top.bid[0], "B": top.bid[1], "a": top.ask[0], "A": top.ask[1]}

    def _trade_rows(self, one: SimInstrument, trades: Sequence[SimTrade]) -> object:
        rows: list[rest.Row] = [
            {"q": t.size, "p": t.price, "T": ms(t.engine_ns), "m": t.side == "sell", "s": one.venue_id} for t in trades
        ]
        if self._product == "linear":
            return rows
        [trade] = trades
        return rows[0] | {"e": "trade", "E": ms(trade.gateway_ns), "t": str(trade.trade_id)}

    def _day(self, one: SimInstrument, now_ns: int) -> rest.Row:
        """The simulated market has no yesterday: the 24 h figures are those of a day with one trade, the last one."""
        trade, image = self._world.last_trade(one), self._world.book(one, 1)
        prices = dict.fromkeys(("c", "h", "l", "o"), trade.price)
        best = dict(zip("BbAa", (*(image.bids or [("0", "0")])[0], *(image.asks or [("0", "0")])[0]), strict=True))
        turnover = {"p": "0", "P": "0", "L": trade.size, "v": trade.size, "q": times(trade.price, trade.size)}
        at = {"E": ms(now_ns), "O": ms(now_ns) - 86_400_000, "C": ms(trade.engine_ns)}
        return {"e": "24hTicker", "s": one.venue_id} | prices | best | turnover | at


def pack(message: object) -> bytes:
    return gzip.compress(json.encode(message), compresslevel=1, mtime=0)
