"""Binance (spot, USD-M, COIN-M), simulated: what it lists and which paths it serves.

Sources: the protocol sheet (venues/binance.md, October 2026) and ccxt 4.5.90. Never written from our decoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from feeds.model import Product
from feeds.sim.market.listing import COINS, listed
from feeds.sim.twin import Request, Response, SimInstrument, TwinFacts, TwinSession, World
from feeds.sim.venues.binance import rest
from feeds.sim.venues.binance.streams import StreamSession
from feeds.sim.venues.binance.streams_api import ApiSession
from feeds.sim.wire.encode_once import EncodeOnce


class BinanceTwin:
    """Spot, USD-M and COIN-M. Counts the used request weight of the running minute, as the venue does for one IP."""

    name = "binance"
    facts: Mapping[Product, TwinFacts] = {
        "spot": TwinFacts(book_ms=100.0, control_ping_s=20.0),
        "linear": TwinFacts(book_ms=100.0, control_ping_s=180.0),
        "inverse": TwinFacts(book_ms=100.0, control_ping_s=180.0),
    }
    ws_paths: Mapping[Product, str] = {"spot": "/stream", "linear": "/public/stream", "inverse": "/stream"}

    def __init__(self) -> None:
        self._spot = listed(
            "binance",
            "spot",
            venue_id=lambda base, quote: base + quote,
            taker_fee="0.001",
            maker_fee="0.001",
            ticks={"BTC": "0.01"},
            pad_price=8,
            pad_size=8,
        )
        self._linear = listed(
            "binance",
            "linear",
            venue_id=lambda base, quote: base + quote,
            taker_fee="0.0005",
            maker_fee="0.0002",
            ticks={"BTC": "0.10"},
            lots={"SOL": "0.01"},
        )
        self._inverse = listed(
            "binance",
            "inverse",
            venue_id="{}{}_PERP".format,
            taker_fee="0.0005",
            maker_fee="0.0002",
            quote="USD",
            lots=dict.fromkeys(COINS, "1"),
            contract_sizes={**dict.fromkeys(COINS, "10"), "BTC": "100"},
        )
        self._encoded: EncodeOnce[str] = EncodeOnce()
        self._weights = rest.Weights()

    def instruments(self) -> Sequence[SimInstrument]:
        return (*self._spot, *self._linear, *self._inverse)

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        parts = [part for part in path.split("/") if part]
        if product == "linear" and parts[:1] == ["ws-fapi"]:
            return ApiSession("linear", world)
        if product == "spot" and parts[:1] == ["ws-api"]:
            return ApiSession("spot", world)
        category = ""
        if product == "linear" and parts[:1] in (["public"], ["market"], ["private"]):
            category = parts.pop(0)
        if not parts or parts[0] not in ("ws", "stream"):
            return None
        combined = parts[0] == "stream"
        streams = query.get("streams", "").split("/") if combined else parts[1:]
        # clients append a bare number to keep several sockets apart; only names with @ or ! are streams
        named = [stream for stream in streams if "@" in stream or stream.startswith("!")]
        return StreamSession(product, category, combined, named, world, self._encoded)

    def error(self, kind: str, status: int) -> Response:
        return rest.failure(kind, status)

    def rest(self, request: Request, world: World) -> Response | None:
        return rest.answer(request, world, self._weights)
