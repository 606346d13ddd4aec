"""Gate's websockets, simulated: one for spot, one for USDT perpetuals.

All book channels push at the pace of ``obu`` with 400 levels, also those that are faster at Gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from zlib import crc32

from msgspec import Struct

from feeds.model import Product
from feeds.sim.twin import (
    ABNORMAL,
    Change,
    Close,
    Out,
    SimInstrument,
    SimLiquidation,
    SimMark,
    SimTrade,
    TextLevel,
    Top,
    TwinSession,
    World,
)
from feeds.sim.venues.gate import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, bare, ms, text

IDLE_NS = 30_500_000_000
OBU_LEVELS = ("50", "400")
UPDATE_LEVELS: Mapping[str, str] = {"20ms": "20", "100ms": "100"}
"""Levels of ``order_book_update`` by interval, when the request names none. 20 ms has only these."""
LIQUIDATIONS_A_MESSAGE = 20
PLAIN: Mapping[str, tuple[str, ...]] = {
    "spot": ("book_ticker", "trades", "tickers"),
    "futures": ("book_ticker", "trades", "tickers", "public_liquidates"),
}
"""Channels whose payload is a list of names."""
ALL = "!all"


class _Command(Struct):
    time: int
    channel: str
    event: str = ""
    id: int | None = None
    payload: list[str] | None = None


_read = reader(_Command)


class _RefusedError(Exception):
    """Error code 2: a wrong argument."""


class _Book:
    """One book subscription: what its client has, and the first id that it has not been sent."""

    def __init__(self, instrument: SimInstrument, name: str, levels: str, world: World) -> None:
        self.instrument, self.name, self.levels = instrument, name, levels
        self.image = world.book(instrument)
        self.window = DepthWindow(self.image, int(levels))
        self._since = 0

    def apply(self, change: Change) -> tuple[int, int, list[TextLevel], list[TextLevel]] | None:
        """(U, u, bids, asks) of a batch, None for one that it already has. A lost batch leaves a gap in the ids."""
        lost = change.seq != self.window.seq + 1
        if not self.window.apply(change):
            return None
        if lost or not self._since:
            self._since = change.seq
        bids, asks = self.window.take_changes()
        one = self.instrument
        return rest.update_id(one, self._since - 1) + 1, rest.update_id(one, change.seq), bids, asks

    def mark_pushed(self) -> None:
        self._since = 0


class GateSession(TwinSession):
    """One connection to ``/ws/v4/`` (spot) or ``/v4/ws/usdt`` (futures)."""

    def __init__(self, world: World, product: Product, conn_id: str) -> None:
        self._world, self._product, self._conn_id = world, product, conn_id
        self._kind = "spot" if product == "spot" else "futures"
        self._decimals = False
        self._books: dict[tuple[str, str], _Book | None] = {}
        """By channel and name. None: ``obu`` of an unknown name, which is acknowledged and gets no data."""
        self._names: dict[str, set[str]] = {channel: set() for channel in PLAIN[self._kind]}
        self._closed_out: list[rest.Row] = []
        self._last: dict[str, SimTrade] = {}
        self._active_ns = world.now_ns()
        self._traces = count(1)

    # -- messages from the client

    def handshake(self, headers: Mapping[str, str]) -> None:
        self._decimals = headers.get(rest.DECIMALS) == "1"

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        self._active_ns = now_ns
        command = _read(raw)
        if command is None:
            return (self._reply(_Command(time=0, channel=""), (1, "invalid argument struct")),)
        kind, _, channel = command.channel.partition(".")
        if kind == self._kind and channel == "ping":
            head = self._head(now_ns) | {"channel": f"{kind}.pong", "event": "", "error": None, "result": None}
            return (text(head),)
        if command.event not in ("subscribe", "unsubscribe"):
            return (self._reply(command, (1, f"unknown event {command.event}")),)
        try:
            if kind != self._kind:
                raise _RefusedError(f"unknown channel {command.channel}")
            answer = self._subscribe if command.event == "subscribe" else self._unsubscribe
            first = answer(channel, command.payload or [])
        except _RefusedError as refused:
            return (self._reply(command, (2, str(refused))),)
        return (*first, self._reply(command))

    def _subscribe(self, channel: str, payload: Sequence[str]) -> Sequence[Out]:
        """All of a payload or nothing. The snapshot of ``obu`` comes before the acknowledgement."""
        match channel:
            case "obu":
                return self._subscribe_obu(payload)
            case "order_book_update":
                name, *how = payload if len(payload) > 1 else ("", "")
                interval, levels = how[0], how[1] if len(how) > 1 else UPDATE_LEVELS.get(how[0], "")
                allowed = ("20",) if interval == "20ms" else ("20", "50", "100")
                if interval not in UPDATE_LEVELS or levels not in allowed:
                    raise _RefusedError(f"invalid interval or level {','.join(how)}")
                self._books[channel, name] = _Book(self._known(name), name, levels, self._world)
            case _ if channel in self._names:
                names = [name for name in payload if not (channel == "public_liquidates" and name == ALL)]
                if not payload:
                    raise _RefusedError("empty payload")
                for name in names:
                    self._known(name)
                self._names[channel].update(payload)
            case _:
                raise _RefusedError(f"unknown channel {self._kind}.{channel}")
        return ()

    def _subscribe_obu(self, payload: Sequence[str]) -> Sequence[Out]:
        for stream in payload:
            if ("obu", stream) in self._books:
                raise _RefusedError(f"Alert sub {stream}")
        out: list[Out] = []
        for stream in dict.fromkeys(payload):
            _, _, name = stream.partition(".")
            name, _, levels = name.rpartition(".")
            found = self._world.find(rest.VENUE, name, self._product)
            if found is None or levels not in OBU_LEVELS or not stream.startswith("ob."):
                self._books["obu", stream] = None
                continue
            book = self._books["obu", stream] = _Book(found, stream, levels, self._world)
            whole = {"full": True, "s": stream, "u": rest.update_id(found, book.image.seq)}
            sides = {"b": rest.pairs(book.window.bids()), "a": rest.pairs(book.window.asks())}
            row = {"t": ms(book.image.engine_ns)} | whole | sides
            out.append(self._push("obu", self._world.now_ns(), row))
        return out

    def _unsubscribe(self, channel: str, payload: Sequence[str]) -> Sequence[Out]:
        if channel in self._names:
            self._names[channel].difference_update(payload)
        elif channel in ("obu", "order_book_update"):
            for name in payload if channel == "obu" else payload[:1]:
                self._books.pop((channel, name), None)
        else:
            raise _RefusedError(f"unknown channel {self._kind}.{channel}")
        return ()

    def _known(self, name: str) -> SimInstrument:
        found = self._world.find(rest.VENUE, name, self._product)
        if found is None:
            raise _RefusedError(f"unknown {'currency pair:' if self._kind == 'spot' else 'contract'} {name}")
        return found

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        if instrument.product != self._product:
            return out
        for (channel, _), book in self._books.items():
            if book is None or book.instrument.venue_id != instrument.venue_id:
                continue
            batch = book.apply(change)
            if batch is None:
                continue
            first, last, bids, asks = batch
            row: rest.Row = {"t": ms(change.engine_ns), "s": book.name, "U": first, "u": last}
            if channel == "obu":
                row |= ({"b": rest.pairs(bids)} if bids else {}) | ({"a": rest.pairs(asks)} if asks else {})
            else:
                bids, asks = _with_removals(bids, change.bids), _with_removals(asks, change.asks)
                if not bids and not asks:
                    continue  # nothing changed within its levels: the next push starts with these ids
                row |= self._update(book, bids, asks, change.engine_ns)
            book.mark_pushed()
            out.append(self._push(channel, change.gateway_ns, row))
        return out

    def _update(self, book: _Book, bids: list[TextLevel], asks: list[TextLevel], engine_ns: int) -> rest.Row:
        """The fields of ``order_book_update`` beside the ids."""
        if self._kind == "spot":
            dated = {"e": "depthUpdate", "E": engine_ns // S}
            return dated | {"b": rest.pairs(bids), "a": rest.pairs(asks), "l": book.levels}
        sides = [rest.objects(book.instrument, side, self._decimals) for side in (bids, asks)]
        return {"b": sides[0], "a": sides[1], "l": book.levels}

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        if not self._wants("book_ticker", instrument):
            return ()
        (bid, bid_size), (ask, ask_size) = top.bid, top.ask
        row = {
            "t": ms(top.engine_ns), "u": rest.update_id(instrument, top.seq), "s": instrument.venue_id,
            "b": bare(bid), "B": rest.size(instrument, bid_size, self._decimals),
            "a": bare(ask), "A": rest.size(instrument, ask_size, self._decimals),
        }  # fmt: skip
        return (self._push("book_ticker", top.gateway_ns, row),)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        """Spot: one message a trade. Futures: all trades of one moment in one message."""
        if instrument.product != self._product:
            return ()
        self._last[instrument.venue_id] = trades[-1]
        if not self._wants("trades", instrument):
            return ()
        if self._kind == "spot":
            return [self._push("trades", t.gateway_ns, rest.spot_trade(instrument, t)) for t in trades]
        rows = [rest.trade_row(instrument, trade, self._decimals) for trade in trades]
        return (self._push("trades", trades[-1].gateway_ns, rows),)

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        """Collected over a second, or until there are twenty."""
        names = self._names.get("public_liquidates", set())
        if instrument.product != self._product or names.isdisjoint((instrument.venue_id, ALL)):
            return ()
        amount = rest.signed(instrument, liquidation.size, liquidation.side, self._decimals)
        at = {"time_ms": ms(liquidation.engine_ns), "contract": instrument.venue_id}
        self._closed_out.append({"price": bare(liquidation.price), "size": amount} | at)
        return self._liquidated() if len(self._closed_out) >= LIQUIDATIONS_A_MESSAGE else ()

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        if not self._wants("tickers", instrument):
            return ()
        trade = self._last.get(instrument.venue_id) or self._world.last_trade(instrument)
        return (self._push("tickers", mark.gateway_ns, [rest.ticker(instrument, mark, trade)]),)

    def tick(self, now_ns: int) -> Sequence[Out]:
        out = self._liquidated()
        if self._kind == "spot":
            for name in sorted(self._names["tickers"]):
                out.append(self._push("tickers", now_ns, rest.spot_ticker(self._known(name), self._world)))
        if not self._books and not any(self._names.values()) and now_ns - self._active_ns >= IDLE_NS:
            return (Close(ABNORMAL),)
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        if not planned:
            return (Close(ABNORMAL),)
        words = "The connection will soon be closed for a service upgrade. Please reconnect."
        notice = self._push("system", self._world.now_ns(), {"type": "upgrade", "msg": words})
        return (notice, Close(ABNORMAL))

    # -- how messages are written

    def _wants(self, channel: str, instrument: SimInstrument) -> bool:
        return instrument.product == self._product and instrument.venue_id in self._names[channel]

    def _liquidated(self) -> list[Out]:
        rows, self._closed_out = self._closed_out, []
        return [self._push("public_liquidates", self._world.now_ns(), rows)] if rows else []

    def _head(self, time_ns: int) -> rest.Row:
        return {"time": time_ns // S, "time_ms": ms(time_ns)}

    def _push(self, channel: str, pushed_ns: int, result: object) -> str:
        head = self._head(pushed_ns) | {"channel": f"{self._kind}.{channel}", "event": "update"}
        return text(head | {"result": result})

    def _reply(self, command: _Command, error: tuple[int, str] | None = None) -> str:
        trace = f"{crc32(self._conn_id.encode()):08x}{next(self._traces):024x}"
        message: dict[str, Any] = self._head(self._world.now_ns())
        message |= {} if command.id is None else {"id": command.id}
        message |= {"conn_id": self._conn_id, "trace_id": trace, "channel": command.channel, "event": command.event}
        message |= {"payload": command.payload or []}
        if error is None:
            return text(message | {"result": {"status": "success"}, "requestId": trace})
        said = {"error": {"code": error[0], "message": error[1]}, "result": {"status": "fail"}}
        return text(message | said | {"requestId": trace})


def _with_removals(in_window: list[TextLevel], changed: Sequence[TextLevel]) -> list[TextLevel]:
    """Adds removals of levels that came and went since the last push: the client's REST book may have them.

    Removing a level that is not there is allowed.
    """
    known = {price for price, _ in in_window}
    return in_window + [level for level in changed if level[1] == "0" and level[0] not in known]
