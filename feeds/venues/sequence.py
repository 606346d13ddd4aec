"""Sequence rules: which book update follows which, and how a lost one is noticed."""

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
    """What a sequence rule says of a delta."""

    APPLY = 0
    SKIP = 1
    GAP = 2


class BookSides(Protocol):
    """The part of a book that a checksum reads: price -> size."""

    @property
    def bids(self) -> Mapping[float, float]: ...
    @property
    def asks(self) -> Mapping[float, float]: ...


class SequenceRule(Protocol):
    """Which delta follows which. A snapshot always replaces the book."""

    rest_snapshot: bool
    """The snapshot comes over REST, and deltas are buffered until it is there."""
    depth_limit: int | None
    """Cut each side to this many levels after every update (levels pushed out get no delete message)."""

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        """Is this delta the one that continues the snapshot? SKIP: older. GAP: the snapshot is too old."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        """Does this delta follow the one applied last?"""

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        """The venue's checksum of our book, None where the venue has none that lives."""


_APPLY, _SKIP, _GAP = Step.APPLY, Step.SKIP, Step.GAP  # to look a member up costs more than the rest of a rule


class RuleDefaults(ABC):
    """What most sequence rules share."""

    rest_snapshot = False
    depth_limit: int | None = None

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        return self.following(snapshot_seq, delta)

    @abstractmethod
    def following(self, last_seq: int | None, delta: BookDelta) -> Step: ...

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        return None


class PrevEquals(RuleDefaults):
    """``prev_seq`` must equal the last one applied; an unchanged sequence is a heartbeat that changes nothing."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY if delta.prev_seq == last_seq else _GAP


class Contiguous(RuleDefaults):
    """``first_seq`` must be one more than the last applied; what is older is skipped."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is None or delta.first_seq is None or delta.last_seq is None:
            return _GAP
        if delta.last_seq <= last_seq:
            return _SKIP
        return _APPLY if delta.first_seq <= last_seq + 1 else _GAP


class Unsequenced(RuleDefaults):
    """The venue numbers nothing: every delta applies."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY
