from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from feeds.model import (
    Event,
    Fault,
    Instrument,
    Reply,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.hyperliquid.session import HyperliquidSession
from feeds.venues.hyperliquid.venue import Hyperliquid
from tests.feeds.venues.captures import (
    instrument,
)

VENUE = Hyperliquid()
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def perpetual(coin: str) -> Instrument:
    return instrument("hyperliquid.linear", f"{coin}/USDC:USDC", coin, tick=1.0, lot=0.00001)


BTC, ETH = perpetual("BTC"), perpetual("ETH")


def session(*instruments: Instrument) -> HyperliquidSession:
    return VENUE.session(VENUE.plan("linear", instruments)[0], instruments)


def listing(*coins: str) -> bytes:
    universe = [{"name": coin, "szDecimals": 5, "maxLeverage": 40} for coin in coins]
    payload = {"type": "meta", "data": {"universe": universe, "marginTables": []}}
    return msgspec.json.encode({"channel": "post", "data": {"id": 1, "response": {"type": "info", "payload": payload}}})


def asked(sent: Sequence[Event | str | bytes]) -> list[dict[str, Any]]:
    payloads = [e.payload if isinstance(e, Reply) else e for e in sent if isinstance(e, Reply | str | bytes)]
    return [msgspec.json.decode(payload) for payload in payloads]


def book(time_ms: int, bids: Sequence[float], asks: Sequence[float], size: str = "1.0") -> bytes:
    levels = [[{"px": f"{price}", "sz": size, "n": 1} for price in side] for side in (bids, asks)]
    return msgspec.json.encode({"channel": "l2Book", "data": {"coin": "BTC", "time": time_ms, "levels": levels}})


def answer(body: str, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=body.encode())


def test_sockets_stay_within_the_limits() -> None:
    many = [perpetual(f"C{n}") for n in range(120)]
    plans = VENUE.plan("linear", many)
    assert [p.label for p in plans] == ["public", "public-2", "public-3"]
    assert sum(len(p.subscriptions) for p in plans) == 120 * 4
    assert all(p.path == "/ws" for p in plans)
    reader = VENUE.session(plans[0], many)
    reader.subscribe()
    coins = [one.venue_id for one in many]
    sent = asked(reader.receive(listing(*coins), T0))
    assert len(sent) == 250 == VENUE.products["linear"].max_streams
    assert VENUE.plan("linear", []) == []


TIME, PROBED_BOOK = VENUE.probes("linear", [ETH])


def test_probes_tell_the_time_of_the_block() -> None:
    assert (TIME.request.method, TIME.request.path, TIME.request.weight) == ("POST", "/info", 2.0)
    assert TIME.request.body == '{"type":"exchangeStatus"}'
    assert PROBED_BOOK.request.body == '{"type":"l2Book","coin":"BTC"}'
    reading = VENUE.read_probe("linear", TIME, answer('{"time":1790000000123,"specialStatuses":null}'))
    assert (reading.fault, reading.server_ns, reading.weight_used) == (None, T0 + 123 * MS, None)
    body = '{"coin":"BTC","time":1790000000123,"levels":[[],[]]}'
    assert VENUE.read_probe("linear", PROBED_BOOK, answer(body)).server_ns == T0 + 123 * MS
    assert VENUE.probes("linear", []) == (TIME, PROBED_BOOK)


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, "null", Fault.OUR_LIMIT),
        (500, "null", Fault.OVERLOAD),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (503, "network upgrade", Fault.MAINTENANCE),
        (422, "Failed to deserialize the JSON body into the target type", Fault.BAD_REQUEST),
        (403, "<html>block access from your country</html>", Fault.GEO_BLOCK),
        (403, "Forbidden", Fault.REFUSED),
        (451, "", Fault.GEO_BLOCK),
        (200, "null", Fault.UNKNOWN),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, '{"time":-5}', Fault.UNKNOWN),
        (200, '{"time":0}', Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    reading = VENUE.read_probe("linear", TIME, answer(body, status))
    assert reading.fault is fault
    assert reading.code == str(status)
    assert (reading.retry_after_s is not None) == (fault is Fault.OUR_LIMIT)


def test_snapshot_over_rest() -> None:
    request = VENUE.snapshot_request("linear", ETH)
    assert request is not None
    assert (request.method, request.body) == ("POST", '{"type":"l2Book","coin":"ETH"}')
    good = (
        '{"coin":"ETH","time":1790000000123,"levels":[[{"px":"3000.1","sz":"7.6","n":17}],'
        '[{"px":"3000.2","sz":"0.1","n":3}]]}'
    )
    taken = VENUE.read_snapshot("linear", ETH, answer(good))
    assert (taken.bids, taken.asks) == ([(3000.1, 7.6)], [(3000.2, 0.1)])
    assert (taken.engine_ns, taken.levels_limit) == (T0 + 123 * MS, 20)
    for bad in ("null", "<html>", good.replace("ETH", "BTC"), good.replace("3000.1", "-1"), good.replace("7.6", "NaN")):
        with pytest.raises(VenueError):
            VENUE.read_snapshot("linear", ETH, answer(bad, 500))


def test_status_says_what_is_special() -> None:
    assert VENUE.status_request("linear") == TIME.request
    assert VENUE.read_status("linear", answer('{"time":1,"specialStatuses":null}')) == ()
    assert VENUE.read_status("linear", answer('{"time":1,"specialStatuses":[]}')) == ()
    [notice] = VENUE.read_status("linear", answer('{"time":1,"specialStatuses":["upgrade"]}'))
    assert (notice.state, notice.text) == ("ongoing", '["upgrade"]')
    with pytest.raises(VenueError):
        VENUE.read_status("linear", answer("null", 500))
