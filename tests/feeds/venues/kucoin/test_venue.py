from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from feeds.books.book import Outcome
from feeds.model import (
    BookDelta,
    BookSnapshot,
    Event,
    Fault,
    Garbled,
    Instrument,
    Mark,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Answer, Session, VenueError
from feeds.venues.kucoin.venue import Kucoin
from feeds.venues.sequence import Contiguous, SequenceRule
from tests.feeds.venues.captures import (
    assert_ends_in,
    instrument,
    needs_wire,
    rebuild,
    records,
    truth,
)

KUCOIN = Kucoin()
SPOT = instrument("kucoin.spot", "BTC/USDT", "BTC-USDT")
PERP = instrument("kucoin.linear", "BTC/USDT:USDT", "XBTUSDTM", contract_size=0.001)
MS = 1_000_000
S = 1_000 * MS
T0 = 1_790_000_000 * S


def session(product: Product, label: str, instruments: Sequence[Instrument]) -> Session:
    [plan] = [p for p in KUCOIN.plan(product, instruments) if p.label == label]
    return KUCOIN.session(plan, instruments)


def sent(found: Sequence[Event]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(e.payload) for e in found if isinstance(e, Reply)]


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


# captures


class FromRest(Contiguous):
    """The rule of the classic ``level2``: the channel of the capture, which still exists but is not subscribed by
    Detour."""

    rest_snapshot = True


class ClassicKucoin(Kucoin):
    def rule(self, product: Product) -> SequenceRule:
        return FromRest()


CAPTURE = "kucoin/spot_cryptofeed_20210425"


@needs_wire
def test_the_capture_rebuilds_to_the_recorded_books() -> None:
    found = [instrument("kucoin.spot", name.replace("-", "/"), name) for name in truth(CAPTURE)]
    rebuilt = rebuild(ClassicKucoin(), "spot", CAPTURE, found, session=session("spot", "classic", found))
    assert not rebuilt.garbled
    assert not rebuilt.unknown
    assert rebuilt.kinds["Trade"] == 5
    assert rebuilt.kinds["Quote"] == 474
    for one in found:
        expected, book = truth(CAPTURE)[one.venue_id], rebuilt.books[one.symbol]
        assert (book.applied, book.skipped) == (expected.updates_applied, expected.updates_dropped_before_snapshot)
        assert not rebuilt.outcomes[one.symbol][Outcome.GAP]
        assert_ends_in(book, expected)


DECODED: dict[str, type[Event]] = {
    "/market/match": Trade,
    "/contractMarket/execution": Trade,
    "/market/level2": BookDelta,
    "/contractMarket/level2": BookDelta,
    "/spotMarket/level2Depth5": BookSnapshot,
    "/contractMarket/level2Depth5": BookSnapshot,
    "/market/ticker": Quote,
    "/contractMarket/tickerV2": Quote,
    "/contract/instrument": Mark,
}
RETIRED = {
    "/spotMarket/level3": "orders one by one: closed to the public",
    "/contractMarket/level3v2": "orders one by one: closed to the public",
}
UNUSED = {"/market/candles", "/contractMarket/candle", "/market/snapshot", "/contractMarket/snapshot"}
FUTURES = ("XBTUSDTM", "XBTUSDM", "XBTMH21", "XBTMM21", "XBTMM22", "MYROUSDTM", "AUCTIONUSDTM")


@needs_wire
def test_isolated_messages_decode_with_no_unknown_type() -> None:
    seen: Counter[str] = Counter()
    for record in [r for n in ("crypto-msg-parser", "tardis-node") for r in records(f"kucoin/isolated_{n}")]:
        message = msgspec.json.decode(record.raw)
        if "code" in message:
            continue  # REST, read below
        topic, _, name = message.get("topic", "").partition(":")
        name = message["subject"] if name == "all" else name
        product: Product = "spot" if "-" in name else "linear"
        one = instrument(f"kucoin.{product}", f"{name}/USDT", name)
        found = session(product, "classic", [one]).receive(record.raw, 0)
        found = [event for event in found if not isinstance(event, Reply)]
        if not topic:
            assert not any(isinstance(e, Unknown | Garbled | Refusal) for e in found), record.raw
        elif topic in RETIRED or topic in UNUSED:
            assert found == [], record.raw
        else:
            assert [type(event) for event in found] == [DECODED[topic]], record.raw
        seen[topic] += 1
    assert set(seen) == {"", *DECODED, *RETIRED, *UNUSED}


@needs_wire
def test_isolated_rest_books_are_read() -> None:
    bodies = [r.raw for r in records("kucoin/isolated_crypto-msg-parser") if '"asks"' in (r.data or "") and '"code"' in (r.data or "")]  # fmt: skip  # noqa: E501 - one condition
    assert len(bodies) == 4
    for body in bodies:
        book = KUCOIN.read_snapshot("linear", PERP, Answer(status=200, headers={}, body=body))
        assert book.bids[0][0] < book.asks[0][0]
        assert book.seq is not None
        assert book.engine_ns is not None
        assert 1_654 * 10**15 < book.engine_ns < 1_655 * 10**15


# sockets and tokens


def test_sockets_stay_within_the_limits() -> None:
    many = [instrument("kucoin.linear", f"C{n}/USDT:USDT", f"C{n}USDTM") for n in range(120)]
    plans = KUCOIN.plan("linear", many)
    assert [p.label for p in plans] == ["uta", "classic", "uta-2", "classic-2", "uta-3", "classic-3"]
    for plan in plans:
        asked = sent(KUCOIN.session(plan, many).receive(b'{"message":"welcome","type":"welcome"}', 0))
        assert 0 < len(asked) <= (200 if plan.handshake is None else 50)
    asked_for = Counter(s.channel for p in plans for s in p.subscriptions)
    assert asked_for == dict.fromkeys(KUCOIN.products["linear"].push_ms, 120)
    assert KUCOIN.plan("spot", []) == []


BULLET = '{"code":"200000","data":{"token":"2neA+/=&x","instanceServers":[{"endpoint":"%s","pingInterval":18000}]}}'


def test_the_token_becomes_a_url() -> None:
    direct, behind = KUCOIN.plan("spot", [SPOT])
    base = KUCOIN.products["spot"].ws
    assert KUCOIN.dial_url(direct, base, None) == "wss://x-push-spot.kucoin.com/"
    assert behind.handshake is not None
    assert (behind.handshake.method, behind.handshake.path) == ("POST", "/api/v1/bullet-public")
    url = KUCOIN.dial_url(behind, base, answer(BULLET % "wss://ws-api-spot.kucoin.com/"))
    assert url.startswith("wss://ws-api-spot.kucoin.com/?token=2neA%2B%2F%3D%26x&connectId=")
    assert KUCOIN.dial_url(behind, "ws://127.0.0.1:1", answer(BULLET % "ws://127.0.0.1:1/endpoint")).startswith("ws://")


@pytest.mark.parametrize(
    "body",
    [
        BULLET % "ws://ws-api-spot.kucoin.com/",  # without TLS
        BULLET % "file:///etc/passwd",
        BULLET % "wss://",
        BULLET % "//host/",
        BULLET % "wss://[bad/",
        '{"code":"200000","data":{"token":"","instanceServers":[{"endpoint":"wss://a/"}]}}',
        '{"code":"200000","data":{"token":"x","instanceServers":[]}}',
        '{"code":"429000","msg":"Too many requests."}',
        "<html>",
    ],
)
def test_a_bad_token_answer_is_refused(body: str) -> None:
    _, behind = KUCOIN.plan("spot", [SPOT])
    with pytest.raises(VenueError):
        KUCOIN.dial_url(behind, KUCOIN.products["spot"].ws, answer(body))


# REST

TIME, BOOK = KUCOIN.probes("linear", [PERP])
POOL = {"gw-ratelimit-limit": "2000", "gw-ratelimit-remaining": "1900", "gw-ratelimit-reset": "12000"}


def test_probes_are_cheap_tell_the_time_and_our_use_of_the_pool() -> None:
    assert (TIME.request.path, BOOK.request.path) == ("/api/v1/timestamp", "/api/v1/level2/depth20?symbol=XBTUSDTM")
    assert [p.request.path for p in KUCOIN.probes("spot", [SPOT])][1].endswith("level2_20?symbol=BTC-USDT")
    reading = KUCOIN.read_probe("linear", TIME, answer('{"code":"200000","data":1790000000123}', headers=POOL))
    assert (reading.fault, reading.server_ns, reading.weight_used) == (None, T0 + 123 * MS, 100.0)
    assert reading.retry_after_s is None
    assert KUCOIN.read_probe("linear", BOOK, answer('{"code":"200000","data":{"bids":[]}}')).fault is None


@pytest.mark.parametrize(
    ("status", "body", "headers", "fault"),
    [
        (429, '{"code":"429000","msg":"Too many requests. System-level rate limit exceeded."}', {}, Fault.OUR_LIMIT),
        (429, '{"code":"429000","msg":"Too many requests."}', POOL | {"gw-ratelimit-remaining": "0"}, Fault.OUR_LIMIT),
        (429, '{"code":"429000","msg":"Too many requests."}', POOL, Fault.OVERLOAD),  # the gateway itself
        (200, '{"code":"200002","msg":"Too many requests"}', {}, Fault.OUR_LIMIT),
        (500, '{"code":"500000","msg":"Internal Server Error"}', {}, Fault.OVERLOAD),
        (200, '{"code":"503000","msg":"Service unavailable"}', {}, Fault.OVERLOAD),
        (503, '{"code":"503000","msg":"system upgrading"}', {}, Fault.MAINTENANCE),
        (200, '{"code":"400100","msg":"Unsupported trading pair."}', {}, Fault.BAD_REQUEST),
        (200, '{"code":"400302","msg":"Our services are currently unavailable in the U.S."}', {}, Fault.GEO_BLOCK),
        (200, '{"code":"200004","msg":"Balance insufficient"}', {}, Fault.UNKNOWN),  # not overload, as some lists say
        (403, "<html>Error 1015 You are being rate limited</html>", {}, Fault.OUR_LIMIT),
        (403, "not available in your country", {}, Fault.GEO_BLOCK),
        (403, "<html>Forbidden</html>", {}, Fault.REFUSED),
        (502, "<html>Bad Gateway</html>", {}, Fault.OVERLOAD),
        (200, "<html>captive portal</html>", {}, Fault.UNKNOWN),
        (200, '{"code":"200000","data":"soon"}', {}, Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, headers: Mapping[str, str], fault: Fault) -> None:
    assert KUCOIN.read_probe("spot", TIME, answer(body, status, headers)).fault is fault


def test_how_long_to_wait_is_read() -> None:
    limited = answer('{"code":"429000","msg":"x"}', 429, POOL | {"gw-ratelimit-remaining": "0"})
    assert KUCOIN.read_probe("spot", TIME, limited).retry_after_s == 12.0
    assert KUCOIN.read_probe("spot", TIME, answer("Error 1015", 403)).retry_after_s == 30.0


def test_snapshots_over_rest() -> None:
    spot, linear = KUCOIN.snapshot_request("spot", SPOT), KUCOIN.snapshot_request("linear", PERP)
    assert spot is not None
    assert linear is not None
    assert spot.path == "/api/v1/market/orderbook/level2_100?symbol=BTC-USDT"
    assert linear.path == "/api/v1/level2/depth100?symbol=XBTUSDTM"
    body = (
        '{"code":"200000","data":{"time":1790000000000,"sequence":"14610502970","bids":[["66976.4","0.69"]],"asks":[]}}'
    )
    book = KUCOIN.read_snapshot("spot", SPOT, answer(body))
    assert (book.bids, book.seq, book.engine_ns, book.levels_limit) == ([(66976.4, 0.69)], 14610502970, T0, 100)
    for bad in ('{"code":"500000","msg":"busy"}', '{"code":"200000"}', '{"code":"200000","data":[]}', "<html>"):
        with pytest.raises(VenueError):
            KUCOIN.read_snapshot("spot", SPOT, answer(bad))


def test_official_status() -> None:
    def read(status: str, words: str = "") -> list[tuple[str, str, tuple[Product, ...]]]:
        body = f'{{"code":"200000","data":{{"status":"{status}","msg":"{words}"}}}}'
        return [(n.state, n.text, n.products) for n in KUCOIN.read_status("linear", answer(body))]

    assert read("open", "upgrade match engine") == []
    assert read("close", "upgrade match engine") == [("ongoing", "trading closed: upgrade match engine", ("linear",))]
    assert read("cancelonly") == [("ongoing", "cancel only", ("linear",))]
    assert read("someday") == [("ongoing", "someday", ("linear",))]
    for bad in ('{"code":"200000","data":{"status":5}}', '{"code":"500000"}', ""):
        with pytest.raises(VenueError):
            KUCOIN.read_status("spot", answer(bad))
