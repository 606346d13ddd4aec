"""Coinbase (spot), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, the capture of August 2026, ccxt 4.5.90 (``pro/coinbase.py``) and coinbase-advanced-py
1.7.0. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.coinbase import rest
from feeds.sim.venues.coinbase.streams import CoinbaseSession


class CoinbaseTwin:
    """Spot in dollars. Every pair has a second name in USDC."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=50.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/"}

    def instruments(self) -> Sequence[SimInstrument]:
        """Fees: tier 0 of the sheet. There is no pair USDC-USD: Coinbase exchanges them one to one."""
        return listed(
            self.name, "spot", venue_id="{}-{}".format, quote="USD", taker_fee="0.012", maker_fee="0.006",
            bases=("BTC", "ETH", "SOL", "XRP", "DOGE"), ticks={"BTC": "0.01"},
            lots={"BTC": "0.00000001", "ETH": "0.00000001", "SOL": "0.00000001", "XRP": "0.000001", "DOGE": "0.1"},
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> CoinbaseSession | None:
        return CoinbaseSession(world) if path in ("", "/") else None
