"""The venues that can be simulated: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from feeds.sim.twin import Twin
from feeds.sim.venues.binance import BinanceTwin
from feeds.sim.venues.bingx import BingxTwin
from feeds.sim.venues.bitfinex import BitfinexTwin
from feeds.sim.venues.bitget import BitgetTwin
from feeds.sim.venues.bybit import BybitTwin
from feeds.sim.venues.coinbase import CoinbaseTwin
from feeds.sim.venues.cryptocom import CryptocomTwin
from feeds.sim.venues.deribit import DeribitTwin
from feeds.sim.venues.gate import GateTwin
from feeds.sim.venues.htx import HtxTwin
from feeds.sim.venues.hyperliquid import HyperliquidTwin
from feeds.sim.venues.kraken import KrakenTwin
from feeds.sim.venues.kucoin import KucoinTwin
from feeds.sim.venues.mexc import MexcTwin
from feeds.sim.venues.okx import OkxTwin

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
