"""How many pairs of a route something can come from, and why from none: for the judge."""

from __future__ import annotations

from feeds.collector.listing import RouteListing
from feeds.measure.contract import MonitoredRoute
from feeds.samples import WatchSample


def watch_sample(route: MonitoredRoute, listing: RouteListing, now_ns: int, mono_ns: int) -> WatchSample:
    pairs, why = _pairs(route, listing)
    return WatchSample(
        route=route.route, t_ns=now_ns, mono_ns=mono_ns, pairs=pairs, why=why, waiting=listing.listed is None
    )


def _pairs(route: MonitoredRoute, listing: RouteListing) -> tuple[int, str]:
    if listing.listed is None:
        return 0, "its instruments are not known yet"
    if not listing.chosen:
        return 0, "it lists none of them"
    if route.books is None:
        return 0, "its instruments are not known yet"
    watched = [pair for symbol in listing.chosen if (pair := route.books.pairs.get(symbol)) is not None]
    hopeless = [why for pair in watched if (why := pair.hopeless) is not None]
    return len(watched) - len(hopeless), hopeless[0] if hopeless else ""
