"""How far a price moves: what waiting costs. Exponentially weighted, from the median of all routes' mids."""

from __future__ import annotations

import math

HALF_LIFE_S = 60.0
"""Weight of a price step halves in this time."""
MIN_STEPS = 10


class Volatility:
    """Standard deviation of log returns, in basis points per square root of a second (RiskMetrics 1996, EWMA)."""

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._variance = 0.0
        self._weight = 0.0
        self._steps = 0

    def interrupted(self) -> None:
        """Nobody watched for a while: the next price is not compared with the last one."""
        self._last = None

    def add(self, t_ns: int, mid: float) -> None:
        """The symbol's price at ``t_ns``. Times that do not grow are left out."""
        if self._last is not None:
            seconds = (t_ns - self._last[0]) / 1e9
            if seconds <= 0:
                return
            decay = 0.5 ** (seconds / HALF_LIFE_S)
            squared = (math.log(mid / self._last[1]) * 10_000.0) ** 2 / seconds
            self._variance = decay * self._variance + (1.0 - decay) * squared
            self._weight = decay * self._weight + (1.0 - decay)
            self._steps += 1
        self._last = (t_ns, mid)

    @property
    def bps_per_sqrt_s(self) -> float | None:
        """None until there are ``MIN_STEPS`` steps."""
        if self._steps < MIN_STEPS or self._weight <= 0:
            return None
        return math.sqrt(self._variance / self._weight)
