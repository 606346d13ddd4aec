"""The twins: one line for each venue that can be simulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from feeds.sim.twin import Twin
from feeds.sim.venues.binance.twin import BinanceTwin
from feeds.sim.venues.bingx.twin import BingxTwin
from feeds.sim.venues.bitfinex.twin import BitfinexTwin
from feeds.sim.venues.bitget.twin import BitgetTwin
from feeds.sim.venues.bybit.twin import BybitTwin
from feeds.sim.venues.coinbase.twin import CoinbaseTwin
from feeds.sim.venues.cryptocom.twin import CryptocomTwin
from feeds.sim.venues.deribit.twin import DeribitTwin
from feeds.sim.venues.gate.twin import GateTwin
from feeds.sim.venues.htx.twin import HtxTwin
from feeds.sim.venues.hyperliquid.twin import HyperliquidTwin
from feeds.sim.venues.kraken.twin import KrakenTwin
from feeds.sim.venues.kucoin.twin import KucoinTwin
from feeds.sim.venues.mexc.twin import MexcTwin
from feeds.sim.venues.okx.twin import OkxTwin

TWINS: Mapping[str, Callable[[], Twin]] = {
    "binance": BinanceTwin,
    "okx": OkxTwin,
    "bybit": BybitTwin,
    "bitget": BitgetTwin,
    "gate": GateTwin,
    "kucoin": KucoinTwin,
    "htx": HtxTwin,
    "mexc": MexcTwin,
    "hyperliquid": HyperliquidTwin,
    "deribit": DeribitTwin,
    "bingx": BingxTwin,
    "bitfinex": BitfinexTwin,
    "cryptocom": CryptocomTwin,
    "kraken": KrakenTwin,
    "coinbase": CoinbaseTwin,
}
