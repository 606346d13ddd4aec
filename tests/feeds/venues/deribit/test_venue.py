from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feeds.model import (
    Channel,
    Fault,
    Instrument,
)
from feeds.venues.base import Answer, Session, VenueError
from feeds.venues.deribit.venue import Deribit
from tests.feeds.venues.captures import (
    Record,
    instrument,
    needs_wire,
    recording,
    records,
)

DERIBIT = Deribit()
BTC = instrument("deribit.inverse", "BTC/USD:BTC", "BTC-PERPETUAL", tick=0.5, lot=10, inverse=True)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(*instruments: Instrument) -> Session:
    return DERIBIT.session(DERIBIT.plan("inverse", instruments)[0], instruments)


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body.encode())


def reply(number: int, **said: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, **said, "usIn": 1, "usOut": 2, "usDiff": 1})


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"deribit/isolated_{n}")]


@needs_wire
def test_captured_rest_books_are_read() -> None:
    bodies = [r.raw for r in isolated() if '"usDiff"' in (r.data or "") and '"bids"' in (r.data or "")]
    assert len(bodies) == 3
    for body in bodies:
        book = DERIBIT.read_snapshot("inverse", BTC, Answer(status=200, headers={}, body=body))
        assert len(book.bids) == len(book.asks) == 3
        assert book.bids[0][0] < book.asks[0][0]
        assert book.seq is not None
        assert book.engine_ns is not None
        probe = DERIBIT.probes("inverse", [BTC])[1]
        reading = DERIBIT.read_probe("inverse", probe, Answer(status=200, headers={}, body=body))
        assert reading.fault is None
        assert reading.server_ns is not None
        assert 0 < reading.server_ns - book.engine_ns < 1_000 * MS


def test_a_thousand_symbols_stay_within_the_limits() -> None:
    many = [instrument("deribit.linear", f"C{n}/USDC:USDC", f"C{n}_USDC-PERPETUAL") for n in range(1_000)]
    plans = DERIBIT.plan("linear", many)
    assert len({p.label for p in plans}) == len(plans) < 32
    assert sum(s.channel is Channel.STATUS for p in plans for s in p.subscriptions) == 1
    assert sum(s.channel is Channel.BOOK for p in plans for s in p.subscriptions) == 1_000
    for plan in plans:
        for payload in DERIBIT.session(plan, many).subscribe()[1:]:
            assert len(decoded(payload)["params"]["channels"]) <= 500
            assert len(payload) < 32_768
    assert DERIBIT.plan("spot", []) == []
    assert {s.channel for s in DERIBIT.plan("spot", many[:1])[0].subscriptions} == {
        Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.STATUS,
    }  # fmt: skip


TIME, BOOK = DERIBIT.probes("inverse", [BTC])
GOOD = '{"jsonrpc":"2.0","result":1790000000000,"usIn":1790000000000788,"usOut":1790000000000836,"usDiff":48}'


def test_probes_tell_the_venues_time_in_microseconds() -> None:
    assert TIME.request.path == "/api/v2/public/get_time"
    assert BOOK.request.path == "/api/v2/public/get_order_book?instrument_name=BTC-PERPETUAL&depth=5"
    reading = DERIBIT.read_probe("inverse", TIME, answer(GOOD))
    assert (reading.fault, reading.server_ns, reading.server_resolution_ns) == (None, T0 + 812_000, 1_000)
    assert DERIBIT.read_probe("inverse", TIME, answer('{"result":1}')).server_ns is None
    assert len(DERIBIT.probes("spot", [])) == 1


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, '{"error":{"code":10028,"message":"too_many_requests"}}', Fault.OUR_LIMIT),
        (400, '{"error":{"code":10040,"message":"retry"}}', Fault.OVERLOAD),
        (400, '{"error":{"code":10041,"message":"settlement_in_progress"}}', Fault.MAINTENANCE),
        (400, '{"error":{"code":10047,"message":"matching_engine_queue_full"}}', Fault.OVERLOAD),
        (503, '{"error":{"code":11051,"message":"system_maintenance"}}', Fault.MAINTENANCE),
        (500, '{"error":{"code":11094,"message":"internal_server_error"}}', Fault.OVERLOAD),
        (400, '{"error":{"code":-32602,"message":"Invalid params"}}', Fault.BAD_REQUEST),
        (400, '{"error":{"code":777,"message":"?"}}', Fault.BAD_REQUEST),
        (200, '{"error":{"code":777,"message":"?"}}', Fault.UNKNOWN),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (403, "<html>Access denied</html>", Fault.REFUSED),
        (403, "<html>has banned the country or region your IP address is in</html>", Fault.GEO_BLOCK),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, '{"jsonrpc":"2.0"}', Fault.UNKNOWN),
        (503, GOOD, Fault.OVERLOAD),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    assert DERIBIT.read_probe("inverse", TIME, answer(body, status)).fault is fault


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "{}",
        '{"error":{"code":10040}}',
        '{"result":{"bids":[]}}',
        '{"result":{"change_id":1,"bids":[[0,1]],"asks":[]}}',
    ],
)
def test_bad_rest_books_are_an_error(body: str) -> None:
    with pytest.raises(VenueError):
        DERIBIT.read_snapshot("inverse", BTC, answer(body))


@pytest.mark.parametrize(
    ("result", "state", "products"),
    [
        ('{"locked":"false"}', None, ()),
        ('{"locked":false}', None, ()),
        ('{"locked":"true"}', "ongoing", ()),
        ('{"locked":true}', "ongoing", ()),
        ('{"locked":"partial","locked_indices":["btc_usd"]}', "ongoing", ("inverse",)),
        ('{"locked":"partial","locked_indices":["btc_usdc"]}', "ongoing", ("linear", "spot")),
        ('{"locked":"partial","locked_currencies":["BTC"]}', "ongoing", ()),
        ('{"locked":"partial"}', "ongoing", ()),
    ],
)
def test_official_status(result: str, state: str | None, products: tuple[str, ...]) -> None:
    notices = DERIBIT.read_status("inverse", answer(f'{{"jsonrpc":"2.0","result":{result}}}'))
    assert [(n.state, n.products) for n in notices] == ([] if state is None else [(state, products)])


def test_a_status_that_cannot_be_read_is_an_error() -> None:
    for body in ("<html>", '{"result":{"locked":5}}', '{"error":{"code":11051}}'):
        with pytest.raises(VenueError):
            DERIBIT.read_status("inverse", answer(body))


SAMPLES = [raw for n in ("books_gap", "channels") for raw in recording(f"deribit/{n}")]
SAMPLES += [reply(1_000_000_002, result=["quote.BTC-PERPETUAL"]), reply(5, error={"code": 10028, "message": "x"})]
