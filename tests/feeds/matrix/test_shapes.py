"""One message in several shapes: white space changes nothing, and a side that is missing is not an empty one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from feeds.model import BookSnapshot, Event
from feeds.venues.base import Answer, Session, VenueError
from tests.feeds.matrix.churn import Churn
from tests.feeds.matrix.products import CELLS, Cell
from tests.feeds.venues.line import unexpected

every_cell = pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])
CHANGES = 40
ONE_SIDE_IS_ENOUGH = {"htx.spot", "htx.linear", "htx.inverse"}
"""The venue leaves an empty side out, as captures show."""


def unpacked(raw: bytes) -> Any:
    """The JSON of a frame; None: it holds none."""
    try:
        return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except ValueError:
        return None


def packed(like: bytes, text: str) -> bytes:
    return gzip.compress(text.encode()) if like[:2] == b"\x1f\x8b" else text.encode()


def spaced(raw: bytes) -> bytes:
    content = unpacked(raw)
    return raw if content is None else packed(raw, "\n " + json.dumps(content, indent=1, separators=(" ,\t", " :\r\n")))


def one_sided(content: Any, side: str) -> tuple[Any, bool]:
    """The same without any ``side`` (and whether there was one)."""
    if isinstance(content, list):
        parts = [one_sided(part, side) for part in content]
        return [part for part, _ in parts], any(found for _, found in parts)
    if not isinstance(content, dict):
        return content, False
    names = {"bids": {"bids", "b"}, "asks": {"asks", "a"}}[side]
    gone = {name for name in names & content.keys() if isinstance(content[name], list)}
    fields = {name: one_sided(part, side) for name, part in content.items() if name not in gone}
    return {name: part for name, (part, _) in fields.items()}, bool(gone) or any(f for _, f in fields.values())


class Rewriting:
    """A session that gets every frame rewritten, beside one that gets it as it was sent."""

    def __init__(self, plain: Session, rewritten: Session) -> None:
        self._plain, self._rewritten = plain, rewritten
        self.seen: list[tuple[list[Any], list[Any]]] = []
        self.snapshots: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def subscribe(self) -> Sequence[str | bytes]:
        self._rewritten.subscribe()
        return self._plain.subscribe()

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        plain = list(self._plain.receive(raw, received_ns))
        rewritten = list(self._rewritten.receive(spaced(raw), received_ns))
        self.seen.append(([msgspec.to_builtins(e) for e in plain], [msgspec.to_builtins(e) for e in rewritten]))
        if any(isinstance(event, BookSnapshot) for event in plain):
            self.snapshots.append(raw)
        return plain


def rewriting(churn: Churn) -> Rewriting:
    line = churn.line
    both = Rewriting(line.ours, line.venue.session(line.plan, [line.instrument]))
    line.ours = both
    return both


@every_cell
def test_white_space_changes_nothing(cell: Cell) -> None:
    churn = Churn(cell)
    both = rewriting(churn)
    events = churn.sync()
    line = churn.line
    for _ in range(CHANGES):
        churn.tell(churn.change())
        events += churn._hear(line.theirs.top(line.sim, line.world.top()))
        events += churn._hear(line.theirs.trades(line.sim, [line.world.trade(7)]))
    assert unexpected(events) == []
    assert churn.equal() and both.seen
    for plain, rewritten in both.seen:
        assert rewritten == plain


@every_cell
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_missing_side_is_not_an_empty_one(cell: Cell, side: str) -> None:
    """A book without its asks would be shown as a market in which nobody sells."""
    if cell.route in ONE_SIDE_IS_ENOUGH:
        pytest.skip("an empty side is left out here")
    churn = Churn(cell)
    both = rewriting(churn)
    churn.sync()
    for raw in both.snapshots:
        content, found = one_sided(unpacked(raw), side)
        if found:
            events = churn.line.venue.session(churn.line.plan, [churn.line.instrument])
            events.subscribe()
            got = events.receive(packed(raw, json.dumps(content, separators=(",", ":"))), 1)
            assert not [event for event in got if isinstance(event, BookSnapshot)]


@every_cell
@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_missing_side_over_rest_is_not_an_empty_one(cell: Cell, side: str) -> None:
    if cell.route in ONE_SIDE_IS_ENOUGH:
        pytest.skip("an empty side is left out here")
    line = Churn(cell).line
    wanted = line.venue.snapshot_request(line.product, line.instrument)
    if wanted is None:
        return
    answer = line.rest(wanted.path, wanted.method, (wanted.body or "").encode())
    content, found = one_sided(unpacked(answer.body), side)
    if found:
        with pytest.raises(VenueError):
            line.venue.read_snapshot(
                line.product, line.instrument, Answer(status=200, headers={}, body=json.dumps(content).encode())
            )
