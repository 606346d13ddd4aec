"""Crypto.com's market websocket, simulated: one for spot and perpetuals.

One unknown name in a subscription refuses all of it. A book that is subscribed again starts again with a snapshot;
any other channel is refused as a duplicate (tardis-node). The rule of the checksum ``cs`` is not published: the
number here only stands in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from msgspec import Struct, field

from feeds.sim.twin import (
    ABNORMAL,
    Change,
    Close,
    Out,
    SimInstrument,
    SimMark,
    SimTrade,
    TextLevel,
    Top,
    TwinSession,
    World,
)
from feeds.sim.venues.cryptocom import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, ms, text

HEARTBEAT_S, ANSWER_S = 30, 5
IDLE_BOOK_S = 5
"""A book subscribed by changes sends an empty update after this time without a change."""
RESTARTING = 1013
MOST_A_SECOND, AT_FIRST = 100.0, 20.0
"""Requests a second. A new connection starts with only part of them."""
DEPTHS = ("10", "50")
MOST_CHANNELS = 400


class _Params(Struct):
    channels: list[str] = []
    kind: str = field(name="book_subscription_type", default="")
    camel_kind: str = field(name="bookSubscriptionType", default="")
    """The spelling of ccxt."""


class _Command(Struct):
    id: int | str | None = None
    method: str = ""
    params: _Params = field(default_factory=_Params)


_read = reader(_Command, strict=False)


class _Book:
    """One book subscription: the window that its client should have, and the last ``u`` sent."""

    def __init__(self, one: SimInstrument, depth: int, by_changes: bool, world: World) -> None:
        self.one, self.depth, self.by_changes = one, depth, by_changes
        image = world.book(one)
        self.window = DepthWindow(image, depth)
        self.last_u = rest.update_id(one, image.seq)
        self.engine_ns = image.engine_ns
        self.changed = False
        self.said_ns = 0

    def snapshot(self, now_ns: int) -> rest.Row:
        self.last_u = rest.update_id(self.one, self.window.seq)
        self.said_ns = now_ns
        return self._row(self.window.bids(), self.window.asks()) | self._foot(now_ns)

    def apply(self, change: Change) -> rest.Row | None:
        """The update to send, None for nothing. A lost batch leaves a gap in the chain of ids."""
        if change.seq <= self.window.seq:
            return None
        if change.seq != self.window.seq + 1:
            self.last_u = rest.update_id(self.one, change.seq - 1)
        self.window.apply(change)
        self.engine_ns = change.engine_ns
        bids, asks = self.window.take_changes()
        if not bids and not asks:
            return None
        self.changed = True
        if not self.by_changes:
            return None
        return self._update(bids, asks, change.gateway_ns, change.wrong_checksum)

    def idle(self, now_ns: int, world: World) -> rest.Row | None:
        """An empty update when nothing changed for a while, else None. A lost batch does not count as no change."""
        if not self.by_changes or now_ns - self.said_ns < IDLE_BOOK_S * S:
            return None
        return None if world.book(self.one, 1).seq != self.window.seq else self._update((), (), now_ns, False)

    def _update(self, bids: Sequence[TextLevel], asks: Sequence[TextLevel], push_ns: int, wrong: bool) -> rest.Row:
        before, self.last_u = self.last_u, rest.update_id(self.one, self.window.seq)
        self.said_ns = push_ns
        update: rest.Row = {"update": self._row(bids, asks)}
        return update | self._foot(push_ns, wrong) | {"pu": before}

    def _row(self, bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> rest.Row:
        return {"asks": rest.levels(asks), "bids": rest.levels(bids)}

    def _foot(self, push_ns: int, wrong: bool = False) -> rest.Row:
        checksum = (crc32(str(self.last_u).encode()) ^ wrong) - (1 << 31)
        return {"t": ms(push_ns), "tt": ms(self.engine_ns), "u": self.last_u, "cs": checksum}


class CryptocomSession(TwinSession):
    """One connection to ``/exchange/v1/market``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._books: dict[str, _Book] = {}
        self._plain: dict[str, SimInstrument] = {}
        now_ns = world.now_ns()
        self._budget, self._budget_ns = AT_FIRST, now_ns
        self._beat_ns = now_ns
        self._unanswered: int | None = None

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._beat_ns = self._budget_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            original = raw[:200].decode(errors="replace")
            return (text({"id": -1, "method": "ERROR", "code": 40001, "message": "BAD_REQUEST", "original": original}),)
        if command.method == "public/respond-heartbeat":
            if command.id == self._unanswered:
                self._unanswered = None
            return ()
        self._budget = min(MOST_A_SECOND, self._budget + (now_ns - self._budget_ns) / S * MOST_A_SECOND)
        self._budget_ns = now_ns
        if self._budget < 1:
            return (_answer(command, 42901, "TOO_MANY_REQUESTS"),)
        self._budget -= 1
        channels = list(dict.fromkeys(command.params.channels))
        match command.method:
            case "subscribe":
                return self._subscribe(command, channels)
            case "unsubscribe":
                for channel in channels:
                    self._books.pop(channel, None)
                    self._plain.pop(channel, None)
                return (_answer(command),)
        return (_answer(command, 40002, "METHOD_NOT_FOUND"),)

    def _subscribe(self, command: _Command, channels: list[str]) -> Sequence[Out]:
        found = {channel: self._find(channel) for channel in channels}
        unknown = [channel for channel, one in found.items() if one is None]
        if unknown or not channels:
            return (_answer(command, 10004, f"invalid channel {text({'channels': unknown})}"),)
        new = [channel for channel in channels if channel not in self._plain]
        if not new:
            return (_answer(command, 40003, "Duplicate subscription"),)
        if len({*self._books, *self._plain, *new}) > MOST_CHANNELS:
            return (_answer(command, 40107, "EXCEED_MAX_SUBSCRIPTIONS"),)
        out: list[Out] = [_answer(command)]
        for channel in new:
            one = found[channel]
            assert one is not None
            out += self._begin(channel, one, command)
        return out

    def _find(self, channel: str) -> SimInstrument | None:
        """The instrument of a channel. None: no such channel."""
        kind, _, rest_of = channel.partition(".")
        world = self._world
        match kind:
            case "book":
                name, _, depth = rest_of.rpartition(".")
                return world.find(rest.VENUE, name) if depth in DEPTHS else None
            case "ticker" | "trade":
                return world.find(rest.VENUE, rest_of)
            case "mark" | "funding" | "estimatedfunding" | "settlement":
                return world.find(rest.VENUE, rest_of, "linear")
            case "index":
                swaps = world.instruments(rest.VENUE, "linear")
                return next((one for one in swaps if rest.index_of(one) == rest_of), None)
        return None

    def _begin(self, channel: str, one: SimInstrument, command: _Command) -> Sequence[Out]:
        """The first message of a channel. Those of mark, index and funding carry the id of the request."""
        kind, world = channel.partition(".")[0], self._world
        if kind == "book":
            by_changes = "SNAPSHOT_AND_UPDATE" in (command.params.kind, command.params.camel_kind)
            book = self._books[channel] = _Book(one, int(channel.rpartition(".")[2]), by_changes, world)
            return (_push(channel, one, "book", book.snapshot(world.now_ns()), depth=book.depth),)
        self._plain[channel] = one
        if kind == "ticker":
            image = world.book(one, 1)
            row = rest.ticker_row(one, image, world.last_trade(one), sizes=True)
        elif kind == "trade":
            row = rest.trade_row(one, world.last_trade(one))
        else:
            row = rest.values(world.mark(one))[kind]
            return (_push(channel, one, kind, row, request=command.id),)
        return (_push(channel, one, kind, row),)

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for channel, book in self._books.items():
            if book.one.venue_id != instrument.venue_id:
                continue
            row = book.apply(change)
            if row is not None:
                out.append(_push(channel, instrument, "book.update", row, depth=book.depth))
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        channel = f"ticker.{instrument.venue_id}"
        if channel not in self._plain:
            return ()
        last = self._world.last_trade(instrument)
        row = rest.ticker_row(instrument, self._world.book(instrument, 1), last, sizes=True)
        best = {"b": top.bid[0], "bs": top.bid[1], "k": top.ask[0], "ks": top.ask[1]}
        return (_push(channel, instrument, "ticker", row | best),)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        channel = f"trade.{instrument.venue_id}"
        if channel not in self._plain or not trades:
            return ()
        return (_push(channel, instrument, "trade", *(rest.trade_row(instrument, one) for one in reversed(trades))),)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        rows = rest.values(mark)
        names = {kind: rest.index_of(instrument) if kind == "index" else instrument.venue_id for kind in rows}
        return [
            _push(f"{kind}.{names[kind]}", instrument, kind, row)
            for kind, row in rows.items()
            if f"{kind}.{names[kind]}" in self._plain
        ]

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        for channel, book in self._books.items():
            if book.changed and not book.by_changes:
                out.append(_push(channel, book.one, "book", book.snapshot(now_ns), depth=book.depth))
            book.changed = False
            nothing = book.idle(now_ns, self._world)
            if nothing is not None:
                out.append(_push(channel, book.one, "book.update", nothing, depth=book.depth))
        if self._unanswered is not None and now_ns - self._beat_ns > ANSWER_S * S:
            return (*out, Close(1000))
        if now_ns - self._beat_ns >= HEARTBEAT_S * S:
            self._beat_ns, self._unanswered = now_ns, ms(now_ns)
            out.append(text({"id": self._unanswered, "method": "public/heartbeat", "code": 0}))
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        return (Close(RESTARTING if planned else ABNORMAL),)


def _answer(command: _Command, code: int = 0, words: str = "") -> str:
    """A missing id is answered as -1, a missing method as ERROR."""
    said: dict[str, Any] = {
        "id": -1 if command.id is None else command.id,
        "code": code,
        "method": command.method or "ERROR",
    }
    return text(said | ({"message": words} if words else {}))


def _push(
    channel: str, one: SimInstrument, kind: str, *rows: rest.Row, depth: int = 0, request: int | str | None = None
) -> str:
    name = rest.index_of(one) if kind == "index" else one.venue_id
    head: rest.Row = {"instrument_name": name, "subscription": channel, "channel": kind}
    result = head | ({"depth": depth} if depth else {}) | {"data": rows}
    return text({"id": request or -1, "method": "subscribe", "code": 0, "result": result})
