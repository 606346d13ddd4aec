"""OKX (API v5), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/okx.py``) and third-party captures of 2026. Never written from our
decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import COINS, listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.okx import rest
from feeds.sim.venues.okx.streams import OkxSession


class OkxTwin:
    """Spot, USDT and coin-margined swaps. One websocket serves all instruments."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(book_ms=100.0),
        "linear": TwinFacts(book_ms=100.0),
        "inverse": TwinFacts(book_ms=100.0),
    }
    ws_paths: Mapping[Product, str] = dict.fromkeys(facts, "/ws/v5/public")

    def __init__(self) -> None:
        self._numbers = count(1)

    def instruments(self) -> Sequence[SimInstrument]:
        """Fees: regular user tier, spot from ccxt 4.5.90. Contract sizes: instruments of 2025-2026."""
        return (
            *listed(
                self.name, "spot", venue_id=lambda base, quote: f"{base}-{quote}", taker_fee="0.0015",
                maker_fee="0.001",
                lots={"BTC": "0.00000001", "ETH": "0.000001", "SOL": "0.000001", "XRP": "0.000001", "DOGE": "0.000001"},
            ),
            *listed(
                self.name, "linear", venue_id=lambda base, quote: f"{base}-{quote}-SWAP", taker_fee="0.0005",
                maker_fee="0.0002", lots=dict.fromkeys(("BTC", "ETH", "SOL", "XRP", "DOGE"), "0.01"),
                contract_sizes={"BTC": "0.01", "ETH": "0.1", "SOL": "1", "XRP": "100", "DOGE": "1000"},
            ),
            *listed(
                self.name, "inverse", venue_id=lambda base, quote: f"{base}-{quote}-SWAP", quote="USD",
                taker_fee="0.0005", maker_fee="0.0002", lots=dict.fromkeys(COINS, "0.1"),
                contract_sizes={**dict.fromkeys(COINS, "10"), "BTC": "100"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> OkxSession | None:
        endpoint = path.removeprefix("/ws/v5/")
        if endpoint not in ("public", "business"):
            return None
        return OkxSession(world, endpoint, f"{crc32(str(next(self._numbers)).encode()):08x}")
