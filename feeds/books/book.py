"""One instrument's order book: applying is cheap, deriving is lazy.

Applying a message only sets dictionary entries. ``Book.ladder`` sorts and converts, once for each version that a frame
asks for. A book that has lost its sequence shows nothing until it is synced again: no price is better than a wrong one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import cast

from feeds.books.ladder import UNBOUNDED_ASK, UNBOUNDED_BID, Fill, Ladder, derive
from feeds.model import BookDelta, BookSnapshot, Instrument, LevelRow, Levels
from feeds.venues.sequence import RuleDefaults, SequenceRule, Step

__all__ = ["Book", "Fill", "Ladder", "Outcome"]

KEPT_DELTAS = 2_000
"""Deltas kept while a snapshot is awaited: 200 s of a 100 ms channel."""
KEPT_LEVELS = 200_000
"""Levels in all kept deltas together; the oldest go first."""
SIDE_LEVELS = 40_000
"""A side with more levels is cut to its better half. This is several times the largest public book."""
UNPROVEN_SYNCS = 3
"""So many books in a row whose first checksum is wrong: it is not the book that is wrong, but our way to check it."""

_APPLY = Step.APPLY
_SKIP = Step.SKIP


class Outcome(IntEnum):
    """What became of a message."""

    APPLIED = 0
    BUFFERED = 1
    """Kept until the snapshot comes (only where ``rule.rest_snapshot``)."""
    SKIPPED = 2
    """Older than the book, or there is no snapshot yet to apply it to."""
    GAP = 3
    """A message is missing: the book is empty and unsynced, ask for a snapshot. Given once for each loss."""
    BAD_CHECKSUM = 4
    """The book differs from the venue's: empty and unsynced, ask for a snapshot."""
    UNPROVEN = 5
    """Applied. The checksum of a book that can lack nothing is wrong (its decimals are not those we know), so the book
    is not checked any more, until a checksum comes out right. Given once."""


_APPLIED, _BAD_CHECKSUM = Outcome.APPLIED, Outcome.BAD_CHECKSUM  # looked up for every message


class Book:
    """The book of one instrument under its venue's sequence rule. Sizes are kept as the venue sent them.

    ``seq`` is the last applied sequence number; ``engine_ns`` and ``gateway_ns`` are the venue's clock on the message
    applied last. ``received_mono_ns`` is when that message came, ``changed_mono_ns`` when levels last changed,
    both on our monotonic clock, since intervals are taken from them (None before the first message).
    ``version`` counts changes of content; ``applied`` and ``skipped`` count deltas since the book was made.
    """

    __slots__ = (
        "_ask_known",
        "_bid_known",
        "_checksum",
        "_confirmed",
        "_depth_limit",
        "_failed",
        "_following",
        "_follows",
        "_kept",
        "_kept_levels",
        "_ladder",
        "_ladder_version",
        "_levels_limit",
        "_most",
        "_proven",
        "_unchecked",
        "_unproven",
        "applied",
        "asks",
        "bids",
        "changed_mono_ns",
        "engine_ns",
        "gateway_ns",
        "instrument",
        "received_mono_ns",
        "rule",
        "seq",
        "skipped",
        "synced",
        "version",
    )

    def __init__(self, instrument: Instrument, rule: SequenceRule) -> None:
        self.instrument = instrument
        self.rule = rule
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.synced = False
        self.seq: int | None = None
        self.engine_ns: int | None = None
        self.gateway_ns: int | None = None
        self.received_mono_ns: int | None = None
        self.changed_mono_ns: int | None = None
        self.version = 0
        self.applied = 0
        self.skipped = 0
        # bound once: the rule for later deltas, and the rule for the next one
        self._following: Callable[[int | None, BookDelta], Step] = rule.following
        self._follows: Callable[[int | None, BookDelta], Step] = rule.first
        self._checksum = rule.checksum
        self._unchecked = type(rule).checksum is RuleDefaults.checksum
        self._confirmed = False
        """A checksum agreed since the last snapshot."""
        self._proven = False
        """A checksum agreed, ever."""
        self._failed = 0
        """Syncs in a row whose first checksum was wrong."""
        self._unproven = False
        """That the checksum cannot be proven has been told."""
        self._depth_limit = rule.depth_limit
        self._most = SIDE_LEVELS if rule.depth_limit is None else rule.depth_limit
        self._levels_limit: int | None = None
        self._bid_known = UNBOUNDED_BID
        self._ask_known = UNBOUNDED_ASK
        self._kept: deque[tuple[BookDelta, int]] | None = deque() if rule.rest_snapshot else None
        self._kept_levels = 0
        self._ladder: Ladder | None = None
        self._ladder_version = -1

    @property
    def wants_snapshot(self) -> bool:
        """A REST snapshot must be fetched before anything can be applied."""
        return self.rule.rest_snapshot and not self.synced

    @property
    def buffered(self) -> int:
        """Deltas kept for the snapshot that is awaited."""
        return 0 if self._kept is None else len(self._kept)

    def apply(self, event: BookSnapshot | BookDelta, received_mono_ns: int) -> Outcome:
        """Apply one message; ``received_mono_ns`` is our monotonic clock when it came.

        A snapshot replaces the book. With ``rule.rest_snapshot`` the kept deltas are laid on it at once, a snapshot
        that is older than all that is kept gives GAP (fetch again, later), and one older than a synced book is SKIPPED.
        """
        if not isinstance(event, BookDelta):
            return self._replace(event, received_mono_ns)
        if not self.synced:
            return self._wait(event, received_mono_ns)
        if self._kept is not None:
            self._keep(self._kept, event, received_mono_ns)
        step = self._follows(self.seq, event)
        if step is _APPLY:
            return self._write(event, received_mono_ns)
        if step is _SKIP:
            self.skipped += 1
            return Outcome.SKIPPED
        self._lose()
        if self._kept is not None:
            self._keep(self._kept, event, received_mono_ns)
        return Outcome.GAP

    def reset(self) -> None:
        """Forget everything, as for a new connection: empty, unsynced, no delta kept."""
        self._lose()

    def await_snapshot(self) -> None:
        """Keep deltas from now on, so that a REST snapshot asked for now can be laid under a synced book.

        For widening the known range (see ``Ladder.reach_bps``) without losing a moment. Harmless when repeated.
        """
        if self.rule.rest_snapshot and self._kept is None:
            self._kept = deque()
            self._kept_levels = 0

    def ladder(self) -> Ladder:
        """What is derived from the book, built once a version; empty while the book is not synced."""
        if self._ladder is None or self._ladder_version != self.version:
            bid_known, ask_known = self._known()
            self._ladder = derive(self.bids, self.asks, self.instrument, bid_known, ask_known)
            self._ladder_version = self.version
        return self._ladder

    def _write(self, delta: BookDelta, received_mono_ns: int) -> Outcome:
        bids, asks = self.bids, self.asks
        changed = False
        if delta.bids:
            _lay(bids, delta.bids)
            changed = True
        if delta.asks:
            _lay(asks, delta.asks)
            changed = True
        most = self._most
        if len(bids) > most or len(asks) > most:
            self._cut()
        self._follows = self._following
        if delta.last_seq is not None:
            self.seq = delta.last_seq
        self.engine_ns = delta.engine_ns
        self.gateway_ns = delta.gateway_ns
        self.received_mono_ns = received_mono_ns
        self.applied += 1
        if changed:
            self.changed_mono_ns = received_mono_ns
            self.version += 1
        return _APPLIED if delta.checksum is None else self._check(delta.checksum)

    def _replace(self, snapshot: BookSnapshot, received_mono_ns: int) -> Outcome:
        kept, counted = self._kept, (self.applied, self.skipped) if self.synced else None
        if self.rule.rest_snapshot and self.synced and not self._lies_under(snapshot):
            return Outcome.SKIPPED
        bids, asks = _levels(snapshot.bids), _levels(snapshot.asks)
        limit = snapshot.levels_limit
        floor = min(bids) if bids and (limit is None or len(bids) >= limit) else UNBOUNDED_BID
        ceiling = max(asks) if asks and (limit is None or len(asks) >= limit) else UNBOUNDED_ASK
        if self._holds_all_since(snapshot):  # levels beyond the snapshot's range were kept up to date: they stay known
            bids |= {price: size for price, size in self.bids.items() if price < floor}
            asks |= {price: size for price, size in self.asks.items() if price > ceiling}
            floor, ceiling = min(floor, self._bid_known), max(ceiling, self._ask_known)
        self.bids, self.asks = bids, asks
        self._bid_known, self._ask_known = floor, ceiling
        self._levels_limit = limit
        if len(bids) > self._most or len(asks) > self._most:
            self._cut()
        self.synced = True
        self.seq = snapshot.seq
        self._follows = self.rule.first
        self.engine_ns = snapshot.engine_ns
        self.gateway_ns = snapshot.gateway_ns
        self.received_mono_ns = self.changed_mono_ns = received_mono_ns
        self.version += 1
        self._confirmed = False
        self._unchecked = type(self.rule).checksum is RuleDefaults.checksum
        checked = _APPLIED if snapshot.checksum is None else self._check(snapshot.checksum, whole=True)
        if kept is None or checked is _BAD_CHECKSUM:
            return checked
        self._kept = None
        outcome = self._catch_up(kept)
        if counted is not None:
            self.applied, self.skipped = counted  # these deltas were counted when they came
        return outcome

    def _catch_up(self, kept: deque[tuple[BookDelta, int]]) -> Outcome:
        """Lay the kept deltas on the snapshot; when they do not reach down to it, keep them for the next one."""
        while kept:
            delta, received_mono_ns = kept[0]
            step = self._follows(self.seq, delta)
            if step is _APPLY:
                if self._write(delta, received_mono_ns) is _BAD_CHECKSUM:
                    return _BAD_CHECKSUM
            elif step is _SKIP:
                self.skipped += 1
            else:
                self._lose()
                self._kept = kept
                self._kept_levels = sum(len(d.bids) + len(d.asks) for d, _ in kept)
                return Outcome.GAP
            kept.popleft()
        return Outcome.APPLIED

    def _lies_under(self, snapshot: BookSnapshot) -> bool:
        """Can this snapshot replace a synced book without losing a message?"""
        if self.seq is None or snapshot.seq is None or snapshot.seq >= self.seq:
            return True
        if self._follows == self.rule.first:
            return False  # no delta was applied yet: an older snapshot would undo the present one
        kept = self._kept
        if not kept:
            return False
        first = next((d for d, _ in kept if self.rule.first(snapshot.seq, d) is not _SKIP), None)
        return first is not None and self.rule.first(snapshot.seq, first) is _APPLY

    def _holds_all_since(self, snapshot: BookSnapshot) -> bool:
        """Have we applied every change up to the snapshot's sequence number? Not where it is newer than our stream."""
        if not (self.rule.rest_snapshot and self.synced) or self.seq is None or snapshot.seq is None:
            return False
        return snapshot.seq <= self.seq

    def _wait(self, delta: BookDelta, received_mono_ns: int) -> Outcome:
        if self._kept is None:
            self.skipped += 1
            return Outcome.SKIPPED
        self._keep(self._kept, delta, received_mono_ns)
        return Outcome.BUFFERED

    def _keep(self, kept: deque[tuple[BookDelta, int]], delta: BookDelta, received_mono_ns: int) -> None:
        kept.append((delta, received_mono_ns))
        self._kept_levels += len(delta.bids) + len(delta.asks)
        while len(kept) > KEPT_DELTAS or (self._kept_levels > KEPT_LEVELS and len(kept) > 1):
            oldest, _ = kept.popleft()
            self._kept_levels -= len(oldest.bids) + len(oldest.asks)

    def _lose(self) -> None:
        self.bids, self.asks = {}, {}
        self.synced = False
        self.seq = None
        self._follows = self.rule.first
        self._bid_known, self._ask_known = UNBOUNDED_BID, UNBOUNDED_ASK
        self._levels_limit = None
        self._kept = deque() if self.rule.rest_snapshot else None
        self._kept_levels = 0
        self.version += 1

    def _check(self, checksum: int, *, whole: bool = False) -> Outcome:
        """Compare with the venue's; ``whole``: it came with a snapshot, before which nothing can be lost."""
        if self._unchecked:
            return _APPLIED
        if self._checksum(self, self.instrument) == checksum:  # None, it cannot be worked out, is not "agrees"
            if not self._confirmed:
                self._confirmed = self._proven = True
                self._failed, self._unproven = 0, False
            return _APPLIED
        if not self._confirmed and not self.rule.own_check:
            self._failed += 1
            if self._failed >= UNPROVEN_SYNCS or (whole and not self._proven):
                self._unchecked = True
                told, self._unproven = self._unproven, True
                return _APPLIED if told else Outcome.UNPROVEN
        self._lose()
        return _BAD_CHECKSUM

    def _known(self) -> tuple[float, float]:
        """Prices between which every level of the venue is in our book.

        A REST snapshot fixes the range: diffs carry every change, so it stays complete, while levels beyond it are
        only known once they change. Where the venue itself sends its best N levels, the range ends at our worst level
        unless fewer than N are there.
        """
        if self.rule.rest_snapshot:
            return self._bid_known, self._ask_known
        limits = [limit for limit in (self._depth_limit, self._levels_limit) if limit is not None]
        limit = min(limits, default=None)
        bid_whole = not self.bids or (limit is not None and len(self.bids) < limit)
        ask_whole = not self.asks or (limit is not None and len(self.asks) < limit)
        return UNBOUNDED_BID if bid_whole else min(self.bids), UNBOUNDED_ASK if ask_whole else max(self.asks)

    def _cut(self) -> None:
        keep = SIDE_LEVELS // 2 if self._depth_limit is None else self._depth_limit
        if len(self.bids) > self._most:
            for price in sorted(self.bids)[: len(self.bids) - keep]:
                del self.bids[price]
            if self._depth_limit is None:
                self._bid_known = max(self._bid_known, min(self.bids))
        if len(self.asks) > self._most:
            for price in sorted(self.asks)[keep:]:
                del self.asks[price]
            if self._depth_limit is None:
                self._ask_known = min(self._ask_known, max(self.asks))


def _lay(side: dict[float, float], levels: Levels) -> None:
    """Two loops, for speed: this is half of our work on a message, decoding is the other half."""
    if isinstance(levels[0], tuple):
        for price, size in levels:
            if size:
                side[price] = size
            else:
                side.pop(price, None)
    else:
        for level in cast(Sequence[LevelRow], levels):
            if size := level.size:
                side[level.price] = size
            else:
                side.pop(level.price, None)


def _levels(levels: Levels) -> dict[float, float]:
    side: dict[float, float] = {}
    if levels:
        _lay(side, levels)
    return side
