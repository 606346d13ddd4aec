"""Coins whose names are not ASCII (币安人生 is listed on several venues): every request about them can be sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from msgspec import structs

from feeds.clock import SystemClock
from feeds.model import Instrument
from feeds.sim.registry import TWINS
from feeds.transport.http import HttpClient, HttpError
from feeds.venues.base import RestRequest
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import CELLS, Cell, instrument_of
from tests.feeds.sim.fixed_world import FixedWorld

NAME = "币安人生"
every_cell = pytest.mark.parametrize("cell", CELLS, ids=[cell.route for cell in CELLS])


def chinese(cell: Cell) -> Instrument:
    sim = FixedWorld(TWINS[cell.venue]()).instruments(cell.venue, cell.product)[0]
    like = instrument_of(sim, cell.facts)
    named = like.venue_id.replace(like.base, NAME).replace(like.base.lower(), NAME)
    return structs.replace(like, venue_id=named if NAME in named else NAME + like.venue_id, base=NAME)


def requests(cell: Cell) -> Iterator[RestRequest]:
    venue, one = VENUES[cell.venue], chinese(cell)
    yield from (probe.request for probe in venue.probes(cell.product, [one]))
    for found in (venue.snapshot_request(cell.product, one), venue.deep_snapshot_request(cell.product, one)):
        if found is not None:
            yield found
    yield from venue.transfer_requests([NAME])
    yield from (plan.handshake for plan in venue.plan(cell.product, [one]) if plan.handshake is not None)


@every_cell
def test_every_request_can_be_sent(cell: Cell) -> None:
    for request in requests(cell):
        assert request.path.isascii() and request.path.isprintable() and " " not in request.path
        assert request.path.count("%25") == unquote(request.path).count("%"), "nothing is quoted twice"


@every_cell
def test_every_websocket_can_be_opened_and_subscribed(cell: Cell) -> None:
    venue, one = VENUES[cell.venue], chinese(cell)
    for plan in venue.plan(cell.product, [one]):
        assert plan.path.isascii()
        payloads = venue.session(plan, [one]).subscribe()
        assert all((p if isinstance(p, bytes) else p.encode()) for p in payloads)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/book?symbol=币安人生USDT&limit=5", "/book?symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&limit=5"),
        ("/book?symbol=BTC%2FUSDT", "/book?symbol=BTC%2FUSDT"),
        ("/book?symbol=A B\r\nHost: x", "/book?symbol=A%20B%0D%0AHost:%20x"),
        ('/x?p={"a":[1]}&t=tBTCF0:USTF0,tETHUSD', '/x?p={"a":[1]}&t=tBTCF0:USTF0,tETHUSD'),
        ("/book?symbol=\ud800", "/book?symbol=?"),
    ],
)
def test_paths_are_quoted_in_one_place(path: str, sent: str) -> None:
    assert RestRequest(path=path).path == sent
    assert structs.replace(RestRequest(path=path), weight=2.0).path == sent


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_",
    [
        RestRequest(path="/", headers={"x-name": "a\r\nb: c"}),
        RestRequest(path="/", headers={"x-name": NAME}),
        RestRequest(path="/", method="GÉT"),
        RestRequest(path="/", method="POST", body="\ud800"),
    ],
)
async def test_what_cannot_be_sent_is_an_error_of_the_request(request_: RestRequest) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = HttpClient(f"http://127.0.0.1:{port}", SystemClock())
    try:
        with pytest.raises(HttpError, match="cannot be sent"):
            await client.exchange(request_, timeout_s=5.0)
    finally:
        client.close()
        server.close()
