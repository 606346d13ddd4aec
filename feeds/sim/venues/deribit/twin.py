"""Deribit (spot, USDC and inverse perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, captures of 2019 to 2026, ccxt 4.5.90 (``pro/deribit.py``) and cryptofeed 2.4.1. Never
written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.deribit import rest, rpc
from feeds.sim.venues.deribit.streams import DeribitSession

PATH = "/ws/api/v2"


class DeribitTwin:
    """Spot, linear and inverse perpetuals. One websocket serves all instruments."""

    name = rpc.VENUE
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(book_ms=100.0),
        "linear": TwinFacts(book_ms=100.0),
        "inverse": TwinFacts(book_ms=100.0),
    }
    ws_paths: Mapping[Product, str] = {"spot": PATH, "linear": PATH, "inverse": PATH}

    def instruments(self) -> Sequence[SimInstrument]:
        """Sizes are in base coin; those of inverse contracts are in dollars. Steps: as listed in 2025."""
        return (
            *listed(
                self.name, "spot", venue_id="{}_{}".format, taker_fee="0", maker_fee="0", quote="USDC",
                bases=("BTC", "ETH", "SOL", "XRP"), lots={"BTC": "0.0001"},
            ),
            *listed(
                self.name, "spot", venue_id="{}_{}".format, taker_fee="0", maker_fee="0", bases=("USDC",),
            ),
            *listed(
                self.name, "linear", venue_id="{}_{}-PERPETUAL".format, quote="USDC", taker_fee="0.0005", maker_fee="0",
                ticks={"BTC": "1", "ETH": "0.05"}, lots={"BTC": "0.0001"},
            ),
            *listed(
                self.name, "inverse", venue_id=lambda base, quote: f"{base}-PERPETUAL", quote="USD",
                bases=("BTC", "ETH"), ticks={"BTC": "0.5", "ETH": "0.05"}, lots={"BTC": "10", "ETH": "1"},
                taker_fee="0.0005", maker_fee="0",
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> DeribitSession | None:
        return DeribitSession(world) if path.rstrip("/") == PATH else None
