"""Sequence rules: which book update follows which, and how a lost update is noticed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import IntEnum
from typing import Protocol

from feeds.model import (
    BookDelta,
    Instrument,
)


class Step(IntEnum):
    """What to do with a delta."""

    APPLY = 0
    SKIP = 1
    GAP = 2


class BookSides(Protocol):
    """The part of a book that a checksum reads: size by price."""

    @property
    def bids(self) -> Mapping[float, float]: ...
    @property
    def asks(self) -> Mapping[float, float]: ...


class SequenceRule(Protocol):
    """Tells which delta follows which. A snapshot always replaces the book."""

    rest_snapshot: bool
    """The snapshot comes over REST; deltas are buffered until it has come."""
    depth_limit: int | None
    """Each side is cut to this many levels after every update, where the venue does not delete levels pushed out of
    it."""

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        """Does this delta continue the snapshot? SKIP: the delta is older. GAP: the snapshot is too old."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        """Does this delta follow the last applied one?"""

    blind: bool
    """A message that was lost, or could not be read, is not told by the next one's number: after one that cannot be
    read the book is doubtful. (Not where every message is a whole book.)"""
    own_check: bool
    """``checksum`` is a check of our own making, in place of one of the venue: it needs no proof."""

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        """The venue's checksum, computed of our book. None: it cannot be computed of this book, or (in a rule that does
        not define this) the venue sends none."""


_APPLY, _SKIP, _GAP = (
    Step.APPLY,
    Step.SKIP,
    Step.GAP,
)  # local names: looking up an enum member costs more than the rest of a rule


class RuleDefaults(ABC):
    """Defaults of most sequence rules."""

    rest_snapshot = False
    depth_limit: int | None = None
    blind = False
    own_check = False

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        return self.following(snapshot_seq, delta)

    @abstractmethod
    def following(self, last_seq: int | None, delta: BookDelta) -> Step: ...

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        return None


class PrevEquals(RuleDefaults):
    """``prev_seq`` must equal the last applied number. (A delta that repeats it is a heartbeat without changes.)"""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY if delta.prev_seq == last_seq else _GAP


class Contiguous(RuleDefaults):
    """``first_seq`` must be at most one more than the last applied number. Older deltas are skipped."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is None or delta.first_seq is None or delta.last_seq is None:
            return _GAP
        if delta.last_seq <= last_seq:
            return _SKIP
        return _APPLY if delta.first_seq <= last_seq + 1 else _GAP


class Unsequenced(RuleDefaults):
    """The venue sends no numbers: every delta applies."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY
