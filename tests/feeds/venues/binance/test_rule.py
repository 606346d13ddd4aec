"""Binance's sequence rules against a model of the venue: every lost message must be noticed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books.book import Book, Outcome
from feeds.model import (
    BookDelta,
    BookSnapshot,
    Product,
)
from tests.feeds.venues.binance.examples import LINEAR, PERP, VENUE

# ---- sequence rules against a model of the venue


class Change(NamedTuple):
    id: int
    bid: bool
    price: float
    size: float


def market(product: Product, steps: list[tuple[int, bool, int, int]]) -> list[Change]:
    """Single changes. All symbols of futures share one counter, so ids have holes; those of spot have none."""
    changes, last = [], 1000
    for jump, bid, ticks, size in steps:
        last += 1 + (jump if product == "linear" else 0)
        changes.append(Change(last, bid, float(100 - ticks) if bid else float(101 + ticks), float(size)))
    return changes


def state(changes: Sequence[Change], upto: int) -> tuple[dict[float, float], dict[float, float]]:
    bids: dict[float, float] = {}
    asks: dict[float, float] = {}
    for change in changes:
        if change.id <= upto:
            (bids if change.bid else asks)[change.price] = change.size
    return {p: s for p, s in bids.items() if s}, {p: s for p, s in asks.items() if s}


def batches(changes: Sequence[Change], sizes: Sequence[int]) -> list[BookDelta]:
    deltas: list[BookDelta] = []
    at, before = 0, changes[0].id - 1
    for size in [*sizes, len(changes)]:
        batch = changes[at : at + size]
        if not batch:
            break
        at += size
        deltas.append(
            BookDelta(
                symbol=PERP,
                bids=[(c.price, c.size) for c in batch if c.bid],
                asks=[(c.price, c.size) for c in batch if not c.bid],
                first_seq=batch[0].id,
                last_seq=batch[-1].id,
                prev_seq=before,
            )
        )
        before = batch[-1].id
    return deltas


def pictured(changes: Sequence[Change], at: int, limit: int) -> BookSnapshot:
    bids, asks = state(changes, at)
    return BookSnapshot(
        symbol=PERP,
        bids=sorted(bids.items(), reverse=True)[:limit],
        asks=sorted(asks.items())[:limit],
        seq=at,
        levels_limit=limit,
    )


def agrees(book: Book, changes: Sequence[Change], upto: int) -> None:
    """Inside its known range the book has the same levels as the venue's."""
    bids, asks = state(changes, upto)
    ladder = book.ladder()
    assert {p: s for p, s in book.bids.items() if p >= ladder.bid_known} == {
        p: s for p, s in bids.items() if p >= ladder.bid_known
    }
    assert {p: s for p, s in book.asks.items() if p <= ladder.ask_known} == {
        p: s for p, s in asks.items() if p <= ladder.ask_known
    }


STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 8), st.integers(0, 4)), min_size=12, max_size=40
)


@pytest.mark.parametrize("product", ["spot", "linear"])
@given(steps=STEPS, sizes=st.lists(st.integers(1, 4), max_size=20), limit=st.sampled_from([2, 4, 100]), data=st.data())
def test_every_snapshot_of_the_streams_time_syncs_and_widens_without_loss(
    product: Product, steps: list[tuple[int, bool, int, int]], sizes: list[int], limit: int, data: st.DataObject
) -> None:
    changes = market(product, steps)
    deltas = batches(changes, sizes)
    book = Book(LINEAR[0], VENUE.rule(product))
    ids = st.sampled_from([c.id for c in changes])
    moments = ids if product == "spot" else st.integers(changes[0].id, changes[-1].id)
    taken, arrives = data.draw(moments), data.draw(st.integers(0, len(deltas)))
    refresh_from = data.draw(st.integers(arrives, len(deltas)))
    refreshed = data.draw(st.integers(refresh_from, len(deltas)))
    seen = deltas[refresh_from - 1].last_seq if refresh_from else changes[0].id - 1
    all_ids = range(changes[0].id, changes[-1].id + 1) if product == "linear" else [c.id for c in changes]
    later = [i for i in all_ids if seen is not None and i >= seen]
    taken_again = data.draw(st.sampled_from(later)) if later else None
    for position in range(len(deltas) + 1):
        if position == arrives:
            assert book.apply(pictured(changes, taken, limit), position) is Outcome.APPLIED
        if position == refresh_from:
            book.await_snapshot()
        if position == refreshed and taken_again is not None:
            assert book.apply(pictured(changes, taken_again, limit), position) is not Outcome.GAP
        if position < len(deltas):
            outcome = book.apply(deltas[position], position)
            assert outcome is not Outcome.GAP
            if outcome is Outcome.APPLIED and book.seq is not None:
                agrees(book, changes, book.seq)
    assert book.synced
    agrees(book, changes, changes[-1].id)


@pytest.mark.parametrize("product", ["spot", "linear"])
@given(steps=STEPS, sizes=st.lists(st.integers(1, 3), min_size=3, max_size=20), data=st.data())
def test_a_lost_message_is_always_noticed(
    product: Product, steps: list[tuple[int, bool, int, int]], sizes: list[int], data: st.DataObject
) -> None:
    changes = market(product, steps)
    deltas = batches(changes, sizes)
    lost = data.draw(st.integers(1, len(deltas) - 2))
    book = Book(LINEAR[0], VENUE.rule(product))
    book.apply(pictured(changes, changes[0].id - 1, 100), 0)
    outcomes = [book.apply(delta, 0) for number, delta in enumerate(deltas) if number != lost]
    assert outcomes[:lost] == [Outcome.APPLIED] * lost
    assert outcomes[lost] is Outcome.GAP
    assert not book.synced and not book.bids and not book.asks


def test_the_first_event_after_a_snapshot_spot() -> None:
    rule = VENUE.rule("spot")
    outcomes = {}
    for first, last in ((95, 100), (96, 101), (100, 101), (101, 103), (102, 104)):
        outcomes[first, last] = rule.first(100, BookDelta(symbol="", bids=(), asks=(), first_seq=first, last_seq=last))
    assert [step.name for step in outcomes.values()] == ["SKIP", "APPLY", "APPLY", "APPLY", "GAP"]


def test_the_first_event_after_a_snapshot_linear() -> None:
    rule = VENUE.rule("linear")
    named = []
    for first, last, prev in (
        (95, 99, 90),
        (95, 100, 90),
        (100, 105, 99),
        (102, 105, 100),
        (103, 105, 98),
        (103, 105, 101),
    ):
        event = BookDelta(symbol="", bids=(), asks=(), first_seq=first, last_seq=last, prev_seq=prev)
        named.append(rule.first(100, event).name)
    assert named == ["SKIP", "APPLY", "APPLY", "APPLY", "APPLY", "GAP"]
    follows = BookDelta(symbol="", bids=(), asks=(), first_seq=110, last_seq=120, prev_seq=105)
    assert (rule.following(105, follows).name, rule.following(109, follows).name) == ("APPLY", "GAP")
    assert rule.rest_snapshot and rule.depth_limit is None


def test_only_the_first_event_may_overlap_on_futures() -> None:
    book = Book(LINEAR[0], VENUE.rule("linear"))
    book.apply(BookSnapshot(symbol=PERP, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)], seq=100), 0)
    for first, last, prev, outcome in ((95, 105, 90, Outcome.APPLIED), (104, 120, 103, Outcome.GAP)):
        event = BookDelta(symbol=PERP, bids=(), asks=(), first_seq=first, last_seq=last, prev_seq=prev)
        assert book.apply(event, 0) is outcome
