"""Correlated mid prices of all pairs: one seeded random walk that the books of all routes follow."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sqrt
from random import Random

from feeds.sim.conditions import CALM_MARKET, MarketCondition
from feeds.sim.market.listing import ASSETS, DOLLARS, Asset

STEP_S = 0.05
HALF_LIFE_S = 600.0
"""A pair of stablecoins returns to par with this half-life."""


class Prices:
    """The same seed and conditions give the same prices at every step, however often they are read.

    A coin's log price moves by its volatility times a mix of a common shock (share ``Asset.beta``) and a shock of its
    own. Stablecoins (beta 0) return to their first price.
    """

    def __init__(self, seed: int, condition: Callable[[str, float], MarketCondition] | None = None) -> None:
        self._rng = Random(f"prices {seed}")
        self._condition = condition
        self._steps = 0
        self._log: dict[str, float] = {asset.pair: 0.0 for asset in ASSETS}
        self._mid: dict[str, float] = {asset.pair: asset.price for asset in ASSETS}

    def advance(self, elapsed_s: float, scenario_s: float | None = None, speed: float = 1.0) -> None:
        """Moves prices forward to ``elapsed_s`` after the start.

        ``scenario_s``: second of the scenario at that moment.
        """
        target = int(elapsed_s / STEP_S + 1e-9)
        if target <= self._steps:
            return
        conditions = {asset.pair: self._at(asset, scenario_s) for asset in ASSETS}
        while self._steps < target:
            self._steps += 1
            common = self._rng.gauss(0.0, 1.0)
            for asset in ASSETS:
                self._walk(asset, common, conditions[asset.pair], speed)

    def mid(self, pair: str) -> float:
        """Mid price of a spot pair such as ``BTC/USDT`` in its quote currency.

        Raises KeyError if it is not simulated.
        """
        found = self._mid.get(pair)
        if found is None:
            base, _, quote = pair.partition("/")
            if quote in DOLLARS:
                return self._mid[f"{base}/USDT"] / self._mid["USDC/USDT"]
            raise KeyError(pair)
        return found

    def _at(self, asset: Asset, scenario_s: float | None) -> MarketCondition:
        if self._condition is None or scenario_s is None:
            return CALM_MARKET
        return self._condition(asset.pair, scenario_s)

    def _walk(self, asset: Asset, common: float, condition: MarketCondition, speed: float) -> None:
        own = self._rng.gauss(0.0, 1.0)
        shock = asset.beta * common + sqrt(1.0 - asset.beta**2) * own
        bps = asset.volatility * sqrt(STEP_S) * condition.volatility * shock
        if asset.beta > 0:
            bps += condition.drift_bps_s * speed * STEP_S
        log = self._log[asset.pair] + bps / 1e4
        if asset.beta == 0:
            log *= 0.5 ** (STEP_S / HALF_LIFE_S)
        self._log[asset.pair] = log
        self._mid[asset.pair] = asset.price * exp(log)
