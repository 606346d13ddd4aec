"""Damaged REST answers are read, refused with one line of text, or read as a fault; nothing else happens."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.venues.base import Answer, RestRequest, VenueError
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import CELLS, Cell
from tests.feeds.venues.agreement import asked, lines
from tests.feeds.venues.line import Line
from tests.feeds.venues.mutations import assert_sound, hostile


@cache
def world_of(cell: Cell) -> tuple[Line, list[bytes]]:
    """The twin's answers to all of our REST requests."""
    line = next(lines(cell))
    venue, product, one = line.venue, cell.product, line.instrument
    requests: list[RestRequest | None] = [probe.request for probe in venue.probes(product, [one])]
    requests += [venue.snapshot_request(product, one), venue.status_request(product)]
    requests += [*venue.transfer_requests(["BTC"]), *(plan.handshake for plan in venue.plan(product, [one]))]
    return line, [asked(line, request).body for request in requests if request is not None]


@pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_body_makes_a_reader_raise_anything_but_a_refusal(cell: Cell, data: st.DataObject) -> None:
    line, bodies = world_of(cell)
    venue, product, one = VENUES[cell.venue], cell.product, line.instrument
    answer = Answer(status=200, headers={}, body=data.draw(hostile(bodies)))
    for probe in venue.probes(product, [one]):
        assert len(venue.read_probe(product, probe, answer).text) <= 600
    readers: list[Callable[[], object]] = [
        lambda: assert_sound([venue.read_snapshot(product, one, answer)]),
        lambda: venue.read_status(product, answer),
        lambda: venue.read_transfers(answer),
        *(lambda plan=plan: venue.dial_url(plan, "wss://x", answer) for plan in venue.plan(product, [one])),
    ]
    for read in readers:
        try:
            read()
        except VenueError as error:
            assert len(str(error)) <= 600
