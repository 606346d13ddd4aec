"""Crypto.com Exchange (v1), simulated: what it lists and which paths it serves.

Sources: the official pages, the protocol sheet, captures of 2022, ccxt 4.5.90 (``pro/cryptocom.py``), tardis-node and
cryptocom-exchange 2.8.0. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import COINS, listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.cryptocom import rest
from feeds.sim.venues.cryptocom.streams import CryptocomSession

PATH = "/exchange/v1/market"


class CryptocomTwin:
    """Spot and dollar perpetuals. One websocket serves all instruments."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {
        # the venue pushes every 10 ms; less often spares a small machine
        "spot": TwinFacts(book_ms=50.0, tick_s=0.5),
        "linear": TwinFacts(book_ms=50.0, tick_s=0.5),
    }
    ws_paths: Mapping[Product, str] = {"spot": PATH, "linear": PATH}

    def instruments(self) -> Sequence[SimInstrument]:
        """Sizes are in base coin."""
        spot = [
            listed(self.name, "spot", venue_id="{}_{}".format, quote=quote, bases=COINS, taker_fee="0.005",
                   maker_fee="0.0025", ticks={"BTC": "0.01"})
            for quote in ("USD", "USDT")
        ]  # fmt: skip
        linear = listed(
            self.name, "linear", venue_id="{}{}-PERP".format, quote="USD", taker_fee="0.0005", maker_fee="0.0002",
            lots={"BTC": "0.0001", "ETH": "0.0001"},
        )  # fmt: skip
        return (*spot[0], *spot[1], *linear)

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> CryptocomSession | None:
        return CryptocomSession(world) if path.rstrip("/") == PATH else None
