"""Kraken's older derivatives websocket (``/ws/v1``), simulated.

Sources: the protocol sheet, third-party captures of 2021 and 2022, ccxt 4.5.90 and cryptofeed 2.4.1. Books are whole,
and every message is one level. Product names are written in capitals and accepted in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from uuid import UUID
from zlib import crc32

from msgspec import Struct

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
    TwinSession,
    World,
)
from feeds.sim.venues.kraken import rest
from feeds.sim.wire.commands import reader
from feeds.sim.wire.formats import ms, text

BY_PRODUCT = ("book", "trade", "ticker", "ticker_lite")


class _Command(Struct):
    event: str
    feed: str = ""
    product_ids: list[str] | None = None


_read = reader(_Command)


class _Book:
    """What one client has: the prices of each side, and the number of the last message."""

    def __init__(self, one: SimInstrument, world: World) -> None:
        self.image = world.book(one)
        self.heard = self.image.seq
        self.seq = crc32(one.venue_id.encode()) + 64 * self.heard
        self._known = ({p for p, _ in self.image.bids}, {p for p, _ in self.image.asks})

    def rows(self, change: Change) -> list[tuple[str, TextLevel, int]]:
        """(side, level, number) of a batch. A lost batch leaves a gap in the numbers. Only known levels are removed."""
        if change.seq <= self.heard:
            return []
        self.seq += 7 * (change.seq - self.heard - 1)
        self.heard = change.seq
        made = []
        sides = zip(("buy", "sell"), self._known, (change.bids, change.asks), strict=True)
        for side, known, levels in sides:
            for price, size in levels:
                if size != "0":
                    known.add(price)
                elif price in known:
                    known.remove(price)
                else:
                    continue
                self.seq += 1
                made.append((side, (price, size), self.seq))
        return made


class KrakenFuturesSession(TwinSession):
    def __init__(self, world: World) -> None:
        self._world = world
        self._books: dict[str, _Book] = {}
        self._feeds: dict[str, set[str]] = {feed: set() for feed in BY_PRODUCT}
        self._beats = False
        self._trades = count(100_000)

    def opened(self, now_ns: int) -> Sequence[Out]:
        return (text({"event": "info", "version": 1}),)

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        command = _read(raw)
        if command is None:
            return (_error("Json Error"),)
        if command.event not in ("subscribe", "unsubscribe"):
            return (_error("Invalid event"),)
        if command.feed == "heartbeat":
            self._beats = command.event == "subscribe"
            return (text({"event": f"{command.event}d", "feed": "heartbeat"}),)
        if command.feed not in self._feeds:
            return (_error("Invalid feed"),)
        answer = self._subscribe if command.event == "subscribe" else self._unsubscribe
        return [out for name in command.product_ids or [""] for out in answer(command.feed, name)]

    def _subscribe(self, feed: str, name: str) -> Sequence[Out]:
        one = rest.find_futures(self._world, name)
        if one is None:
            return (_error("Invalid product id"),)
        known = one.venue_id in self._feeds[feed]
        self._feeds[feed].add(one.venue_id)
        words = {"event": "alert", "message": "Already subscribed to feed, re-requesting"}
        done = {"event": "subscribed", "feed": feed, "product_ids": [one.venue_id]}
        return (text(words if known else done), *self._first(feed, one))

    def _unsubscribe(self, feed: str, name: str) -> Sequence[Out]:
        self._feeds[feed].discard(name.upper())
        if feed == "book":
            self._books.pop(name.upper(), None)
        return (text({"event": "unsubscribed", "feed": feed, "product_ids": [name.upper()]}),)

    def _first(self, feed: str, one: SimInstrument) -> Sequence[Out]:
        """The first messages of a feed."""
        name = one.venue_id
        match feed:
            case "book":
                book = self._books[name] = _Book(one, self._world)
                head = {"feed": "book_snapshot", "product_id": name, "timestamp": ms(book.image.engine_ns)}
                sides = {"bids": _levels(book.image.bids), "asks": _levels(book.image.asks)}
                return (text(head | {"seq": book.seq, "tickSize": None} | sides),)
            case "trade":
                row = self._trade(one, self._world.last_trade(one), "fill")
                return (text({"feed": "trade_snapshot", "product_id": name, "trades": [row]}),)
            case "ticker":
                return (self._ticker(one, self._world.mark(one)),)
            case _:
                return (self._lite(one),)

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        book = self._books.get(instrument.venue_id) if instrument.product == "linear" else None
        if book is None:
            return ()
        head = {"feed": "book", "product_id": instrument.venue_id}
        return [
            text(
                head
                | {"side": side, "seq": seq, "price": rest.number(price), "qty": rest.number(size)}
                | {"timestamp": ms(change.engine_ns)}
            )
            for side, (price, size), seq in book.rows(change)
        ]

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        if not self._wants("trade", instrument):
            return ()
        return [text(self._trade(instrument, trade, "fill")) for trade in trades]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        if not self._wants("trade", instrument):
            return ()
        return (text(self._trade(instrument, liquidation, "liquidation")),)

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        out: list[Out] = []
        if self._wants("ticker", instrument):
            out.append(self._ticker(instrument, mark))
        if self._wants("ticker_lite", instrument):
            out.append(self._lite(instrument))
        return out

    def tick(self, now_ns: int) -> Sequence[Out]:
        return (text({"feed": "heartbeat", "time": ms(now_ns)}),) if self._beats else ()

    def farewell(self, planned: bool) -> Sequence[Out]:
        """No warning is known."""
        return (Close(1001, "going away"),) if planned else (Close(ABNORMAL),)

    # -- how messages are written

    def _wants(self, feed: str, instrument: SimInstrument) -> bool:
        return instrument.product == "linear" and instrument.venue_id in self._feeds[feed]

    def _trade(self, one: SimInstrument, trade: SimTrade | SimLiquidation, kind: str) -> rest.Row:
        number = next(self._trades)
        uid = UUID(int=(crc32(one.venue_id.encode()) << 64) + (trade.engine_ns << 8) % (1 << 64) + number % 256)
        return {
            "feed": "trade", "product_id": one.venue_id, "uid": str(uid), "side": trade.side, "type": kind,
            "seq": number, "time": ms(trade.engine_ns), "qty": rest.number(trade.size),
            "price": rest.number(trade.price),
        }  # fmt: skip

    def _ticker(self, one: SimInstrument, mark: SimMark) -> str:
        last = rest.number(self._world.last_trade(one).price)
        head = {"time": ms(mark.gateway_ns), "product_id": one.venue_id, **rest.funding(mark)}
        head |= {"next_funding_rate_time": rest.next_hour_ms(mark.gateway_ns), "feed": "ticker", "leverage": "50x"}
        about = {"dtm": 0, "premium": 0.0, "index": rest.number(mark.index), "last": last, "change": 0.0}
        about |= {"suspended": False, "tag": "perpetual", "pair": f"{rest.ASSETS[one.base][1]}:{one.quote}"}
        sums = {"openInterest": rest.VOLUME, "markPrice": rest.number(mark.mark), "maturityTime": 0}
        day = {"post_only": False, "volume": rest.VOLUME, "volumeQuote": rest.VOLUME, "open": last, "high": last}
        return text(head | rest.quote_fields(one, self._world) | about | sums | day | {"low": last})

    def _lite(self, one: SimInstrument) -> str:
        best = rest.quote_fields(one, self._world)
        head = {"feed": "ticker_lite", "product_id": one.venue_id, "bid": best["bid"], "ask": best["ask"]}
        about = {"change": 0.0, "premium": 0.0, "volume": rest.VOLUME, "tag": "perpetual", "dtm": 0, "maturityTime": 0}
        return text(head | about | {"pair": f"{rest.ASSETS[one.base][1]}:{one.quote}"})


def _levels(levels: Sequence[TextLevel]) -> list[rest.Row]:
    return [{"price": rest.number(price), "qty": rest.number(size)} for price, size in levels]


def _error(words: str) -> str:
    return text({"event": "error", "message": words})
