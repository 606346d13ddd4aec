from __future__ import annotations

import pytest

from feeds.model import BookDelta, Channel, Fault
from feeds.venues.base import Answer, VenueError
from feeds.venues.bitget.venue import Bitget
from feeds.venues.sequence import Step
from tests.feeds.venues.captures import instrument

BITGET = Bitget()
SPOT = instrument("bitget.spot", "BTC/USDT", "BTCUSDT")
PERP = instrument("bitget.linear", "BTC/USDT:USDT", "BTCUSDT", tick=0.1)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def answer(body: str, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=body.encode())


# sockets


def test_sockets_stay_below_fifty_channels() -> None:
    many = [instrument("bitget.linear", f"C{n}/USDT:USDT", f"C{n}USDT") for n in range(30)]
    plans = BITGET.plan("linear", many)
    assert [p.label for p in plans] == ["public", "public-2", "public-3"]
    assert {p.path for p in plans} == {"/v3/ws/public"}
    assert max(len(p.subscriptions) for p in plans) < 50
    for channel in (Channel.BOOK, Channel.BBO, Channel.TRADES, Channel.MARK):
        assert sum(s.channel is channel for p in plans for s in p.subscriptions) == 30
    assert sum(s.channel is Channel.LIQUIDATIONS for p in plans for s in p.subscriptions) == 1
    [spot] = BITGET.plan("spot", [SPOT])
    assert {s.channel for s in spot.subscriptions} == {Channel.BOOK, Channel.BBO, Channel.TRADES}
    assert BITGET.plan("spot", []) == []


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_what_is_planned_is_what_the_facts_name(product: str) -> None:
    facts = BITGET.products["spot" if product == "spot" else "linear"]
    [plan] = BITGET.plan("spot" if product == "spot" else "linear", [PERP])
    assert {s.channel for s in plan.subscriptions} == set(facts.push_ms)


# which delta follows


def delta(seq: int | None, pseq: int | None) -> BookDelta:
    return BookDelta(symbol="X", bids=(), asks=(), last_seq=seq, prev_seq=pseq)


@pytest.mark.parametrize(
    ("last", "seq", "pseq", "step"),
    [
        (100, 107, 100, Step.APPLY),
        (100, 107, 101, Step.GAP),
        (100, 99, 98, Step.GAP),
        (100, 3, 0, Step.GAP),  # the service has restarted
        (100, 101, None, Step.APPLY),  # older messages name no predecessor
        (100, 100, None, Step.GAP),
        (None, None, None, Step.APPLY),  # v2 of 2024 numbered nothing at all
        (100, None, None, Step.GAP),
    ],
)
def test_sequence_rule(last: int | None, seq: int | None, pseq: int | None, step: Step) -> None:
    rule = BITGET.rule("spot")
    assert rule.following(last, delta(seq, pseq)) is step
    assert rule.first(last, delta(seq, pseq)) is step


# REST

TIME, BOOK = BITGET.probes("linear", [PERP])


def test_probes_are_cheap_and_both_tell_the_time() -> None:
    assert TIME.request.path == "/api/v2/public/time"
    assert BOOK.request.path == "/api/v3/market/orderbook?category=USDT-FUTURES&symbol=BTCUSDT&limit=5"
    body = '{"code":"00000","msg":"success","requestTime":1790000000122,"data":{"serverTime":"1790000000123"}}'
    reading = BITGET.read_probe("linear", TIME, answer(body))
    assert (reading.fault, reading.server_ns) == (None, T0 + 123 * MS)
    reading = BITGET.read_probe("linear", BOOK, answer(body.replace("1790000000122", '"1790000000122"')))
    assert (reading.fault, reading.server_ns) == (None, T0 + 122 * MS)
    reading = BITGET.read_probe("linear", BOOK, answer(body.replace("1790000000122", "0")))
    assert (reading.fault, reading.server_ns) == (None, None)  # some paths send 0: no time, and not 1970
    assert [probe.name for probe in BITGET.probes("spot", [])] == ["time"]


@pytest.mark.parametrize(("left", "used"), [("19", 1.0), ("0", 20.0), ("x", None), ("21", None), ("nan", None)])
def test_the_limit_header_counts_down(left: str, used: float | None) -> None:
    body = '{"code":"00000","requestTime":1,"data":{"serverTime":"1"}}'
    assert BITGET.read_probe("spot", TIME, answer(body, x_mbx_used_remain_limit=left)).weight_used == used


def test_symbols_beyond_ascii_are_escaped() -> None:
    odd = instrument("bitget.spot", "币安人生/USDT", "币安人生USDT")
    request = BITGET.snapshot_request("spot", odd)
    assert request is not None
    assert request.path.isascii()
    assert request.path.startswith("/api/v3/market/orderbook?category=SPOT&symbol=%E5%B8%81")


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, '{"code":"429","msg":"Too Many Requests"}', Fault.OUR_LIMIT),
        (200, '{"code":"429","msg":"Too Many Requests"}', Fault.OUR_LIMIT),
        (200, '{"code":"40015","msg":"","requestTime":1595698564931,"data":null}', Fault.OVERLOAD),
        (400, '{"code":"40725","msg":"service return an error","data":null}', Fault.OVERLOAD),
        (200, '{"code":"45001","msg":null,"data":null}', Fault.OVERLOAD),
        (400, '{"code":"40010","msg":"Request timed out","data":null}', Fault.OVERLOAD),
        (200, '{"code":"40200","msg":"Server upgrade, please try again later","data":null}', Fault.MAINTENANCE),
        (400, '{"code":"40034","msg":"Parameter X does not exist","data":null}', Fault.BAD_REQUEST),
        (400, '{"code":"40808","msg":"Parameter verification exception","data":null}', Fault.BAD_REQUEST),
        (200, '{"code":"49999","msg":"?","data":null}', Fault.UNKNOWN),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (403, "<html>Request blocked.</html>", Fault.REFUSED),
        (403, "<html>configured to block access from your country</html>", Fault.GEO_BLOCK),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, '{"code":"00000","msg":"success","requestTime":1,"data":{}}', Fault.UNKNOWN),
        (503, '{"code":"00000","msg":"success","requestTime":1,"data":{"serverTime":"1"}}', Fault.OVERLOAD),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    assert BITGET.read_probe("spot", TIME, answer(body, status)).fault is fault


def test_snapshot_over_rest() -> None:
    request = BITGET.snapshot_request("linear", PERP)
    assert request is not None
    assert request.path == "/api/v3/market/orderbook?category=USDT-FUTURES&symbol=BTCUSDT&limit=200"
    rows = '{"a":[[41006.8,0.6]],"b":[["41006.7","0.3"]],"ts":"1790000000000"}'  # numbers or text, both were seen
    book = BITGET.read_snapshot("linear", PERP, answer(f'{{"code":"00000","requestTime":5,"data":{rows}}}'))
    assert (list(book.bids), list(book.asks)) == ([(41006.7, 0.3)], [(41006.8, 0.6)])
    assert (book.engine_ns, book.seq, book.levels_limit) == (T0, None, 200)
    for bad in (
        '{"code":"45001","msg":"busy","data":null}',
        '{"code":"00000","data":[]}',
        '{"code":"00000"}',
        "<html>",
        '{"code":"00000","data":{"a":[["-1","1"]],"b":[]}}',
    ):
        with pytest.raises(VenueError):
            BITGET.read_snapshot("linear", PERP, answer(bad))


def test_there_is_no_official_status_to_ask_for() -> None:
    assert BITGET.status_request("spot") is None
    assert BITGET.read_close(1006) is None
