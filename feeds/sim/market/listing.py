"""What the simulated venues list: seven pairs, with tick and lot as each venue writes them.

Prices, liquidity and activity are round figures of 9 October 2025, the evening before "1011". Only their proportions
matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, structs

from feeds.model import Product
from feeds.sim.twin import SimInstrument


class Asset(Struct, frozen=True, kw_only=True):
    """One traded pair of coins, the same on every venue."""

    base: str
    quote: str
    price: float
    volatility: float
    """Standard deviation of the price over one second, in bp of it."""
    beta: float
    """Share of the movement that is common to all coins, 0 to 1."""
    depth_usd: float
    """Within 100 bp of mid, one side, on a venue of depth 1."""
    spread_bps: float
    trades_s: float
    """On a venue of traffic 1."""
    churn_s: float
    """Level changes a second on a venue of traffic 1."""
    perpetual: bool = True

    @property
    def pair(self) -> str:
        return f"{self.base}/{self.quote}"


ASSETS: tuple[Asset, ...] = (
    Asset(base="BTC", quote="USDT", price=121_600.0, volatility=0.55, beta=0.9, depth_usd=18e6, spread_bps=0.1,
          trades_s=9.0, churn_s=90.0),
    Asset(base="ETH", quote="USDT", price=4_370.0, volatility=0.75, beta=0.85, depth_usd=11e6, spread_bps=0.15,
          trades_s=7.0, churn_s=80.0),
    Asset(base="SOL", quote="USDT", price=221.4, volatility=0.95, beta=0.8, depth_usd=5e6, spread_bps=0.5,
          trades_s=4.0, churn_s=50.0),
    Asset(base="XRP", quote="USDT", price=2.815, volatility=0.9, beta=0.75, depth_usd=3.2e6, spread_bps=0.5,
          trades_s=3.0, churn_s=40.0),
    Asset(base="DOGE", quote="USDT", price=0.2483, volatility=1.1, beta=0.75, depth_usd=2.4e6, spread_bps=0.5,
          trades_s=2.5, churn_s=36.0),
    Asset(base="USDC", quote="USDT", price=1.0002, volatility=0.01, beta=0.0, depth_usd=30e6, spread_bps=0.5,
          trades_s=0.6, churn_s=8.0, perpetual=False),
    Asset(base="USDE", quote="USDT", price=0.9995, volatility=0.03, beta=0.0, depth_usd=8e6, spread_bps=1.0,
          trades_s=0.5, churn_s=8.0, perpetual=False),
)  # fmt: skip
BY_PAIR: Mapping[str, Asset] = {asset.pair: asset for asset in ASSETS}
DOLLARS: tuple[str, ...] = ("USDC", "USD")
"""Quotes whose prices are computed from the pair in USDT and from USDC/USDT. One dollar is one USDC here."""
COINS: tuple[str, ...] = ("BTC", "ETH", "SOL", "XRP", "DOGE")

# Steps common to most venues. A twin passes its own where they differ.
USUAL_TICKS: Mapping[str, str] = {
    "BTC": "0.1", "ETH": "0.01", "SOL": "0.01", "XRP": "0.0001", "DOGE": "0.00001", "USDC": "0.0001", "USDE": "0.0001",
}  # fmt: skip
USUAL_SPOT_LOTS: Mapping[str, str] = {
    "BTC": "0.00001", "ETH": "0.0001", "SOL": "0.001", "XRP": "0.1", "DOGE": "1", "USDC": "1", "USDE": "0.1",
}  # fmt: skip
USUAL_LINEAR_LOTS: Mapping[str, str] = {"BTC": "0.001", "ETH": "0.001", "SOL": "0.1", "XRP": "0.1", "DOGE": "1"}


def asset_of(base: str, quote: str) -> Asset:
    """The asset of a pair. Raises KeyError for a pair that is not simulated."""
    found = BY_PAIR.get(f"{base}/{quote}")
    if found is None and quote in DOLLARS:
        return structs.replace(BY_PAIR[f"{base}/USDT"], quote=quote)
    return BY_PAIR[f"{base}/{quote}"] if found is None else found


def listed(
    venue: str,
    product: Product,
    *,
    venue_id: Callable[[str, str], str],
    taker_fee: str,
    maker_fee: str,
    ticks: Mapping[str, str] | None = None,
    lots: Mapping[str, str] | None = None,
    contract_sizes: Mapping[str, str] | None = None,
    bases: Sequence[str] | None = None,
    quote: str = "USDT",
    pad_price: int = 0,
    pad_size: int = 0,
) -> tuple[SimInstrument, ...]:
    """The instruments of one route.

    ``venue_id`` makes the venue's name from base and quote. ``ticks``, ``lots`` and ``contract_sizes`` (base coin per
    size unit; inverse: quote currency) are by base and override the usual ones. ``bases`` selects and orders; the
    default is all coins, and on spot the two stablecoin pairs too. ``quote``: USDT or one of ``DOLLARS``.
    ``pad_price`` and ``pad_size`` write at least that many decimals, for venues that send ``0.01000000``.
    """
    spot = product == "spot"
    steps = {**USUAL_TICKS, **(ticks or {})}
    sizes = {**(USUAL_SPOT_LOTS if spot else USUAL_LINEAR_LOTS), **(lots or {})}
    made = []
    for asset in ASSETS:
        if (bases is not None and asset.base not in bases) or not (spot or asset.perpetual):
            continue
        if asset.base == quote:
            continue
        pair, settle = f"{asset.base}/{quote}", asset.base if product == "inverse" else quote
        lot = padded(sizes[asset.base], pad_size)
        made.append(
            SimInstrument(
                route=f"{venue}.{product}",
                product=product,
                symbol=pair if spot else f"{pair}:{settle}",
                venue_id=venue_id(asset.base, quote),
                base=asset.base,
                quote=quote,
                tick=padded(steps[asset.base], pad_price),
                lot=lot,
                min_size=lot,
                contract_size=(contract_sizes or {}).get(asset.base, "1"),
                inverse=product == "inverse",
                taker_fee=taker_fee,
                maker_fee=maker_fee,
            )
        )
    if bases is not None:
        made.sort(key=lambda instrument: list(bases).index(instrument.base))
    return tuple(made)


def padded(step: str, decimals: int) -> str:
    """The same decimal number with at least this many decimals."""
    whole, _, fraction = step.partition(".")
    fraction = fraction.ljust(decimals, "0")
    return f"{whole}.{fraction}" if fraction else whole


def decimals_of(step: str) -> int:
    return len(step.partition(".")[2])
