"""Kraken (spot, perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/kraken.py``), python-kraken-sdk 3.5.1 and the requests on
docs.kraken.com/exchange/api-reference/unified-ws/. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, TwinSession, World
from feeds.sim.venues.kraken import rest
from feeds.sim.venues.kraken.streams import KrakenSession
from feeds.sim.venues.kraken.streams_futures import KrakenFuturesSession


class KrakenTwin:
    """Spot and multi-collateral perpetuals, each on a host of its own."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=50.0), "linear": TwinFacts(book_ms=50.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/v2", "linear": "/ws/v1"}

    def __init__(self) -> None:
        self._connections = count(6_447_481_662_169_813_000)

    def instruments(self) -> Sequence[SimInstrument]:
        """Sizes on spot have eight decimals. Fees: tier 0 of the sheet."""
        coins = ("BTC", "ETH", "SOL", "XRP", "DOGE", "USDC", "USDE")
        return (
            *listed(
                self.name, "spot", venue_id=rest.spot_id, quote="USD", taker_fee="0.004", maker_fee="0.0025",
                ticks={"XRP": "0.00001", "DOGE": "0.0000001"}, lots=dict.fromkeys(coins, "0.00000001"),
            ),
            *listed(
                self.name, "linear", venue_id=rest.futures_id, quote="USD", taker_fee="0.0005", maker_fee="0.0002",
                ticks={"BTC": "1", "ETH": "0.1", "XRP": "0.00001", "DOGE": "0.000001"},
                lots={"BTC": "0.0001", "ETH": "0.001", "SOL": "0.01", "XRP": "1", "DOGE": "1"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        match path.rstrip("/"):
            case "/v2":
                return KrakenSession(world, next(self._connections))
            case "/v2/public":
                return KrakenSession(world, next(self._connections), "linear")
            case "/ws/v1":
                return KrakenFuturesSession(world)
            case _:
                return None
