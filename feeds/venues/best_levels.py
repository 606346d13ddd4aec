"""The best prices of a book's side, for checksums that venues send with every message.

To sort hundreds of levels each time, or to look for the best ten of them with ``heapq``, costs more than all else that
is done with a message. Where the best stood last time tells which few need sorting now.
"""

from __future__ import annotations

from collections.abc import Iterable

_SPARE = 3
"""So many times the levels that are asked for are sorted, so that a market may move before all must be again."""


class BestLevels:
    """Remembers by key (an instrument's symbol) how deep it had to look. Whatever it remembers, the answer is right."""

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
