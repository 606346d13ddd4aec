"""HTX (spot, USDT swaps), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, captures of 2019 to 2022, a third party's measurements of 2026-09 (of swaps, and of a
spot venue with the same protocol), ccxt 4.5.90 (``pro/htx.py``) and cryptofeed 2.4.1. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.htx import rest
from feeds.sim.venues.htx.streams import KINDS, MarketSession, pack
from feeds.sim.venues.htx.streams_notification import NotificationSession
from feeds.sim.wire.encode_once import EncodeOnce


class HtxTwin:
    """Spot and USDT swaps, on five websocket paths."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=100.0), "linear": TwinFacts(book_ms=30.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/ws", "linear": "/linear-swap-ws"}

    def __init__(self) -> None:
        self._numbers = count(1)
        self._once: EncodeOnce[bytes] = EncodeOnce()

    def instruments(self) -> Sequence[SimInstrument]:
        """Contract sizes of BTC, ETH and DOGE: measured in 2026-09. Fees: tier 0."""
        return (
            *listed(
                self.name, "spot", venue_id=lambda base, quote: f"{base}{quote}".lower(), taker_fee="0.002",
                maker_fee="0.002", lots={"BTC": "0.000001", "ETH": "0.0001", "SOL": "0.0001", "DOGE": "0.01"},
            ),
            *listed(
                self.name, "linear", venue_id="{}-{}".format, taker_fee="0.0006", maker_fee="0.0002",
                lots={"BTC": "1", "ETH": "1", "SOL": "1", "XRP": "1", "DOGE": "1"},
                contract_sizes={"BTC": "0.001", "ETH": "0.01", "SOL": "1", "XRP": "10", "DOGE": "100"},
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(
        self, product: Product, path: str, query: Mapping[str, str], world: World
    ) -> MarketSession | NotificationSession | None:
        path = path.rstrip("/")
        if path == "/linear-swap-notification":
            return NotificationSession(world, self._once, pack)
        if path not in KINDS:
            return None
        served: Product = "spot" if path in ("/ws", "/feed") else "linear"
        return MarketSession(world, served, path, self._once, next(self._numbers))
