"""Which panes a terminal of a given size shows, and how high. Pure."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Mode: TypeAlias = Literal["small", "medium", "large"]

SMALL_BELOW = (100, 30)
LARGE_FROM = (150, 38)
ONE_LINE_FROM = 160
"""From this width on the headline fits on one line."""


class Arrangement(Struct, frozen=True):
    """``rows`` are the heights of the grid's rows; empty where one pane has the screen."""

    mode: Mode
    rows: tuple[int, ...]
    headline_height: int
    tabs: bool


def arrange(width: int, height: int, routes: int, zoomed: bool = False) -> Arrangement:
    """Depends on the size and the number of routes, never on their figures: no pane moves while one reads."""
    headline_height = 1 if width >= ONE_LINE_FROM else 2
    small = width < SMALL_BELOW[0] or height < SMALL_BELOW[1]
    if small or zoomed:
        return Arrangement("small" if small else "large", (), headline_height, tabs=True)
    room = height - 2 - headline_height
    if width >= LARGE_FROM[0] and height >= LARGE_FROM[1]:
        events = max(6, room // 5)
        top = max(16, min(routes + 10, room // 2))
        return Arrangement("large", (top, room - top - events, events), headline_height, tabs=False)
    top = max(8, min(routes + 5, room * 40 // 100))
    events = max(4, (room - top) // 5)
    upper = (room - top - events + 1) // 2
    return Arrangement("medium", (top, upper, room - top - events - upper, events), headline_height, tabs=False)
