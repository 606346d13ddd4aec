"""OKX's public websockets, simulated: one for spot and swaps.

Prices and sizes have no trailing zeros, and all times are milliseconds as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

from msgspec import Struct, to_builtins

from feeds.sim.twin import (
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
from feeds.sim.venues.okx import rest
from feeds.sim.wire.best import first
from feeds.sim.wire.commands import reader
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, bare, ms_text, text
from feeds.sim.wire.limits import SlidingLimit

BOOK_DEPTHS: Mapping[str, int] = {"books": 400, "books5": 5}
LOGIN_CHANNELS = ("books-l2-tbt", "books50-l2-tbt")
CONTRACT_CHANNELS = ("mark-price", "funding-rate")
BUSINESS_PREFIXES = ("candle", "mark-price-candle", "index-candle", "sprd-")
REQUESTS_PER_HOUR = 480
REQUEST_BYTES = 64 * 1024
HEARTBEAT_NS = 60 * S
IDLE_NS = 30 * S
TICKER_NS = S // 10
MARK_NS, MARK_REPEAT_NS = S // 5, 10 * S
FUNDING_NS = 60 * S


class Arg(Struct, frozen=True, omit_defaults=True):
    """Identifies a subscription. The acknowledgement and every push repeat it."""

    channel: str = ""
    instType: str = ""  # noqa: N815 - the venue's own field names, here and below
    instFamily: str = ""  # noqa: N815
    instId: str = ""  # noqa: N815

    def key(self) -> Arg:
        """The subscription without its kind where an instrument is named: the kind then changes nothing."""
        return Arg(channel=self.channel, instId=self.instId) if self.instId else self

    def words(self) -> str:
        return ",".join(f"{key}:{value}" for key, value in to_builtins(self).items())


class _Command(Struct):
    op: str = ""
    args: list[Arg] = []
    id: str | None = None


_read = reader(_Command)


def seq_id(instrument: SimInstrument, seq: int) -> int:
    """Sequence id of a batch: the same on every connection and channel. It grows, but not by one."""
    return (crc32(instrument.venue_id.encode()) << 4) + 7 * seq + 3 * seq % 5


class _Feed:
    """One subscription: when it was last pushed, and what its client has."""

    def __init__(self, arg: Arg, instrument: SimInstrument | None) -> None:
        self.arg, self.instrument = arg, instrument
        self.pushed_ns = 0
        self.window: DepthWindow | None = None
        self.seq = 0
        self.pending = False
        self.mark = ""
        self.sent: list[Any] = []


class OkxSession(TwinSession):
    """One connection to ``/ws/v5/public`` or ``/ws/v5/business``."""

    def __init__(self, world: World, endpoint: str, conn_id: str) -> None:
        self._world, self._endpoint, self._conn_id = world, endpoint, conn_id
        self._feeds: dict[Arg, _Feed] = {}
        self._sent_ns = world.now_ns()
        self._requests = SlidingLimit(REQUESTS_PER_HOUR, 3600 * S)
        self._seqs: dict[str, int] = {}
        self._last: dict[str, SimTrade] = {}
        self._best: dict[str, tuple[TextLevel | None, TextLevel | None]] = {}

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._sent_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if len(raw) > REQUEST_BYTES:
            return (Close(1009, "Request message exceeds the maximum frame length"),)
        self._sent_ns = now_ns
        if raw == b"ping":
            return ("pong",)
        command = _read(raw)
        if command is None:
            return (self._error("60012", f"Illegal request: {raw.decode('utf-8', 'replace')}", None),)
        if command.op not in ("subscribe", "unsubscribe") or not command.args:
            return (self._error("60012", f"Illegal request: {raw.decode('utf-8', 'replace')}", command.id),)
        if not self._requests.allows(now_ns):
            return (self._error("60014", "Requests too frequent.", command.id),)
        answer = self._subscribe if command.op == "subscribe" else self._unsubscribe
        return [frame for arg in command.args for frame in answer(arg, command.id, now_ns)]

    def _subscribe(self, arg: Arg, request_id: str | None, now_ns: int) -> Iterable[Out]:
        refusal = self._refusal(arg)
        if refusal is not None:
            return (self._error(*refusal, request_id),)
        feed = _Feed(arg, self._world.find(rest.VENUE, arg.instId) if arg.instId else None)
        self._feeds[arg.key()] = feed
        feed.pushed_ns = now_ns
        return (self._event("subscribe", request_id, arg=arg), *self._first(feed))

    def _unsubscribe(self, arg: Arg, request_id: str | None, now_ns: int) -> Iterable[Out]:
        self._feeds.pop(arg.key(), None)
        return (self._event("unsubscribe", request_id, arg=arg),)

    def _refusal(self, arg: Arg) -> tuple[str, str] | None:
        """(code, message) when this path does not serve the subscription."""
        business = arg.channel == "trades-all" or arg.channel.startswith(BUSINESS_PREFIXES)
        if business and self._endpoint == "public" and arg.channel != "trades-all":
            return (
                "64001",
                "This channel has been migrated to the '/business' URL. Please subscribe using the new URL. More details can refer to: https://www.okx.com/help-center/changes-to-v5-api-websocket-subscription-parameter-and-url",  # noqa: E501 - one sentence of the venue's
            )
        if arg.channel in LOGIN_CHANNELS:
            return "60011", "Please log in"
        here = self._endpoint == ("business" if business else "public")
        if here and self._exists(arg):
            return None
        return (
            "60018",
            f"Subscribe failed, wrong URL or channel:{arg.words().removeprefix('channel:')} doesn't exist. Please use "
            "the correct URL, channel and parameters referring to API document.",
        )

    def _exists(self, arg: Arg) -> bool:
        match arg.channel:
            case "status":
                return True
            case "instruments":
                return arg.instType in rest.INST_TYPES and not arg.instId
            case "liquidation-orders":
                return arg.instType in ("SWAP", "FUTURES", "MARGIN", "OPTION") and not arg.instId
            case "books" | "books5" | "bbo-tbt" | "trades" | "trades-all" | "tickers":
                return self._world.find(rest.VENUE, arg.instId) is not None
            case "mark-price" | "funding-rate":
                found = self._world.find(rest.VENUE, arg.instId)
                return found is not None and found.product != "spot"
            case _:
                return False

    # -- pushed messages

    def _first(self, feed: _Feed) -> Iterable[Out]:
        """What a new subscription gets at once."""
        one = feed.instrument
        if one is None:
            if feed.arg.channel == "instruments":
                rows = [rest.instrument_row(i) for i in self._world.instruments(rest.VENUE)]
                rows = [row for row in rows if row["instType"] == feed.arg.instType]
                return self._push(feed, rows) if rows else ()
            return self._status(feed)
        match feed.arg.channel:
            case "books" | "books5":
                image = self._world.book(one)
                feed.window, feed.seq = DepthWindow(image, BOOK_DEPTHS[feed.arg.channel]), image.seq
                return self._image(feed, self._world.now_ns())
            case "bbo-tbt":
                best = self._world.book(one, 1)
                feed.seq = best.seq
                return self._push(feed, [self._levels(best.bids, best.asks, best.engine_ns, seq_id(one, best.seq))])
            case "trades" | "trades-all":
                return self._trades(feed, [self._world.last_trade(one)])
            case "tickers":
                return self._push(feed, [rest.ticker_of(one, self._world)])
            case "mark-price":
                return self._mark(feed, self._world.mark(one))
            case _:
                return self._push(feed, [rest.funding_row(one, self._world.mark(one))])

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        self._seqs[instrument.venue_id] = change.seq
        out: list[Out] = []
        for feed in self._of(instrument, BOOK_DEPTHS):
            if feed.window is None or not feed.window.apply(change):
                continue
            feed.seq = change.seq
            bids, asks = feed.window.take_changes()
            if feed.arg.channel == "books5":
                out += self._image(feed, change.gateway_ns) if bids or asks else ()
                continue
            row = self._levels(bids, asks, change.gateway_ns, seq_id(instrument, change.seq))
            row |= {"checksum": 0, "prevSeqId": seq_id(instrument, change.seq - 1)}
            out += self._push(feed, [row], "update")
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        self._best[instrument.venue_id] = (top.bid, top.ask)
        out: list[Out] = []
        for feed in self._of(instrument, ("bbo-tbt",)):
            if top.seq < feed.seq:
                continue  # older than the snapshot of the subscription
            feed.seq = top.seq
            row = self._levels((top.bid,), (top.ask,), top.engine_ns, seq_id(instrument, top.seq))
            out += self._push(feed, [row])
        return [*out, *self._tickers(instrument)]

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        self._last[instrument.venue_id] = trades[-1]
        out = [frame for feed in self._of(instrument, ("trades", "trades-all")) for frame in self._trades(feed, trades)]
        return [*out, *self._tickers(instrument)]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        kind, family = rest.inst_type(instrument), rest.family(instrument)
        detail = {
            "bkLoss": "0", "bkPx": bare(liquidation.price), "ccy": "",
            "posSide": "long" if liquidation.side == "sell" else "short", "side": liquidation.side,
            "sz": bare(liquidation.size), "ts": ms_text(liquidation.engine_ns),
        }  # fmt: skip
        row = {"details": [detail], "instFamily": family, "instId": instrument.venue_id, "instType": kind}
        return [
            frame
            for feed in list(self._feeds.values())
            if feed.arg.channel == "liquidation-orders"
            and feed.arg.instType == kind
            and feed.arg.instFamily in ("", family)
            for frame in self._push(feed, [row | {"uly": family}])
        ]

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        now_ns = self._world.now_ns()
        out: list[Out] = []
        for feed in self._of(instrument, CONTRACT_CHANNELS):
            waited_ns = now_ns - feed.pushed_ns
            if feed.arg.channel == "funding-rate":
                if waited_ns >= FUNDING_NS:
                    out += self._push(feed, [rest.funding_row(instrument, mark)])
            elif (waited_ns >= MARK_NS and mark.mark != feed.mark) or waited_ns >= MARK_REPEAT_NS:
                out += self._mark(feed, mark)
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        for feed in list(self._feeds.values()):
            channel, waited_ns = feed.arg.channel, now_ns - feed.pushed_ns
            if channel == "status":
                out += self._status(feed)
            elif channel == "books" and waited_ns >= HEARTBEAT_NS:
                out += self._heartbeat(feed, now_ns)
            elif channel == "tickers" and feed.pending and feed.instrument is not None:
                out += self._tickers(feed.instrument)
        if not out and now_ns - self._sent_ns >= IDLE_NS:
            return (Close(4004, "No data received in 30s."),)
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        """The notice of a planned cut comes 60 s before it."""
        if not planned:
            return (Close(4006, "Abnormal disconnection"),)
        words = "The connection will soon be closed for a service upgrade. Please reconnect."
        notice = {"event": "notice", "code": "64008", "msg": words, "connId": self._conn_id}
        return (text(notice), Close(1001))

    # -- how messages are written

    def _of(self, instrument: SimInstrument, channels: Iterable[str]) -> list[_Feed]:
        keys = (Arg(channel=channel, instId=instrument.venue_id) for channel in channels)
        return [feed for key in keys if (feed := self._feeds.get(key)) is not None]

    def _image(self, feed: _Feed, now_ns: int) -> Iterable[Out]:
        """The whole window: the first push of ``books``, and every push of ``books5``."""
        window, one = feed.window, feed.instrument
        if window is None or one is None:
            return ()
        row = self._levels(window.bids(), window.asks(), now_ns, seq_id(one, feed.seq))
        if feed.arg.channel == "books5":
            return self._push(feed, [row | {"instId": one.venue_id}])
        return self._push(feed, [row | {"checksum": 0, "prevSeqId": -1}], "snapshot")

    def _heartbeat(self, feed: _Feed, now_ns: int) -> list[Out]:
        """An empty update when nothing changed. A channel whose last change a fault lost sends nothing."""
        one = feed.instrument
        if one is None or self._world.book(one, 1).seq != feed.seq:
            return []
        same = seq_id(one, feed.seq)
        row = self._levels((), (), now_ns, same) | {"checksum": 0, "prevSeqId": same}
        return self._push(feed, [row], "update")

    def _levels(self, bids: Sequence[TextLevel], asks: Sequence[TextLevel], at_ns: int, seq: int) -> rest.Row:
        return {"asks": rest.levels(asks), "bids": rest.levels(bids), "ts": ms_text(at_ns), "seqId": seq}

    def _trades(self, feed: _Feed, trades: Sequence[SimTrade]) -> list[Out]:
        """One message for each trade. Only ``trades`` has ``count`` (merged trades)."""
        one = feed.instrument
        if one is None:
            return []
        extra: rest.Row = {}
        if feed.arg.channel == "trades":
            if one.venue_id not in self._seqs:
                self._seqs[one.venue_id] = self._world.book(one, 1).seq
            extra = {"count": "1", "seqId": seq_id(one, self._seqs[one.venue_id])}
        return [frame for trade in trades for frame in self._push(feed, [rest.trade_row(one, trade) | extra])]

    def _tickers(self, instrument: SimInstrument) -> list[Out]:
        now_ns = self._world.now_ns()
        out: list[Out] = []
        for feed in self._of(instrument, ("tickers",)):
            feed.pending = now_ns - feed.pushed_ns < TICKER_NS
            if not feed.pending:
                name = instrument.venue_id
                best = self._best.get(name)
                if best is None:
                    image = self._world.book(instrument, 1)
                    best = first(image.bids), first(image.asks)
                trade = self._last.get(name) or self._world.last_trade(instrument)
                out += self._push(feed, [rest.ticker_row(instrument, *best, trade, now_ns)])
        return out

    def _mark(self, feed: _Feed, mark: SimMark) -> list[Out]:
        feed.mark = mark.mark
        return self._push(feed, [rest.mark_row(feed.instrument, mark)]) if feed.instrument is not None else []

    def _status(self, feed: _Feed) -> list[Out]:
        if feed.arg.channel != "status":
            return []
        rows = rest.status_rows(self._world.notices(rest.VENUE))
        fresh = [row | {"ts": ms_text(self._world.now_ns())} for row in rows if row not in feed.sent]
        feed.sent = rows
        return self._push(feed, fresh) if fresh else []

    def _push(self, feed: _Feed, rows: Sequence[rest.Row], action: str | None = None) -> list[Out]:
        self._sent_ns = feed.pushed_ns = self._world.now_ns()
        message: dict[str, Any] = {"arg": feed.arg}
        if action is not None:
            message["action"] = action
        return [text(message | {"data": rows})]

    def _event(self, event: str, request_id: str | None, **fields: Any) -> str:
        named = {} if request_id is None else {"id": request_id}
        return text(named | {"event": event} | fields | {"connId": self._conn_id})

    def _error(self, code: str, words: str, request_id: str | None) -> str:
        return self._event("error", request_id, msg=words, code=code)
