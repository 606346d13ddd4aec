"""Deribit's JSON-RPC websocket, simulated: one for all instruments.

Nobody is logged in, so ``.raw`` channels are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from feeds.sim.venues.deribit import rpc
from feeds.sim.wire.formats import S, ms, text

MOST_CHANNELS = 500
LEAST_HEARTBEAT_S = 10
CALL_CREDITS, CREDITS, REFILL_S = 500.0, 50_000.0, 10_000.0
SUBSCRIBE_CREDITS, SUBSCRIBE_MOST = 3_000.0, 30_000.0
DEPTHS = ("1", "10", "20")
SLOW = "agg2"
"""Aggregated over about a second. Any other interval here is 100 ms."""


class _Credits:
    """Requests cost credits, which refill over time."""

    def __init__(self, most: float, now_ns: int) -> None:
        self._most = self._left = most
        self._at_ns = now_ns

    def take(self, cost: float, now_ns: int) -> bool:
        self._left = min(self._most, self._left + (now_ns - self._at_ns) / S * REFILL_S)
        self._at_ns = now_ns
        if self._left < cost:
            return False
        self._left -= cost
        return True


class _Book:
    """One book subscription: what its client was sent, and the book now."""

    def __init__(self, channel: str, instrument: SimInstrument, world: World, depth: int | None, slow: bool) -> None:
        self.channel, self.instrument, self.depth, self.slow = channel, instrument, depth, slow
        image = world.book(instrument)
        self.seq, self.engine_ns = image.seq, image.engine_ns
        self._sent_id = rpc.change_id(instrument, image.seq)
        self._current: tuple[dict[str, str], dict[str, str]] = (dict(image.bids), dict(image.asks))
        self._sent: tuple[dict[str, str], dict[str, str]] = (dict(image.bids), dict(image.asks))
        self._touched: tuple[set[str], set[str]] = (set(), set())

    def apply(self, change: Change) -> bool:
        """False for a batch that it already has. A lost batch leaves a gap in the chain of ids."""
        if change.seq <= self.seq:
            return False
        if change.seq != self.seq + 1:
            self._sent_id = rpc.change_id(self.instrument, change.seq - 1)
        self.seq, self.engine_ns = change.seq, change.engine_ns
        for current, touched, levels in zip(self._current, self._touched, (change.bids, change.asks), strict=True):
            for price, size in levels:
                touched.add(price)
                current[price] = size
                if size == "0":
                    del current[price]
        return True

    def first(self) -> rpc.Row:
        if self.depth is not None:
            return self._best()
        sides = [[["new", *rpc.level(one)] for one in sent.items()] for sent in self._sent]
        return {"type": "snapshot"} | self._head() | {"bids": sides[0], "asks": sides[1]}

    def take_update(self) -> rpc.Row | None:
        """The next update, None when nothing changed."""
        before, self._sent_id = self._sent_id, rpc.change_id(self.instrument, self.seq)
        if before == self._sent_id:
            return None
        if self.depth is not None:
            return self._best()
        sides: list[list[list[object]]] = []
        for sent, current, touched in zip(self._sent, self._current, self._touched, strict=True):
            rows: list[list[object]] = []
            for price in touched:
                old, new = sent.pop(price, None), current.get(price)
                if new is not None:
                    sent[price] = new
                    if new != old:
                        rows.append(["change" if old else "new", float(price), float(new)])
                elif old is not None:
                    rows.append(["delete", float(price), 0.0])
            touched.clear()
            sides.append(rows)
        chain = {"prev_change_id": before}
        return {"type": "change"} | self._head() | chain | {"bids": sides[0], "asks": sides[1]}

    def _head(self) -> rpc.Row:
        one = self.instrument
        return {"timestamp": ms(self.engine_ns), "instrument_name": one.venue_id, "change_id": self._sent_id}

    def _best(self) -> rpc.Row:
        def ranked(side: Mapping[str, str], sign: int) -> list[list[float]]:
            best: list[TextLevel] = sorted(side.items(), key=lambda one: sign * float(one[0]))
            return [rpc.level(one) for one in best[: self.depth]]

        return self._head() | {"bids": ranked(self._current[0], -1), "asks": ranked(self._current[1], 1)}


class DeribitSession(TwinSession):
    """One connection to ``/ws/api/v2``."""

    def __init__(self, world: World) -> None:
        self._world = world
        now_ns = world.now_ns()
        self._calls, self._subscribes = _Credits(CREDITS, now_ns), _Credits(SUBSCRIBE_MOST, now_ns)
        self._books: dict[str, _Book] = {}
        self._plain: dict[str, SimInstrument | None] = {}
        """Instruments by channel. None: ``platform_state``."""
        self._heartbeat_s = 0
        self._beat_ns = now_ns
        self._tested = False

    # -- messages from the client

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = rpc.read(raw)
        if command is None:
            return (text(rpc.envelope(self._world, error=rpc.RpcError(-32700, "Parse error"))),)
        params, after = command.params or {}, list[Out]()
        try:
            if not self._calls.take(CALL_CREDITS, now_ns):
                raise rpc.RpcError(10028, "too_many_requests")
            match command.method:
                case "public/subscribe":
                    if not self._subscribes.take(SUBSCRIBE_CREDITS, now_ns):
                        raise rpc.RpcError(10028, "too_many_requests")
                    result, after = self._subscribe(_channels(params))
                case "public/unsubscribe":
                    result = self._unsubscribe(_channels(params))
                case "public/unsubscribe_all":
                    self._books.clear()
                    self._plain.clear()
                    result = "ok"
                case "public/set_heartbeat" | "public/disable_heartbeat":
                    result = self._set_heartbeat(command.method, params, now_ns)
                case method:
                    result = rpc.call(method, params, self._world)
                    self._tested = self._tested and method != "public/test"
        except rpc.RpcError as error:
            return (text(rpc.envelope(self._world, command.id, error=error)),)
        return (text(rpc.envelope(self._world, command.id, result=result)), *after)

    def _set_heartbeat(self, method: str, params: Mapping[str, object], now_ns: int) -> object:
        interval = params.get("interval") if method == "public/set_heartbeat" else 0
        if type(interval) is not int or 0 < interval < LEAST_HEARTBEAT_S:
            raise rpc.invalid("interval", f"must be >= {LEAST_HEARTBEAT_S}")
        self._heartbeat_s, self._beat_ns, self._tested = interval, now_ns, False
        return "ok"

    def _subscribe(self, channels: Sequence[str]) -> tuple[object, list[Out]]:
        """Unknown names are left out without an error. The answer lists channels in its own order."""
        granted: list[str] = []
        after: list[Out] = []
        if any(channel.endswith(".raw") for channel in channels):
            raise rpc.RpcError(13778, "raw_subscriptions_not_available_for_unauthorized")
        for channel in dict.fromkeys(channels):
            if channel in self._books or channel in self._plain:
                granted.append(channel)  # granted again, without a second snapshot
                continue
            kind, _, selector = channel.partition(".")
            name, *how = selector.split(".")
            one = self._world.find(rpc.VENUE, name)
            if channel == "platform_state":
                self._plain[channel] = None
            elif one is None:
                continue
            elif kind == "book" and _is_book(how):
                depth = int(how[1]) if len(how) > 1 else None
                book = self._books[channel] = _Book(channel, one, self._world, depth, how[-1] == SLOW)
                after.append(_push(channel, book.first()))
            elif (kind == "quote" and not how) or (kind in ("trades", "ticker", "perpetual") and _is_pace(how)):
                self._plain[channel] = one
                after += self._first(channel, kind, one)
            else:
                continue
            granted.append(channel)
        return granted[::-1], after

    def _first(self, channel: str, kind: str, one: SimInstrument) -> list[Out]:
        """What a new subscription gets at once: quotes and tickers."""
        if kind == "ticker":
            return [_push(channel, rpc.ticker_of(one, self._world))]
        if kind == "quote":
            image = self._world.book(one, 1)
            bid, ask = (side[0] if side else None for side in (image.bids, image.asks))
            return [_push(channel, rpc.quote_row(one, bid, ask, image.engine_ns))]
        return []

    def _unsubscribe(self, channels: Sequence[str]) -> object:
        gone = [channel for channel in dict.fromkeys(channels) if channel in self._books or channel in self._plain]
        for channel in gone:
            self._books.pop(channel, None)
            self._plain.pop(channel, None)
        return gone

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        out: list[Out] = []
        for channel, book in self._books.items():
            if book.instrument.venue_id != instrument.venue_id or not book.apply(change) or book.slow:
                continue
            out += _update_of(channel, book)
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        channel = f"quote.{instrument.venue_id}"
        if channel not in self._plain:
            return ()
        return (_push(channel, rpc.quote_row(instrument, top.bid, top.ask, top.engine_ns)),)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        wanted = self._wanted("trades", instrument)
        if not wanted:
            return ()
        mark = self._world.mark(instrument)
        rows = [rpc.trade_row(instrument, trade, mark) for trade in trades]
        return [_push(channel, rows) for channel in wanted]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        """A trade with a flag that says whose position was closed: the taker's or the maker's, in turn."""
        wanted = self._wanted("trades", instrument)
        if not wanted:
            return ()
        number = ms(liquidation.engine_ns)
        by_maker = number % 2 == 0
        side = liquidation.side if not by_maker else "buy" if liquidation.side == "sell" else "sell"
        trade = SimTrade(
            price=liquidation.price,
            size=liquidation.size,
            side=side,
            trade_id=number,
            engine_ns=liquidation.engine_ns,
            gateway_ns=liquidation.gateway_ns,
        )
        flag = {"liquidation": "M" if by_maker else "T"}
        row = rpc.trade_row(instrument, trade, self._world.mark(instrument)) | flag
        return [_push(channel, [row]) for channel in wanted]

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        out: list[Out] = []
        for channel in self._wanted("ticker", instrument):
            image, trade = self._world.book(instrument, 1), self._world.last_trade(instrument)
            out.append(_push(channel, rpc.ticker_row(instrument, image, trade, mark)))
        for channel in self._wanted("perpetual", instrument):
            row = {"timestamp": ms(mark.gateway_ns), "interest": 0.0001, "index_price": float(mark.index)}
            out.append(_push(channel, row))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        out: list[Out] = []
        for channel, book in self._books.items():
            if book.slow:
                out += _update_of(channel, book)
        if self._heartbeat_s and now_ns - self._beat_ns >= self._heartbeat_s * S:
            if self._tested:
                return (*out, Close(ABNORMAL))
            self._beat_ns, self._tested = now_ns, True
            for kind in ("heartbeat", "test_request"):
                out.append(text({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}))
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        said = [_push("platform_state", {"maintenance": True})] if planned and "platform_state" in self._plain else []
        return (*said, Close(ABNORMAL))

    def _wanted(self, kind: str, instrument: SimInstrument) -> list[str]:
        names = (f"{kind}.{instrument.venue_id}.{pace}" for pace in ("100ms", SLOW))
        return [name for name in names if name in self._plain]


def _channels(params: Mapping[str, object]) -> list[str]:
    channels = params.get("channels")
    if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
        raise rpc.invalid("channels", "must be an array of strings")
    if not 0 < len(channels) <= MOST_CHANNELS:
        raise rpc.invalid("channels", "wrong number of channels")
    return channels


def _is_pace(how: Sequence[str]) -> bool:
    return list(how) in (["100ms"], [SLOW])


def _is_book(how: Sequence[str]) -> bool:
    """``100ms``, or ``none.20.100ms``: the best levels, not grouped by price."""
    return _is_pace(how) or (len(how) == 3 and how[0] == "none" and how[1] in DEPTHS and _is_pace(how[2:]))


def _push(channel: str, data: object) -> str:
    return text({"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}})


def _update_of(channel: str, book: _Book) -> list[Out]:
    row = book.take_update()
    return [] if row is None else [_push(channel, row)]
