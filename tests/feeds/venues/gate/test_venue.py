from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from feeds.books.book import Book, Outcome
from feeds.model import (
    BookDelta,
    BookSnapshot,
    Fault,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.gate.venue import Gate
from tests.feeds.venues.captures import (
    Record,
    instrument,
    needs_wire,
    recording,
    records,
)

NOW_S = 1_790_000_000
GATE = Gate(lambda: NOW_S + 0.9)
SPOT = instrument("gate.spot", "BTC/USDT", "BTC_USDT")
SWAP = instrument("gate.linear", "ETH/USDT:USDT", "ETH_USDT", contract_size=0.01)
MS = 1_000_000
T0 = NOW_S * 1_000 * MS


def decoded(payload: str | bytes) -> Any:
    return msgspec.json.decode(payload)


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


def isolated() -> list[Record]:
    return [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"gate/isolated_{n}")]


@needs_wire
def test_isolated_rest_books_are_read() -> None:
    bodies = [r.raw for r in isolated() if isinstance(m := decoded(r.raw), dict) and "asks" in m]
    assert len(bodies) == 5
    for body in bodies:
        for product, one in (("spot", SPOT), ("linear", SWAP)):
            book = GATE.read_snapshot("spot" if product == "spot" else "linear", one, answer(body.decode()))
            assert book.bids[0][0] < book.asks[0][0]
            assert book.engine_ns is not None
            assert book.gateway_ns is not None
            assert 1_654_000_000_000 * MS < book.engine_ns <= book.gateway_ns < 1_655_000_000_000 * MS


@pytest.mark.parametrize("first", [700, 702, 5, None])
def test_only_the_very_next_id_follows(first: int | None) -> None:
    book = Book(SWAP, GATE.rule("linear"))
    book.apply(BookSnapshot(symbol="s", bids=[], asks=[], seq=700), 0)
    assert book.apply(BookDelta(symbol="s", bids=[], asks=[], first_seq=first, last_seq=800), 0) is Outcome.GAP


def refusal(asked: dict[str, Any], code: int, text: str) -> bytes:
    said = {"error": {"code": code, "message": text}, "result": {"status": "fail"}}
    return msgspec.json.encode({**asked, "time_ms": 1, **said})


CLOCK, BOOK = GATE.probes("linear", [SWAP])


def test_probes_tell_the_time() -> None:
    assert CLOCK.request.path == "/api/v4/spot/time"
    assert BOOK.request.path == ("/api/v4/futures/usdt/order_book?contract=ETH_USDT&limit=5&with_id=true&interval=0")
    assert BOOK.request.headers == {"X-Gate-Size-Decimal": "1"}
    left = {"x-gate-ratelimit-limit": "200", "x-gate-ratelimit-requests-remain": "150"}
    reading = GATE.read_probe("linear", CLOCK, answer('{"server_time":1790000000123}', headers=left))
    assert (reading.fault, reading.server_ns, reading.weight_used) == (None, T0 + 123 * MS, 50.0)
    seconds = GATE.read_probe("linear", BOOK, answer('{"id":1,"current":1790000000.123,"update":1.5,"asks":[]}'))
    assert seconds.server_ns is not None
    assert abs(seconds.server_ns - (T0 + 123 * MS)) < MS
    assert seconds.weight_used is None
    assert GATE.probes("spot", []) == (CLOCK,)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, '{"label":"TOO_MANY_REQUESTS","message":"slow down"}', Fault.OUR_LIMIT),
        (400, '{"label":"TOO_FAST","message":"slow down"}', Fault.OUR_LIMIT),
        (429, "<html>", Fault.OUR_LIMIT),
        (500, '{"label":"SERVER_ERROR","message":"x"}', Fault.OVERLOAD),
        (503, '{"label":"TOO_BUSY","message":"x"}', Fault.OVERLOAD),
        (400, '{"label":"INTERNAL","message":"x"}', Fault.OVERLOAD),
        (503, "<html>down for maintenance</html>", Fault.MAINTENANCE),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (400, '{"label":"INVALID_CURRENCY_PAIR","message":"x"}', Fault.BAD_REQUEST),
        (200, '{"label":"INVALID_CURRENCY_PAIR","message":"x"}', Fault.UNKNOWN),
        (403, "<html>Forbidden</html>", Fault.REFUSED),
        (403, "<html>not available in your country</html>", Fault.GEO_BLOCK),
        (451, "", Fault.GEO_BLOCK),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, "{}", Fault.UNKNOWN),
        (200, '{"server_time":-5}', Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    reading = GATE.read_probe("spot", CLOCK, answer(body, status))
    assert reading.fault is fault
    assert (reading.retry_after_s is not None) == (fault is Fault.OUR_LIMIT)


def test_snapshot_over_rest() -> None:
    request = GATE.snapshot_request("spot", SPOT)
    assert request is not None
    assert request.path == "/api/v4/spot/order_book?currency_pair=BTC_USDT&limit=100&with_id=true"
    body = '{"id":7,"current":1790000000123,"update":1790000000121,"asks":[["1.52","1.1"]],"bids":[["1.17","2"]]}'
    book = GATE.read_snapshot("spot", SPOT, answer(body))
    assert (book.seq, book.bids, book.asks) == (7, [(1.17, 2.0)], [(1.52, 1.1)])
    assert (book.engine_ns, book.gateway_ns, book.levels_limit) == (T0 + 121 * MS, T0 + 123 * MS, 100)
    body = (
        '{"id":8,"current":1790000000.5,"update":1790000000.25,"asks":[{"p":"2","s":"0.5"}],"bids":[{"p":"1","s":3}]}'
    )
    book = GATE.read_snapshot("linear", SWAP, answer(body))
    assert (book.bids, book.asks, book.engine_ns) == ([(1.0, 3.0)], [(2.0, 0.5)], T0 + 250 * MS)
    for bad in ('{"label":"SERVER_ERROR","message":"x"}', "<html>", '{"asks":[["0","1"]],"bids":[]}'):
        with pytest.raises(VenueError):
            GATE.read_snapshot("spot", SPOT, answer(bad, 500))


SAMPLES = [raw for name in ("spot_channels", "futures_channels") for raw in recording(f"gate/{name}")]
SAMPLES += [
    refusal({"id": 1, "channel": "spot.obu", "event": "subscribe"}, 2, "unknown"),
    b'{"channel":"futures.order_book_update","event":"update","result":{"t":1,"s":"ETH_USDT","U":1,"u":2,'
    b'"b":[{"p":"54672.1","s":"0"}],"a":[["1","2"]],"l":"100"}}',
]
