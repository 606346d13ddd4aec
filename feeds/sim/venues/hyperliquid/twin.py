"""Hyperliquid (perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, the official Python SDK 0.24 and ccxt 4.5.90 (``pro/hyperliquid.py``). Never written from
our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.hyperliquid import rest
from feeds.sim.venues.hyperliquid.streams import HyperliquidSession
from feeds.sim.wire.encode_once import EncodeOnce

FAST_MS = 540.0


class HyperliquidTwin:
    """Perpetuals quoted in USDC."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"linear": TwinFacts(book_ms=FAST_MS)}
    ws_paths: Mapping[Product, str] = {"linear": "/ws"}

    def __init__(self) -> None:
        self._once: EncodeOnce[str] = EncodeOnce()

    def instruments(self) -> Sequence[SimInstrument]:
        """Ticks: five significant figures at today's prices (whole numbers are always allowed)."""
        return listed(
            self.name, "linear", venue_id=lambda base, quote: base, quote="USDC", taker_fee="0.00045",
            maker_fee="0.00015", ticks={"BTC": "1", "ETH": "0.1"},
            lots={"BTC": "0.00001", "ETH": "0.0001", "SOL": "0.01", "XRP": "1", "DOGE": "1"},
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> HyperliquidSession | None:
        return HyperliquidSession(world, self._once) if path == "/ws" else None
