from __future__ import annotations

import msgspec
import pytest

from feeds.model import Channel, Fault
from feeds.venues.base import Answer, VenueError
from feeds.venues.bybit.venue import Bybit
from tests.feeds.venues.captures import instrument

BYBIT = Bybit()
SPOT = instrument("bybit.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("bybit.linear", "BTC/USDT:USDT", "BTCUSDT")
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def answer(body: str, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


# sockets


def test_spot_and_linear_have_sockets_of_their_own() -> None:
    assert [p.path for p in BYBIT.plan("spot", [SPOT])] == ["/v5/public/spot"]
    assert [p.path for p in BYBIT.plan("linear", [PERP])] == ["/v5/public/linear"]
    assert BYBIT.plan("linear", []) == []
    assert {s.channel for s in BYBIT.plan("spot", [SPOT])[0].subscriptions} == {
        Channel.BOOK,
        Channel.BBO,
        Channel.TRADES,
    }


def test_all_topics_of_a_socket_stay_below_21_000_characters() -> None:
    many = [instrument("bybit.linear", f"COIN{n}/USDT:USDT", f"COIN{n}USDT") for n in range(400)]
    plans = BYBIT.plan("linear", many)
    assert len(plans) > 1
    assert [p.label for p in plans][:2] == ["public", "public-2"]
    assert {s.symbol for p in plans for s in p.subscriptions} == {i.symbol for i in many}
    for plan in plans:
        requests = [msgspec.json.decode(p) for p in BYBIT.session(plan, many).subscribe()]
        assert 0 < sum(len(msgspec.json.encode(r["args"])) for r in requests) <= 21_000


# REST

TIME, BOOK = BYBIT.probes("linear", [PERP])
TIME_BODY = (
    '{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1790000000","timeNano":"1790000000423213947"},'
    '"retExtInfo":{},"time":1790000000424}'
)
BOOK_BODY = (
    '{"retCode":0,"retMsg":"OK","result":{"s":"BTCUSDT","a":[["65557.7","16.606555"]],"b":[["65485.47","47.081829"]],'
    '"ts":1790000000031,"u":230704,"seq":1432604333,"cts":1790000000005},"retExtInfo":{},"time":1790000000382}'
)


def test_probes_tell_the_time() -> None:
    reading = BYBIT.read_probe("linear", TIME, answer(TIME_BODY))
    assert (reading.fault, reading.server_ns, reading.server_resolution_ns) == (None, T0 + 423_213_947, 1)
    assert BOOK.request.path == "/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=1"
    reading = BYBIT.read_probe("linear", BOOK, answer(BOOK_BODY))
    assert (reading.fault, reading.server_ns, reading.server_resolution_ns) == (None, T0 + 382 * MS, MS)


def test_used_limit_is_read_from_headers_and_missing_is_none() -> None:
    headers = {"x-bapi-limit": "120", "x-bapi-limit-status": "90"}
    assert BYBIT.read_probe("linear", TIME, answer(TIME_BODY, headers=headers)).weight_used == 150.0  # 1/4 of 600
    assert BYBIT.read_probe("linear", TIME, answer(TIME_BODY)).weight_used is None
    for odd in ("nan", "-1", "121", "x"):
        broken = {"x-bapi-limit": "120", "x-bapi-limit-status": odd}
        assert BYBIT.read_probe("linear", TIME, answer(TIME_BODY, headers=broken)).weight_used is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (403, "access too frequent", Fault.OUR_LIMIT),
        (403, '{"retCode":10018,"retMsg":"exceed ip rate limit","result":{}}', Fault.OUR_LIMIT),
        (403, "The Amazon CloudFront distribution is configured to block access from your country.", Fault.GEO_BLOCK),
        (403, "<html>Forbidden</html>", Fault.REFUSED),
        (429, "", Fault.OVERLOAD),  # protection of the system, not our rate
        (200, '{"retCode":10429,"retMsg":"system level frequency protection","result":{}}', Fault.OVERLOAD),
        (200, '{"retCode":10000,"retMsg":"Server Timeout","result":{}}', Fault.OVERLOAD),
        (200, '{"retCode":10016,"retMsg":"Server error.","result":{}}', Fault.OVERLOAD),
        (200, '{"retCode":170007,"retMsg":"Timeout waiting for response","result":{}}', Fault.OVERLOAD),
        (200, '{"retCode":10006,"retMsg":"Too many visits!","result":{}}', Fault.OUR_LIMIT),
        (200, '{"retCode":10024,"retMsg":"Compliance rules triggered","result":{}}', Fault.GEO_BLOCK),
        (200, '{"retCode":10001,"retMsg":"params error","result":{}}', Fault.BAD_REQUEST),
        (200, '{"retCode":4711,"retMsg":"?","result":{}}', Fault.UNKNOWN),
        (503, '{"retCode":4711,"retMsg":"?","result":{}}', Fault.OVERLOAD),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, '{"retCode":0,"retMsg":"OK","result":{}}', Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    assert BYBIT.read_probe("spot", TIME, answer(body, status)).fault is fault


def test_a_ban_says_how_long_to_stay_away() -> None:
    assert BYBIT.read_probe("spot", TIME, answer("access too frequent", 403)).retry_after_s == 600.0
    geo = answer("", 403, {"x-cache": "Error from cloudfront"})
    reading = BYBIT.read_probe("spot", TIME, geo)
    assert (reading.fault, reading.retry_after_s) == (Fault.GEO_BLOCK, None)


def test_snapshot_over_rest() -> None:
    request = BYBIT.snapshot_request("linear", PERP)
    assert request is not None
    assert request.path == "/v5/market/orderbook?category=linear&symbol=BTCUSDT&limit=1000"
    book = BYBIT.read_snapshot("linear", PERP, answer(BOOK_BODY))
    assert (book.bids, book.asks) == ([(65485.47, 47.081829)], [(65557.7, 16.606555)])
    assert (book.engine_ns, book.gateway_ns) == (T0 + 5 * MS, T0 + 31 * MS)
    assert book.seq is None  # REST's `u` is not that of our topic
    for bad in ("<html>", '{"retCode":10016,"retMsg":"x"}', '{"retCode":0}', BOOK_BODY.replace("65485.47", "nan")):
        with pytest.raises(VenueError):
            BYBIT.read_snapshot("linear", PERP, answer(bad))


def test_official_status() -> None:
    base: dict[str, object] = {
        "title": "Upgrade",
        "state": "ongoing",
        "begin": "1790000000000",
        "end": "1790000600000",
        "href": "",
    }
    base |= {"serviceTypes": [1, 5], "product": [1, 2], "uidSuffix": [], "maintainType": 1, "env": 1}
    rows = [
        base,
        base | {"state": "scheduled", "product": [2]},
        base | {"maintainType": 3, "product": [1]},
        base | {"serviceTypes": [4]},
        base | {"uidSuffix": [1, 2]},
        base | {"env": 2},
        base | {"product": [3]},
        base | {"state": "canceled"},
    ]
    body = msgspec.json.encode({"retCode": 0, "retMsg": "", "result": {"list": rows}, "time": 1}).decode()
    notices = BYBIT.read_status("spot", answer(body))
    assert [(n.state, n.products, n.market_data) for n in notices] == [
        ("ongoing", ("linear", "inverse", "spot"), True),
        ("scheduled", ("spot",), True),
        ("incident", ("linear", "inverse"), True),
        ("ongoing", ("linear", "inverse", "spot"), False),  # private websocket
        ("ongoing", ("linear", "inverse", "spot"), False),  # some accounts: the market goes on
    ]
    assert (notices[0].begin_ns, notices[0].end_ns) == (T0, T0 + 600_000 * MS)
    with pytest.raises(VenueError):
        BYBIT.read_status("spot", answer('{"retCode":0,"result":{"list":[{"state":5}]}}'))
