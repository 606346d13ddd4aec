"""A finding: one observation against a threshold at one moment, and how it is put into words and numbers.

Whether it lasted, whether others show it too and who is to blame is decided later.
"""

from __future__ import annotations

from msgspec import Struct

from feeds.judge.rolling import Baseline
from feeds.model import Cause, Evidence

LET_GO = 0.65
"""A standing finding stays while its excess is above this part of the threshold."""
ACCIDENT = 0.1
THIN_SPACE = "\u2009"


class Finding(Struct, frozen=True, kw_only=True):
    """One observation. ``weight`` 1 weak, 2 strong, 3 overwhelming."""

    key: str
    """``rest``, or with a name behind a dot: ``channel.trades``, ``depth.BTC/USDT``."""
    signal: str
    """As ``Reason.signal``: name with unit."""
    evidence: Evidence
    cause: Cause | None
    """None: nobody's fault that has a name, a geo-block."""
    weight: int
    text: str
    value: float | None = None
    baseline: float | None = None
    ratio: float | None = None
    onset_ns: int | None = None
    """When it began, where that is known better than by when it was noticed."""
    raise_s: float | None = None
    """Persistence it needs, where not the usual."""


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


def excess(value: float, base: Baseline, ratio: float, floor: float, held: bool) -> bool:
    """Is ``value`` above its baseline by ratio, by floor and by far more than it usually varies?"""
    usual, spread = base.value, base.mad
    if usual is None or spread is None:
        return False
    ease = LET_GO if held else 1.0
    above = value - usual
    return above >= ease * max(floor, (ratio - 1) * max(usual, 0.0), 6 * spread)


def over(failures: int, of: int, good_since: int) -> bool:
    """Were failures as frequent as before, would so many good answers in a row be a rare accident?"""
    before = max(of - good_since, 1)
    return (1 - failures / before) ** good_since < ACCIDENT
