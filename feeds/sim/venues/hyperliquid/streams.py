"""Hyperliquid's websocket, simulated: one for all channels.

Every book message is a whole book. A subscription with an unknown coin, or with a rounding that does not exist, drops
the connection without a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import MsgspecError, Struct, json

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
from feeds.sim.venues.hyperliquid import rest
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import S, ms, text

FAST_LEVELS = 5
SLOT_NS = 5 * S
"""One clock with this interval pushes the normal books of all connections."""
REPEAT_NS = S
IDLE_NS = 60 * S
MAX_SUBSCRIPTIONS = 1_000
_COIN_FEEDS = frozenset({"l2Book", "bbo", "trades", "activeAssetCtx"})


class _Command(Struct):
    method: str
    subscription: dict[str, Any] | None = None
    id: int | None = None
    request: dict[str, Any] | None = None


_read = json.Decoder(_Command).decode


class _Feed:
    """One subscription, as the venue repeats it, and when it was last pushed."""

    def __init__(self, echo: rest.Row, instrument: SimInstrument | None) -> None:
        self.echo, self.instrument = echo, instrument
        self.kind: str = echo["type"]
        self.fast = echo.get("fast") is True
        self.pushed_ns = 0
        self.seq = 0
        """Batch number of the book that was pushed last."""


class HyperliquidSession(TwinSession):
    """One connection to ``/ws``."""

    def __init__(self, world: World, once: EncodeOnce[str]) -> None:
        self._world, self._once = world, once
        self._feeds: dict[str, _Feed] = {}
        self._sent_ns = world.now_ns()

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._sent_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        try:
            command = _read(raw)
            out = self._answer(command, now_ns)
        except (MsgspecError, UnicodeDecodeError):
            out = None
        if out is None:
            shown = raw.decode("utf-8", "replace")
            out = (_error(f"Error parsing JSON into valid websocket request: {shown}"),)
        return self._sent(out, now_ns)

    def _answer(self, command: _Command, now_ns: int) -> Sequence[Out] | None:
        """None: not a valid command."""
        match command.method:
            case "ping":
                return (text({"channel": "pong"}),)
            case "subscribe" | "unsubscribe" if command.subscription is not None:
                return self._subscription(command.method, command.subscription, now_ns)
            case "post" if command.id is not None and command.request is not None:
                return (self._post(command.id, command.request),)
            case _:
                return None

    def _post(self, number: int, request: rest.Row) -> str:
        """REST over the websocket.

        Actions need a signature; without one the venue refuses them, and so does this twin.
        """
        asked = request.get("payload")
        try:
            if request.get("type") != "info":
                raise rest.RefusedError(422, "Failed to deserialize the JSON body into the target type")
            payload = {"type": asked["type"] if isinstance(asked, dict) else "", "data": rest.info(asked, self._world)}
            response: rest.Row = {"type": "info", "payload": payload}
        except rest.RefusedError as refused:
            response = {"type": "error", "payload": f"{refused.status} {refused.body}"}
        return text({"channel": "post", "data": {"id": number, "response": response}})

    def _subscription(self, method: str, asked: rest.Row, now_ns: int) -> Sequence[Out] | None:
        echo = _echo(asked)
        if echo is None:
            return None
        key = text(echo)
        if method == "unsubscribe":
            if self._feeds.pop(key, None) is None:
                return (_error(f"Already unsubscribed: {key}"),)
            return (_acknowledged(method, echo),)
        if key in self._feeds:
            return (_error(f"Already subscribed: {key}"),)
        one = self._world.find(rest.VENUE, str(echo.get("coin")), "linear")
        if echo["type"] != "allMids" and (one is None or not rest.rounding_exists(echo)):
            return (Close(ABNORMAL),)
        if len(self._feeds) >= MAX_SUBSCRIPTIONS:
            return (_error("Cannot track more than 1000 total websocket subscriptions."),)
        feed = self._feeds[key] = _Feed(echo, one)
        return (_acknowledged(method, echo), *self._first(feed, now_ns))

    # -- pushed messages

    def _first(self, feed: _Feed, now_ns: int) -> Sequence[Out]:
        """What a new subscription gets at once. The first trades are past trades."""
        one = feed.instrument
        if one is None:
            return self._mids(feed, now_ns)
        match feed.kind:
            case "l2Book":
                return (self._book(feed, one, now_ns, now_ns),)
            case "bbo":
                image = self._world.book(one, 1)
                return (
                    _bbo(one, image.bids[0] if image.bids else None, image.asks[0] if image.asks else None, now_ns),
                )
            case "trades":
                return (_message("trades", [rest.trade_row(one, self._world.last_trade(one))]),)
            case _:
                return (self._context(one, self._world.mark(one)),)

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for feed in self._of(instrument, "l2Book"):
            # the fast book's own clock; all other clocks of the venue are slower
            if feed.fast or feed.pushed_ns // SLOT_NS != change.gateway_ns // SLOT_NS:
                out.append(self._book(feed, instrument, change.engine_ns, change.gateway_ns))
            feed.seq = change.seq
        return self._sent(out, change.gateway_ns)

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        if not self._of(instrument, "bbo"):
            return ()
        key = (instrument.route, instrument.venue_id, "bbo")
        message = self._once.get(key, top, lambda: _bbo(instrument, top.bid, top.ask, top.engine_ns))
        return self._sent((message,), top.gateway_ns)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if not trades or not self._of(instrument, "trades"):
            return ()
        rows = [rest.trade_row(instrument, trade) for trade in trades]
        return self._sent((_message("trades", rows),), trades[-1].gateway_ns)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        if not self._of(instrument, "activeAssetCtx"):
            return ()
        return self._sent((self._context(instrument, mark),), mark.gateway_ns)

    def tick(self, now_ns: int) -> Sequence[Out]:
        """Books are pushed by the clock, changed or not. A book whose last change a fault lost is not pushed."""
        out: list[Out] = []
        for feed in self._feeds.values():
            one = feed.instrument
            if one is None:
                out += self._mids(feed, now_ns) if now_ns - feed.pushed_ns >= SLOT_NS else ()
            elif feed.kind == "l2Book":
                # a change may push first; this clock comes a little later
                behind = feed.pushed_ns // SLOT_NS < now_ns // SLOT_NS and now_ns % SLOT_NS >= REPEAT_NS
                due = now_ns - feed.pushed_ns >= REPEAT_NS if feed.fast else behind
                if due and self._world.book(one, 1).seq == feed.seq:
                    out.append(self._book(feed, one, now_ns, now_ns))
        if not out and now_ns - self._sent_ns >= IDLE_NS:
            return (Close(ABNORMAL),)
        return self._sent(out, now_ns)

    # -- how messages are written

    def _sent(self, out: Sequence[Out], now_ns: int) -> Sequence[Out]:
        if out:
            self._sent_ns = now_ns
        return out

    def _of(self, instrument: SimInstrument, kind: str) -> list[_Feed]:
        return [feed for feed in self._feeds.values() if feed.kind == kind and feed.instrument == instrument]

    def _book(self, feed: _Feed, one: SimInstrument, time_ns: int, now_ns: int) -> str:
        feed.pushed_ns = now_ns
        feed.seq = self._world.book(one, 1).seq
        levels = FAST_LEVELS if feed.fast else rest.LEVELS
        row = rest.book(one, self._world, levels, feed.echo["nSigFigs"], feed.echo["mantissa"]) | {"time": ms(time_ns)}
        return _message("l2Book", row | ({"fast": True} if feed.fast else {}))

    def _context(self, one: SimInstrument, mark: SimMark) -> str:
        return _message("activeAssetCtx", {"coin": one.venue_id, "ctx": rest.context(one, self._world, mark)})

    def _mids(self, feed: _Feed, now_ns: int) -> Sequence[Out]:
        feed.pushed_ns = now_ns
        return (_message("allMids", {"mids": rest.info({"type": "allMids"}, self._world)}),)


def _message(channel: str, data: object) -> str:
    return text({"channel": channel, "data": data})


def _error(words: str) -> str:
    return text({"channel": "error", "data": words})


def _acknowledged(method: str, echo: rest.Row) -> str:
    return _message("subscriptionResponse", {"method": method, "subscription": echo})


def _bbo(one: SimInstrument, bid: TextLevel | None, ask: TextLevel | None, time_ns: int) -> str:
    sides = [None if side is None else rest.level(side) for side in (bid, ask)]
    return _message("bbo", {"coin": one.venue_id, "time": ms(time_ns), "bbo": sides})


def _echo(asked: rest.Row) -> rest.Row | None:
    """A subscription with its defaults filled in. None: it is not a valid one."""
    kind, coin = asked.get("type"), asked.get("coin")
    if kind == "allMids":
        return {"type": kind, "dex": None}
    if kind not in _COIN_FEEDS or not isinstance(coin, str):
        return None
    if kind != "l2Book":
        return {"type": kind, "coin": coin}
    echo = {"type": kind, "coin": coin, "nSigFigs": asked.get("nSigFigs"), "mantissa": asked.get("mantissa")}
    return echo | ({"fast": True} if asked.get("fast") is True else {})
