"""The best levels of one simulated book, as a venue's depth channel shows them.

A channel of N levels sends a level when it enters the window and removes it (size "0") when it leaves, even when the
level itself did not change. So each subscription keeps the window that its client has.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

from feeds.sim.twin import BookImage, Change, TextLevel


class _Side:
    """Levels by rank: the key is the price for asks and its negative for bids, so the best comes first."""

    def __init__(self, levels: Sequence[TextLevel], sign: int, depth: int) -> None:
        self._sign, self._depth = sign, depth
        self._levels = {sign * float(price): (price, size) for price, size in levels}
        self._ranks = sorted(self._levels)
        self._shown = self._top()

    def _top(self) -> dict[float, TextLevel]:
        return {rank: self._levels[rank] for rank in self._ranks[: self._depth]}

    def shown(self) -> list[TextLevel]:
        return list(self._shown.values())

    def apply(self, changes: Sequence[TextLevel]) -> None:
        for price, size in changes:
            rank = self._sign * float(price)
            if float(size) == 0.0:
                if self._levels.pop(rank, None) is not None:
                    del self._ranks[bisect_left(self._ranks, rank)]
            else:
                if rank not in self._levels:
                    insort(self._ranks, rank)
                self._levels[rank] = (price, size)

    def take_changes(self) -> list[TextLevel]:
        """Changes since the last call, best first."""
        before, after = self._shown, self._top()
        self._shown = after
        told = [(rank, level) for rank, level in after.items() if before.get(rank) != level]
        told += [(rank, (price, "0")) for rank, (price, _) in before.items() if rank not in after]
        return [level for _, level in sorted(told)]


class DepthWindow:
    """The best ``depth`` levels on each side, made from a whole book and the changes after it."""

    def __init__(self, image: BookImage, depth: int) -> None:
        self.seq = image.seq
        self._bids = _Side(image.bids, -1, depth)
        self._asks = _Side(image.asks, 1, depth)

    def bids(self) -> list[TextLevel]:
        """The bids of the window at the last ``take_changes``."""
        return self._bids.shown()

    def asks(self) -> list[TextLevel]:
        return self._asks.shown()

    def apply(self, change: Change) -> bool:
        """Takes in a change. False for one that the window already has."""
        if change.seq <= self.seq:
            return False
        self.seq = change.seq
        self._bids.apply(change.bids)
        self._asks.apply(change.asks)
        return True

    def take_changes(self) -> tuple[list[TextLevel], list[TextLevel]]:
        """(bids, asks) that changed in the window since the last call.

        Both are empty when only other levels changed.
        """
        return self._bids.take_changes(), self._asks.take_changes()
