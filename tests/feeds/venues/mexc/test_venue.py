from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from feeds.model import (
    BookDelta,
    Fault,
    Instrument,
    Product,
)
from feeds.venues.base import Answer, Session, VenueError
from feeds.venues.mexc.venue import Mexc
from feeds.venues.sequence import Step
from tests.feeds.venues.captures import instrument

MEXC = Mexc()
SPOT = instrument("mexc.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("mexc.linear", "BTC/USDT:USDT", "BTC_USDT", contract_size=0.0001)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(*instruments: Instrument) -> Session:
    product: Product = "spot" if instruments[0].settle is None else "linear"
    return MEXC.session(MEXC.plan(product, instruments)[0], instruments)


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


def test_sockets_stay_within_the_limits() -> None:
    many = [instrument("mexc.spot", f"C{n}/USDT", f"C{n}USDT") for n in range(20)]
    plans = MEXC.plan("spot", many)
    assert [(p.label, len(p.subscriptions)) for p in plans] == [("public", 27), ("public-2", 27), ("public-3", 6)]
    contracts = [instrument("mexc.linear", f"C{n}/USDT:USDT", f"C{n}_USDT") for n in range(60)]
    assert [len(MEXC.session(p, contracts).subscribe()) for p in MEXC.plan("linear", contracts)] == [250, 50]
    assert MEXC.plan("spot", []) == []


def delta(first: int, last: int) -> BookDelta:
    return BookDelta(symbol="X", bids=[], asks=[], first_seq=first, last_seq=last)


def test_ranges_continue_overlap_or_leave_a_gap() -> None:
    rule = MEXC.rule("spot")
    assert rule.rest_snapshot
    steps = [rule.following(100, delta(*r)) for r in ((101, 105), (98, 105), (90, 100), (102, 105))]
    assert steps == [Step.APPLY, Step.APPLY, Step.SKIP, Step.GAP]
    assert rule.first(105, delta(100, 110)) is Step.APPLY


def test_a_venue_that_counts_anew_is_noticed_instead_of_ignored_for_ever() -> None:
    rule = MEXC.rule("linear")
    assert rule.following(5_000_000, delta(1, 3)) is Step.GAP
    assert rule.first(5_000_000, delta(1, 3)) is Step.SKIP


def test_probes_and_snapshots_of_both_products() -> None:
    time, book = MEXC.probes("spot", [SPOT])
    assert [p.request.path for p in (time, book)] == ["/api/v3/time", "/api/v3/depth?symbol=BTCUSDT&limit=5"]
    assert MEXC.read_probe("spot", time, answer('{"serverTime":1790000000123}')).server_ns == T0 + 123 * MS
    ping, book = MEXC.probes("linear", [PERP])
    assert [p.request.path for p in (ping, book)] == [
        "/api/v1/contract/ping",
        "/api/v1/contract/depth/BTC_USDT?limit=5",
    ]
    good = answer('{"success":true,"code":0,"data":1790000000123}')
    assert MEXC.read_probe("linear", ping, good).server_ns == T0 + 123 * MS
    lobster = MEXC.snapshot_request("spot", instrument("mexc.spot", "龙虾/USDT", "龙虾USDT"))
    assert lobster is not None
    assert lobster.path.isascii()
    raw = '{"lastUpdateId":1112416,"bids":[["15.00","4.5"]],"asks":[["15.10","1.0"]],"timestamp":1790000000000}'
    snapshot = MEXC.read_snapshot("spot", SPOT, answer(raw))
    assert (snapshot.bids, snapshot.asks) == ([(15.0, 4.5)], [(15.1, 1.0)])
    assert (snapshot.seq, snapshot.gateway_ns, snapshot.levels_limit) == (1112416, T0, 1000)


def test_a_deep_book_is_known_by_its_size() -> None:
    deep = MEXC.deep_snapshot_request("linear", PERP)
    assert deep is not None
    assert deep.path.endswith("limit=1500")
    levels = [[1.0 + n, 1, 1] for n in range(1_500)]
    data = {"asks": levels, "bids": [[0.5, 1, 1]], "version": 7, "timestamp": 1}
    raw = msgspec.json.encode({"success": True, "code": 0, "data": data}).decode()
    assert MEXC.read_snapshot("linear", PERP, answer(raw)).levels_limit == 1500


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, '{"success":false,"code":510,"message":"Requests are too frequent"}', Fault.OUR_LIMIT),
        (429, '{"code":429,"msg":"Too Many Requests"}', Fault.OUR_LIMIT),
        (200, '{"success":false,"code":500,"message":"Under maintenance"}', Fault.MAINTENANCE),
        (500, '{"success":false,"code":500,"message":"Internal error"}', Fault.OVERLOAD),
        (200, '{"success":false,"code":501,"message":"System busy"}', Fault.OVERLOAD),
        (503, "<html>Service Unavailable</html>", Fault.OVERLOAD),
        (403, "<HTML>Access Denied</HTML>", Fault.REFUSED),
        (403, "Service unavailable in your region", Fault.GEO_BLOCK),
        (400, '{"code":-1121,"msg":"Invalid symbol."}', Fault.BAD_REQUEST),
        (200, '{"success":false,"code":1001,"message":"Contract does not exist!"}', Fault.BAD_REQUEST),
        (200, '{"success":false,"code":8888,"message":"?"}', Fault.UNKNOWN),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, "{}", Fault.UNKNOWN),
    ],
)
@pytest.mark.parametrize("product", ["spot", "linear"])
def test_what_an_error_answer_means(product: Product, status: int, body: str, fault: Fault) -> None:
    time = MEXC.probes(product, [])[0]
    assert MEXC.read_probe(product, time, answer(body, status)).fault is fault
    one = SPOT if product == "spot" else PERP
    with pytest.raises(VenueError):
        MEXC.read_snapshot(product, one, answer(body, status))


def test_how_long_to_wait_is_read() -> None:
    said = answer('{"code":429,"msg":"Too Many Requests"}', 429, {"retry-after": "2"})
    assert MEXC.read_probe("spot", MEXC.probes("spot", [])[0], said).retry_after_s == 2.0
