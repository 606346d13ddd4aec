"""The least that a Python client can do: ``websockets`` without decoding, one typed read by msgspec, two dicts.

No time stamps, no sequence check, no reconnecting, nothing counted: the floor that our pipeline is compared with. It
asks for the books that our own session asks for, so that it is sent the same bytes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct
from websockets.asyncio.client import connect

from feeds.model import Channel, Product
from feeds.sim.registry import TWINS
from feeds.venues.base import SocketPlan
from feeds.venues.registry import VENUES
from tests.bench import rounds
from tests.bench.detour_client import LEVELS, instrument_of

Side = list[tuple[float, float]]
TwoSides = tuple[Side, Side]


class _BinanceData(Struct):
    b: Side
    a: Side


class _Binance(Struct):
    data: _BinanceData | None = None


class _OkxLevel(Struct, array_like=True):
    price: float
    size: float


class _OkxRow(Struct):
    bids: list[_OkxLevel]
    asks: list[_OkxLevel]


class _Okx(Struct):
    data: list[_OkxRow] = []


class _Bybit(Struct):
    data: _BinanceData | None = None


_binance = msgspec.json.Decoder(_Binance, strict=False).decode
_okx = msgspec.json.Decoder(_Okx, strict=False).decode
_bybit = msgspec.json.Decoder(_Bybit, strict=False).decode


def read_binance(raw: bytes) -> TwoSides | None:
    data = _binance(raw).data
    return None if data is None else (data.b, data.a)


def read_okx(raw: bytes) -> TwoSides | None:
    rows = _okx(raw).data
    if not rows:
        return None
    return [(level.price, level.size) for level in rows[0].bids], [(one.price, one.size) for one in rows[0].asks]


def read_bybit(raw: bytes) -> TwoSides | None:
    data = _bybit(raw).data
    return None if data is None else (data.b, data.a)


READERS = {"binance": read_binance, "okx": read_okx, "bybit": read_bybit}
"""By venue; others have no row of a bare loop."""


class Bare(rounds.Plain):
    def __init__(self) -> None:
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}
        self._reading: asyncio.Task[None] | None = None
        self._venue = ""

    async def open(self, place: dict[str, Any]) -> None:
        route: str = place["route"]
        self._venue, _, last = route.partition(".")
        product: Product = last  # type: ignore[assignment]  # the server names a route that exists
        venue = VENUES[self._venue]
        instruments = [instrument_of(i) for i in TWINS[self._venue]().instruments() if i.symbol == place["symbol"]]
        plan: SocketPlan = venue.plan(product, instruments)[0]
        books = tuple(s for s in plan.subscriptions if s.channel is Channel.BOOK)
        plan = msgspec.structs.replace(plan, subscriptions=books)
        asked = venue.session(plan, instruments).subscribe()
        socket = await connect(venue.dial_url(plan, place["ws"], None), compression=None, proxy=None)
        for payload in asked:
            await socket.send(payload)
        self._reading = asyncio.create_task(self._read(socket, READERS[self._venue]))
        while not self._bids or not self._asks:  # noqa: ASYNC110 - polled at start-up
            await asyncio.sleep(0.02)

    async def _read(self, socket: Any, read: Any) -> None:
        bids, asks = self._bids, self._asks
        while True:
            sides = read(await socket.recv(decode=False))
            if sides is None:
                continue
            for price, size in sides[0]:
                if size:
                    bids[price] = size
                else:
                    bids.pop(price, None)
            for price, size in sides[1]:
                if size:
                    asks[price] = size
                else:
                    asks.pop(price, None)

    def done(self, marks: dict[str, float]) -> bool:
        [mark_px] = marks.values()
        return mark_px in self._bids

    def book(self) -> list[list[list[float]]] | None:
        if self._venue == "binance":
            return None  # its snapshot comes over REST, which this loop does not ask for
        best = sorted(self._bids.items(), reverse=True)[:LEVELS], sorted(self._asks.items())[:LEVELS]
        return [[list(level) for level in side] for side in best]

    async def close(self) -> None:
        await rounds.cancel(self._reading)


if __name__ == "__main__":
    rounds.main(Bare)
