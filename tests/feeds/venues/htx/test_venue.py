from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given, settings

from feeds.books.book import Outcome
from feeds.model import Channel, Event, Fault, Garbled, Instrument, Product, Unknown
from feeds.venues.base import Answer, Subscription, VenueError
from feeds.venues.htx.session import HtxSession
from feeds.venues.htx.venue import Htx
from tests.feeds.venues.captures import assert_ends_in, instrument, needs_wire, rebuild, recording, records, truth
from tests.feeds.venues.mutations import hostile

HTX = Htx()
SPOT = instrument("htx.spot", "BTC/USDT", "btcusdt")
SWAP = instrument("htx.linear", "BTC/USDT:USDT", "BTC-USDT", contract_size=0.001)
MS = 1_000_000
T0 = 1_790_000_000_000 * MS


def session(one: Instrument, label: str) -> HtxSession:
    product: Product = "spot" if one.route == "htx.spot" else "linear"
    [plan] = [plan for plan in HTX.plan(product, [one]) if plan.label == label]
    return HTX.session(plan, [one])


def answer(body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status=status, headers=headers or {}, body=body.encode())


# sockets


def test_every_channel_of_every_symbol_is_asked_for_once_within_the_limits_of_a_socket() -> None:
    for product, channels in (("spot", 3), ("linear", 6)):
        many = [instrument(f"htx.{product}", f"C{n}/USDT", f"c{n}usdt") for n in range(64)]
        plans = HTX.plan("spot" if product == "spot" else "linear", many)
        assert len({plan.label for plan in plans}) == len(plans)
        asked = Counter(s for plan in plans for s in plan.subscriptions)
        assert len(asked) == 64 * (channels - (product == "linear"))  # marks and funding are one channel on two sockets
        assert set(asked.values()) <= {1, 2}
        # of 45 snapshots requested at once, a venue with the same protocol refused 21
        assert all(len({s.symbol for s in plan.subscriptions}) <= 20 for plan in plans)
    assert len(HTX.plan("spot", many)) <= 10  # connections an address, in an older text
    assert HTX.plan("spot", []) == []


def test_what_is_asked_for_where() -> None:
    asked = {
        plan.path: [msgspec.json.decode(p) for p in HTX.session(plan, [one]).subscribe()]
        for one, product in ((SPOT, "spot"), (SWAP, "linear"))
        for plan in HTX.plan("spot" if product == "spot" else "linear", [one])
    }
    assert {path: [p.get("sub") or p.get("topic") for p in found] for path, found in asked.items()} == {
        "/feed": ["market.btcusdt.mbp.150"],
        "/ws": ["market.btcusdt.bbo", "market.btcusdt.trade.detail"],
        "/linear-swap-ws": [
            "market.BTC-USDT.depth.size_150.high_freq",
            "market.BTC-USDT.bbo",
            "market.BTC-USDT.trade.detail",
        ],
        "/ws_index": ["market.BTC-USDT.mark_price.1min"],
        "/linear-swap-notification": ["public.BTC-USDT.funding_rate", "public.BTC-USDT.liquidation_orders"],
    }
    assert asked["/linear-swap-ws"][0]["data_type"] == "incremental"
    assert [p["op"] for p in asked["/linear-swap-notification"]] == ["sub", "sub"]


def test_an_answer_to_a_ping_that_came_too_late_is_our_own_doing() -> None:
    assert HTX.read_close(1003) is Fault.OUR_LIMIT
    assert HTX.read_close(1006) is None


# captures

ISOLATED = ("htx/isolated_crypto-msg-parser", "htx/isolated_tardis-node")
COIN_MARGINED = "coin-margined contracts (BTC_CQ, BTC-USD): another product, not served here"
OLD_DIFFS = "step0 in unnumbered diffs: an undocumented form of 2019"


def reason_to_skip(message: Mapping[str, object]) -> str | None:
    """Why a captured message is not of a protocol that we use. None: it is."""
    name = str(message.get("ch") or message.get("topic") or message.get("subbed") or message.get("rep") or "")
    if message.get("update") is True:
        return OLD_DIFFS
    if name.startswith(("market.", "public.")):
        code = name.split(".")[1]
        if "_" in code or code.endswith("-USD") or code.removeprefix("BTC-USD-").isdecimal():
            return COIN_MARGINED
    return None


@needs_wire
@pytest.mark.parametrize("name", ISOLATED)
def test_isolated_messages_decode(name: str) -> None:
    kinds: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for record in records(name):
        message = msgspec.json.decode(record.raw)
        why = reason_to_skip(message)
        if why is not None:
            skipped[why] += 1
            continue
        if "ch" not in message and isinstance(message.get("data"), list) and "op" not in message:
            skipped["REST: funding and open interest, never asked for"] += 1
            continue
        topic = str(message.get("ch") or message.get("topic") or message.get("rep") or message.get("subbed") or "")
        code = topic.split(".")[1]
        spot = code.islower()
        one = instrument("htx.spot" if spot else "htx.linear", "BTC/USDT", "BTC-USDT" if code == "*" else code)
        label = "notification" if "op" in message else "book" if spot and ".mbp." in topic else "public"
        for event in session(one, label).receive(gzip.compress(record.raw), T0):
            assert not isinstance(event, Unknown | Garbled), (event, record.data)
            kinds[type(event).__name__] += 1
    assert kinds["Trade"] >= 3
    assert kinds["BookSnapshot"] >= 2
    assert set(skipped) <= {COIN_MARGINED, OLD_DIFFS, "REST: funding and open interest, never asked for"}


@needs_wire
@pytest.mark.parametrize(
    ("name", "product"), [("htx/spot_cryptofeed_20210417", "spot"), ("htx/linear_swap_cryptofeed_20220219", "linear")]
)
def test_continuous_captures_end_in_the_recorded_books(name: str, product: Product) -> None:
    """Whole books (``depth.step0``), compressed as the venue does."""
    books = truth(name)
    asked = {
        str(msgspec.json.decode(r.raw)["sub"]).split(".")[1]
        for r in records(name)
        if r.t == "send" and "sub" in (r.data or "")
    }
    found = [instrument(f"htx.{product}", f"{code}/USDT", code) for code in sorted(asked)]
    [plan] = [plan for plan in HTX.plan(product, found) if plan.label == "public"]
    rebuilt = rebuild(HTX, product, name, found, session=HTX.session(plan, found))
    assert (rebuilt.unknown, rebuilt.garbled) == (Counter(), Counter())
    assert rebuilt.kinds["Trade"] >= 10
    assert rebuilt.kinds["Reply"] == 6
    assert len(books) == 5
    for key, expected in books.items():
        book = rebuilt.books[f"{key.split('.')[1]}/USDT"]
        assert_ends_in(book, expected)
        assert rebuilt.outcomes[book.instrument.symbol][Outcome.APPLIED] == expected.snapshots


# REST

TIME, BOOK = HTX.probes("spot", [SPOT])
SWAP_TIME, SWAP_BOOK = HTX.probes("linear", [SWAP])


def test_probes_are_cheap_and_one_tells_the_time() -> None:
    assert TIME.request.path == "/v1/common/timestamp"
    assert BOOK.request.path == "/market/depth?symbol=btcusdt&type=step0&depth=5"
    assert SWAP_TIME.request.path == "/api/v1/timestamp"
    assert SWAP_BOOK.request.path == "/linear-swap-ex/market/depth?contract_code=BTC-USDT&type=step6"
    reading = HTX.read_probe("spot", TIME, answer('{"status":"ok","data":1790000000123}'))
    assert (reading.fault, reading.server_ns) == (None, T0 + 123 * MS)
    reading = HTX.read_probe("linear", SWAP_TIME, answer('{"status":"ok","ts":1790000000123}'))
    assert (reading.fault, reading.server_ns) == (None, T0 + 123 * MS)
    reading = HTX.read_probe("linear", SWAP_BOOK, answer('{"status":"ok","ts":1790000000123,"tick":{}}'))
    assert (reading.fault, reading.server_ns) == (None, None)
    assert [p.name for p in HTX.probes("linear", [])] == ["time"]


def test_used_limits_are_read_where_headers_tell_them() -> None:
    good = '{"status":"ok","ts":1790000000123}'
    swap = answer(good, headers={"ratelimit-limit": "240", "ratelimit-remaining": "180"})
    assert HTX.read_probe("linear", SWAP_TIME, swap).weight_used == 60.0
    spot = answer('{"status":"ok","data":1790000000123}', headers={"x-hb-ratelimit-requests-remain": "8"})
    assert HTX.read_probe("spot", TIME, spot).weight_used == pytest.approx(2.0)
    assert HTX.read_probe("linear", SWAP_TIME, answer(good)).weight_used is None
    for headers in ({"ratelimit-limit": "0", "ratelimit-remaining": "0"}, {"x-hb-ratelimit-requests-remain": "nan"}):
        assert HTX.read_probe("linear", SWAP_TIME, answer(good, headers=headers)).weight_used is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (429, '{"status":"error","err-code":"too-many-request","err-msg":"too many request"}', Fault.OUR_LIMIT),
        (200, '{"status":"error","err_code":1032,"err_msg":"access denied by frequency","ts":1}', Fault.OUR_LIMIT),
        (200, '{"status":"error","err-code":"gateway-internal-error","err-msg":"x"}', Fault.OVERLOAD),
        (200, '{"status":"error","err-code":"base-system-busy","err-msg":"busy"}', Fault.OVERLOAD),
        (200, '{"status":"error","err_code":1001,"err_msg":"System is not ready."}', Fault.OVERLOAD),
        (200, '{"status":"error","err_code":1001,"err_msg":"System is upgrading."}', Fault.MAINTENANCE),
        (200, '{"status":"error","err-code":"system-maintenance","err-msg":"x"}', Fault.MAINTENANCE),
        (200, '{"status":"error","err-code":"invalid-parameter","err-msg":"invalid symbol"}', Fault.BAD_REQUEST),
        (200, '{"status":"error","err_code":1014,"err_msg":"This contract doesnt exist."}', Fault.BAD_REQUEST),
        (404, '{"timestamp":"2026","status":404,"error":"Not Found","path":"/nope"}', Fault.BAD_REQUEST),
        (200, '{"status":"error","err_code":77}', Fault.UNKNOWN),
        (200, '{"code":2002,"message":"invalid field value"}', Fault.UNKNOWN),
        (502, "<html>Bad Gateway</html>", Fault.OVERLOAD),
        (403, "<html>configured to block access from your country</html>", Fault.GEO_BLOCK),
        (403, "<html>Request blocked</html>", Fault.REFUSED),
        (200, "<html>captive portal</html>", Fault.UNKNOWN),
        (200, "{}", Fault.UNKNOWN),
        (200, '{"status":"ok","data":"soon"}', Fault.UNKNOWN),
    ],
)
def test_what_an_error_answer_means(status: int, body: str, fault: Fault) -> None:
    reading = HTX.read_probe("spot", TIME, answer(body, status))
    assert reading.fault is fault
    assert (reading.retry_after_s is None) == (fault is not Fault.OUR_LIMIT)
    assert reading.server_ns is None


def test_snapshot_over_rest() -> None:
    request = HTX.snapshot_request("spot", SPOT)
    assert request is not None
    assert request.path == "/market/depth?symbol=btcusdt&type=step0"
    body = (
        '{"ch":"market.btcusdt.depth.step0","status":"ok","ts":1790000000007,"tick":{"version":31615842081,'
        '"ts":1790000000000,"bids":[[7964.0,9.7E-4]],"asks":[[7979.0,0.0736]]}}'
    )
    book = HTX.read_snapshot("spot", SPOT, answer(body))
    assert (book.bids, book.asks, book.seq) == ([(7964.0, 0.00097)], [(7979.0, 0.0736)], 31615842081)
    assert (book.engine_ns, book.gateway_ns, book.levels_limit) == (T0, T0 + 7 * MS, 150)
    # on swaps the version is a time in seconds, not a number of the websocket
    assert HTX.read_snapshot("linear", SWAP, answer(body)).seq is None
    for bad in (
        '{"status":"error","err-code":"invalid-parameter","err-msg":"invalid symbol"}',
        '{"status":"ok","tick":{"bids":[[-1,1]]}}',
        '{"status":"ok"}',
        "<html>",
    ):
        with pytest.raises(VenueError):
            HTX.read_snapshot("spot", SPOT, answer(bad))


def test_official_status() -> None:
    spot, swaps = HTX.status_request("spot"), HTX.status_request("linear")
    assert spot is not None
    assert swaps is not None
    assert (spot.path, swaps.path) == ("/v2/market-status", "/heartbeat/")
    assert HTX.read_status("spot", answer('{"code":200,"message":"success","data":{"marketStatus":1}}')) == ()
    halted = '{"code":200,"data":{"marketStatus":2,"haltStartTime":1790000000000,"haltEndTime":1790000600000}}'
    [notice] = HTX.read_status("spot", answer(halted))
    assert (notice.state, notice.products) == ("ongoing", ("spot",))
    assert (notice.begin_ns, notice.end_ns) == (T0, T0 + 600_000 * MS)
    [notice] = HTX.read_status("spot", answer('{"code":200,"data":{"marketStatus":3}}'))
    assert "cancelled" in notice.text
    assert HTX.read_status("spot", answer('{"code":200,"data":{"marketStatus":9}}')) == ()
    up = '{"status":"ok","data":{"heartbeat":0,"linear_swap_heartbeat":1},"ts":1557714418033}'
    assert HTX.read_status("linear", answer(up)) == ()  # another market's trouble is not ours
    down = '{"linear_swap_heartbeat":0,"linear_swap_estimated_recovery_time":1790000600000}'
    [notice] = HTX.read_status("linear", answer(f'{{"status":"ok","data":{down}}}'))
    assert (notice.products, notice.begin_ns, notice.end_ns) == (("linear",), None, T0 + 600_000 * MS)
    for bad in ("<html>", '{"code":500,"message":"x"}', '{"code":200,"data":{}}', '{"status":"ok","data":null}'):
        for product in ("spot", "linear"):
            with pytest.raises(VenueError):
                HTX.read_status("spot" if product == "spot" else "linear", answer(bad))


# hostile bytes

FRAMES = {
    "book": (SPOT, recording("htx/spot_mbp")),
    "spot": (SPOT, recording("htx/spot_public")),
    "public": (SWAP, recording("htx/swap_public")),
    "notification": (SWAP, recording("htx/swap_notification")),
    "index": (SWAP, recording("htx/swap_index")),
}


@pytest.mark.parametrize("name", FRAMES)
def test_any_bytes_are_survived(name: str) -> None:
    one, frames = FRAMES[name]

    @settings(max_examples=150, deadline=None)
    @given(hostile(frames))
    def survives(raw: bytes) -> None:
        line = session(one, "public" if name == "spot" else name)
        line.subscribe()
        for frame in (*frames, raw, gzip.compress(raw), *frames):
            for event in line.receive(frame, T0):
                check(event)

    survives()


def check(event: Event) -> None:
    """No event may hold an impossible value, whatever the input was."""
    for name in ("price", "size", "bid", "ask", "bid_size", "ask_size", "mark"):
        value = getattr(event, name, None)
        assert value is None or 0 <= value < 1e18
    for side in ("bids", "asks"):
        assert all(price > 0 and size >= 0 for price, size in getattr(event, side, ()))
    for name in ("engine_ns", "gateway_ns", "next_funding_ns"):
        value = getattr(event, name, None)
        assert value is None or 0 < value < 1 << 63


def test_a_subscription_to_nothing_that_the_socket_carries_is_not_made() -> None:
    [plan] = [plan for plan in HTX.plan("spot", [SPOT]) if plan.label == "book"]
    odd = msgspec.structs.replace(plan, subscriptions=(Subscription(Channel.TRADES, "BTC/USDT"),))
    assert HTX.session(odd, [SPOT]).subscribe() == []
    assert HTX.session(plan, [SPOT]).resubscribe(Channel.TRADES, "BTC/USDT") == ()
    assert HTX.session(plan, [SPOT]).resubscribe(Channel.BOOK, "GONE/USDT") == ()
