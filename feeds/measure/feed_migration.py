"""A venue that ends one feed for another on an announced day: when that is, and that nobody is blamed for it."""

from __future__ import annotations

from feeds.clock import SECOND
from feeds.model import Product, StatusNotice
from feeds.venues.base import Venue

GRACE_S = 5.0
"""For the other feed's first whole book; only after that anything is said of its absence."""


class FeedChange:
    """Of one route. Times in ns, monotonic."""

    def __init__(self, venue: Venue, product: Product, now_ns: int) -> None:
        self._venue, self._product = venue, product
        self.note = venue.feed_note(product)
        """For the user; empty while nothing has ended."""
        self._since_ns, self._proven = now_ns, False

    def due(self, now_ns: int) -> bool:
        """Has the feed changed since the last call?"""
        note = self._venue.feed_note(self._product)
        if note == self.note:
            return False
        self.note, self._since_ns, self._proven = note, now_ns, False
        return True

    def notices(self, now_ns: int, *, whole: bool) -> tuple[StatusNotice, ...] | None:
        """What stands in for the venue's own status, None: nothing does. ``whole``: a book is complete now.

        Until the feed after an announced end has brought one whole book, it is not known to work, nor that we read it
        rightly; so its silence is the announced end. From then on it is judged like any other.
        """
        if not self.note or self._proven:
            return None
        self._proven = whole
        if whole:
            return ()
        if now_ns - self._since_ns < GRACE_S * SECOND:
            return None
        text = self.note.partition(". ")[0]
        return (StatusNotice(state="ongoing", text=text, products=(self._product,)),)
