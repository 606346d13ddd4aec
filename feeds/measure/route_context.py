"""What every part of a native route is given: who the route is, and the tools all parts share."""

from __future__ import annotations

from msgspec import Struct

from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Meters
from feeds.model import Product
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.base import Venue


class RouteContext(Struct, frozen=True, kw_only=True):
    route: str
    venue: Venue
    product: Product
    meters: Meters
    offset: OffsetEstimator
    """Shared by the routes of one venue."""
    limits: ConnectLimits
    """Shared by all routes of this process."""
    dialler: Dialler

    def log_event(self, code: str, text: str) -> None:
        self.meters.log_event(code, self.route, text)
