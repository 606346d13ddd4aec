"""A venue that ends one feed and offers another from an announced day on: the route moves, and nobody is blamed."""

from __future__ import annotations

from feeds.clock import SECOND
from feeds.measure.contract import Hosts
from feeds.measure.route_context import RouteContext
from feeds.measure.route_feed import RouteFeed
from feeds.model import StatusNotice

GRACE_S = 5.0
"""Time for the first whole book of the new feed. Only after it does the missing feed count as announced."""


class FeedMigration:
    """Of one route. Times in ns, monotonic."""

    def __init__(self, context: RouteContext, now_ns: int) -> None:
        self._context = context
        self.note = context.venue.feed_note(context.product)
        """For the user. Empty while nothing has ended."""
        self._since_ns, self._proven = now_ns, False

    def follow(self, feed: RouteFeed, now_ns: int) -> RouteFeed:
        """The feed to measure from now on: ``feed`` itself, or a new one where the venue has ended it."""
        if not self.due(now_ns):
            return feed
        self._context.log_event("status", self.note)
        feed.cancel()
        moved = RouteFeed(self._context, self._hosts_after(feed))
        if feed.instruments is None:
            moved.rest.probe(())
        else:
            moved.watch(feed.instruments)
        return moved

    def _hosts_after(self, feed: RouteFeed) -> Hosts:
        """The new feed's published hosts; a host that somebody had replaced stays replaced."""
        before, after, hosts = feed.facts, self._context.venue.products[self._context.product], feed.hosts
        return Hosts(
            rest=after.rest if hosts.rest == before.rest else hosts.rest,
            ws=after.ws if hosts.ws == before.ws else hosts.ws,
        )

    def due(self, now_ns: int) -> bool:
        """Has the venue's feed changed since the last call?"""
        note = self._context.venue.feed_note(self._context.product)
        if note == self.note:
            return False
        self.note, self._since_ns, self._proven = note, now_ns, False
        return True

    def notices(self, now_ns: int, *, whole: bool) -> tuple[StatusNotice, ...] | None:
        """What counts as the venue's official status because of the change; None: nothing to add to its own.

        ``whole``: a book is complete now. Until the new feed has brought one whole book, we cannot know that it works,
        nor that we read it rightly. So its silence counts as the announced end of the old one. From its first whole
        book on it is judged like any other feed.
        """
        if not self.note or self._proven:
            return None
        self._proven = whole
        if whole:
            return ()
        if now_ns - self._since_ns < GRACE_S * SECOND:
            return None
        text = self.note.partition(". ")[0]
        return (StatusNotice(state="ongoing", text=text, products=(self._context.product,)),)
