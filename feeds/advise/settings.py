"""What advice reckons with: fees, allowances and limits. Where a number has no source it is a judgement of ours."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class AdviceSettings(Struct, frozen=True, kw_only=True):
    fees: Mapping[str, float] = {}
    """The user's own taker fee by route, a fraction of notional; replaces the instrument's."""
    domains: Mapping[str, tuple[str, ...]] = {}
    """Failure domains, name -> venues: taken away together in N-1, beside each venue alone."""

    # what must not be used
    odd_bps: float = 50.0
    """A route whose gap to the other routes' prices is larger than this is not used ..."""
    others_agree: float = 3.0
    """... where it is at least so many times what the others lie apart, as the judge asks for too."""
    max_age_ms: float = 5_000.0
    """Data older than this is no basis for an order."""

    # what it costs
    favour_bps: float = 2.0
    """How much of a better price than everybody else's is believed."""
    reject_bps: float = 5.0
    """What one more attempt costs after a refusal."""
    grace_ms: float = 500.0
    """Data up to this age is charged by volatility only."""
    stale_bps_per_s: float = 2.0
    """For data older than the grace, in addition to volatility."""
    congested_bps: float = 1.0
    """For a congested route: its delays vary more than their median shows."""
    usual_volatility_bps: float = 1.0
    """Bp per square root of a second, where no route's is known; 1 is 56 % a year."""
    unknown_ms: float = 500.0
    """Round trip and age where no route's is known."""

    # when the suggestion changes
    margin_bps: float = 0.3
    """A new suggestion must be cheaper by this margin or the next, whichever is larger ..."""
    margin_share: float = 0.05
    """... a share of the present suggestion's cost ..."""
    patience_s: float = 3.0
    """... for this long."""
