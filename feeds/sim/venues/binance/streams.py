"""Binance's market streams, simulated (venues/binance.md, headings 1, 3, 4, 5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from feeds.model import Product
from feeds.sim.market.listing import padded
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
from feeds.sim.wire.encode_once import EncodeOnce
from feeds.sim.wire.formats import MS, S
from feeds.sim.wire.limits import SlidingLimit

ID_BASE = 35_346_000_000
ID_STEP = 16
"""Update ids from one batch of a book to the next.

On futures, ids are not contiguous between events; that is why ``pu`` exists.
"""
MAX_STREAMS = 1_024
SENDS_PER_S: Mapping[Product, int] = {"spot": 5, "linear": 10, "inverse": 10}
PUBLIC = ("depth", "bookTicker", "rpiDepth", "trade")
"""Futures streams of the /public category; all others are /market (mandatory since 2026-04-23)."""
DEPTH_MS: Mapping[Product, Mapping[str, int]] = {
    "spot": {"": 1_000, "100ms": 100, "1000ms": 1_000},
    "linear": {"": 250, "100ms": 100, "250ms": 250, "500ms": 500},
    "inverse": {"": 250, "100ms": 100, "250ms": 250, "500ms": 500},
}
MARK_EVERY = {"": 3, "1s": 1}

Frame: TypeAlias = dict[str, Any]


def book_id(seq: int) -> int:
    """The last update id of a batch."""
    return ID_BASE + seq * ID_STEP


def pair_of(instrument: SimInstrument) -> str:
    """``BTCUSD`` of ``BTCUSD_PERP``."""
    return instrument.venue_id.partition("_")[0]


def _kind_of(instrument: SimInstrument) -> int:
    """``st``: 1 USD-M, 2 COIN-M."""
    return 2 if instrument.inverse else 1


class _Command(Struct):
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"null")
    id: int | str | None = None


_decode = msgspec.json.Decoder(_Command).decode
_decode_params = msgspec.json.Decoder(list[str]).decode


class _Slow:
    """A diff or partial stream that is slower than the book: batches are merged until the next push is due."""

    def __init__(self, instrument: SimInstrument, kind: str, interval_ms: int) -> None:
        self.instrument, self.kind, self.interval_ms = instrument, kind, interval_ms
        self.latest: Change | None = None
        self.first_seq = 0
        self.last_seq = 0
        self.sent_ns = 0
        self.sent_seq = 0
        self.bids: dict[str, str] = {}
        self.asks: dict[str, str] = {}

    def merge(self, change: Change) -> None:
        if not self.first_seq:
            self.first_seq = change.seq
        self.last_seq, self.latest = change.seq, change
        self.bids.update(change.bids)
        self.asks.update(change.asks)

    def take(self) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        bids, asks = tuple(self.bids.items()), tuple(self.asks.items())
        self.bids, self.asks = {}, {}
        self.first_seq = 0
        return bids, asks


class StreamSession(TwinSession):
    """One connection to market streams.

    ``category`` is ``public``, ``market``, ``private`` or empty: the URL without a category, which delivers nothing on
    futures since 2026-04-23. ``combined`` wraps every event with the name of its stream.
    """

    def __init__(
        self,
        product: Product,
        category: str,
        combined: bool,
        streams: Sequence[str],
        world: World,
        encoded: EncodeOnce[str],
    ) -> None:
        self._product: Product = product
        self._category = category
        self._combined = combined
        self._world = world
        self._encoded = encoded
        self._streams: dict[str, None] = {}
        self._by_symbol: dict[str, dict[str, tuple[str, str]]] = {}
        self._slow: dict[str, _Slow] = {}
        self._marks: dict[str, int] = {}
        self._received = SlidingLimit(SENDS_PER_S[product], S)
        self._add(streams)

    def tick(self, now_ns: int) -> Sequence[Out]:
        """Merged batches are also sent on time when no further batch comes."""
        late = [
            (stream, slow, slow.latest)
            for stream, slow in self._slow.items()
            if slow.first_seq and slow.latest and now_ns - slow.latest.gateway_ns >= slow.interval_ms * MS
        ]
        return [self._plain(stream, self._merged(slow, latest)) for stream, slow, latest in late]

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        if not self._received.allows(now_ns):
            return (Close(1008, "Too many requests"),)
        try:
            command = _decode(raw)
        except msgspec.DecodeError as error:
            return (_text({"error": {"code": 3, "msg": f"Invalid JSON: {error}"}}),)
        match command.method:
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                return self._change_streams(command)
            case "LIST_SUBSCRIPTIONS":
                return (_text({"result": list(self._streams), "id": command.id}),)
        return (_text(_refusal(command.id, 2, f"Invalid request: unknown variant `{command.method}`")),)

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        wanted = self._wanted(instrument)
        if not wanted:
            return ()
        out = []
        for stream, (kind, pace) in wanted.items():
            if not kind.startswith("depth") and kind != "rpiDepth":
                continue
            if kind == "depth" and DEPTH_MS[self._product].get(pace) == 100:
                key = (self._product, stream)
                out.append(self._once(stream, key, change, lambda: self._diff(instrument, change)))
            elif (event := self._paced(instrument, stream, kind, pace, change)) is not None:
                out.append(self._plain(stream, event))
        return out

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        return [
            self._once(stream, (self._product, instrument.venue_id, "top"), top, lambda: self._ticker(instrument, top))
            for stream, (kind, _) in self._wanted(instrument).items()
            if kind == "bookTicker"
        ]

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        return [
            self._plain(stream, event)
            for stream, (kind, _) in self._wanted(instrument).items()
            if kind in ("trade", "aggTrade")
            for event in self._deals(instrument, kind, trades)
        ]

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        return [
            self._plain(stream, _force_order(instrument, liquidation))
            for stream, (kind, _) in self._wanted(instrument).items()
            if kind == "forceOrder"
        ]

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        out = []
        for stream, (kind, pace) in self._wanted(instrument).items():
            if kind != "markPrice" or pace not in MARK_EVERY:
                continue
            key = f"{stream} {instrument.venue_id}"
            self._marks[key] = self._marks.get(key, -1) + 1
            if self._marks[key] % MARK_EVERY[pace] == 0:
                event = _mark_price(instrument, mark)
                out.append(self._plain(stream, [event] if stream.startswith("!") else event))
        return out

    def farewell(self, planned: bool) -> Sequence[Out]:
        if not planned:
            return (Close(1006),)
        if self._product != "spot":
            return (Close(1001),)
        notice = {"e": "serverShutdown", "E": self._world.now_ns() // MS}
        return (_text({"stream": "!serverShutdown", "data": notice} if self._combined else notice), Close(1001))

    def _change_streams(self, command: _Command) -> Sequence[Out]:
        try:
            streams = _decode_params(command.params)
        except msgspec.DecodeError:
            return (_text(_refusal(command.id, 2, "Invalid request: params must be an array of strings")),)
        if command.method == "SUBSCRIBE":
            if len(set(self._streams) | set(streams)) > MAX_STREAMS:
                return (Close(1008, "Too many streams"),)
            self._add(streams)
        else:
            for stream in streams:
                self._drop(stream)
        return (_text({"result": None, "id": command.id}),)

    def _add(self, streams: Sequence[str]) -> None:
        for stream in streams:
            self._streams[stream] = None
            parsed = self._parse(stream)
            if parsed is not None:
                symbol, kind, pace = parsed
                self._by_symbol.setdefault(symbol, {})[stream] = (kind, pace)

    def _drop(self, stream: str) -> None:
        self._streams.pop(stream, None)
        for streams in self._by_symbol.values():
            streams.pop(stream, None)
        self._slow.pop(stream, None)

    def _parse(self, stream: str) -> tuple[str, str, str] | None:
        """(symbol or "!", kind, pace). None: a name that is acknowledged and never gets data."""
        name, _, rest = stream.partition("@")
        kind, _, pace = rest.partition("@")
        if name.startswith("!"):
            # !forceOrder@arr, !markPrice@arr@1s, !bookTicker
            symbol, kind, pace = "!", name[1:], pace
            if kind not in ("forceOrder", "markPrice", "bookTicker"):
                return None
        else:
            symbol = name.upper()
        if name != name.lower() and symbol != "!":
            return None
        if self._product == "linear":
            category = "public" if kind.rstrip("0123456789") in PUBLIC else "market"
            if category != self._category:
                return None
        elif self._product == "spot" and (kind in ("forceOrder", "markPrice", "rpiDepth") or symbol == "!"):
            return None
        base = kind.rstrip("0123456789")
        if base == "depth" and (kind[5:] not in ("", "5", "10", "20") or pace not in DEPTH_MS[self._product]):
            return None
        return symbol, kind, pace

    def _wanted(self, instrument: SimInstrument) -> Mapping[str, tuple[str, str]]:
        if instrument.product != self._product:
            return {}
        own = self._by_symbol.get(instrument.venue_id)
        everyone = self._by_symbol.get("!")
        if own and everyone:
            return {**own, **everyone}
        return own or everyone or {}

    def _paced(self, instrument: SimInstrument, stream: str, kind: str, pace: str, change: Change) -> Frame | None:
        slow = self._slow.get(stream)
        if slow is None:
            interval_ms = 500 if kind == "rpiDepth" else DEPTH_MS[self._product][pace]
            slow = self._slow[stream] = _Slow(instrument, kind, interval_ms)
        event = None
        if slow.first_seq and change.seq != slow.last_seq + 1:
            # a batch is missing: push what was merged before it, or the gap would be hidden
            event = self._merged(slow, change)
        slow.merge(change)
        if event is None and change.gateway_ns - slow.sent_ns >= (slow.interval_ms - 50) * MS:
            event = self._merged(slow, change)
        return event

    def _merged(self, slow: _Slow, change: Change) -> Frame:
        instrument, kind = slow.instrument, slow.kind
        first, last, previous = slow.first_seq, slow.last_seq, slow.sent_seq or slow.first_seq - 1
        bids, asks = slow.take()
        slow.sent_ns, slow.sent_seq = change.gateway_ns, last
        if first != previous + 1:
            previous = first - 1
        levels = kind[5:] if kind != "rpiDepth" else ""
        if levels:
            image = self._world.book(instrument, int(levels))
            if self._product == "spot":
                return {"lastUpdateId": book_id(last), "bids": image.bids, "asks": image.asks}
            bids, asks = tuple(image.bids), tuple(image.asks)
        return self._update(instrument, change, previous, last, bids, asks)

    def _diff(self, instrument: SimInstrument, change: Change) -> Frame:
        return self._update(instrument, change, change.seq - 1, change.seq, change.bids, change.asks)

    def _update(
        self,
        instrument: SimInstrument,
        change: Change,
        previous: int,
        last: int,
        bids: Sequence[TextLevel],
        asks: Sequence[TextLevel],
    ) -> Frame:
        nothing = instrument.lot.translate(str.maketrans("123456789", "000000000"))
        event: Frame = {"e": "depthUpdate", "E": change.gateway_ns // MS}
        if self._product != "spot":
            event["T"] = change.engine_ns // MS
        event["s"] = instrument.venue_id
        if self._product != "spot":
            event |= {"ps": pair_of(instrument), "st": _kind_of(instrument)}
        event |= {"U": book_id(previous) + 1, "u": book_id(last)}
        if self._product != "spot":
            event["pu"] = book_id(previous)
        event["b"] = [(price, nothing if size == "0" else size) for price, size in bids]
        event["a"] = [(price, nothing if size == "0" else size) for price, size in asks]
        return event

    def _ticker(self, instrument: SimInstrument, top: Top) -> Frame:
        quote: Frame = {
            "u": book_id(top.seq - 1) + 1,
            "s": instrument.venue_id,
            "b": top.bid[0],
            "B": top.bid[1],
            "a": top.ask[0],
            "A": top.ask[1],
        }
        if self._product == "spot":
            return quote
        times = {"e": "bookTicker", "E": top.gateway_ns // MS, "T": top.engine_ns // MS}
        return {**times, **quote, "ps": pair_of(instrument), "st": _kind_of(instrument)}

    def _deals(self, instrument: SimInstrument, kind: str, trades: Sequence[SimTrade]) -> Iterator[Frame]:
        for trade in trades:
            event: Frame = {"e": kind, "E": trade.gateway_ns // MS, "s": instrument.venue_id}
            if kind == "trade":
                event |= {"t": trade.trade_id}
            else:
                event |= {"a": trade.trade_id, "f": trade.trade_id, "l": trade.trade_id}
            event |= {"p": trade.price, "q": trade.size, "T": trade.engine_ns // MS, "m": trade.side == "sell"}
            if self._product == "spot":
                event["M"] = True
            else:
                event |= ({} if instrument.inverse else {"nq": trade.size}) | {"st": _kind_of(instrument)}
            yield event

    def _once(self, stream: str, key: tuple[str, ...], event: object, make: Any) -> str:
        body = self._encoded.get(key, event, lambda: _text(make()))
        if not self._combined:
            return body
        return self._encoded.get((*key, stream, "combined"), event, lambda: f'{{"stream":"{stream}","data":{body}}}')

    def _plain(self, stream: str, event: object) -> str:
        return _text({"stream": stream, "data": event} if self._combined else event)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _refusal(request_id: int | str | None, code: int, text: str) -> Frame:
    return {"error": {"code": code, "msg": text}, "id": request_id}


def _force_order(instrument: SimInstrument, liquidation: SimLiquidation) -> Frame:
    order = {
        "s": instrument.venue_id,
        "S": liquidation.side.upper(),
        "o": "LIMIT",
        "f": "IOC",
        "q": liquidation.size,
        "p": liquidation.price,
        "ap": liquidation.price,
        "X": "FILLED",
        "l": liquidation.size,
        "z": liquidation.size,
        "T": liquidation.engine_ns // MS,
    }
    head = {"e": "forceOrder", "E": liquidation.gateway_ns // MS, "o": order}
    return head | {"ps": pair_of(instrument), "st": _kind_of(instrument)}


def _mark_price(instrument: SimInstrument, mark: SimMark) -> Frame:
    return {
        "e": "markPriceUpdate",
        "E": mark.gateway_ns // MS,
        "s": instrument.venue_id,
        "p": padded(mark.mark, 8),
        "ap": padded(mark.mark, 8),
        "i": padded(mark.index, 8),
        "P": padded(mark.index, 8),
        "r": mark.funding_rate,
        "T": mark.next_funding_ns // MS,
        "st": _kind_of(instrument),
    }
