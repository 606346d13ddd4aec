"""MEXC (spot, USDT perpetuals), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/mexc.py``), typed-mexc 2.3.0, third-party captures and published
measurements of both websockets. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, TwinSession, World
from feeds.sim.venues.mexc import rest
from feeds.sim.venues.mexc.streams import LinearSession
from feeds.sim.venues.mexc.streams_spot import SpotSession


class MexcTwin:
    """Spot and USDT perpetuals, each with its own host and websocket."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(
            book_ms=20.0, tick_s=0.1
        ),  # the venue pushes every 10 ms; half as often spares a small machine
        "linear": TwinFacts(book_ms=200.0, tick_s=0.1),
    }
    ws_paths: Mapping[Product, str] = {"spot": "/ws", "linear": "/edge"}

    def instruments(self) -> Sequence[SimInstrument]:
        """Fees: spot from ccxt 4.5.90, perpetuals the usual ones. Contract sizes: 2025-2026."""
        return (
            *listed(
                self.name, "spot", venue_id="{}{}".format, taker_fee="0.0005", maker_fee="0",
                ticks={"BTC": "0.01"},
                lots={"BTC": "0.00000001", "ETH": "0.00001", "SOL": "0.001", "XRP": "0.01", "DOGE": "0.01"},
            ),
            *listed(
                self.name, "linear", venue_id="{}_{}".format, taker_fee="0.0004", maker_fee="0.0001",
                lots=dict.fromkeys(("BTC", "ETH", "SOL", "XRP", "DOGE"), "1"),
                contract_sizes={"BTC": "0.0001", "ETH": "0.01", "SOL": "0.1", "XRP": "1", "DOGE": "100"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        match path.rstrip("/"):
            case "/ws":
                return SpotSession(world)
            case "/edge":
                return LinearSession(world)
            case _:
                return None
