"""HTX's spot book (``mbp``): its first book is requested on the same socket, and is older than the stream.

Measured on a venue with the same protocol in 2026: of 20 deltas that came before the answer, 10 to 14 were newer than
it. So deltas are kept from the subscription on, applied to the answer, and sent on with it as one snapshot.
"""

from __future__ import annotations

from collections import deque

from feeds.model import BookDelta, BookSnapshot
from feeds.venues.sequence import PrevEquals, Step

KEPT_DELTAS = 600
"""One minute of a 100 ms channel."""


class MbpRule(PrevEquals):
    """``prevSeqNum`` is the last ``seqNum``. Right after a snapshot older deltas are skipped, and one that starts
    before and ends after it is applied, since sizes are absolute."""

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        if snapshot_seq is None or delta.last_seq is None or delta.prev_seq is None:
            return Step.GAP
        if delta.last_seq <= snapshot_seq:
            return Step.SKIP
        return Step.APPLY if delta.prev_seq <= snapshot_seq else Step.GAP


class MbpSync:
    """Deltas of one book that waits for its snapshot."""

    def __init__(self) -> None:
        self._kept: deque[BookDelta] = deque(maxlen=KEPT_DELTAS)
        self._rule = MbpRule()

    def keep(self, delta: BookDelta) -> None:
        if self._kept and self._kept[-1].last_seq != delta.prev_seq:
            self._kept.clear()  # a loss or a restarted counter: earlier deltas cannot be applied to any snapshot now
        self._kept.append(delta)

    def apply_to(self, snapshot: BookSnapshot) -> BookSnapshot | None:
        """The snapshot with all kept deltas applied. None: it is too old for them, so another one is needed."""
        seq = snapshot.seq
        bids, asks = dict(snapshot.bids), dict(snapshot.asks)
        for delta in self._kept:
            step = self._rule.first(seq, delta)
            if step is Step.GAP:
                return None
            if step is Step.APPLY:
                bids.update(delta.bids)
                asks.update(delta.asks)
                seq = delta.last_seq
        snapshot.bids, snapshot.asks = list(bids.items()), list(asks.items())
        snapshot.seq = seq
        return snapshot
