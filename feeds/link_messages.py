"""What passes between a collector and its screens: frames, the history so far, and what a screen may ask for.

``feeds.publish.link`` carries them between processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from feeds.frame import Frame
from feeds.model import SEVERITY, Side


class History(Struct, frozen=True, kw_only=True, eq=False):
    """The last half hour at one-second steps, for a screen that attaches. All series have the same length."""

    end_ns: int
    step_s: float
    series: dict[str, list[float | None]]
    """By the names of ``points``."""


HISTORY_S = 1800


def points(frame: Frame) -> Iterator[tuple[str, float | None]]:
    """A frame's values for ``History.series``: (name, value). What is not current is None.

    ``rest:ROUTE`` (p50 ms), ``lost:ROUTE`` (share), ``age:ROUTE`` (p50 ms), ``score:ROUTE``, ``state:ROUTE``
    (SEVERITY), ``since:ROUTE`` (start of that state, s since the epoch), ``spread:ROUTE:SYMBOL`` (bp),
    ``bid10:ROUTE:SYMBOL`` and ``ask10:ROUTE:SYMBOL`` (quote currency within 10 bp), ``venues:SYMBOL`` (effective
    venues by depth within 10 bp).
    """
    for row in frame.routes:
        yield f"rest:{row.route}", row.rest_ms.p50
        yield f"lost:{row.route}", row.rest_ms.lost
        yield f"age:{row.route}", row.feed_age_ms.p50
        yield f"score:{row.route}", row.score
        yield f"state:{row.route}", SEVERITY[row.state]
        yield f"since:{row.route}", row.since_ns / 1e9
    for pair in frame.pairs:
        live = pair.state == "live"
        near = pair.depth.get("10") if live else None
        yield f"spread:{pair.route}:{pair.symbol}", pair.spread_bps if live else None
        yield f"bid10:{pair.route}:{pair.symbol}", None if near is None else near.bid
        yield f"ask10:{pair.route}:{pair.symbol}", None if near is None else near.ask
    for total in frame.depth:
        band = total.bands.get("10")
        yield f"venues:{total.symbol}", None if band is None else band.effective_venues


class UseWatchlist(Struct, frozen=True, tag=True):
    """Measure another watchlist."""

    name: str


class UseHome(Struct, frozen=True, tag=True):
    """Compare with another route."""

    route: str


class UseOrder(Struct, frozen=True, tag=True):
    """Give advice for another order."""

    side: Side
    notional: float
    """Quote currency."""


Command: TypeAlias = UseWatchlist | UseHome | UseOrder
"""What a screen may ask of the collector; the next frames show the result."""


class Shown(Struct, frozen=True, tag=True):
    """A frame on its way to a screen."""

    frame: Frame


class Past(Struct, frozen=True, tag=True):
    """The history, sent once to a screen that attaches."""

    history: History


class Goodbye(Struct, frozen=True, tag=True):
    """The collector ends; ``why`` is for people."""

    why: str


Message: TypeAlias = Shown | Past | Goodbye
