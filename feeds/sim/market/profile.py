"""A route on a calm day: delays, depth, traffic. All figures are assumed; only their order is realistic."""

from __future__ import annotations

from random import Random

from msgspec import Struct, structs

from feeds.model import Product


class RouteProfile(Struct, frozen=True, kw_only=True):
    rest_ms: float
    """Median time to answer a REST call."""
    rest_sigma: float = 0.22
    """Sigma of its lognormal distribution; p99 is about 1.7 times the median."""
    feed_ms: float
    """Median time from the gateway's time stamp to the socket."""
    feed_sigma: float = 0.35
    engine_lag_ms: float
    """Time from the engine's to the gateway's time stamp."""
    depth: float
    """Factor against Binance's perpetuals."""
    spread: float
    """Factor on the asset's spread."""
    traffic: float
    basis_bps: float
    """Usual offset of the route's price from the market's."""
    clock_ms: float
    """Offset of the venue's clock from ours."""


VENUES: dict[str, RouteProfile] = {
    "binance": RouteProfile(
        rest_ms=6.0, feed_ms=2.5, engine_lag_ms=2.0, depth=1.0, spread=1.0, traffic=1.0, basis_bps=0.0, clock_ms=1.8
    ),
    "okx": RouteProfile(
        rest_ms=9.0, feed_ms=3.5, engine_lag_ms=3.0, depth=0.62, spread=1.3, traffic=0.7, basis_bps=0.15, clock_ms=-2.6
    ),
    "bybit": RouteProfile(
        rest_ms=11.0, feed_ms=4.5, engine_lag_ms=2.5, depth=0.7, spread=1.2, traffic=0.8, basis_bps=-0.2, clock_ms=0.9
    ),
}


def profile_of(venue: str, product: Product) -> RouteProfile:
    """The profile of a route.

    A venue without a row in ``VENUES`` gets random figures seeded by its name, always the same.
    """
    rng = Random(f"profile {venue}")
    profile = VENUES.get(venue) or RouteProfile(
        rest_ms=rng.uniform(8.0, 20.0),
        feed_ms=rng.uniform(3.0, 9.0),
        engine_lag_ms=rng.uniform(2.0, 6.0),
        depth=rng.uniform(0.15, 0.45),
        spread=rng.uniform(1.4, 3.0),
        traffic=rng.uniform(0.25, 0.6),
        basis_bps=rng.uniform(-0.6, 0.6),
        clock_ms=rng.uniform(-5.0, 5.0),
    )
    if product != "spot":
        # perpetuals trade a little above spot, as funding of +1 bp per 8 h implies
        profile = structs.replace(profile, basis_bps=profile.basis_bps + 1.5)
    if product == "linear" or venue == "deribit":  # Deribit's inverse contracts are its main ones
        return profile
    if product == "inverse":
        return structs.replace(
            profile, depth=profile.depth * 0.4, spread=profile.spread * 1.3, traffic=profile.traffic * 0.5
        )
    return structs.replace(
        profile,
        rest_ms=profile.rest_ms * 1.2,
        depth=profile.depth * 0.55,
        spread=profile.spread * 1.3,
        traffic=profile.traffic * 0.6,
    )
