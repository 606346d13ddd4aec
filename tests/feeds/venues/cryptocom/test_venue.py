from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feeds.model import (
    Fault,
    Pong,
    Product,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.cryptocom.venue import Cryptocom
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.captures import instrument
from tests.feeds.venues.line import Line

VENUE = Cryptocom()
BTC = instrument("cryptocom.linear", "BTC/USD:USD", "BTCUSD-PERP")


def session(*instruments: Any) -> Any:
    return VENUE.session(VENUE.plan("linear", instruments)[0], instruments)


@pytest.fixture(params=["spot", "linear"])
def line(request: pytest.FixtureRequest) -> Line:
    product: Product = request.param
    return Line("cryptocom", product)


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [("overload", 503, Fault.OVERLOAD), ("overload", 500, Fault.OVERLOAD), ("timeout", 504, Fault.OVERLOAD),
     ("limit", 429, Fault.OUR_LIMIT), ("geo", 403, Fault.GEO_BLOCK), ("ban", 403, Fault.REFUSED),
     ("maintenance", 503, Fault.MAINTENANCE)],
)  # fmt: skip
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    raw = line.twin.error(kind, status).body
    answer = Answer(status=status, headers={}, body=raw if isinstance(raw, bytes) else raw.encode())
    for probe in VENUE.probes(line.product, [line.instrument]):
        assert VENUE.read_probe(line.product, probe, answer).fault is fault


def test_probes_and_snapshots_are_read(line: Line) -> None:
    for probe in VENUE.probes(line.product, [line.instrument]):
        reading = VENUE.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        assert reading.server_ns is not None
        assert 0 <= line.world.ns - reading.server_ns < 1_000 * MS
    wanted = VENUE.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = VENUE.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))


def test_instruments_are_divided_among_sockets_of_at_most_400_channels() -> None:
    def plan(count: int) -> Any:
        names = [f"C{n}USD-PERP" for n in range(count)]
        return VENUE.plan("linear", [instrument("cryptocom.linear", name, name) for name in names])

    plans = plan(125)
    assert [one.label for one in plans] == ["market", "market-2", "market-3"]
    asked = [{s.symbol for s in one.subscriptions} for one in plans]
    assert [len(symbols) for symbols in asked] == [60, 60, 5]
    assert len(set.union(*asked)) == 125
    for one in plans:
        instruments = [instrument("cryptocom.linear", s.symbol, s.symbol) for s in one.subscriptions if s.symbol]
        payloads = VENUE.session(one, instruments).subscribe()
        channels = [c for raw in payloads for c in msgspec.json.decode(raw)["params"]["channels"]]
        assert len(channels) == len(set(channels)) <= 400
        assert all(len(raw) <= 4_000 for raw in payloads)
    assert [one.label for one in plan(1)] == ["market"]


def answer(body: object, status: int = 200, date: str = "Fri, 10 Oct 2025 14:00:00 GMT") -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Answer(status=status, headers={"date": date} if date else {}, body=raw)


ON_DATE_MS = 1_760_104_800_000


def works(begin_ms: int | None, end_ms: int | None, spot: str | None, linear: str | None, **more: object) -> Any:
    params = {"spot_trading_impacted": spot, "derivative_trading_impacted": linear, "crypto_wallet_impacted": None}
    row = {"category": "system", "title": "Works", "start_time": begin_ms, "end_time": end_ms, "instrument_name": None}
    return row | {"impacted_params": params} | more


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (works(ON_DATE_MS - 1, ON_DATE_MS + 1, "PARTIAL", "BAU"), ("ongoing", ("spot",), True)),
        (works(ON_DATE_MS + 1, ON_DATE_MS + 9, "BAU", "FULL"), ("scheduled", ("linear",), True)),
        (works(ON_DATE_MS + 1, None, "PARTIAL", "PARTIAL"), ("scheduled", (), True)),
        (works(ON_DATE_MS + 1, None, "BAU", None), ("scheduled", (), False)),
        (works(ON_DATE_MS + 1, None, "BAU", "BAU", impacted_params=None), ("scheduled", (), True)),
        (works(ON_DATE_MS - 9, ON_DATE_MS - 1, "PARTIAL", "BAU"), None),
        (works(None, None, "PARTIAL", "PARTIAL"), None),
        (works(ON_DATE_MS + 1, None, "PARTIAL", "PARTIAL", category="list"), None),
    ],
)
def test_announced_works_are_told_with_what_they_touch(row: object, expected: tuple[object, ...] | None) -> None:
    asked = VENUE.status_request("spot")
    assert asked is not None
    assert asked.path == "/v1/public/get-announcements"
    notices = VENUE.read_status("spot", answer({"code": 0, "result": {"data": [row]}}))
    assert [(n.state, tuple(n.products), n.market_data) for n in notices] == ([] if expected is None else [expected])


def test_announced_times_are_read_and_a_missing_end_is_a_day_later() -> None:
    rows = [works(ON_DATE_MS, None, "PARTIAL", "BAU"), works(ON_DATE_MS, ON_DATE_MS + 5, "PARTIAL", "BAU")]
    day, short = VENUE.read_status("spot", answer({"code": 0, "result": {"data": rows}}))
    assert (day.begin_ns, day.end_ns) == (ON_DATE_MS * MS, (ON_DATE_MS + 86_400_000) * MS)
    assert (short.text, short.end_ns) == ("Works", (ON_DATE_MS + 5) * MS)


def test_without_a_date_announced_works_are_only_scheduled() -> None:
    """Without a date it is not known whether they have begun."""
    past = works(ON_DATE_MS - 9, ON_DATE_MS - 1, "PARTIAL", "BAU")
    [notice] = VENUE.read_status("spot", answer({"code": 0, "result": {"data": [past]}}, date="yesterday"))
    assert notice.state == "scheduled"


BAD_BODIES = [
    b"", b"<html>", b"[]", b"\xff", b'{"code":0}', b'{"code":"x"}', b'{"code":0,"result":null}', b'{"code":40401}',
    b'{"code":0,"result":{"data":[{"bids":[["-1","1"]],"asks":[],"start_time":-1}]}}',
    b'{"code":0,"result":{"data":[{"bids":[["NaN","1"]],"asks":[],"start_time":"soon"}]}}',
    b'{"code":0,"result":{"data":7}}',
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(VenueError, match="cryptocom"):
        VENUE.read_snapshot("linear", BTC, answer(body))
    with pytest.raises(VenueError, match="cryptocom"):
        VENUE.read_status("linear", answer(body))


def test_a_book_must_be_one_book() -> None:
    empty: dict[str, object] = {"bids": [], "asks": []}
    for rows in ([], [empty, empty]):
        with pytest.raises(VenueError):
            VENUE.read_snapshot("linear", BTC, answer({"code": 0, "result": {"data": rows}}))


@pytest.mark.parametrize(
    ("body", "status", "fault", "code"),
    [
        ({"code": 10001, "message": "SYS_ERROR"}, 200, Fault.OVERLOAD, "10001"),
        ({"code": 50001, "message": "ERR_INTERNAL"}, 400, Fault.OVERLOAD, "50001"),
        ({"code": 40801, "message": "REQUEST_TIMEOUT"}, 408, Fault.OVERLOAD, "40801"),
        ({"code": 9010001, "message": "SYSTEM_MAINTENANCE"}, 200, Fault.MAINTENANCE, "9010001"),
        ({"code": 42901, "message": "TOO_MANY_REQUESTS"}, 429, Fault.OUR_LIMIT, "42901"),
        ({"code": 10006, "message": "TOO_MANY_REQUESTS"}, 200, Fault.OUR_LIMIT, "10006"),
        ({"code": 40103, "message": "IP_ILLEGAL"}, 401, Fault.REFUSED, "40103"),
        ({"code": 40003, "message": "INVALID_REQUEST"}, 400, Fault.BAD_REQUEST, "40003"),
        ({"code": 209, "message": "INVALID_INSTRUMENT"}, 400, Fault.BAD_REQUEST, "209"),
        ({"code": 40401, "message": "NOT_FOUND"}, 200, Fault.BAD_REQUEST, "40401"),
        ({"code": 77777, "message": "new"}, 503, Fault.OVERLOAD, "77777"),
        ({"code": 77777, "message": "new"}, 200, Fault.UNKNOWN, "77777"),
        (b"<html>502</html>", 502, Fault.OVERLOAD, "502"),
        (b"not available in your country", 403, Fault.GEO_BLOCK, "403"),
        (b"{", 200, Fault.UNKNOWN, "200"),
        ({"code": 0}, 200, Fault.UNKNOWN, "200"),
    ],
)
def test_what_refusals_mean(body: object, status: int, fault: Fault, code: str) -> None:
    [time, book] = VENUE.probes("linear", [BTC])
    for probe in (time, book):
        reading = VENUE.read_probe("linear", probe, answer(body, status))
        assert (reading.fault, reading.code, reading.server_ns) == (fault, code, None)


@pytest.mark.parametrize(
    ("date", "server_ns"),
    [
        ("Fri, 10 Oct 2025 14:00:00 GMT", ON_DATE_MS * MS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 10 Oct 99999 14:00:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_only_clock_is_the_date_of_an_answer_and_coarse(date: str, server_ns: int | None) -> None:
    """``t`` is the time of the last change of the data. Used as a clock, it would make a quiet market look late."""
    ticker = {"code": 0, "result": {"data": [{"i": "BTCUSD-PERP", "t": ON_DATE_MS - 60_000}]}}
    reading = VENUE.read_probe("linear", VENUE.probes("linear", [BTC])[0], answer(ticker, date=date))
    assert (reading.fault, reading.server_ns, reading.server_resolution_ns) == (None, server_ns, 1_000_000_000)
    pong = {"id": 5, "code": 0, "method": "subscribe"}
    reader = session(BTC)
    reader.ping(5)
    assert reader.receive(msgspec.json.encode(pong), 0) == (Pong(token=5),)
