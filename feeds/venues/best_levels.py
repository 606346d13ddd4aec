"""The best prices of a side of a book, for checksums that venues send with every message.

Sorting hundreds of levels for each message, or finding the best ten with ``heapq``, costs more than all other work on
the message. So only prices near those that were best last time are sorted.
"""

from __future__ import annotations

from collections.abc import Iterable

_SPARE = 3
"""This many times ``count`` levels are kept in reach, so that the market can move before all must be sorted again."""


class BestLevels:
    """Remembers for each key (an instrument's symbol) the range of prices to sort. The answer is right for any
    range."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lowest_bid: dict[str, float] = {}
        self._highest_ask: dict[str, float] = {}

    def bids(self, key: str, side: Iterable[float]) -> list[float]:
        """The highest prices of ``side``, at most ``count`` and best first."""
        count, edge = self._count, self._lowest_bid.get(key)
        near = [] if edge is None else [price for price in side if price >= edge]
        if not count <= len(near) <= 2 * _SPARE * count:
            near = sorted(side, reverse=True)[: _SPARE * count]
            if near:
                self._lowest_bid[key] = near[-1]
        near.sort(reverse=True)
        return near[:count]

    def asks(self, key: str, side: Iterable[float]) -> list[float]:
        """The lowest prices of ``side``, at most ``count`` and best first."""
        count, edge = self._count, self._highest_ask.get(key)
        near = [] if edge is None else [price for price in side if price <= edge]
        if not count <= len(near) <= 2 * _SPARE * count:
            near = sorted(side)[: _SPARE * count]
            if near:
                self._highest_ask[key] = near[-1]
        near.sort()
        return near[:count]
