"""A finding: one figure that is over its threshold at this moment; and how figures are written for people.

Whether it lasts, whether other venues show it too and whose fault it is, is decided later.
"""

from __future__ import annotations

from msgspec import Struct

from feeds.judge.rolling import Baseline
from feeds.model import Cause, Evidence

RELEASE_SHARE = 0.65
"""A finding that stands ends only when its excess falls below this share of the threshold."""
ACCIDENT = 0.1
"""What is less probable than this is no accident."""
THIN_SPACE = "\u2009"


class Finding(Struct, frozen=True, kw_only=True):
    """One figure over its threshold. ``weight`` 1 weak, 2 strong, 3 overwhelming."""

    key: str
    """``rest``, or with a name behind a dot: ``channel.trades``, ``depth.BTC/USDT``."""
    signal: str
    """As ``Reason.signal``: name with window and unit, see ``signals.SIGNALS``."""
    evidence: Evidence
    cause: Cause | None
    """None: a geo-block, which has no cause of its own."""
    weight: int
    text: str
    value: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    onset_ns: int | None = None
    """When it began, where that is known; else it began when it was first seen."""
    raise_s: float | None = None
    """How long it must last before it counts; None: ``Thresholds.raise_s``."""


def figure(value: float) -> str:
    """A number for people: one decimal below ten, thin spaces between thousands."""
    if abs(value) < 9.95 and value != int(value):
        return f"{value:.1f}"
    return f"{value:,.0f}".replace(",", THIN_SPACE)


def percent(share: float) -> str:
    return f"{100 * share:.0f}{THIN_SPACE}%"


def ratio_of(value: float | None, baseline: float | None) -> float | None:
    """None where there is nothing to divide by."""
    return value / baseline if value is not None and baseline is not None and baseline > 0 else None


def against(baseline: float | None) -> str:
    return f", baseline {figure(baseline)}" if baseline is not None else ", no baseline yet"


def excess(value: float, base: Baseline, ratio: float, floor: float, active: bool) -> bool:
    """Is ``value`` above its baseline by ratio, by floor and by far more than it usually varies?"""
    usual, spread = base.value, base.mad
    if usual is None or spread is None:
        return False
    ease = RELEASE_SHARE if active else 1.0
    above = value - usual
    return above >= ease * max(floor, (ratio - 1) * max(usual, 0.0), 6 * spread)


def recovered(failures: int, of: int, good_since: int) -> bool:
    """Have the failures ended? So many good answers in a row would be a rare accident if they had not."""
    before = max(of - good_since, 1)
    return (1 - failures / before) ** good_since < ACCIDENT
