"""Bybit (API v5), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/bybit.py``) and captures of August 2026. Never written from our
decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import COINS, listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.bybit import rest
from feeds.sim.venues.bybit.streams import BybitSession, Depths


class BybitTwin:
    """Spot, linear and inverse perpetuals, each on a websocket of its own."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(book_ms=20.0),
        "linear": TwinFacts(book_ms=20.0),
        "inverse": TwinFacts(book_ms=20.0),
    }
    ws_paths: Mapping[Product, str] = {product: f"/v5/public/{product}" for product in facts}

    def __init__(self) -> None:
        self._numbers = count(1)
        self._depths: Depths = {}

    def instruments(self) -> Sequence[SimInstrument]:
        """Ticks and lots: captured in August 2026. Fees: the default tier."""
        return (
            *listed(
                self.name, "spot", venue_id="{}{}".format, taker_fee="0.001", maker_fee="0.001",
                lots={"BTC": "0.000001", "ETH": "0.00001", "SOL": "0.001", "XRP": "0.01", "DOGE": "0.1"},
            ),
            *listed(
                self.name, "linear", venue_id="{}{}".format, taker_fee="0.00055", maker_fee="0.0002",
                ticks={"BTC": "0.10"}, lots={"ETH": "0.01"},
            ),
            *listed(  # a contract is one dollar
                self.name, "inverse", venue_id="{}{}".format, quote="USD", taker_fee="0.00055", maker_fee="0.0002",
                ticks={"BTC": "0.10"}, lots=dict.fromkeys(COINS, "1"),
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> BybitSession | None:
        category = path.removeprefix("/v5/public/")
        if category not in (*self.facts, "misc/status"):
            return None
        number = next(self._numbers)
        return BybitSession(
            world, category, f"d9avt8shteepr{crc32(str(number).encode()):07x}-{number:05x}", self._depths
        )
