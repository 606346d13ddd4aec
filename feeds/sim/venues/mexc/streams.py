"""MEXC's websocket of perpetuals, simulated."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from feeds.sim.twin import ABNORMAL, Change, Close, Out, SimInstrument, SimMark, SimTrade, TwinSession, World
from feeds.sim.venues.mexc import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import S, ms, text

UNPINGED_NS = 62 * S
"""A client that does not ping is cut after 60 to 68 s, also while data flows."""
FULL_NS = 300_000_000
FUNDING_NS = 60 * S
NAMES = ("depth", "depth.full", "deal", "ticker", "fair.price", "index.price", "funding.rate")


class _Param(Struct, frozen=True):
    symbol: str = ""
    compress: bool = True
    limit: int = 20


class _Command(Struct):
    method: str
    param: _Param = _Param()


_read = reader(_Command)


class _Subscription:
    def __init__(self, instrument: SimInstrument, param: _Param) -> None:
        self.instrument, self.param = instrument, param
        self.pushed_ns = 0


class LinearSession(TwinSession):
    """One connection to ``/edge``. An unknown method gets no answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._known: dict[tuple[str, str], _Subscription] = {}
        self._pinged_ns = world.now_ns()

    # -- messages from the client

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._pinged_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            return ()
        if command.method == "ping":
            self._pinged_ns = now_ns
            return (self._message("pong", ms(now_ns)),)
        action, _, name = command.method.partition(".")
        if action not in ("sub", "unsub") or name not in NAMES:
            return ()
        symbol = command.param.symbol
        one = self._world.find(rest.VENUE, symbol, "linear")
        if one is None:
            return (self._message("rs.error", f"Contract [{symbol}] not exists"),)
        if name == "depth.full" and command.param.limit not in (5, 10, 20, 50):
            return (self._message("rs.error", "Parameter error"),)
        if action == "unsub":
            self._known.pop((name, symbol), None)
            return (self._message(f"rs.unsub.{name}", "success"),)
        subscription = self._known[name, symbol] = _Subscription(one, command.param)
        acknowledged = self._message(f"rs.sub.{name}", "success")
        if name in ("fair.price", "index.price", "funding.rate"):
            return (acknowledged, self._price(name, subscription, self._world.mark(one)))
        return (acknowledged,)

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        """Compressed, one push covers a range of versions. Otherwise there is one push for each version."""
        subscription = self._of("depth", instrument)
        if subscription is None:
            return ()
        first, last = rest.version(instrument, change.seq - 1) + 1, rest.version(instrument, change.seq)
        asks, bids = rest.rows(change.asks), rest.rows(change.bids)
        times = {"cts": ms(change.engine_ns)}
        if subscription.param.compress:
            row = {"asks": asks, "bids": bids, "end": last, "begin": first, "version": last} | times
            return (self._push("depth", instrument, row, change.gateway_ns),)
        count = last - first + 1
        return [
            self._push(
                "depth",
                instrument,
                {"asks": asks[n::count], "bids": bids[n::count], "version": first + n} | times,
                change.gateway_ns,
            )
            for n in range(count)
        ]

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if self._of("deal", instrument) is None:
            return ()
        rows = [
            {
                "p": float(trade.price), "v": int(float(trade.size)), "T": 1 if trade.side == "buy" else 2, "O": 3,
                "M": 2, "t": ms(trade.engine_ns), "i": str(13_000_000_000 + trade.trade_id),
            }
            for trade in trades
        ]  # fmt: skip
        return (self._push("deal", instrument, rows, trades[-1].gateway_ns),)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        out: list[Out] = []
        for name in ("fair.price", "index.price", "funding.rate"):
            subscription = self._of(name, instrument)
            pause_ns = FUNDING_NS if name == "funding.rate" else 0
            if subscription is not None and mark.gateway_ns - subscription.pushed_ns >= pause_ns:
                out.append(self._price(name, subscription, mark))
        if self._of("ticker", instrument) is not None:
            out.append(self._push("ticker", instrument, rest.ticker_row(instrument, self._world), mark.gateway_ns))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        if now_ns - self._pinged_ns >= UNPINGED_NS:
            return (Close(ABNORMAL),)
        out: list[Out] = []
        for (name, _), subscription in self._known.items():
            if name == "depth.full" and now_ns - subscription.pushed_ns >= FULL_NS:
                subscription.pushed_ns = now_ns
                image = self._world.book(subscription.instrument, subscription.param.limit)
                row = rest.contract_book(subscription.instrument, image, now_ns)
                out.append(self._push("depth.full", subscription.instrument, row, now_ns))
        return out

    def _of(self, name: str, instrument: SimInstrument) -> _Subscription | None:
        return self._known.get((name, instrument.venue_id))

    def _price(self, name: str, subscription: _Subscription, mark: SimMark) -> str:
        subscription.pushed_ns = mark.gateway_ns
        row: rest.Row = {"symbol": subscription.instrument.venue_id}
        match name:
            case "fair.price":
                row["price"] = float(mark.mark)
            case "index.price":
                row["price"] = float(mark.index)
            case _:
                row |= {"rate": float(mark.funding_rate), "nextSettleTime": ms(mark.next_funding_ns)}
        return self._push(name, subscription.instrument, row, mark.gateway_ns)

    def _push(self, name: str, instrument: SimInstrument, data: object, gateway_ns: int) -> str:
        """The keys have the order seen on the wire."""
        return text({"symbol": instrument.venue_id, "data": data, "channel": f"push.{name}", "ts": ms(gateway_ns)})

    def _message(self, channel: str, data: object) -> str:
        return text({"channel": channel, "data": data, "ts": ms(self._world.now_ns())})
