"""Bitfinex (v2), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, ccxt 4.5.90 (``pro/bitfinex.py``), cryptofeed 2.4.1 and third-party captures of 2019 to
2021. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from feeds.model import Product
from feeds.sim.market.listing import COINS, listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.bitfinex import rest
from feeds.sim.venues.bitfinex.streams import BitfinexSession

TICKS: Mapping[str, str] = {"BTC": "1", "ETH": "0.1", "SOL": "0.01", "XRP": "0.0001", "DOGE": "0.00001"}


class BitfinexTwin:
    """Spot in dollars and in USDt, perpetuals settled in USDt; no fees since December 2025."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=100.0), "linear": TwinFacts(book_ms=100.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/ws/2", "linear": "/ws/2"}

    def __init__(self) -> None:
        self._connections, self._chans = count(1), count(10_092, 7)

    def instruments(self) -> Sequence[SimInstrument]:
        """Prices have five significant digits at today's prices, amounts eight decimals."""
        free: dict[str, Any] = {"taker_fee": "0", "maker_fee": "0", "ticks": TICKS}
        free["lots"] = dict.fromkeys([*COINS, "USDC"], "0.00000001")

        def name(base: str, quote: str) -> str:
            return "t" + rest.pair(base, quote)

        return (
            *listed(self.name, "spot", venue_id=name, bases=[*COINS, "USDC"], **free),
            *listed(self.name, "spot", venue_id=name, bases=[*COINS, "USDC"], quote="USD", **free),
            *listed(self.name, "linear", venue_id=lambda b, q: "t" + rest.perpetual(b, q), bases=COINS, **free),
        )

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> BitfinexSession | None:
        if path != "/ws/2":
            return None
        return BitfinexSession(world, str(uuid5(NAMESPACE_DNS, str(next(self._connections)))), self._chans)
