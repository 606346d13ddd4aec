from __future__ import annotations

import json

import pytest

from feeds.model import (
    Fault,
    Garbled,
    Instrument,
    Product,
)
from feeds.venues.base import Answer, Session, VenueError
from feeds.venues.kraken.venue import Kraken
from tests.feeds.venues.captures import (
    Record,
    instrument,
    needs_wire,
    records,
)

KRAKEN = Kraken(lambda: 1_795_305_600.0)  # 22 November 2026
BTC = instrument("kraken.spot", "BTC/USD", "XXBTZUSD", tick=0.1, lot=1e-8)
S = 1_000_000_000


def session(product: Product, *instruments: Instrument) -> Session:
    return KRAKEN.session(KRAKEN.plan(product, instruments)[0], instruments)


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"kraken/isolated_{n}")]


@needs_wire
def test_isolated_rest_books_are_read_and_the_first_websocket_is_survived() -> None:
    """Messages of spot's websocket v1 (lists), which still exists, are not read."""
    lists = books = 0
    for record in isolated():
        message = json.loads(record.raw)
        if isinstance(message, list):
            lists += 1
            assert {type(e) for e in session("spot", BTC).receive(record.raw, 0)} == {Garbled}
        elif "feed" not in message:
            books += 1
            product: Product = "linear" if "orderBook" in message else "spot"
            book = KRAKEN.read_snapshot(product, BTC, Answer(status=200, headers={}, body=record.raw))
            assert book.bids[0][0] < book.asks[0][0]
    assert (lists, books) == (16, 3)


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body.encode())


@pytest.mark.parametrize(
    ("product", "body", "status", "fault"),
    [
        ("spot", '{"error":[],"result":{"unixtime":1762820224,"rfc1123":""}}', 200, None),
        ("spot", '{"error":["EService:Unavailable"]}', 200, Fault.OVERLOAD),
        ("spot", '{"error":["EService:Market in cancel_only mode"]}', 200, Fault.MAINTENANCE),
        ("spot", '{"error":["EAPI:Rate limit exceeded"]}', 200, Fault.OUR_LIMIT),
        ("spot", '{"error":["EGeneral:Temporary lockout"]}', 200, Fault.OUR_LIMIT),
        ("spot", '{"error":["EQuery:Unknown asset pair"]}', 200, Fault.BAD_REQUEST),
        ("spot", '{"error":["EFunny:New"]}', 200, Fault.UNKNOWN),
        ("spot", '{"error":[]}', 200, Fault.UNKNOWN),
        ("spot", "<html>", 520, Fault.OVERLOAD),
        ("linear", '{"result":"success","serverTime":"2025-07-11T12:00:00.000Z"}', 200, None),
        ("linear", '{"result":"error","error":"apiLimitExceeded"}', 200, Fault.OUR_LIMIT),
        ("linear", '{"result":"error","error":"Server Error"}', 500, Fault.OVERLOAD),
        ("linear", '{"result":"error","error":"marketUnavailable"}', 200, Fault.MAINTENANCE),
        ("linear", "<html>not available in your country", 403, Fault.GEO_BLOCK),
    ],
)
def test_probes_tell_whose_fault_it_is(product: Product, body: str, status: int, fault: Fault | None) -> None:
    clock = KRAKEN.probes(product, [BTC])[0]
    reading = KRAKEN.read_probe(product, clock, answer(body, status))
    assert reading.fault is fault
    if fault is None:
        assert reading.server_ns == (1_762_820_224 * S if product == "spot" else 1_752_235_200 * S)
        assert reading.server_resolution_ns == (S if product == "spot" else 1_000_000)


def test_the_official_status_is_read() -> None:
    assert KRAKEN.status_request("linear") is None
    assert list(KRAKEN.read_status("spot", answer('{"error":[],"result":{"status":"online"}}'))) == []
    [notice] = KRAKEN.read_status("spot", answer('{"error":[],"result":{"status":"cancel_only"}}'))
    assert (notice.state, notice.text, notice.products) == ("ongoing", "system cancel_only", ("spot",))
    with pytest.raises(VenueError):
        KRAKEN.read_status("spot", answer("<html>", 502))


@pytest.mark.parametrize("body", ["<html>", '{"error":["EQuery:Unknown asset pair"]}', '{"error":[],"result":{}}'])
def test_a_book_that_is_none_is_an_error(body: str) -> None:
    for product in ("spot", "linear"):
        with pytest.raises(VenueError):
            KRAKEN.read_snapshot("spot" if product == "spot" else "linear", BTC, answer(body))


def test_many_symbols_are_spread_over_sockets() -> None:
    many = [instrument("kraken.spot", f"C{n}/USD", f"C{n}USD") for n in range(45)]
    plans = KRAKEN.plan("spot", many)
    assert [plan.label for plan in plans] == ["public", "public-2", "public-3"]
    assert all(len(plan.subscriptions) <= KRAKEN.products["spot"].max_streams for plan in plans)
    assert len({s for plan in plans for s in plan.subscriptions}) == 45 * 3
