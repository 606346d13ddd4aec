"""Coinbase's Advanced Trade websocket, simulated.

One number counts all frames of a connection. A batch of changes that a fault loses skips one number. A snapshot holds
the whole book and comes before the acknowledgement, which lists all subscriptions every time.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from feeds.sim.twin import ABNORMAL, Change, Close, Out, SimInstrument, SimTrade, TextLevel, TwinSession, World
from feeds.sim.venues.coinbase import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import S, bare, iso, text

UNUSED_NS = 5 * S
"""A connection without a subscription is closed after this."""
SILENT_NS = 90 * S
"""A connection on which the server sends nothing for this long is closed. Heartbeats prevent it."""
CHANNELS = ("level2", "market_trades", "ticker")
_MAKER = {"buy": "SELL", "sell": "BUY"}
"""A trade carries the side of the maker."""


class _Command(Struct):
    type: str
    channel: str = ""
    product_ids: list[str] = []


_read = reader(_Command)


class CoinbaseSession(TwinSession):
    """One connection."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._subscribed: dict[str, dict[str, SimInstrument]] = {channel: {} for channel in CHANNELS}
        self._sent_seq: dict[str, int] = {}
        """Batch number that the client has, by book."""
        self._beats = False
        self._counter = 0
        self._number = 0
        self._opened_ns = self._sent_ns = world.now_ns()

    def opened(self, now_ns: int) -> Sequence[Out]:
        self._opened_ns = self._sent_ns = now_ns
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            return (_error("failed to parse the message"),)
        if command.type not in ("subscribe", "unsubscribe"):
            return (_error(f"{command.type} is not a valid type"),)
        if command.channel == "heartbeats":
            self._beats = command.type == "subscribe"
            return (self._acknowledge(),)
        if command.channel not in self._subscribed:
            return (_error(f"{command.channel} is not a valid channel"),)
        found = {name: rest.find(self._world, name) for name in command.product_ids}
        wrong = next((name for name, one in found.items() if one is None), None)
        if wrong is not None or not found:
            return (_error(f"{wrong or 'nothing'} is not a valid product"),)
        chosen = {one.venue_id: one for one in found.values() if one is not None}
        if command.type == "unsubscribe":
            for name in chosen:
                self._subscribed[command.channel].pop(name, None)
            return (self._acknowledge(),)
        self._subscribed[command.channel] |= chosen
        return [*(self._first(command.channel, one) for one in chosen.values()), self._acknowledge()]

    def _first(self, channel: str, one: SimInstrument) -> str:
        now_ns = self._world.now_ns()
        if channel == "level2":
            image = self._world.book(one)
            self._sent_seq[one.venue_id] = image.seq
            return self._book("snapshot", one, image.bids, image.asks, image.engine_ns, now_ns)
        trade = self._world.last_trade(one)
        if channel == "ticker":
            return self._push("ticker", now_ns, {"type": "snapshot", "tickers": [self._ticker(one, trade)]})
        return self._push("market_trades", now_ns, {"type": "snapshot", "trades": [_trade(one, trade)]})

    # -- pushed messages

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        name = instrument.venue_id
        if name not in self._subscribed["level2"] or change.seq <= self._sent_seq[name]:
            return ()
        if change.seq != self._sent_seq[name] + 1:
            self._number += 1
        self._sent_seq[name] = change.seq
        times = change.engine_ns, change.gateway_ns
        return (self._book("update", instrument, change.bids, change.asks, *times),)

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        out: list[Out] = []
        pushed_ns = trades[-1].gateway_ns
        if instrument.venue_id in self._subscribed["market_trades"]:
            rows = [_trade(instrument, trade) for trade in reversed(trades)]
            out.append(self._push("market_trades", pushed_ns, {"type": "update", "trades": rows}))
        if instrument.venue_id in self._subscribed["ticker"]:
            row = self._ticker(instrument, trades[-1])
            out.append(self._push("ticker", pushed_ns, {"type": "update", "tickers": [row]}))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        if self._beats:
            self._counter += 1
            clock = f"{iso(now_ns, 9).replace('T', ' ')[:-1]} +0000 UTC m=+{self._counter}.628148662"
            beat = {"current_time": clock, "heartbeat_counter": self._counter}
            return (self._push("heartbeats", now_ns, beat),)
        if not any(self._subscribed.values()):
            return (Close(ABNORMAL),) if now_ns - self._opened_ns >= UNUSED_NS else ()
        return (Close(ABNORMAL),) if now_ns - self._sent_ns >= SILENT_NS else ()

    def farewell(self, planned: bool) -> Sequence[Out]:
        """No warning is known."""
        return (Close(1001, "going away"),) if planned else (Close(ABNORMAL),)

    # -- how messages are written

    def _acknowledge(self) -> str:
        subscribed = {channel: list(names) for channel, names in self._subscribed.items() if names}
        if self._beats:
            subscribed["heartbeats"] = ["heartbeats"]
        return self._push("subscriptions", self._world.now_ns(), {"subscriptions": subscribed})

    def _book(
        self,
        kind: str,
        one: SimInstrument,
        bids: Sequence[TextLevel],
        asks: Sequence[TextLevel],
        engine_ns: int,
        gateway_ns: int,
    ) -> str:
        at = iso(engine_ns)
        updates = [
            {"side": side, "event_time": at, "price_level": bare(price), "new_quantity": bare(size)}
            for side, levels in (("bid", bids), ("offer", asks))
            for price, size in levels
        ]
        return self._push("l2_data", gateway_ns, {"type": kind, "product_id": one.venue_id, "updates": updates})

    def _push(self, channel: str, pushed_ns: int, event: rest.Row) -> str:
        number, self._number = self._number, self._number + 1
        self._sent_ns = self._world.now_ns()
        head = {"channel": channel, "timestamp": iso(pushed_ns, 9), "sequence_num": number}
        return text(head | {"events": [event]})

    def _ticker(self, one: SimInstrument, trade: SimTrade) -> rest.Row:
        best, last = self._world.book(one, 1), bare(trade.price)
        day = {"volume_24_h": rest.VOLUME, "low_24_h": last, "high_24_h": last, "low_52_w": last, "high_52_w": last}
        sides = {"best_bid": best.bids, "best_ask": best.asks}
        prices = {name: bare(side[0][0]) if side else "" for name, side in sides.items()}
        sizes = {f"{name}_quantity": bare(side[0][1]) if side else "" for name, side in sides.items()}
        head = {"type": "ticker", "product_id": one.venue_id, "price": last}
        return head | day | {"price_percent_chg_24_h": "0"} | prices | sizes


def _trade(one: SimInstrument, trade: SimTrade) -> rest.Row:
    return {
        "product_id": one.venue_id, "trade_id": str(trade.trade_id), "price": bare(trade.price),
        "size": bare(trade.size), "time": iso(trade.engine_ns), "side": _MAKER[trade.side],
    }  # fmt: skip


def _error(words: str) -> str:
    return text({"type": "error", "message": words})
