"""Bitget (spot, USDT futures), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/bitget.py``), tardis-node and captured messages of 2024 and 2026.
Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from zlib import crc32

from msgspec import structs

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.bitget import rest
from feeds.sim.venues.bitget.streams import BitgetSession


class BitgetTwin:
    """Spot and USDT futures. One websocket serves both products."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=50.0), "linear": TwinFacts(book_ms=50.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/v3/ws/public", "linear": "/v3/ws/public"}

    def __init__(self) -> None:
        self._numbers = count(1)
        self._calls = rest.Calls()

    def instruments(self) -> Sequence[SimInstrument]:
        """Steps: captured messages of 2026-04. Fees: the default tier."""
        return (
            *listed(
                self.name, "spot", venue_id="{}{}".format, taker_fee="0.001", maker_fee="0.001", ticks={"BTC": "0.01"},
                lots={"BTC": "0.000001", "ETH": "0.0001", "SOL": "0.0001", "XRP": "0.0001", "DOGE": "0.01",
                      "USDC": "0.0001", "USDE": "0.01"},
            ),
            *listed(
                self.name, "linear", venue_id="{}{}".format, taker_fee="0.0006", maker_fee="0.0002",
                lots={"BTC": "0.0001", "ETH": "0.01", "XRP": "1"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        left = self._calls.left(request.path, world.now_ns())
        if left < 0:
            return rest.limited(left)
        response = rest.answer(request, world)
        if response is None:
            return None
        headers = {**response.headers, "x-mbx-used-remain-limit": str(left)}
        return structs.replace(response, headers=headers)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> BitgetSession | None:
        version = path.removeprefix("/").removesuffix("/ws/public")
        if path not in ("/v2/ws/public", "/v3/ws/public"):
            return None
        return BitgetSession(world, version, f"{crc32(str(next(self._numbers)).encode()):08x}")
