from __future__ import annotations

import json

import pytest

from feeds.model import (
    Fault,
    Product,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.bingx.venue import Bingx
from tests.feeds.venues.captures import Record, instrument, needs_wire, records

BINGX = Bingx()
BTC = instrument("bingx.linear", "BTC/USDT:USDT", "BTC-USDT", tick=0.1, lot=0.0001)
SPOT = instrument("bingx.spot", "BTC/USDT", "BTC-USDT", tick=0.01, lot=0.000001)
MS = 1_000_000
T0 = 1_790_126_400_000 * MS


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=raw)


def data(name: str, row: object) -> bytes:
    return json.dumps({"code": 0, "dataType": name, "data": row}).encode()


def book(action: str, seq: int, bids: object = (), asks: object = ()) -> bytes:
    row = {"action": action, "lastUpdateId": seq, "time": 1_790_126_400_000 + seq, "bids": bids, "asks": asks}
    return data("BTC-USDT@incrDepth", row)


def captured(kind: str) -> list[Record]:
    return [r for r in records("bingx/isolated_jkorf") if r.t == kind]


@needs_wire
def test_captured_rest_books_are_read() -> None:
    bodies = {r.url: r.raw for r in captured("http") if "depth" in (r.url or "")}
    assert bodies
    for url, raw in bodies.items():
        product: Product = "spot" if "spot" in (url or "") else "linear"
        snapshot = BINGX.read_snapshot(product, SPOT, Answer(status=200, headers={}, body=raw))
        assert snapshot.bids[0][0] < snapshot.asks[0][0]


def test_sockets_are_split_below_the_200th_topic() -> None:
    many = [instrument("bingx.linear", f"C{n}/USDT:USDT", f"C{n}-USDT") for n in range(120)]
    for product, sockets in (("linear", 3), ("spot", 2)):
        plans = BINGX.plan(product, many)  # type: ignore[arg-type]  # a literal in a loop
        assert len(plans) == sockets
        assert all(len(plan.subscriptions) < 200 for plan in plans)
        assert len({s for plan in plans for s in plan.subscriptions}) == sum(len(p.subscriptions) for p in plans)
        assert [p.label for p in plans[:2]] == ["public", "public-2"]


def test_time_books_and_limits() -> None:
    for product in ("spot", "linear"):
        clock, small = BINGX.probes(product, [BTC])
        good = answer({"code": 0, "msg": "", "data": {"serverTime": 1675319535362}}, x_ratelimit_requests_remain="480")
        reading = BINGX.read_probe(product, clock, good)
        assert (reading.fault, reading.server_ns, reading.weight_used) == (None, 1675319535362 * MS, 20)
        assert "symbol=BTC-USDT&limit=5" in small.request.path
        assert not small.gives_time
    odd = answer({"code": 0, "msg": "", "data": {"serverTime": 1}}, x_ratelimit_requests_remain="nan")
    assert BINGX.read_probe("linear", clock, odd).weight_used is None


@pytest.mark.parametrize(
    ("body", "status", "fault"),
    [
        ("<html>blocked from your country</html>", 403, Fault.GEO_BLOCK),
        ("<html>Request blocked.</html>", 403, Fault.REFUSED),
        ("<html>Too many</html>", 429, Fault.OUR_LIMIT),
        ("", 502, Fault.OVERLOAD),
        ("{}", 200, Fault.UNKNOWN),
        ('{"code":0,"data":{"serverTime":-4}}', 200, Fault.UNKNOWN),
        ('{"code":100503,"msg":"The system is under maintenance"}', 503, Fault.MAINTENANCE),
        ('{"code":4242,"msg":""}', 502, Fault.OVERLOAD),
    ],
)
def test_answers_that_are_none(body: str, status: int, fault: Fault) -> None:
    assert BINGX.read_probe("linear", BINGX.probes("linear", [])[0], answer(body, status)).fault is fault


def test_rest_books_are_sorted_whatever_their_order() -> None:
    rows = {"T": 1790126400000, "bids": [["1", "1"], ["2", "1"]], "asks": [["4", "1"], ["3", "2"]]}
    snapshot = BINGX.read_snapshot("linear", BTC, answer({"code": 0, "msg": "", "data": rows}))
    assert (snapshot.bids, snapshot.asks) == ([(2.0, 1.0), (1.0, 1.0)], [(3.0, 2.0), (4.0, 1.0)])
    assert (snapshot.engine_ns, snapshot.gateway_ns, snapshot.levels_limit) == (T0, None, 1000)
    bodies: list[object] = [
        {"code": 109425, "msg": "not exist"},
        {"code": 0, "data": None},
        [],
        {"code": 0, "data": {"bids": 1}},
    ]
    for bad in bodies:
        with pytest.raises(VenueError, match="bingx book"):
            BINGX.read_snapshot("linear", BTC, answer(bad))
