"""Binance's websocket request API, simulated: only its public methods.

Source: venues/binance.md, heading 3. Spot answers ``ping`` and ``time``; USD-M answers ``depth`` and ``ticker.book``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from feeds.model import Product
from feeds.sim.twin import Close, Out, SimInstrument, TwinSession, World
from feeds.sim.venues.binance.streams import book_id
from feeds.sim.wire.formats import MS

METHODS: Mapping[Product, tuple[str, ...]] = {
    "spot": ("ping", "time", "depth", "ticker.book"),
    "linear": ("depth", "ticker.book"),
}
LIMITS: Mapping[Product, int] = {"spot": 6_000, "linear": 2_400}


class _Call(Struct):
    id: int | str | None = None
    method: str = ""
    params: dict[str, str | int] = {}


_decode = msgspec.json.Decoder(_Call).decode


class ApiSession(TwinSession):
    """Answers calls. There are no subscriptions."""

    def __init__(self, product: Product, world: World) -> None:
        self._product: Product = product
        self._world = world
        self._count = 0

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        try:
            call = _decode(raw)
        except msgspec.DecodeError:
            return (self._answer(None, 400, error={"code": -1135, "msg": "Invalid JSON request."}),)
        if call.method not in METHODS[self._product]:
            return (self._answer(call.id, 400, error={"code": -1000, "msg": f"Unknown method {call.method!r}."}),)
        match call.method:
            case "ping":
                return (self._answer(call.id, 200, result={}),)
            case "time":
                return (self._answer(call.id, 200, result={"serverTime": now_ns // MS}),)
        instrument = self._world.find("binance", str(call.params.get("symbol", "")), self._product)
        if instrument is None:
            return (self._answer(call.id, 400, error={"code": -1121, "msg": "Invalid symbol."}),)
        return (self._answer(call.id, 200, result=self._book(call, instrument)),)

    def farewell(self, planned: bool) -> Sequence[Out]:
        return (Close(1001),) if planned else (Close(1006),)

    def _book(self, call: _Call, instrument: SimInstrument) -> dict[str, Any]:
        if call.method == "ticker.book":
            image = self._world.book(instrument, 1)
            bid, ask = (image.bids or (("0", "0"),))[0], (image.asks or (("0", "0"),))[0]
            row = {"symbol": instrument.venue_id, "bidPrice": bid[0], "bidQty": bid[1]}
            return row | {"askPrice": ask[0], "askQty": ask[1]}
        limit = call.params.get("limit", 100)
        image = self._world.book(instrument, limit if isinstance(limit, int) and 0 < limit <= 5_000 else 100)
        return {"lastUpdateId": book_id(image.seq) + 1, "bids": image.bids, "asks": image.asks}

    def _answer(self, call_id: int | str | None, status: int, **body: object) -> str:
        self._count += 1
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
        limits = [{**limit, "limit": LIMITS[self._product], "count": self._count}]
        return msgspec.json.encode({"id": call_id, "status": status, **body, "rateLimits": limits}).decode()
