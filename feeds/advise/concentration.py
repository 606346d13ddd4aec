"""How concentrated amounts are: the Herfindahl-Hirschman index and the effective number of venues. Pure.

``HHI = sum of squared shares`` (Hirschman 1945, Herfindahl 1950; as used by the US Horizontal Merger Guidelines, there
in per cent squared): 1 when one venue holds everything, 1 / n when n venues hold the same. ``1 / HHI`` is the number of
equal venues that would be as concentrated (the numbers equivalent, Adelman 1969; Hill number of order 2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable


def hhi(amounts: Iterable[float]) -> float | None:
    """Of amounts that are not negative, in one unit; None when there is nothing to share."""
    values = list(amounts)
    total = math.fsum(values)
    return math.fsum((value / total) ** 2 for value in values) if total > 0 else None


def effective_venues(concentration: float | None) -> float | None:
    """The number of equal venues with this HHI; None where there is none."""
    return None if concentration is None else 1 / concentration
