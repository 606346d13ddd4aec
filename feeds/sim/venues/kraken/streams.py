"""Kraken's websocket v2 (spot), simulated, and the Unified one: the same messages for derivatives.

What the pages on the Unified websocket add to spot's, nobody has captured; it is left out. A book is pushed with
every change and carries the checksum of the book that the client should have. Levels that leave the subscribed depth
are not deleted by a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from msgspec import Struct

from feeds.model import Product
from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import ABNORMAL, Change, Close, Out, SimInstrument, SimTrade, TextLevel, Top, TwinSession, World
from feeds.sim.venues.kraken import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import iso, text

DEPTHS = (10, 25, 100, 500, 1000)
CHECKED = 10
IDLE_NS = 60_000_000_000
"""A connection without subscriptions is closed after this."""
BEAT_NS = 1_000_000_000
SERVED_NS = 48_000
"""Time between ``time_in`` and ``time_out`` of an answer."""


class _Params(Struct):
    channel: str = ""
    asset_class: str | None = None
    symbol: list[str] = []
    depth: int = 10
    snapshot: bool = True
    event_trigger: str = "trades"


class _Command(Struct):
    method: str
    params: _Params | None = None
    req_id: int | None = None


_read = reader(_Command)


class _Book:
    """One book subscription: the window that its client should have."""

    def __init__(self, one: SimInstrument, depth: int, world: World) -> None:
        self.one, self.depth, self._world = one, depth, world
        image = world.book(one)
        self.engine_ns = image.engine_ns
        self.window = DepthWindow(image, depth)

    def apply(self, change: Change) -> tuple[list[TextLevel], list[TextLevel]] | None:
        """What a batch changed in the window. None: nothing new for this client.

        After a lost batch the client gets only the changes of this one, with the checksum of the true book.
        """
        if change.seq <= self.window.seq:
            return None
        if change.seq != self.window.seq + 1:
            self.window = DepthWindow(self._world.book(self.one), self.depth)
            return list(change.bids), list(change.asks)
        self.window.apply(change)
        bids, asks = self.window.take_changes()
        changed_levels = _without_pushed_out(bids, change.bids), _without_pushed_out(asks, change.asks)
        return changed_levels if any(changed_levels) else None

    def checksum(self) -> int:
        asks, bids = self.window.asks()[:CHECKED], self.window.bids()[:CHECKED]
        return crc32((rest.crc_text(self.one, asks) + rest.crc_text(self.one, bids)).encode())

    def row(self, bids: Sequence[TextLevel], asks: Sequence[TextLevel], at_ns: int, wrong: bool = False) -> rest.Row:
        sides = {"bids": _levels(bids), "asks": _levels(asks)}
        end = {"checksum": self.checksum() ^ wrong, "timestamp": iso(at_ns)}
        return {"symbol": wire_name(self.one), **sides, **end}


def wire_name(one: SimInstrument) -> str:
    """The wire's name: ``BTC/USD``, and ``PF_XBTUSD`` for derivatives."""
    return one.symbol if one.product == "spot" else one.venue_id


class KrakenSession(TwinSession):
    """One connection to ``/v2``, or for derivatives to ``/v2/public``, where every request names its asset class."""

    def __init__(self, world: World, connection_id: int, product: Product = "spot") -> None:
        self._world, self._connection_id, self._product = world, connection_id, product
        self._books: dict[str, _Book] = {}
        self._tickers: dict[str, str] = {}
        """Symbol -> the event that triggers its ticker."""
        self._trades: set[str] = set()
        self._active_ns = self._sent_ns = world.now_ns()

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        return (self._status("online"),)

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        command = _read(raw)
        if command is None:
            return (self._answer(_Command(method=""), {"error": "Malformed request", "success": False}),)
        if command.method == "ping":
            return (self._answer(command, {}),)
        if command.method not in ("subscribe", "unsubscribe") or command.params is None:
            return (self._answer(command, {"error": "Malformed request", "success": False}),)
        if self._product != "spot" and command.params.asset_class != "derivatives":
            return (self._answer(command, {"error": "Asset class not supported", "success": False}),)
        if command.params.channel == "instrument":
            return self._listing(command)
        if command.params.channel not in ("book", "ticker", "trade"):
            return (
                self._answer(command, {"error": f"Channel not supported {command.params.channel}", "success": False}),
            )
        answer = self._subscribe if command.method == "subscribe" else self._unsubscribe
        return [out for symbol in command.params.symbol for out in answer(command, command.params, symbol)]

    def _subscribe(self, command: _Command, params: _Params, symbol: str) -> Sequence[Out]:
        one = next((o for o in self._world.instruments(rest.VENUE, self._product) if wire_name(o) == symbol), None)
        wrong = None
        if one is None:
            wrong = f"Currency pair not supported {symbol}"
        elif params.channel == "book" and params.depth not in DEPTHS:
            wrong = "Subscription depth not supported"
        elif params.event_trigger not in ("trades", "bbo"):
            wrong = "Event trigger not supported"
        elif (params.channel, symbol) in self._subscribed():
            wrong = "Already subscribed"
        if wrong is not None or one is None:
            return (self._answer(command, {"error": wrong, "success": False, "symbol": symbol}),)
        result: rest.Row = {"channel": params.channel, "symbol": symbol, "snapshot": params.snapshot}
        first: list[Out] = []
        match params.channel:
            case "book":
                book = self._books[symbol] = _Book(one, params.depth, self._world)
                result["depth"] = params.depth
                row = book.row(book.window.bids(), book.window.asks(), book.engine_ns)
                first = [self._push("book", "snapshot", [row])]
            case "ticker":
                self._tickers[symbol] = params.event_trigger
                result["event_trigger"] = params.event_trigger
                best = self._world.book(one, 1)
                row = self._ticker(one, best.bids[0], best.asks[0], self._world.now_ns())
                first = [self._push("ticker", "snapshot", [row])]
            case _:
                self._trades.add(symbol)
                first = [self._push("trade", "snapshot", [_trade(one, self._world.last_trade(one))])]
        done = self._answer(command, {"result": result, "success": True})
        return (done, *first) if params.snapshot else (done,)

    def _listing(self, command: _Command) -> Sequence[Out]:
        """All instruments, once. The list never changes here."""
        done = self._answer(command, {"result": {"channel": "instrument", "snapshot": True}, "success": True})
        pairs = [_pair(one) for one in self._world.instruments(rest.VENUE, self._product)]
        data = {"assets": [], "pairs": pairs}
        return (done, text({"channel": "instrument", "type": "snapshot", "data": data}))

    def _subscribed(self) -> set[tuple[str, str]]:
        names = (("book", self._books), ("ticker", self._tickers), ("trade", self._trades))
        return {(channel, symbol) for channel, symbols in names for symbol in symbols}

    def _unsubscribe(self, command: _Command, params: _Params, symbol: str) -> Sequence[Out]:
        match params.channel:
            case "book":
                known = self._books.pop(symbol, None) is not None
            case "ticker":
                known = self._tickers.pop(symbol, None) is not None
            case _:
                known = symbol in self._trades
                self._trades.discard(symbol)
        if not known:
            return (self._answer(command, {"error": "Subscription Not Found", "success": False, "symbol": symbol}),)
        return (self._answer(command, {"result": {"channel": params.channel, "symbol": symbol}, "success": True}),)

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        book = self._books.get(wire_name(instrument)) if instrument.product == self._product else None
        changed_levels = None if book is None else book.apply(change)
        if book is None or changed_levels is None:
            return ()
        return (self._push("book", "update", [book.row(*changed_levels, change.engine_ns, change.wrong_checksum)]),)

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        if instrument.product != self._product or self._tickers.get(wire_name(instrument)) != "bbo":
            return ()
        return (self._push("ticker", "update", [self._ticker(instrument, top.bid, top.ask, top.engine_ns)]),)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        out: list[Out] = []
        if instrument.product != self._product:
            return out
        if wire_name(instrument) in self._trades:
            out.append(self._push("trade", "update", [_trade(instrument, trade) for trade in trades]))
        if self._tickers.get(wire_name(instrument)) == "trades":
            best = self._world.book(instrument, 1)
            row = self._ticker(instrument, best.bids[0], best.asks[0], trades[-1].engine_ns)
            out.append(self._push("ticker", "update", [row]))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        """A heartbeat when nothing else was sent for a second, once anything is subscribed."""
        if not (self._books or self._tickers or self._trades):
            return (Close(ABNORMAL),) if now_ns - self._active_ns >= IDLE_NS else ()
        if now_ns - self._sent_ns < BEAT_NS:
            return ()
        self._sent_ns = now_ns
        return (text({"channel": "heartbeat"}),)

    def farewell(self, planned: bool) -> Sequence[Out]:
        return (self._status("maintenance"), Close(1001, "going away")) if planned else (Close(ABNORMAL),)

    # -- how messages are written

    def _status(self, system: str) -> str:
        about = {"version": "2.0.10", "system": system, "api_version": "v2", "connection_id": self._connection_id}
        return text({"channel": "status", "type": "update", "data": [about]})

    def _push(self, channel: str, kind: str, rows: Sequence[rest.Row]) -> str:
        self._sent_ns = self._world.now_ns()
        return text({"channel": channel, "type": kind, "data": rows})

    def _answer(self, command: _Command, body: Mapping[str, Any]) -> str:
        now_ns = self._world.now_ns()
        method = {"ping": "pong"}.get(command.method, command.method)
        message = {"method": method, **body, "time_in": iso(now_ns), "time_out": iso(now_ns + SERVED_NS)}
        return text(message if command.req_id is None else message | {"req_id": command.req_id})

    def _ticker(self, one: SimInstrument, bid: TextLevel, ask: TextLevel, at_ns: int) -> rest.Row:
        last = rest.number(self._world.last_trade(one).price)
        best = {"bid": rest.number(bid[0]), "bid_qty": rest.number(bid[1])}
        best |= {"ask": rest.number(ask[0]), "ask_qty": rest.number(ask[1])}
        day = {"last": last, "volume": rest.VOLUME, "vwap": last, "low": last, "high": last}
        return {"symbol": wire_name(one), **best, **day, "change": 0, "change_pct": 0, "timestamp": iso(at_ns)}


def _without_pushed_out(in_window: list[TextLevel], changed: Sequence[TextLevel]) -> list[TextLevel]:
    """Drops removals of levels that only left the window: only levels that are really gone are removed by a message."""
    gone = {price for price, size in changed if size == "0"}
    return [level for level in in_window if level[1] != "0" or level[0] in gone]


def _levels(levels: Sequence[TextLevel]) -> list[rest.Row]:
    return [{"price": rest.number(price), "qty": rest.number(size)} for price, size in levels]


def _trade(one: SimInstrument, trade: SimTrade) -> rest.Row:
    return {
        "symbol": wire_name(one), "side": trade.side, "price": rest.number(trade.price), "qty": rest.number(trade.size),
        "ord_type": "limit", "trade_id": trade.trade_id, "timestamp": iso(trade.engine_ns),
    }  # fmt: skip


def _pair(one: SimInstrument) -> rest.Row:
    """A row of the ``instrument`` channel, as spot's page has it."""
    return {
        "symbol": wire_name(one), "base": one.base, "quote": one.quote, "status": "online", "marginable": False,
        "has_index": True, "qty_precision": decimals_of(one.lot), "qty_increment": rest.number(one.lot),
        "price_precision": decimals_of(one.tick), "price_increment": rest.number(one.tick),
        "cost_precision": 5, "cost_min": 0.5, "qty_min": rest.number(one.min_size),
    }  # fmt: skip
