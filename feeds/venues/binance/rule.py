"""Binance's sequence rules: which update follows which."""

from __future__ import annotations

from feeds.model import BookDelta
from feeds.venues.sequence import Contiguous, PrevEquals, Step


class SpotRule(Contiguous):
    """Drop ``u <= lastUpdateId``; the first has ``U <= lastUpdateId + 1 <= u``; then ``U`` is the last ``u + 1``.

    ``How to manage a local order book correctly`` in the spot stream documents. Overlapping updates, seen in old
    captures, carry absolute sizes and are applied.
    """

    rest_snapshot = True


class LinearRule(PrevEquals):
    """Drop ``u < lastUpdateId``; the first has ``U <= lastUpdateId <= u``; then ``pu`` is the last ``u``.

    ``How to manage a local order book correctly`` in the futures stream documents. Ids are shared by all symbols, so
    on a quiet one the snapshot falls between two updates (``pu <= lastUpdateId < U``): nothing of this book happened
    between, and the update continues the snapshot (ccxt takes ``pu == lastUpdateId`` likewise).
    """

    rest_snapshot = True

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        if snapshot_seq is None or delta.first_seq is None or delta.last_seq is None:
            return Step.GAP
        if delta.last_seq < snapshot_seq:
            return Step.SKIP
        before = delta.first_seq if delta.prev_seq is None else min(delta.first_seq, delta.prev_seq)
        return Step.APPLY if before <= snapshot_seq else Step.GAP

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if delta.prev_seq == last_seq:
            return Step.APPLY
        # Two connections overlap at a handover. Ids never fall on Binance, so what is older was applied already.
        if last_seq is not None and delta.last_seq is not None and delta.last_seq <= last_seq:
            return Step.SKIP
        return Step.GAP
