from __future__ import annotations

import pytest

from feeds.model import (
    Fault,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.coinbase.venue import Coinbase
from tests.feeds.venues.captures import (
    instrument,
)

COINBASE = Coinbase()
BTC = instrument("coinbase.spot", "BTC/USD", "BTC-USD", lot=1e-8)
S, MS, US = 1_000_000_000, 1_000_000, 1_000


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body.encode())


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ('{"iso":"2024-02-27T03:37:14Z","epochSeconds":"1709005034","epochMillis":"1709005034333"}', 200, None),
        ('{"errors":[{"id":"rate_limit_exceeded","message":"Too many requests"}]}', 429, Fault.OUR_LIMIT),
        ('{"error":"NOT_FOUND","message":"ProductID is invalid"}', 404, Fault.BAD_REQUEST),
        ('{"error":"INTERNAL","message":"x"}', 500, Fault.OVERLOAD),
        ('{"error":"UNAVAILABLE","message":"down for maintenance"}', 503, Fault.MAINTENANCE),
        ('{"error":"NEW","message":""}', 200, Fault.UNKNOWN),
        ("{}", 200, Fault.UNKNOWN),
        ("<html>", 522, Fault.OVERLOAD),
        ("<html>not available in your region", 403, Fault.GEO_BLOCK),
    ],
)
def test_probes_tell_whose_fault_it_is(body: str, status: int, fault: Fault | None) -> None:
    clock, book = COINBASE.probes("spot", [BTC])
    assert COINBASE.probes("spot", []) == (clock,)
    assert book.request.path.endswith("product_id=BTC-USD&limit=5")
    reading = COINBASE.read_probe("spot", clock, answer(body, status))
    assert reading.fault is fault
    assert reading.server_ns == (1_709_005_034_333 * MS if fault is None else None)


def test_rest_books_are_read() -> None:
    body = """{"pricebook":{"product_id":"BTC-USD","bids":[{"price":"68923.66","size":"0.17189468"}],
        "asks":[{"price":"68923.67","size":"0.16987193"}],"time":"2026-04-07T00:28:59.662782Z"},"last":"68923.665"}"""
    book = COINBASE.read_snapshot("spot", BTC, answer(body))
    assert (list(book.bids), list(book.asks)) == ([(68923.66, 0.17189468)], [(68923.67, 0.16987193)])
    assert book.engine_ns == 1_775_521_739_662_782 * US
    for bad in ("<html>", '{"error":"NOT_FOUND"}'):
        with pytest.raises(VenueError):
            COINBASE.read_snapshot("spot", BTC, answer(bad))


def test_many_symbols_are_spread_over_sockets() -> None:
    many = [instrument("coinbase.spot", f"C{n}/USD", f"C{n}-USD") for n in range(12)]
    plans = COINBASE.plan("spot", many)
    assert [plan.label for plan in plans] == ["public", "public-2", "public-3"]
    assert all(len(plan.subscriptions) <= COINBASE.products["spot"].max_streams for plan in plans)
    assert len({s for plan in plans for s in plan.subscriptions}) == 24
