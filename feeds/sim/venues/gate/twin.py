"""Gate (v4: spot, USDT perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, third-party captures of 2021 to 2026, ccxt 4.5.90 (``pro/gate.py``) and cryptofeed 2.4.1.
Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from zlib import crc32

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.gate import rest
from feeds.sim.venues.gate.streams import GateSession


class GateTwin:
    """Spot and USDT perpetuals, each on a websocket of its own."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=100.0), "linear": TwinFacts(book_ms=100.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/ws/v4/", "linear": "/v4/ws/usdt"}

    def __init__(self) -> None:
        self._numbers = count(1)

    def instruments(self) -> Sequence[SimInstrument]:
        """ETH has fractional contracts (captured in March 2026). Fees: tier 0 in ccxt 4.5.90."""
        return (
            *listed(
                self.name, "spot", venue_id="{}_{}".format, taker_fee="0.002", maker_fee="0.002",
                lots={"BTC": "0.000001", "ETH": "0.0001", "SOL": "0.001", "XRP": "0.01", "DOGE": "0.1"},
            ),
            *listed(
                self.name, "linear", venue_id="{}_{}".format, taker_fee="0.0005", maker_fee="0.0002",
                lots={"BTC": "1", "ETH": "0.01", "SOL": "1", "XRP": "1", "DOGE": "1"},
                contract_sizes={"BTC": "0.0001", "ETH": "0.01", "SOL": "1", "XRP": "10", "DOGE": "10"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> GateSession | None:
        served = next((p for p, known in self.ws_paths.items() if path.rstrip("/") == known.rstrip("/")), None)
        if served is None:
            return None
        return GateSession(world, served, f"{crc32(str(next(self._numbers)).encode()):016x}")
