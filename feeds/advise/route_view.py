"""What advice knows of a symbol on one route at one moment."""

from __future__ import annotations

import math

from msgspec import Struct

from feeds.books.ladder import Ladder
from feeds.consensus import Gap
from feeds.model import Instrument, Verdict


class RouteView(Struct, frozen=True, kw_only=True, eq=False):
    """One route as an order would meet it. None is: not measured, not known."""

    instrument: Instrument | None
    """None: the venue does not list the symbol, or its listing is not known yet."""
    ladder: Ladder | None
    """The book, in the order's currency where the rate is known (then ``instrument.quote`` is that currency too)."""
    verdict: Verdict
    feed_age_ms: float | None = None
    """Receipt minus the venue's time stamp, offset corrected; p50 of the last 30 s."""
    rtt_ms: float | None = None
    """Of a REST request, which is what an order is; p50 of the last 30 s."""
    volatility_bps: float | None = None
    """Standard deviation of the symbol's price over one second, in bp of it."""
    error_share: float | None = None
    """Requests refused or lost in the last 30 s, 0 to 1."""
    fresh: bool = True
    """False: no new data comes any more, so the book shows the past."""
    synced: bool = True
    """False: the book is being rebuilt."""
    basis_bps: float | None = None
    """What it costs to change the order's currency into the one this route is quoted in. None: the same currency, or
    no rate is known; then ``instrument.quote`` is still the other currency."""
    gap: Gap | None = None
    """Its mid against the other routes', as the judge computed it; None: there is nothing to compare it with."""


def usable_figure(value: float | None) -> float | None:
    """A duration or share to calculate with: None where missing or not finite, and never below zero. A negative one
    is our clock's error, and nothing to earn by."""
    return None if value is None or not math.isfinite(value) else max(0.0, value)
