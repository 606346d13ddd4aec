"""What a trader relies on: the book is the venue's book or nothing, and its figures count the money that is there."""

from __future__ import annotations

import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books import book as book_module
from feeds.books.book import Book, Outcome
from feeds.model import Instrument, Levels
from feeds.venues.reading import Level
from feeds.venues.sequence import BookSides, Contiguous, PrevEquals, Unsequenced
from tests.feeds.books.messages import LINEAR, delta, snapshot


class OverRest(Contiguous):
    rest_snapshot = True


class BestThree(PrevEquals):
    depth_limit: int | None = 3


class Counted(PrevEquals):
    """Checksum: number of levels, None while the book is empty."""

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        return len(book.bids) + len(book.asks) or None


# ---- sequence


def test_deltas_wait_for_the_rest_snapshot_and_are_laid_on_it() -> None:
    book = Book(LINEAR, OverRest())
    assert book.wants_snapshot
    assert book.apply(delta(9, 10, [(99.0, 7.0)]), 1) is Outcome.BUFFERED
    assert book.apply(delta(11, 12, [(99.0, 0.0), (97.5, 3.0)]), 2) is Outcome.BUFFERED
    assert not book.synced and not book.bids and book.buffered == 2
    assert book.apply(snapshot(10), 3) is Outcome.APPLIED
    assert book.synced and not book.wants_snapshot and book.buffered == 0
    assert book.bids == {98.0: 2.0, 97.5: 3.0}
    assert (book.seq, book.applied, book.skipped) == (12, 1, 1)
    assert book.apply(delta(13, 13, asks=[(101.0, 0.0)]), 4) is Outcome.APPLIED
    assert book.asks == {102.0: 2.0}


def test_a_snapshot_older_than_what_was_kept_is_refused_and_the_next_one_taken() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(delta(15, 16, [(99.0, 5.0)]), 1)
    book.apply(delta(17, 18, [(99.0, 6.0)]), 2)
    assert book.apply(snapshot(10), 3) is Outcome.GAP
    assert book.wants_snapshot and not book.bids and book.buffered == 2
    assert book.apply(snapshot(16), 4) is Outcome.APPLIED
    assert book.bids[99.0] == 6.0 and book.seq == 18


def test_a_missing_message_empties_the_book_and_starts_the_next_sync_with_what_came() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10), 1)
    version = book.version
    assert book.apply(delta(12, 13, [(99.0, 5.0)]), 2) is Outcome.GAP
    assert not book.synced and book.wants_snapshot and book.version > version
    assert not book.bids and book.ladder().best_bid is None
    assert book.apply(delta(14, 14, [(98.5, 1.0)]), 3) is Outcome.BUFFERED
    assert book.apply(snapshot(11), 4) is Outcome.APPLIED
    assert book.bids == {99.0: 5.0, 98.0: 2.0, 98.5: 1.0}


def test_without_rest_snapshots_a_gap_is_said_once_and_only_a_snapshot_heals_it() -> None:
    book = Book(LINEAR, PrevEquals())
    assert book.apply(delta(None, 11, [(99.0, 1.0)], prev=10), 1) is Outcome.SKIPPED
    assert not book.wants_snapshot
    book.apply(snapshot(10), 2)
    assert book.apply(delta(None, 12, [(99.0, 3.0)], prev=10), 3) is Outcome.APPLIED
    assert book.apply(delta(None, 15, [(99.0, 4.0)], prev=13), 4) is Outcome.GAP
    assert book.apply(delta(None, 16, [(99.0, 4.0)], prev=15), 5) is Outcome.SKIPPED
    assert not book.synced and not book.bids
    assert book.apply(snapshot(20), 6) is Outcome.APPLIED
    assert book.synced and book.seq == 20


def test_an_old_delta_changes_nothing() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10), 1)
    book.apply(delta(11, 12, [(99.0, 4.0)]), 2)
    assert book.apply(delta(11, 12, [(99.0, 9.0)]), 3) is Outcome.SKIPPED
    assert book.bids[99.0] == 4.0 and book.received_mono_ns == 2


def test_a_new_snapshot_replaces_everything() -> None:
    book = Book(LINEAR, Unsequenced())
    book.apply(snapshot(None), 1)
    book.apply(snapshot(None, [(50.0, 1.0), (49.0, 0.0)], [(51.0, 1.0)]), 2)
    assert (book.bids, book.asks) == ({50.0: 1.0}, {51.0: 1.0})


def test_reset_forgets_what_was_kept() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(delta(11, 12, [(99.0, 4.0)]), 1)
    book.reset()
    assert book.buffered == 0 and book.wants_snapshot
    book.apply(snapshot(10), 2)
    assert book.bids[99.0] == 1.0


def test_what_is_kept_for_a_snapshot_is_bounded_by_count_and_by_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "KEPT_DELTAS", 5)
    book = Book(LINEAR, OverRest())
    for seq in range(20):
        book.apply(delta(seq, seq, [(1.0, 1.0)]), seq)
    assert book.buffered == 5
    monkeypatch.setattr(book_module, "KEPT_LEVELS", 10)
    for seq in range(20, 24):
        book.apply(delta(seq, seq, [(float(price), 1.0) for price in range(1, 5)]), seq)
    assert book.buffered == 2
    assert book.apply(snapshot(21), 99) is Outcome.APPLIED
    assert book.seq == 23


def test_a_book_cannot_grow_without_bound_and_admits_what_it_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "SIDE_LEVELS", 100)
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(200.0, 1.0)], [(201.0, 1.0)], limit=1000), 1)
    book.apply(delta(11, 11, [(float(price), 1.0) for price in range(1, 150)]), 2)
    assert len(book.bids) == 50 and max(book.bids) == 200.0 and min(book.bids) == 101.0
    assert book.ladder().depth(9_000)[0] is None
    assert book.ladder().depth(9_000)[1] == 201.0


# ---- clocks and versions


def clocks(book: Book) -> tuple[int | None, ...]:
    return book.engine_ns, book.gateway_ns, book.received_mono_ns, book.changed_mono_ns


def test_clocks_are_those_of_the_last_message_and_a_heartbeat_is_no_change() -> None:
    book = Book(LINEAR, PrevEquals())
    assert book.received_mono_ns is None and book.changed_mono_ns is None
    book.apply(snapshot(10, engine_ns=5), 100)
    assert clocks(book) == (5, None, 100, 100)
    version = book.version
    book.apply(delta(None, 10, prev=10, engine_ns=7, gateway_ns=8), 200)
    assert clocks(book) == (7, 8, 200, 100)
    assert book.version == version
    book.apply(delta(None, 11, [(99.0, 2.0)], prev=10), 300)
    assert clocks(book) == (None, None, 300, 300)
    assert book.version > version


def test_a_ladder_is_built_once_a_version_and_never_changes_afterwards() -> None:
    book = Book(LINEAR, Unsequenced())
    book.apply(snapshot(), 1)
    before = book.ladder()
    assert book.ladder() is before
    book.apply(delta(None, None, [(99.5, 3.0)]), 2)
    assert before.best_bid == 99.0 and book.ladder().best_bid == 99.5
    with pytest.raises(ValueError):
        before.bid_px[0] = 1.0


# ---- depth limit and checksum


def test_levels_pushed_out_of_the_window_are_dropped() -> None:
    book = Book(LINEAR, BestThree())
    book.apply(snapshot(10, [(99.0, 1.0), (98.0, 1.0), (97.0, 1.0)], [(101.0, 1.0), (102.0, 1.0), (103.0, 1.0)]), 1)
    book.apply(delta(None, 11, [(98.5, 1.0)], [(100.5, 1.0), (101.5, 1.0)], prev=10), 2)
    assert sorted(book.bids) == [98.0, 98.5, 99.0]
    assert sorted(book.asks) == [100.5, 101.0, 101.5]


def test_a_wrong_checksum_ends_the_book_and_a_right_one_does_not() -> None:
    book = Book(LINEAR, Counted())
    assert book.apply(snapshot(10, checksum=4), 1) is Outcome.APPLIED
    assert book.apply(delta(None, 11, [(97.0, 1.0)], prev=10, checksum=5), 2) is Outcome.APPLIED
    assert book.apply(delta(None, 12, [(96.0, 1.0)], prev=11, checksum=5), 3) is Outcome.BAD_CHECKSUM
    assert not book.synced and not book.bids
    assert book.apply(snapshot(20, checksum=3), 4) is Outcome.BAD_CHECKSUM
    assert book.apply(snapshot(20, (), (), checksum=77), 5) is Outcome.BAD_CHECKSUM, "cannot be computed: no agreement"
    assert book.apply(snapshot(20, checksum=4), 6) is Outcome.APPLIED
    plain = Book(LINEAR, PrevEquals())
    assert plain.apply(snapshot(10, checksum=12345), 6) is Outcome.APPLIED


def test_a_checksum_that_cannot_be_computed_any_more_does_not_agree() -> None:
    book = Book(LINEAR, Counted())
    book.apply(snapshot(10, checksum=4), 1)
    gone = delta(None, 11, [(99.0, 0.0), (98.0, 0.0)], [(101.0, 0.0), (102.0, 0.0)], prev=10, checksum=0)
    assert book.apply(gone, 2) is Outcome.BAD_CHECKSUM


def test_a_checksum_that_fails_on_the_first_book_is_not_asked_for_for_ever() -> None:
    """Nothing can be lost before a first book: it is our way to compute it that is wrong, as with other decimals."""
    book = Book(LINEAR, Counted())
    assert book.apply(snapshot(10, checksum=77), 1) is Outcome.UNPROVEN
    assert book.synced and book.bids
    assert book.apply(delta(None, 11, [(97.0, 1.0)], prev=10, checksum=1), 2) is Outcome.APPLIED
    assert book.apply(delta(None, 13, prev=12), 3) is Outcome.GAP, "numbers still count"
    assert book.apply(snapshot(20, checksum=77), 4) is Outcome.APPLIED, "said once"
    assert book.apply(snapshot(30, checksum=4), 5) is Outcome.APPLIED
    assert book.apply(delta(None, 31, [(97.0, 1.0)], prev=30, checksum=9), 6) is Outcome.BAD_CHECKSUM, "checked again"


def test_a_checksum_that_only_comes_after_the_book_is_given_three_books_to_come_out_right() -> None:
    book = Book(LINEAR, Counted())
    outcomes = []
    for n in range(4):
        book.apply(snapshot(10 * n), 1)
        outcomes.append(book.apply(delta(None, 10 * n + 1, prev=10 * n, checksum=77), 2))
    assert outcomes == [Outcome.BAD_CHECKSUM, Outcome.BAD_CHECKSUM, Outcome.UNPROVEN, Outcome.APPLIED]


def test_a_checksum_that_came_out_right_before_is_given_three_books_too() -> None:
    book = Book(LINEAR, Counted())
    book.apply(snapshot(10, checksum=4), 1)
    found = [book.apply(snapshot(20, checksum=77), 2) for _ in range(4)]
    assert found == [Outcome.BAD_CHECKSUM, Outcome.BAD_CHECKSUM, Outcome.UNPROVEN, Outcome.APPLIED]


# ---- the known range


def test_depth_beyond_a_limited_snapshot_is_unknown_and_stays_so_when_levels_appear_there() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.9, 1.0), (99.8, 1.0)], [(100.1, 1.0), (100.2, 1.0)], limit=2), 1)
    assert book.ladder().depth(20) == pytest.approx((199.7, 200.3))
    assert book.ladder().depth(25) == (None, None)
    book.apply(delta(11, 11, [(99.0, 50.0)], [(101.0, 50.0)]), 2)
    assert book.ladder().depth(200) == (None, None)
    reach = book.ladder().reach_bps
    assert reach == pytest.approx((20, 20))


def test_a_side_with_fewer_levels_than_asked_for_is_whole() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.9, 1.0)], [(100.1, 1.0), (100.2, 1.0)], limit=2), 1)
    bid, ask = book.ladder().depth(500)
    assert bid == pytest.approx(99.9) and ask is None


def test_an_empty_band_of_a_known_book_holds_nothing_and_not_unknown() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(90.0, 1.0)], [(110.0, 1.0)], limit=1000), 1)
    assert book.ladder().depth(10) == (0.0, 0.0)


def test_best_prices_outside_the_known_range_are_not_shown() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.9, 1.0), (99.8, 1.0)], [(100.1, 1.0), (100.2, 1.0)], limit=2), 1)
    book.apply(delta(11, 11, [(99.9, 0.0), (99.8, 0.0), (99.0, 5.0)]), 2)
    ladder = book.ladder()
    assert ladder.best_bid is None and ladder.mid is None and ladder.spread_bps is None and ladder.reach_bps is None
    assert ladder.best_ask == 100.1
    assert ladder.depth(10) == (None, None)
    assert ladder.walk("sell", 10.0) is None
    assert ladder.walk("buy", 10.0) is not None


def test_a_window_that_the_venue_keeps_is_known_down_to_its_worst_level() -> None:
    book = Book(LINEAR, Unsequenced())
    book.apply(snapshot(None, [(99.9, 1.0), (99.8, 1.0)], [(100.1, 1.0), (100.2, 1.0)], limit=2), 1)
    assert book.ladder().depth(20)[0] is not None and book.ladder().depth(25)[0] is None
    book.apply(delta(None, None, [(99.9, 0.0), (99.0, 1.0)]), 2)
    assert book.ladder().bid_known == 99.0
    book.apply(delta(None, None, [(99.0, 0.0)]), 3)
    assert book.ladder().depth(9_000)[0] == pytest.approx(99.8)


def test_a_cut_window_is_known_to_where_it_was_cut_however_much_the_snapshot_held() -> None:
    book = Book(LINEAR, BestThree())
    bids = [(99.0 - i, 1.0) for i in range(6)]
    book.apply(snapshot(10, bids, [(101.0, 1.0)], limit=25), 1)
    assert book.ladder().bid_known == 97.0
    assert book.ladder().ask_known == math.inf


def test_a_fresh_snapshot_widens_a_synced_book_without_losing_a_message() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.0, 1.0), (98.0, 1.0)], [(101.0, 1.0), (102.0, 1.0)], limit=2), 1)
    assert book.apply(snapshot(9, [(1.0, 1.0)], [(2.0, 1.0)], limit=2), 2) is Outcome.SKIPPED
    book.await_snapshot()
    book.apply(delta(11, 12, [(99.0, 0.0), (98.0, 3.0)], [(101.0, 0.0), (103.0, 1.0)]), 3)
    book.apply(delta(13, 14, [(97.0, 4.0)]), 4)
    counted = book.applied
    answer = snapshot(12, [(98.0, 3.0), (96.0, 9.0)], [(102.0, 1.0), (103.0, 1.0)], limit=2)
    assert book.apply(answer, 5) is Outcome.APPLIED
    assert book.synced and book.seq == 14 and book.applied == counted
    assert book.bids == {98.0: 3.0, 97.0: 4.0, 96.0: 9.0}
    assert book.asks == {102.0: 1.0, 103.0: 1.0}
    assert (book.ladder().bid_known, book.ladder().ask_known) == (96.0, 103.0)
    assert book.apply(delta(15, 15, [(96.0, 0.0)]), 6) is Outcome.APPLIED


def test_a_refresh_that_is_older_than_what_was_kept_leaves_the_book_alone() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10), 1)
    book.apply(delta(11, 14, [(99.0, 5.0)]), 2)
    book.await_snapshot()
    book.apply(delta(15, 16, [(98.0, 6.0)]), 3)
    assert book.apply(snapshot(12), 4) is Outcome.SKIPPED
    assert book.synced and book.bids == {99.0: 5.0, 98.0: 6.0}
    assert book.apply(delta(17, 17, [(98.0, 7.0)]), 5) is Outcome.APPLIED
    assert book.apply(snapshot(15, [(99.0, 5.0), (98.0, 5.5)]), 6) is Outcome.APPLIED
    assert book.bids == {99.0: 5.0, 98.0: 7.0}


def test_what_was_followed_beyond_a_refresh_stays_known() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.0, 1.0), (98.0, 2.0)], [(101.0, 1.0), (105.0, 3.0)], limit=2), 1)
    book.await_snapshot()
    book.apply(delta(11, 12, [(100.0, 1.0), (98.0, 4.0)], [(102.0, 1.0)]), 2)
    book.apply(snapshot(12, [(100.0, 1.0), (99.0, 1.0)], [(101.0, 1.0), (102.0, 1.0)], limit=2), 3)
    assert book.bids == {100.0: 1.0, 99.0: 1.0, 98.0: 4.0} and book.asks == {101.0: 1.0, 102.0: 1.0, 105.0: 3.0}
    assert (book.ladder().bid_known, book.ladder().ask_known) == (98.0, 105.0)


def test_a_snapshot_newer_than_the_stream_replaces_even_what_lay_beyond_it() -> None:
    book = Book(LINEAR, OverRest())
    book.apply(snapshot(10, [(99.0, 1.0), (90.0, 1.0)], [(101.0, 1.0), (110.0, 1.0)], limit=2), 1)
    assert book.apply(snapshot(20, [(99.0, 1.0), (98.0, 1.0)], [(101.0, 1.0), (102.0, 1.0)], limit=2), 2) == 0
    assert sorted(book.bids) == [98.0, 99.0] and book.ladder().bid_known == 98.0
    assert book.apply(delta(19, 20, [(98.0, 7.0)]), 3) is Outcome.SKIPPED
    assert book.apply(delta(21, 21, [(98.0, 8.0)]), 4) is Outcome.APPLIED


# ---- rows

_pairs = st.lists(st.tuples(st.sampled_from([97.0, 98.0, 99.0, 100.5]), st.sampled_from([0.0, 1.0, 2.5])), max_size=6)


@given(st.tuples(_pairs, _pairs, _pairs, _pairs))
def test_rows_as_decoded_make_the_book_that_pairs_make(sides: tuple[list[tuple[float, float]], ...]) -> None:
    rows = [cast(Levels, [Level(*pair) for pair in side]) for side in sides]
    assert rows == list(sides)
    assert [[tuple(row) for row in side] for side in rows] == list(sides)
    books = []
    for first_bids, first_asks, bids, asks in (sides, rows):
        book = Book(LINEAR, Unsequenced())
        book.apply(snapshot(1, first_bids, first_asks), 1)
        book.apply(delta(2, 2, bids, asks), 2)
        books.append((book.bids, book.asks, book.version, book.changed_mono_ns))
    assert books[0] == books[1]
    assert 0.0 not in {*books[1][0].values(), *books[1][1].values()}
