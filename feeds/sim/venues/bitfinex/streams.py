"""Bitfinex's public websocket, simulated: one for spot and perpetuals.

Books are of precision P0, the finest. Coarser and raw books are refused, and so is the flag that bundles updates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import MsgspecError, json

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
from feeds.sim.venues.bitfinex import rest
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, ms, text

TIMESTAMP, SEQ_ALL, OB_CHECKSUM = 32768, 65536, 131072
KNOWN_FLAGS = TIMESTAMP | SEQ_ALL | OB_CHECKSUM
CHANNELS = 25
LENGTHS = ("1", "25", "100", "250")
PACE_NS: Mapping[str, int] = {"F0": 0, "F1": 2 * S}
TICKER_NS = 5 * S
BEAT_NS = 15 * S
Asked = dict[str, Any]


class _Feed:
    """One subscription: its instrument, its book window, and when it was last pushed."""

    def __init__(self, chan: int, echo: Asked, instrument: SimInstrument | None) -> None:
        self.chan, self.echo, self.instrument = chan, echo, instrument
        self.kind: str = str(echo["key"]).partition(":")[0] if echo["channel"] == "status" else echo["channel"]
        self.window: DepthWindow | None = None
        self.pace_ns = PACE_NS[echo["freq"]] if self.kind == "book" else TICKER_NS if self.kind == "ticker" else 0
        self.pushed_ns = 0
        self.sent_ns = 0


class _RefusedError(Exception):
    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class BitfinexSession(TwinSession):
    """One connection to ``/ws/2``."""

    def __init__(self, world: World, server_id: str, chans: Iterable[int]) -> None:
        self._world, self._server_id, self._chans = world, server_id, iter(chans)
        self._feeds: dict[int, _Feed] = {}
        self._flags = 0
        self._seq = 0
        self._paused = False

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._paused = rest.ongoing(self._world)
        platform = {"status": 0 if self._paused else 1}
        return (text({"event": "info", "version": 2, "serverId": self._server_id, "platform": platform}),)

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        try:
            asked = json.decode(raw)
        except (MsgspecError, UnicodeDecodeError):
            asked = None
        if not isinstance(asked, dict):
            return (_error({}, 10000, "unknown event"),)
        match asked.get("event"):
            case "ping":
                return (text({"event": "pong", "ts": ms(now_ns), "cid": asked.get("cid")}),)
            case "conf":
                return (self._conf(asked.get("flags")),)
            case "subscribe":
                try:
                    return self._subscribe(asked, now_ns)
                except _RefusedError as refused:
                    return (_error(asked, refused.code, refused.words),)
            case "unsubscribe":
                return (self._unsubscribe(asked.get("chanId")),)
        return (_error({}, 10000, "unknown event"),)

    def _conf(self, flags: object) -> str:
        if not isinstance(flags, int) or flags & ~KNOWN_FLAGS:
            return text({"event": "conf", "status": "FAILED", "flags": flags})
        self._flags = flags
        return text({"event": "conf", "status": "OK", "flags": flags})

    def _subscribe(self, asked: Asked, now_ns: int) -> Sequence[Out]:
        echo = self._echo(asked)
        if any(feed.echo == echo for feed in self._feeds.values()):
            raise _RefusedError(10301, "subscribe: dup")
        if len(self._feeds) >= CHANNELS:
            raise _RefusedError(10305, "Reached limit of open channels")
        name = str(echo.get("symbol") or echo["key"].partition(":")[2])
        one = self._world.find(rest.VENUE, name)
        if one is None and echo.get("key") != "liq:global":
            raise _RefusedError(10300, "symbol: invalid" if "symbol" in echo else "key: invalid")
        feed = _Feed(next(self._chans), echo, one)
        self._feeds[feed.chan] = feed
        said: Asked = {"event": "subscribed", "channel": echo["channel"], "chanId": feed.chan} | echo
        said |= {"subId": asked["subId"]} if "subId" in asked else {}
        said |= {"pair": name[1:]} if "symbol" in echo else {}
        return (text(said), *self._first(feed, now_ns))

    def _echo(self, asked: Asked) -> Asked:
        """A subscription with its defaults filled in; all values are text."""
        match asked.get("channel"):
            case "book":
                prec, freq = str(asked.get("prec", "P0")), str(asked.get("freq", "F0"))
                length = str(asked.get("len", "25"))
                for name, wrong in (
                    ("prec", prec != "P0"),
                    ("freq", freq not in PACE_NS),
                    ("len", length not in LENGTHS),
                ):
                    if wrong:
                        raise _RefusedError(10300, f"{name}: invalid")
                symbol = str(asked.get("symbol"))
                return {"channel": "book", "symbol": symbol, "prec": prec, "freq": freq, "len": length}
            case "trades" | "ticker":
                return {"channel": asked["channel"], "symbol": str(asked.get("symbol"))}
            case "status":
                key = str(asked.get("key"))
                if not (key.startswith("deriv:t") or key == "liq:global"):
                    raise _RefusedError(10300, "key: invalid")
                return {"channel": "status", "key": key}
        raise _RefusedError(10302, "channel: unknown")

    def _unsubscribe(self, chan: object) -> str:
        # clients also write the number as text
        feed = self._feeds.pop(int(chan), None) if isinstance(chan, int | str) and str(chan).isdecimal() else None
        if feed is None:
            return _error({}, 10400, "unsubscribe: invalid")
        return text({"event": "unsubscribed", "status": "OK", "chanId": feed.chan})

    # -- pushed messages

    def _first(self, feed: _Feed, now_ns: int) -> Sequence[Out]:
        """What a new subscription gets at once."""
        feed.sent_ns = feed.pushed_ns = now_ns
        one = feed.instrument
        if one is None:
            return ()
        match feed.kind:
            case "book":
                window = feed.window = DepthWindow(self._world.book(one), int(feed.echo["len"]))
                bids, asks = window.bids(), window.asks()
                return (self._array(feed, now_ns, rest.image(bids, asks)), *self._checked(feed, now_ns, wrong=False))
            case "trades":
                return (self._array(feed, now_ns, [rest.trade(self._world.last_trade(one))]),)
            case "ticker":
                return (self._array(feed, now_ns, rest.ticker(one, self._world)),)
        return (self._array(feed, now_ns, rest.deriv(self._world.mark(one))),)

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for feed in self._of(instrument, "book"):
            if feed.window is None or change.seq <= feed.window.seq:
                continue
            if change.seq != feed.window.seq + 1:
                self._seq += 1  # the lost message also had a sequence number
            feed.window.apply(change)
            if not feed.pace_ns or change.gateway_ns - feed.pushed_ns >= feed.pace_ns:
                out += self._book(feed, feed.window, change.gateway_ns, wrong=change.wrong_checksum)
        return out

    def _book(self, feed: _Feed, window: DepthWindow, now_ns: int, *, wrong: bool) -> Iterable[Out]:
        """One message for each level, removed levels first; then the checksum of the book."""
        feed.pushed_ns = now_ns
        bids, asks = window.take_changes()
        rows = [*(rest.level(*one, 1) for one in bids), *(rest.level(*one, -1) for one in asks)]
        out = [self._array(feed, now_ns, row) for row in sorted(rows, key=lambda row: row[1] > 0)]
        return [*out, *self._checked(feed, now_ns, wrong=wrong)] if out else out

    def _checked(self, feed: _Feed, now_ns: int, *, wrong: bool) -> Iterable[Out]:
        if not self._flags & OB_CHECKSUM or feed.window is None:
            return ()
        crc = rest.checksum(feed.window.bids(), feed.window.asks())
        return (self._array(feed, now_ns, "cs", crc ^ 1 if wrong else crc),)

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        out = []
        for feed in self._of(instrument, "ticker"):
            if top.gateway_ns - feed.pushed_ns >= feed.pace_ns:
                feed.pushed_ns = top.gateway_ns
                out.append(self._array(feed, top.gateway_ns, rest.ticker(instrument, self._world)))
        return out

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        """Every trade is sent twice: executed (``te``), then confirmed (``tu``)."""
        return [
            self._array(feed, trade.gateway_ns, tag, rest.trade(trade))
            for feed in self._of(instrument, "trades")
            for tag in ("te", "tu")
            for trade in trades
        ]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        """Two rows: the trigger, and the order that was matched."""
        number = liquidation.engine_ns // 1000 % 1_000_000_000
        return [
            self._array(feed, liquidation.gateway_ns, [rest.liquidation(instrument, liquidation, number, match=match)])
            for feed in self._feeds.values()
            if feed.kind == "liq"
            for match in (False, True)
        ]

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        return [self._array(feed, mark.gateway_ns, rest.deriv(mark)) for feed in self._of(instrument, "deriv")]

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        if rest.ongoing(self._world) != self._paused:
            self._paused = not self._paused
            words = "Entering in Maintenance mode. Please pause" if self._paused else "Maintenance ended"
            out.append(text({"event": "info", "code": 20060 if self._paused else 20061, "msg": words}))
        for feed in self._feeds.values():
            if feed.window is not None and feed.pace_ns and now_ns - feed.pushed_ns >= feed.pace_ns:
                out += self._book(feed, feed.window, now_ns, wrong=False)
            if now_ns - feed.sent_ns >= BEAT_NS:
                out.append(self._array(feed, now_ns, "hb"))
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        if not planned:
            return (Close(ABNORMAL),)
        words = "Stopping. Please try to reconnect"
        return (text({"event": "info", "code": 20051, "msg": words}), Close(ABNORMAL))

    def _of(self, instrument: SimInstrument, kind: str) -> list[_Feed]:
        return [feed for feed in self._feeds.values() if feed.kind == kind and feed.instrument == instrument]

    def _array(self, feed: _Feed, now_ns: int, *payload: Any) -> str:
        """The sequence number, then the time stamp, each only where its flag is set."""
        feed.sent_ns = now_ns
        tail: list[int] = []
        if self._flags & SEQ_ALL:
            self._seq += 1
            tail.append(self._seq)
        if self._flags & TIMESTAMP:
            tail.append(ms(now_ns))
        return text([feed.chan, *payload, *tail])


def _error(asked: Asked, code: int, words: str) -> str:
    """An error repeats the request."""
    return text({"event": "error", "msg": words, "code": code} | {k: v for k, v in asked.items() if k != "event"})
