"""BingX (spot, perpetuals in USDT and USDC), simulated: what it lists and which paths it serves.

Sources: the protocol sheet, the official text on ``incrDepth``, frames in the tests of BingX.Net, a third party's
measurements of the perpetuals (2026-09) and ccxt 4.5.90 (``pro/bingx.py``). Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, World
from feeds.sim.venues.bingx import rest
from feeds.sim.venues.bingx.streams import FAST, BingxSession
from feeds.sim.wire.encode_once import EncodeOnce

PATHS: Mapping[str, Product] = {"/market": "spot", "/swap-market": "linear"}


class BingxTwin:
    """Spot, and perpetuals in USDT and USDC, which share a websocket."""

    name = rest.VENUE
    facts: Mapping[Product, TwinFacts] = {"spot": TwinFacts(book_ms=500.0), "linear": TwinFacts(book_ms=200.0)}
    ws_paths: Mapping[Product, str] = {"spot": "/market", "linear": "/swap-market"}

    def __init__(self) -> None:
        self._once: EncodeOnce[bytes] = EncodeOnce()

    def instruments(self) -> Sequence[SimInstrument]:
        """Decimals of BTC and ETH: frames of 2024 to 2026. Fees: tier 0."""
        swap_lots = {"BTC": "0.0001", "ETH": "0.01"}
        return (
            *listed(
                self.name, "spot", venue_id="{}-{}".format, taker_fee="0.001", maker_fee="0.001",
                ticks={"BTC": "0.01"}, lots={"BTC": "0.000001", "ETH": "0.00001"},
            ),
            *listed(
                self.name, "linear", venue_id="{}-{}".format, taker_fee="0.0005", maker_fee="0.0002", lots=swap_lots,
            ),
            *listed(
                self.name, "linear", venue_id="{}-{}".format, taker_fee="0.0005", maker_fee="0.0002", lots=swap_lots,
                bases=FAST, quote="USDC",
            ),
        )  # fmt: skip

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> BingxSession | None:
        served = PATHS.get(path.rstrip("/"))
        return None if served is None else BingxSession(world, served, self._once)
