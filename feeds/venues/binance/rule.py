"""Binance's sequence rules: which update follows which."""

from __future__ import annotations

from feeds.model import BookDelta
from feeds.venues.sequence import Contiguous, PrevEquals, Step


class SpotRule(Contiguous):
    """Skip ``u <= lastUpdateId``. The first update has ``U <= lastUpdateId + 1 <= u``, the next ones ``U`` = last ``u +
    1``.

    Source: "How to manage a local order book correctly" in the spot stream documents. Old captures have updates that
    overlap; sizes are absolute, so they are applied.
    """

    rest_snapshot = True


class LinearRule(PrevEquals):
    """Skip ``u < lastUpdateId``. The first update has ``U <= lastUpdateId <= u``, the next ones ``pu`` = last ``u``.

    Source: "How to manage a local order book correctly" in the futures stream documents. All symbols share one counter,
    so the snapshot of a quiet symbol can lie between two updates (``pu <= lastUpdateId < U``). This book did not change
    in between, so the update continues the snapshot (ccxt accepts ``pu == lastUpdateId`` in the same way).
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
        # At a handover two connections overlap. Ids never decrease, so an older update has been applied already.
        if last_seq is not None and delta.last_seq is not None and delta.last_seq <= last_seq:
            return Step.SKIP
        return Step.GAP
