"""Whatever words a venue sends, what its file makes of them can be shown and logged as it is.

Each message and answer of a venue's twin is played again with every text in it replaced by a hostile one. A new entry
point that keeps foreign text unclean turns this red without another line.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from feeds.ccxt_pro import messages
from feeds.instruments.cache import Outcome
from feeds.model import Event, Fault, Notice, Rail, Refusal, Reply, StatusNotice
from feeds.plain_text import TEXT_CHARS
from feeds.transport.http import HttpError, Timing
from feeds.transport.websocket import DialError
from feeds.venues.base import Answer, ProbeReading, RestRequest, VenueError
from tests.feeds.matrix.products import CELLS, Cell
from tests.feeds.spite import HOSTILE, faults_of
from tests.feeds.venues.agreement import asked, beside_one_that_is_gone, lines
from tests.feeds.venues.line import Line

NOT_SHOWN = {"symbol", "trade_id"}
"""``symbol`` is one of ours (checked apart), ``trade_id`` is only compared."""
KINDS = ("overload", "limit", "ban", "geo", "maintenance", "timeout")
PAGE = f"<!DOCTYPE html>\n<html><title>403 {HOSTILE}</title><body>restricted country {HOSTILE}</body></html>".encode()

every_cell = pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])


def texts_of(thing: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(thing, str):
        yield name, thing
    elif isinstance(thing, dict):
        for key, value in thing.items():
            yield from texts_of(value, str(key))
    elif isinstance(thing, list | tuple):
        for value in thing:
            yield from texts_of(value, name)


def assert_clean(thing: object) -> int:
    """How many texts it holds, all of them fit to be shown."""
    count = 0
    for name, text in texts_of(msgspec.to_builtins(thing)):
        if name not in NOT_SHOWN:
            count += 1
            assert faults_of(text, TEXT_CHARS) == [], f"{name} of {thing!r}"
    return count


def spoilt(raw: bytes) -> Iterator[bytes]:
    """The message with hostile text in place of one text after the other, then of all; also behind each."""
    zipped = raw[:2] == b"\x1f\x8b"
    try:
        message = json.loads(gzip.decompress(raw) if zipped else raw)
    except ValueError:
        yield raw + HOSTILE.encode()
        yield HOSTILE.encode() + raw
        return
    places = list(_places(message))[:40]
    for some in ([], *([place] for place in places), places):
        for behind in (False, True):
            made = copy.deepcopy(message)
            for path in some:
                _put(made, path, behind)
            if isinstance(made, dict) and not some:
                made |= dict.fromkeys(("msg", "message", "error", "reason", "ret_msg", "event", "text"), HOSTILE)
            data = json.dumps(made).encode()
            yield gzip.compress(data) if zipped else data


def _places(thing: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(thing, str):
        yield path
    elif isinstance(thing, dict | list):
        for key, value in thing.items() if isinstance(thing, dict) else enumerate(thing[:6]):
            yield from _places(value, (*path, key))


def _put(thing: Any, path: tuple[Any, ...], behind: bool) -> None:
    if not path:
        return
    for key in path[:-1]:
        thing = thing[key]
    thing[path[-1]] = thing[path[-1]] + HOSTILE if behind else HOSTILE


def messages_of(cell: Cell) -> Iterator[tuple[Line, list[bytes]]]:
    """What a twin says to a subscription, to one of a symbol that is gone, to nonsense, and before a planned cut."""
    for gone in (False, True):
        for line in lines(cell):
            heard: list[bytes] = []
            if gone:
                beside_one_that_is_gone(cell, line)
            ours = line.ours
            line.ours = _Recorder(ours, heard)
            events = line.start()
            events += line.send(["{}", "nonsense", '{"op":"x","method":"x","event":"x"}'])
            ping = ours.ping(1)
            line.send([] if ping is None else [ping])
            for frame in line.theirs.farewell(True):
                heard += [frame] if isinstance(frame, bytes) else [frame.encode()] if isinstance(frame, str) else []
            yield line, heard


class _Recorder:
    """Our session, and all that it has heard."""

    def __init__(self, session: Any, heard: list[bytes]) -> None:
        self._session, self._heard = session, heard

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        self._heard.append(raw)
        events: Sequence[Event] = self._session.receive(raw, received_ns)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@every_cell
def test_no_event_of_a_socket_carries_foreign_text_unclean(cell: Cell) -> None:
    texts = 0
    for line, heard in messages_of(cell):
        known = {None, line.instrument.symbol, *(s.symbol for s in line.plan.subscriptions)}
        for raw in dict.fromkeys(heard):
            for bad in spoilt(raw):
                for event in line.ours.receive(bad, line.world.ns):
                    if isinstance(event, Reply):
                        continue  # goes back to the venue that has sent it
                    texts += assert_clean(event)
                    assert getattr(event, "symbol", None) in known
    assert texts, "no message with words in it was played"


@every_cell
def test_no_answer_over_rest_is_read_as_unclean_text(cell: Cell) -> None:
    line = next(lines(cell))
    venue, product, one = line.venue, cell.product, line.instrument
    requests: list[RestRequest | None] = [probe.request for probe in venue.probes(product, [one])]
    requests += [venue.snapshot_request(product, one), venue.status_request(product)]
    requests += [*venue.transfer_requests(["BTC"]), *(plan.handshake for plan in venue.plan(product, [one]))]
    answers = [(200, asked(line, request).body) for request in requests if request is not None]
    for kind in KINDS:
        response = line.twin.error(kind, 403)
        body = response.body if isinstance(response.body, bytes) else response.body.encode()
        answers += [(403, body), (200, body)]
    bodies = [(status, bad) for status, body in answers for bad in spoilt(body)]
    texts = sum(_read(cell, line, status, body) for status, body in [*bodies, (403, PAGE), (200, PAGE)])
    assert texts


def _read(cell: Cell, line: Line, status: int, body: bytes) -> int:
    venue, product, one = line.venue, cell.product, line.instrument
    answer = Answer(status=status, headers={}, body=body)
    readers: list[Callable[[], object]] = [
        *(lambda probe=probe: venue.read_probe(product, probe, answer) for probe in venue.probes(product, [one])),
        lambda: venue.read_snapshot(product, one, answer),
        lambda: venue.read_status(product, answer),
        lambda: venue.read_transfers(answer),
        *(lambda plan=plan: _dial(venue.dial_url(plan, "wss://x", answer)) for plan in venue.plan(product, [one])),
    ]
    texts = 0
    for read in readers:
        try:
            texts += assert_clean(read())
        except VenueError as error:
            texts += assert_clean(str(error))
    return texts


def _dial(url: str) -> None:
    """A URL is dialled, not shown."""


@every_cell
def test_a_block_page_is_one_short_clause(cell: Cell) -> None:
    line = next(lines(cell))
    for probe in line.venue.probes(cell.product, [line.instrument]):
        reading = line.venue.read_probe(cell.product, probe, Answer(status=403, headers={}, body=PAGE))
        assert reading.text in ("(an HTML page)", "")


def test_whoever_carries_foreign_words_has_cleaned_them() -> None:
    carriers: list[object] = [
        Refusal(code=HOSTILE, text=HOSTILE),
        Notice(text=HOSTILE),
        StatusNotice(state="incident", text=HOSTILE),
        Rail(coin=HOSTILE, chain=HOSTILE, deposit=None, withdraw=None),
        ProbeReading(fault=Fault.UNKNOWN, code=HOSTILE, text=HOSTILE),
        Outcome(route="a.spot", error=HOSTILE),
        messages.Lost(symbol="BTC/USDT", text=HOSTILE),
        messages.Refused(symbol="BTC/USDT", trades=False, text=HOSTILE),
        messages.Probed(name="time", scheduled_ns=1, total_ms=1.0, wait_ms=0.0, text=HOSTILE),
        str(VenueError(HOSTILE)),
        str(DialError(HOSTILE)),
        str(HttpError("tls", HOSTILE, Timing())),
        HttpError("tls", HOSTILE, Timing()).why,
    ]
    for carrier in carriers:
        assert assert_clean(carrier)
