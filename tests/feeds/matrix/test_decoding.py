"""Every venue's decoder and book against its twin, without sockets or time: 10 000 changes, losses, wrong data,
noise."""

from __future__ import annotations

from random import Random

import pytest

from feeds.books.book import Book, Outcome
from feeds.model import Channel, Garbled, Unknown
from tests.feeds.matrix.churn import Churn
from tests.feeds.matrix.products import CELLS, Cell, Loss
from tests.feeds.venues.line import unexpected

DIFFS = 10_000
LOST_AT_MOST = 500
"""Changes until a loss must be noticed where there are no numbers: a checksum covers only the best levels."""
FOUND = {
    Loss.SEQUENCE: [Outcome.GAP],
    Loss.CHECKSUM: [Outcome.BAD_CHECKSUM],
    Loss.CROSSING: [Outcome.BAD_CHECKSUM],
    Loss.HEALED: [],
}
FINE = {Outcome.APPLIED, Outcome.SKIPPED}

every_cell = pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])


@every_cell
def test_a_subscription_brings_a_whole_book_and_nothing_unknown(cell: Cell) -> None:
    churn = Churn(cell)
    assert unexpected(churn.sync()) == []
    assert churn.line.book.synced
    assert churn.equal()


@every_cell
def test_ten_thousand_diffs_lead_to_their_book(cell: Cell) -> None:
    churn = Churn(cell)
    churn.sync()
    told = 0
    for n in range(DIFFS):
        outcomes = churn.tell(churn.change())
        assert set(outcomes) <= FINE, f"{outcomes} at diff {n}"
        told += len(outcomes)
        if n % 500 == 0:
            assert not churn.crossed()
    assert told >= DIFFS * 0.9
    assert churn.equal()


@every_cell
def test_a_lost_diff_is_one_gap_and_a_fresh_snapshot_mends_it(cell: Cell) -> None:
    churn = Churn(cell)
    churn.sync()
    found: list[Outcome] = []
    for _ in range(LOST_AT_MOST if cell.loss in (Loss.CHECKSUM, Loss.CROSSING) else 1):
        churn.change()  # not sent
        found += [outcome for outcome in churn.tell(churn.change()) if outcome not in FINE]
        if found:
            break
    assert found == FOUND[cell.loss]
    mend(churn)


@pytest.mark.parametrize("cell", [c for c in CELLS if c.checksum], ids=lambda cell: cell.route)
def test_a_wrong_checksum_empties_the_book_and_a_fresh_snapshot_mends_it(cell: Cell) -> None:
    churn = Churn(cell)
    churn.sync()
    assert Outcome.BAD_CHECKSUM in churn.tell(churn.change(wrong_checksum=True))
    assert not churn.line.book.synced
    assert not churn.line.book.bids
    mend(churn)


@pytest.mark.parametrize("cell", [c for c in CELLS if c.checksum], ids=lambda cell: cell.route)
def test_a_checksum_that_we_compute_wrongly_is_dropped_and_not_asked_for_for_ever(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the venue counts with other decimals than its list says."""
    churn = Churn(cell)
    rule = type(churn.line.book.rule)
    right = rule.checksum
    monkeypatch.setattr(rule, "checksum", lambda self, book, instrument: (right(self, book, instrument) or 0) ^ 1)
    churn.line.book = Book(churn.line.instrument, churn.line.venue.rule(cell.product))
    churn.sync()
    asked, outcomes = 0, list[Outcome]()
    for _ in range(60):
        outcomes += churn.tell(churn.change())
        if not churn.line.book.synced:
            asked += 1
            churn.apply(churn.send(churn.line.ours.resubscribe(Channel.BOOK, churn.line.instrument.symbol)))
    assert asked <= 2
    assert churn.line.book.synced and churn.equal()


@pytest.mark.parametrize("cell", [c for c in CELLS if not c.checksum], ids=lambda cell: cell.route)
def test_where_no_checksum_lives_none_is_believed(cell: Cell) -> None:
    churn = Churn(cell)
    churn.sync()
    assert set(churn.tell(churn.change(wrong_checksum=True))) <= FINE
    assert churn.line.book.synced
    assert churn.equal()


@every_cell
def test_noise_is_counted_and_the_book_lives_on(cell: Cell) -> None:
    churn = Churn(cell)
    churn.sync()
    rng = Random(cell.route)
    counted = 0
    noises = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 2_000, *(rng.randbytes(64) for _ in range(200))]
    for noise in noises:
        events = churn.line.ours.receive(noise, churn.line.world.ns)
        assert set(churn.apply(events)) <= FINE
        counted += any(isinstance(event, Garbled | Unknown) for event in events)
    assert counted >= 0.9 * len(noises)
    assert set(churn.tell(churn.change())) <= FINE
    assert churn.equal()


def mend(churn: Churn) -> None:
    """Subscribes again as the collector would, and continues."""
    line = churn.line
    if line.book.rule.rest_snapshot:
        churn.tell(churn.change())
        assert churn.fetch() is Outcome.APPLIED
    else:
        again = churn.send(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
        assert unexpected(again) == []
        churn.apply(again)
    for _ in range(20):
        assert set(churn.tell(churn.change())) <= FINE
    assert line.book.synced
    assert churn.equal()
