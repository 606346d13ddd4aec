from __future__ import annotations

import msgspec
import pytest

from feeds.model import Channel, Fault
from feeds.venues.base import Answer, VenueError
from feeds.venues.okx.venue import Okx
from tests.feeds.venues.captures import instrument, needs_wire, records

OKX = Okx()
SPOT = instrument("okx.spot", "BTC/USDT", "BTC-USDT")
SWAP = instrument("okx.linear", "BTC/USDT:USDT", "BTC-USDT-SWAP", contract_size=0.01)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body.encode())


# sockets


def test_sockets_stay_within_the_limits() -> None:
    many = [instrument("okx.linear", f"C{n}/USDT:USDT", f"C{n}-USDT-SWAP") for n in range(70)]
    plans = OKX.plan("linear", many)
    assert [p.label for p in plans] == ["public", "public-2", "public-3"]
    assert sum(len([s for s in p.subscriptions if s.channel is Channel.BOOK]) for p in plans) == 70
    for plan in plans:
        assert len([s for s in plan.subscriptions if s.channel is Channel.BOOK]) < 30
        assert sum(len(p) for p in OKX.session(plan, many).subscribe()) < 64_000
    assert sum(s.channel is Channel.LIQUIDATIONS for p in plans for s in p.subscriptions) == 1
    assert OKX.plan("spot", []) == []


@pytest.mark.parametrize(
    ("code", "fault"), [(4005, Fault.OUR_LIMIT), (4004, Fault.OUR_LIMIT), (1006, None), (4006, None)]
)
def test_close_codes_that_are_our_own_doing(code: int, fault: Fault | None) -> None:
    assert OKX.read_close(code) is fault


# REST

TIME, BOOK = OKX.probes("linear", [SWAP])


def test_probes_are_cheap_and_one_tells_the_time() -> None:
    assert TIME.request.path == "/api/v5/public/time"
    assert BOOK.request.path == "/api/v5/market/books?instId=BTC-USDT-SWAP&sz=5"
    reading = OKX.read_probe("linear", TIME, answer('{"code":"0","msg":"","data":[{"ts":"1790000000123"}]}'))
    assert reading.fault is None
    assert reading.server_ns == T0 + 123 * MS
    assert OKX.read_probe("linear", BOOK, answer('{"code":"0","msg":"","data":[]}')).server_ns is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, '{"code":"50011","msg":"Too Many Requests","data":[]}', Fault.OUR_LIMIT),
        (200, '{"code":"50011","msg":"Too Many Requests","data":[]}', Fault.OUR_LIMIT),
        (429, '{"code":"50013","msg":"Systems are busy. Please try again later.","data":[]}', Fault.OVERLOAD),
        (503, '{"code":"50001","msg":"Service temporarily unavailable.","data":[]}', Fault.OVERLOAD),
        (
            503,
            '{"code":"50001","msg":"Matching engine upgrading. Please try again later.","data":[]}',
            Fault.MAINTENANCE,
        ),
        (200, '{"code":"50004","msg":"API endpoint request timeout","data":[]}', Fault.OVERLOAD),
        (500, '{"code":"50026","msg":"System error","data":[]}', Fault.OVERLOAD),
        (400, '{"code":"51001","msg":"Instrument ID does not exist","data":[]}', Fault.BAD_REQUEST),
        (200, '{"code":"51001","msg":"Instrument ID does not exist","data":[]}', Fault.UNKNOWN),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (403, "<html>Forbidden</html>", Fault.REFUSED),
        (403, "OKX is not available in your country", Fault.GEO_BLOCK),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, '{"code":"0","msg":"","data":[]}', Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    assert OKX.read_probe("spot", TIME, answer(body, status)).fault is fault


def test_snapshot_over_rest() -> None:
    request = OKX.snapshot_request("linear", SWAP)
    assert request is not None
    assert request.path == "/api/v5/market/books?instId=BTC-USDT-SWAP&sz=400"
    row = '{"asks":[["41006.8","0.6","0","1"]],"bids":[["41006.7","0.3","0","2"]],"ts":"1790000000000"}'
    body = f'{{"code":"0","msg":"","data":[{row}]}}'
    book = OKX.read_snapshot("linear", SWAP, answer(body))
    assert (book.bids, book.asks, book.gateway_ns) == ([(41006.7, 0.3)], [(41006.8, 0.6)], T0)
    for bad in (
        '{"code":"50001","msg":"busy","data":[]}',
        '{"code":"0","data":[]}',
        "<html>",
        '{"code":"0","data":[{}]}',
    ):
        with pytest.raises(VenueError):
            OKX.read_snapshot("linear", SWAP, answer(bad))


def status_row(**fields: str) -> dict[str, str]:
    return {"begin": "1790000000000", "end": "1790000600000", "serviceType": "5", "state": "ongoing", "maintType": "1",
            "env": "1", "system": "unified", "title": "Upgrade"} | fields  # fmt: skip


def test_official_status() -> None:
    rows = [
        status_row(),
        status_row(state="scheduled", end=""),
        status_row(maintType="3"),
        status_row(serviceType="7"),
        status_row(serviceType="8"),
        status_row(env="2"),
        status_row(state="canceled"),
        status_row(state="pre_open"),
    ]
    notices = OKX.read_status("spot", answer(msgspec.json.encode({"code": "0", "msg": "", "data": rows}).decode()))
    assert [(n.state, n.market_data) for n in notices] == [
        ("ongoing", True),
        ("scheduled", True),
        ("incident", True),
        ("ongoing", False),  # bots
        ("ongoing", False),  # a batch of accounts: the market goes on
        ("ongoing", True),
    ]
    assert (notices[0].begin_ns, notices[0].end_ns, notices[1].end_ns) == (T0, T0 + 600_000 * MS, None)
    assert OKX.read_status("spot", answer('{"code":"0","msg":"","data":[]}')) == ()
    with pytest.raises(VenueError):
        OKX.read_status("spot", answer('{"code":"0","data":[{"state":5}]}'))


@needs_wire
def test_isolated_rest_books_are_read() -> None:
    bodies = [
        r.raw
        for r in records("okx/isolated_crypto-msg-parser")
        if '{"code"' in (r.data or "") and '"asks"' in (r.data or "")
    ]
    assert len(bodies) == 6
    for body in bodies:
        book = OKX.read_snapshot("spot", SPOT, Answer(status=200, headers={}, body=body))
        assert book.bids[0][0] < book.asks[0][0]
        assert book.gateway_ns is not None
