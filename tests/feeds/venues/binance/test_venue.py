"""Binance: planned sockets, the meaning of REST answers, consistency of its facts."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.model import (
    Ack,
    BookSnapshot,
    Channel,
    Fault,
    Product,
)
from feeds.venues.base import Subscription, VenueError
from tests.feeds.venues.binance.examples import LINEAR, MS, PERP, SPOT, VENUE, answer, sent, session
from tests.feeds.venues.captures import (
    events,
    instrument,
)

# ---- sockets


def test_spot_needs_one_socket_and_futures_the_two_their_streams_are_split_over() -> None:
    spot = VENUE.plan("spot", SPOT)
    assert [(p.label, p.path) for p in spot] == [("public", "/stream")]
    assert sent(session("spot", SPOT).subscribe()) == [
        {
            "method": "SUBSCRIBE",
            "params": [
                f"{s}@{kind}" for s in ("btcusdt", "ethusdt") for kind in ("depth@100ms", "bookTicker", "trade")
            ],
            "id": 1,
        }
    ]
    linear = VENUE.plan("linear", LINEAR)
    assert [(p.label, p.path) for p in linear] == [("public", "/public/stream"), ("market", "/market/stream")]
    assert sent(session("linear", LINEAR, 0).subscribe())[0]["params"] == ["btcusdt@depth@100ms", "btcusdt@bookTicker"]
    assert sent(session("linear", LINEAR, 1).subscribe())[0]["params"] == [
        "btcusdt@aggTrade",
        "btcusdt@forceOrder",
        "btcusdt@markPrice@1s",
    ]
    base = VENUE.products["linear"].ws
    assert VENUE.dial_url(linear[1], base, None) == "wss://fstream.binance.com/market/stream"
    assert VENUE.plan("spot", []) == []


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_many_instruments_spread_over_sockets_within_the_venues_limits(product: Product) -> None:
    many = [instrument(f"binance.{product}", f"C{n}/USDT", f"C{n}USDT") for n in range(450)]
    plans = VENUE.plan(product, many)
    facts = VENUE.products[product]
    assert all(0 < len(p.subscriptions) <= facts.max_streams for p in plans)
    assert len({p.label for p in plans}) == len(plans)
    asked = Counter(s for p in plans for s in p.subscriptions)
    assert set(asked.values()) == {1}
    assert {s.channel for s in asked} == set(facts.push_ms)
    assert len(asked) == len(many) * len(facts.push_ms)
    for plan in plans:
        frames = sent(VENUE.session(plan, many).subscribe())
        assert all(len(frame["params"]) <= 200 for frame in frames)
        assert sum(len(frame["params"]) for frame in frames) == len(plan.subscriptions)
        assert len({frame["id"] for frame in frames}) == len(frames)


def test_a_silent_stream_is_asked_for_again_under_new_ids() -> None:
    reader = session("linear", LINEAR)
    first = sent(reader.subscribe())[0]["id"]
    again = sent(reader.resubscribe(Channel.BBO, PERP))
    assert [(m["method"], m["params"]) for m in again] == [
        ("UNSUBSCRIBE", ["btcusdt@bookTicker"]),
        ("SUBSCRIBE", ["btcusdt@bookTicker"]),
    ]
    assert len({first, *(m["id"] for m in again)}) == 3
    assert events(reader, [json.dumps({"result": None, "id": again[0]["id"]}).encode()]) == []
    acked = events(reader, [json.dumps({"result": None, "id": again[1]["id"]}).encode()])
    assert acked == [Ack(channel=Channel.BBO, symbol=PERP)]
    assert reader.resubscribe(Channel.MARK, PERP) == ()  # lives on the other socket


# ---- REST


@pytest.mark.parametrize(
    ("product", "time_path", "book_path", "weight"),
    [
        ("spot", "/api/v3/time", "/api/v3/depth?symbol=BTCUSDT&limit=5", 5),
        ("linear", "/fapi/v1/time", "/fapi/v1/depth?symbol=BTCUSDT&limit=5", 2),
    ],
)
def test_probes_are_cheap_and_the_first_tells_the_time(
    product: Product, time_path: str, book_path: str, weight: float
) -> None:
    time, book = VENUE.probes(product, SPOT if product == "spot" else LINEAR)
    assert (time.request.path, time.request.weight, time.gives_time) == (time_path, 1, True)
    assert (book.request.path, book.request.weight, book.gives_time) == (book_path, weight, False)
    assert [p.name for p in VENUE.probes(product, [])] == ["time"]
    reading = VENUE.read_probe(product, time, answer({"serverTime": 1793000000123}, x_mbx_used_weight_1m="25"))
    assert reading.fault is None and reading.server_ns == 1_793_000_000_123 * MS and reading.weight_used == 25
    depth = {"lastUpdateId": 1, "bids": [["4.00", "431.0"]], "asks": [["4.01", "12.0"]]}
    reading = VENUE.read_probe(product, book, answer(depth))
    assert reading.fault is None and reading.server_ns is None and reading.weight_used is None


ERRORS = [
    (429, {"code": -1003, "msg": "Too many requests"}, Fault.OUR_LIMIT, "-1003"),
    (418, {"code": -1003, "msg": "Way too much; IP banned until 1793000099999."}, Fault.OUR_LIMIT, "-1003"),
    (418, b"", Fault.OUR_LIMIT, ""),
    (429, b"<html>", Fault.OUR_LIMIT, ""),
    (451, {"code": 0, "msg": "Service unavailable from a restricted location"}, Fault.GEO_BLOCK, "0"),
    (403, b"<html>The distribution is configured to block access from your country.</html>", Fault.GEO_BLOCK, ""),
    (403, b"<html>Request blocked.</html>", Fault.REFUSED, ""),
    (503, {"code": -1008, "msg": "Server is currently overloaded"}, Fault.OVERLOAD, "-1008"),
    (429, {"code": -1008, "msg": "Request throttled by system-level protection"}, Fault.OVERLOAD, "-1008"),
    (503, b"Service Unavailable.", Fault.OVERLOAD, ""),
    (503, {"code": 0, "msg": "Unavailable"}, Fault.OVERLOAD, "0"),
    (500, {"code": -1001, "msg": "Internal error"}, Fault.OVERLOAD, "-1001"),
    (502, b"<html>Bad Gateway</html>", Fault.OVERLOAD, ""),
    (408, {"code": -1007, "msg": "Timeout waiting for response from backend server."}, Fault.OVERLOAD, "-1007"),
    (408, b"", Fault.OVERLOAD, ""),
    (400, {"code": -1016, "msg": "This service is no longer available."}, Fault.MAINTENANCE, "-1016"),
    (400, {"code": -1121, "msg": "Invalid symbol."}, Fault.BAD_REQUEST, "-1121"),
    (404, b"", Fault.BAD_REQUEST, ""),
    (200, {"code": -1003, "msg": "Too many requests"}, Fault.OUR_LIMIT, "-1003"),
    (200, b"<html>captive portal</html>", Fault.UNKNOWN, ""),
    (200, {"serverTime": "soon"}, Fault.UNKNOWN, ""),
    (200, b"", Fault.UNKNOWN, ""),
    (302, b"", Fault.UNKNOWN, ""),
]


@pytest.mark.parametrize(("status", "body", "fault", "code"), ERRORS)
@pytest.mark.parametrize("product", ["spot", "linear"])
def test_whose_fault_an_error_answer_is(product: Product, status: int, body: object, fault: Fault, code: str) -> None:
    probe = VENUE.probes(product, LINEAR)[0]
    reading = VENUE.read_probe(product, probe, answer(body, status, retry_after="17"))
    assert (reading.fault, reading.code) == (fault, code)
    assert reading.retry_after_s == 17 and reading.server_ns is None
    with pytest.raises(VenueError):
        VENUE.read_snapshot(product, LINEAR[0], answer(body, status))
    if product == "spot":
        with pytest.raises(VenueError):
            VENUE.read_status(product, answer(body, status))


@given(body=st.binary(max_size=100), status=st.sampled_from([200, 400, 418, 429, 451, 503, 999]))
def test_no_answer_makes_a_probe_raise(body: bytes, status: int) -> None:
    for probe in VENUE.probes("spot", SPOT):
        reading = VENUE.read_probe("spot", probe, answer(body, status, x_mbx_used_weight_1m="nan"))
        assert reading.fault is not None and reading.weight_used is None


def test_snapshots_say_how_far_they_reach() -> None:
    request = VENUE.snapshot_request("spot", SPOT[0])
    assert request is not None
    assert (request.path, request.weight) == ("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50)
    request = VENUE.snapshot_request("linear", LINEAR[0])
    assert request is not None
    assert (request.path, request.weight) == ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20)
    body = {
        "lastUpdateId": 7,
        "E": 1793000000110,
        "T": 1793000000100,
        "bids": [["4.0", "431"]],
        "asks": [["4.1", "12"]],
    }
    assert VENUE.read_snapshot("linear", LINEAR[0], answer(body)) == BookSnapshot(
        symbol=PERP,
        bids=[(4.0, 431.0)],
        asks=[(4.1, 12.0)],
        seq=7,
        engine_ns=1_793_000_000_100 * MS,
        gateway_ns=1_793_000_000_110 * MS,
        levels_limit=1000,
    )
    with pytest.raises(VenueError, match="BTCUSDT"):
        VENUE.read_snapshot("linear", LINEAR[0], answer({**body, "bids": [["nan", "1"]]}))


def test_symbols_are_quoted_in_paths() -> None:
    request = VENUE.snapshot_request("spot", instrument("binance.spot", "币安人生/USDT", "币安人生USDT"))
    assert request is not None and request.path.isascii() and "limit=1000" in request.path


def test_official_status_comes_from_spot_for_the_whole_venue() -> None:
    request = VENUE.status_request("spot")
    assert request is not None and request.path == "/sapi/v1/system/status"
    assert VENUE.status_request("linear") is None
    assert VENUE.read_status("spot", answer({"status": 0, "msg": "normal"})) == ()
    (notice,) = VENUE.read_status("spot", answer({"status": 1, "msg": "system_maintenance"}))
    assert (notice.state, notice.text, notice.products) == ("ongoing", "system maintenance", ())


def test_facts_hang_together() -> None:
    assert set(VENUE.products) == {"spot", "linear", "inverse"} == set(VENUE.ccxt)
    for product, facts in VENUE.products.items():
        instruments = SPOT if product == "spot" else LINEAR
        planned = {s.channel for plan in VENUE.plan(product, instruments) for s in plan.subscriptions}
        assert planned == set(facts.push_ms) and set(facts.quiet_s) <= planned
        assert facts.lifetime_s == 86_400
        assert not facts.rest.endswith("/") and not facts.ws.endswith("/")
    assert (VENUE.products["spot"].sends.weight, VENUE.products["linear"].sends.weight) == (5, 10)
    assert VENUE.read_close(1008) is Fault.OUR_LIMIT and VENUE.read_close(1006) is None
    assert Subscription(Channel.LIQUIDATIONS, PERP) in VENUE.plan("linear", LINEAR)[1].subscriptions
