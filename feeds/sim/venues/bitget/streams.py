"""Bitget's public websockets, simulated: v2 ("classic") and v3 ("UTA").

Both versions push the same books with the same numbers. v3 is deeper and faster, has shorter names, and has
liquidations. A symbol that exists, subscribed under the wrong kind, is acknowledged and gets no data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from msgspec import Struct, structs

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
from feeds.sim.venues.bitget import rest
from feeds.sim.wire.best import top_of
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, bare, ms, ms_text, text, times
from feeds.sim.wire.limits import SlidingLimit

KINDS: Mapping[str, Mapping[str, Product | None]] = {
    "v2": {"SPOT": "spot", "USDT-FUTURES": "linear", "COIN-FUTURES": None, "USDC-FUTURES": None},
    "v3": {"spot": "spot", "usdt-futures": "linear", "coin-futures": None, "usdc-futures": None},
}
"""Kinds (``instType``) by version; case matters. None: a kind without simulated instruments."""
DEPTHS: Mapping[str, Mapping[str, int]] = {
    "v2": {"books": 500, "books5": 5, "books15": 15},
    "v3": {"books": 1000, "books5": 5, "books50": 50},
}
PUSH_NS: Mapping[str, int] = {"v2": S // 10, "v3": 0}
"""Shortest time between two pushes of a book. The market moves every 50 ms."""
TICKER_NS = S * 3 // 10
"""Assumed. v3's interval is not published."""
MESSAGES_PER_SECOND = 10
SUBSCRIPTIONS_PER_HOUR = 240
ARGS_BYTES = 4096
ARGS_THAT_CLOSE = 25
CHANNELS = 1000
SILENT_NS = 120 * S


class Arg(Struct, frozen=True, omit_defaults=True):
    """Identifies a subscription. The acknowledgement and every push repeat it."""

    instType: str = ""  # noqa: N815 - the venue's own field names, here and below
    channel: str = ""
    topic: str = ""
    instId: str = ""  # noqa: N815
    symbol: str = ""

    def words(self) -> str:
        return ",".join(f"{key}:{value}" for key, value in structs.asdict(self).items() if value)


class _Command(Struct):
    op: str = ""
    args: list[Arg] = []


_read = reader(_Command)


def seq_id(instrument: SimInstrument, seq: int) -> int:
    """The same on every connection, channel and version. Too large for a double, and it does not grow by one."""
    return 1_304_314_508_780_744_705 + (crc32(instrument.route.encode()) << 8) + 7 * seq + 3 * seq % 5


class _Feed:
    """One subscription: what its client has been sent."""

    def __init__(self, arg: Arg, instrument: SimInstrument | None) -> None:
        self.arg, self.instrument = arg, instrument
        self.topic = arg.topic or arg.channel
        self.pushed_ns = 0
        self.window: DepthWindow | None = None
        self.pushed_seq = 0
        """The batch number of the last push."""
        self.engine_ns = 0
        self.held = False
        self.largest: dict[tuple[str, str], SimLiquidation] = {}


class BitgetSession(TwinSession):
    """One connection to ``/v2/ws/public`` or ``/v3/ws/public``."""

    def __init__(self, world: World, version: str, conn_id: str) -> None:
        self._world, self._version, self._conn_id = world, version, conn_id
        self._classic = version == "v2"
        self._feeds: dict[Arg, _Feed] = {}
        self._pinged_ns = world.now_ns()
        self._messages = SlidingLimit(MESSAGES_PER_SECOND, S, count_refused=True)
        self._subscriptions = SlidingLimit(SUBSCRIPTIONS_PER_HOUR, 3600 * S, count_refused=True)
        self._last: dict[SimInstrument, SimTrade] = {}
        self._best: dict[SimInstrument, tuple[TextLevel, TextLevel]] = {}
        self._marks: dict[SimInstrument, SimMark] = {}

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._pinged_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if not self._messages.allows(now_ns):
            return (Close(ABNORMAL),)
        if raw == b"ping":
            self._pinged_ns = now_ns
            return ("pong",)
        command = _read(raw)
        if command is None:
            return (self._error(30002, "Illegal request", None, ""),)
        if command.op not in ("subscribe", "unsubscribe"):
            return (self._error(30003, f"INVALID op:{command.op}", None, command.op),)
        if not command.args or len(raw) > ARGS_BYTES:
            return (self._error(30016, "Param error", None, command.op),)
        if command.op == "unsubscribe":
            for arg in command.args:
                self._feeds.pop(arg, None)
            return [self._event("unsubscribe", arg=arg) for arg in command.args]
        if not self._subscriptions.allows(now_ns):
            return (self._error(30007, "request over limit,connection close", None, command.op), Close(ABNORMAL))
        if not self._classic and len(command.args) >= ARGS_THAT_CLOSE:
            return (Close(ABNORMAL),)
        return [frame for arg in command.args for frame in self._subscribe(arg)]

    def _subscribe(self, arg: Arg) -> Iterable[Out]:
        if not self._exists(arg):
            return (self._error(30001, f"{arg.words()} doesn't exist", arg, "subscribe"),)
        if len(self._feeds) >= CHANNELS:
            return (self._error(30006, "too many requests", arg, "subscribe"),)
        product = KINDS[self._version][arg.instType]
        found = None if product is None else self._world.find(rest.VENUE, arg.symbol or arg.instId, product)
        feed = self._feeds[arg] = _Feed(arg, found)
        return (self._event("subscribe", arg=arg), *self._first(feed))

    def _exists(self, arg: Arg) -> bool:
        topic, name = (arg.channel, arg.instId) if self._classic else (arg.topic, arg.symbol)
        if arg.instType not in KINDS[self._version]:
            return False
        if topic == "liquidation":
            return not self._classic and arg.instType != "spot" and not name
        known = topic in ("books1", "ticker", "trade" if self._classic else "publicTrade")
        return (known or topic in DEPTHS[self._version]) and self._world.find(rest.VENUE, name) is not None

    # -- pushed messages

    def _first(self, feed: _Feed) -> Iterable[Out]:
        """What a new subscription gets at once."""
        one = feed.instrument
        if one is None:
            return ()
        match feed.topic:
            case "books1":
                top = top_of(one, self._world)
                return () if top is None else self._top(feed, one, top)
            case "ticker":
                return self._ticker(feed, one)
            case "trade" | "publicTrade":
                return self._trades(feed, one, [self._world.last_trade(one)], "snapshot")
            case _:
                image = self._world.book(one)
                feed.window = DepthWindow(image, DEPTHS[self._version][feed.topic])
                feed.pushed_seq, feed.engine_ns = image.seq, image.engine_ns
                return self._image(feed, one, feed.window, self._world.now_ns())

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for topic in DEPTHS[self._version]:
            feed = self._feed(instrument, topic)
            if feed is None or feed.window is None or change.seq <= feed.window.seq:
                continue
            if change.seq != feed.window.seq + 1:
                feed.pushed_seq = change.seq - 1  # a batch was lost: its number must show as missing
            feed.window.apply(change)
            feed.engine_ns, feed.held = change.engine_ns, True
            if change.gateway_ns - feed.pushed_ns >= PUSH_NS[self._version]:
                out += self._depth(feed, instrument, feed.window, change.gateway_ns)
        return out

    def _depth(self, feed: _Feed, one: SimInstrument, window: DepthWindow, at_ns: int) -> list[Out]:
        """One push of all changes since the last one. Nothing when they lie outside the window."""
        feed.held = False
        bids, asks = window.take_changes()
        if not bids and not asks:
            return []
        feed.pushed_ns = at_ns
        if feed.topic != "books":
            return self._image(feed, one, window, at_ns)
        row = self._levels(bids, asks) | {
            "seq": seq_id(one, window.seq), "pseq": seq_id(one, feed.pushed_seq), "ts": ms_text(feed.engine_ns),
        }  # fmt: skip
        feed.pushed_seq = window.seq
        return self._push(feed, [row], "update", at_ns)

    def _image(self, feed: _Feed, one: SimInstrument, window: DepthWindow, at_ns: int) -> list[Out]:
        """The whole window: the first push of ``books``, and every push of the other book channels."""
        row = self._levels(window.bids(), window.asks()) | {
            "seq": seq_id(one, window.seq), "pseq": 0, "ts": ms_text(feed.engine_ns),
        }  # fmt: skip
        return self._push(feed, [row], "snapshot", at_ns)

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        self._best[instrument] = top.bid, top.ask
        feed = self._feed(instrument, "books1")
        if feed is None or top.seq < feed.pushed_seq:
            return self._tickers(instrument)
        return [*self._top(feed, instrument, top), *self._tickers(instrument)]

    def _top(self, feed: _Feed, one: SimInstrument, top: Top) -> list[Out]:
        feed.pushed_seq = top.seq
        row = self._levels((top.bid,), (top.ask,)) | {
            "seq": seq_id(one, top.seq), "pseq": 0, "ts": ms_text(top.engine_ns),
        }  # fmt: skip
        return self._push(feed, [row], "snapshot", top.gateway_ns)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        self._last[instrument] = trades[-1]
        feed = self._feed(instrument, "trade" if self._classic else "publicTrade")
        pushed = [] if feed is None else self._trades(feed, instrument, trades, "update")
        return [*pushed, *self._tickers(instrument)]

    def _trades(self, feed: _Feed, one: SimInstrument, trades: Sequence[SimTrade], action: str) -> list[Out]:
        """Newest first. The first push of a subscription is history."""
        form = rest.classic_trade if self._classic else rest.unified_trade
        return self._push(feed, [form(one, trade) for trade in reversed(trades)], action, trades[-1].gateway_ns)

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        """Pushed once a second: for every symbol, the largest of each side."""
        for feed in self._feeds.values():
            if feed.topic == "liquidation" and KINDS[self._version][feed.arg.instType] == instrument.product:
                key = instrument.venue_id, liquidation.side
                known = feed.largest.get(key)
                if known is None or float(liquidation.size) > float(known.size):
                    feed.largest[key] = liquidation
        return ()

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        self._marks[instrument] = mark
        return self._tickers(instrument)

    def _tickers(self, instrument: SimInstrument) -> list[Out]:
        feed = self._feed(instrument, "ticker")
        if feed is None or self._world.now_ns() - feed.pushed_ns < TICKER_NS:
            return []
        return self._ticker(feed, instrument)

    def _ticker(self, feed: _Feed, one: SimInstrument) -> list[Out]:
        best = self._best.get(one) or rest.best_of(one, self._world)
        trade = self._last.get(one) or self._world.last_trade(one)
        mark = None if one.product == "spot" else self._marks.get(one) or self._world.mark(one)
        now_ns = feed.pushed_ns = self._world.now_ns()
        row = (
            rest.classic_ticker(one, best, trade, mark, now_ns)
            if self._classic
            else rest.ticker(one, best, trade, mark)
        )
        return self._push(feed, [row], "snapshot", now_ns)

    def tick(self, now_ns: int) -> Sequence[Out]:
        if now_ns - self._pinged_ns >= SILENT_NS:
            return (Close(ABNORMAL),)  # also while data flows
        out: list[Out] = []
        for feed in self._feeds.values():
            if feed.held and feed.window is not None and feed.instrument is not None:
                out += self._depth(feed, feed.instrument, feed.window, now_ns)
            if feed.largest:
                rows = [self._liquidated(name, one) for (name, _), one in feed.largest.items()]
                feed.largest.clear()
                out += self._push(feed, rows, "update", now_ns)
        return out

    # -- how messages are written

    def _feed(self, one: SimInstrument, topic: str) -> _Feed | None:
        kind = rest.category(one)
        if self._classic:
            return self._feeds.get(Arg(instType=kind, channel=topic, instId=one.venue_id))
        return self._feeds.get(Arg(instType=kind.lower(), topic=topic, symbol=one.venue_id))

    def _levels(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> rest.Row:
        """v2 keeps the decimals of tick and lot. v3 writes no trailing zeros."""
        if self._classic:
            return {"asks": list(asks), "bids": list(bids)}
        return {side: [(bare(p), bare(s)) for p, s in levels] for side, levels in (("a", asks), ("b", bids))}

    def _liquidated(self, name: str, one: SimLiquidation) -> rest.Row:
        """``side`` is the side of the position. ``amount`` is in the quote currency."""
        return {
            "symbol": name, "side": "buy" if one.side == "sell" else "sell", "price": bare(one.price),
            "amount": times(one.price, one.size), "ts": ms_text(one.engine_ns),
        }  # fmt: skip

    def _push(self, feed: _Feed, rows: Sequence[rest.Row], action: str, at_ns: int) -> list[Out]:
        return [text({"action": action, "arg": feed.arg, "data": rows, "ts": ms(at_ns)})]

    def _event(self, event: str, **fields: Any) -> str:
        return text({"event": event} | fields | ({} if self._classic else {"connId": self._conn_id}))

    def _error(self, code: int, words: str, arg: Arg | None, op: str) -> str:
        """v3 does not repeat the argument."""
        named = {"arg": arg} if self._classic and arg is not None else {}
        return self._event("error", **named, code=code, msg=words, **({"op": op} if self._classic else {}))
