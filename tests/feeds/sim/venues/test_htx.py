"""What a client of the simulated HTX relies on; expectations come from the protocol sheet, studies and captures."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from feeds.model import Product, StatusNotice
from feeds.sim.twin import Close, Out, SimLiquidation, TwinSession
from feeds.sim.venues.htx.rest import java_double
from feeds.sim.venues.htx.twin import HtxTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, request

S = 1000 * MS
BTC, SWAP = "btcusdt", "BTC-USDT"
MBP = "market.btcusdt.mbp.150"
FAST = "market.BTC-USDT.depth.size_20.high_freq"
PRODUCT: dict[str, Product] = {"/ws": "spot", "/feed": "spot"}


@pytest.fixture
def twin() -> HtxTwin:
    return HtxTwin()


def opened(twin: HtxTwin, world: FixedWorld, path: str) -> TwinSession:
    session = twin.open(PRODUCT.get(path, "linear"), path, {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def read(frames: Sequence[Out]) -> list[Any]:
    """Every frame is a gzip member."""
    out: list[Any] = []
    for frame in frames:
        assert isinstance(frame, bytes | Close)
        out.append(frame if isinstance(frame, Close) else json.loads(gzip.decompress(frame)))
    return out


def ask(session: TwinSession, world: FixedWorld, message: object) -> list[Any]:
    return read(session.receive(message if isinstance(message, bytes) else json.dumps(message).encode(), world.ns))


# subscribing


def test_one_topic_a_frame_is_acknowledged_with_the_id_as_it_was_sent(twin: HtxTwin, world: FixedWorld) -> None:
    session = opened(twin, world, "/ws")
    for identity in ("id1", 7):
        topic = f"market.{BTC}.bbo"
        [ack] = ask(session, world, {"sub": topic, "id": identity})
        assert ack == {"id": identity, "status": "ok", "subbed": topic, "ts": world.ns // MS}
        [ack] = ask(session, world, {"unsub": topic, "id": identity})
        assert ack == {"id": identity, "status": "ok", "unsubbed": topic, "ts": world.ns // MS}


@pytest.mark.parametrize(
    ("path", "message", "words"),
    [
        ("/feed", {"sub": "market.nopeusdt.mbp.150"}, "invalid symbol nopeusdt"),
        ("/feed", {"sub": "market.btcusdt.mbp.30"}, "invalid topic market.btcusdt.mbp.30"),
        ("/feed", {"sub": "market.btcusdt.bbo"}, "invalid topic market.btcusdt.bbo"),
        ("/ws", {"sub": "market.btcusdt.depth.step9"}, "invalid topic market.btcusdt.depth.step9"),
        ("/ws", {"unsub": "market.btcusdt.bbo"}, "unsub with not subbed topic"),
        ("/linear-swap-ws", {"sub": "market.NOPE-USDT.bbo"}, "invalid topic market.NOPE-USDT.bbo"),
        (
            "/linear-swap-ws",
            {"sub": "market.BTC-USDT.depth.size_30.high_freq"},
            "invalid topic market.BTC-USDT.depth.size_30.high_freq",
        ),
        ("/feed", {"req": "market.nopeusdt.mbp.150"}, "invalid symbol nopeusdt"),
        ("/linear-swap-ws", b"hello", "not json, is not json string"),
        ("/linear-swap-ws", b"\xff\x00", "not json, is not json string"),
        ("/linear-swap-ws", [], "not json, is not json string"),
    ],
)
def test_what_cannot_be_had_is_refused_and_the_socket_stays(
    twin: HtxTwin, world: FixedWorld, path: str, message: object, words: str
) -> None:
    session = opened(twin, world, path)
    [refusal] = ask(session, world, message)
    assert (refusal["status"], refusal["err-code"], refusal["err-msg"]) == ("error", "bad-request", words)
    good = "market.btcusdt.mbp.5" if path == "/feed" else f"market.{BTC if path == '/ws' else SWAP}.bbo"
    assert ask(session, world, {"sub": good})[0]["status"] == "ok"


# the spot book


def test_mbp_sends_no_first_book_and_chains_by_steps_other_than_one(twin: HtxTwin, world: FixedWorld) -> None:
    session = opened(twin, world, "/feed")
    assert len(ask(session, world, {"sub": MBP})) == 1
    one, last, steps = world.get(BTC, "spot"), None, set()
    for _ in range(10):
        change = world.change(bids=[("100.55", "0.0004")], asks=[("100.60", "0")])
        [frame] = read(session.change(one, change))
        tick = frame["tick"]
        assert (frame["ch"], frame["ts"]) == (MBP, change.gateway_ns // MS)
        assert "ts" not in tick
        assert last is None or tick["prevSeqNum"] == last
        steps.add(tick["seqNum"] - tick["prevSeqNum"])
        last = tick["seqNum"]
    assert min(steps) > 1
    assert len(steps) > 1
    raw = gzip.decompress(bytes(session.change(one, world.change(bids=[("100.5", "0")]))[0]))  # type: ignore[arg-type]  # no close
    assert b"[[100.5,0.0]]" in raw


def test_a_requested_book_is_behind_the_stream_and_fits_it(twin: HtxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world, "/feed"), world.get(BTC, "spot")
    ask(session, world, {"sub": MBP})
    sent = [read(session.change(one, world.change(bids=[("100.50", f"{n}.5")])))[0]["tick"] for n in range(10)]
    [answer] = ask(session, world, {"req": MBP, "id": "r1"})
    assert (answer["id"], answer["rep"], answer["status"], answer["ts"]) == ("r1", MBP, "ok", world.ns // MS)
    assert answer["data"]["seqNum"] == sent[6]["seqNum"] == sent[7]["prevSeqNum"]
    assert answer["data"]["bids"][0] == [100.5, 6.5]
    assert len(answer["data"]["asks"]) == 3


def test_a_lost_batch_leaves_a_gap_in_the_chain(twin: HtxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world, "/feed"), world.get(BTC, "spot")
    ask(session, world, {"sub": MBP})
    [before] = read(session.change(one, world.change(bids=[("100.50", "1")])))
    world.change(bids=[("100.50", "0")])
    [after] = read(session.change(one, world.change(bids=[("100.40", "0")])))
    assert after["tick"]["prevSeqNum"] > before["tick"]["seqNum"]


def test_a_burst_of_requests_is_refused_from_the_24th_on(twin: HtxTwin, world: FixedWorld) -> None:
    session = opened(twin, world, "/feed")
    found = [ask(session, world, {"req": MBP, "id": str(n)})[0] for n in range(30)]
    assert [one["status"] for one in found] == ["ok"] * 23 + ["error"] * 7
    assert found[-1]["err-msg"] == f"429 too many request topic is {MBP}"
    world.ns += S
    assert ask(session, world, {"req": MBP})[0]["status"] == "ok"


def test_whole_spot_books_come_once_a_second_and_only_when_changed(twin: HtxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world, "/ws"), world.get(BTC, "spot")
    _, first = ask(session, world, {"sub": f"market.{BTC}.depth.step0"})
    assert first["tick"]["bids"][0] == [100.5, 2.0]
    assert first["tick"]["ts"] == (world.ns - 3 * MS) // MS
    pushed = 0
    for _ in range(40):
        world.ns += 100 * MS
        pushed += len(session.change(one, world.change(bids=[("100.50", "1")])))
    assert pushed == 4
    world.ns += 100 * MS
    assert session.change(one, world.change()) == []
    world.ns += S
    assert [frame["ch"] for frame in read(session.tick(world.ns)) if "ch" in frame] == [f"market.{BTC}.depth.step0"]
    world.ns += S
    assert [frame for frame in read(session.tick(world.ns)) if "ch" in frame] == []


# the swap book


def test_increments_number_their_versions_by_one_and_a_second_subscription_goes_on(
    twin: HtxTwin, world: FixedWorld
) -> None:
    session, one = opened(twin, world, "/linear-swap-ws"), world.get(SWAP, "linear")
    message = {"sub": FAST, "data_type": "incremental", "id": "1"}
    ack, first = ask(session, world, message)
    assert ack["subbed"] == FAST
    assert (first["tick"]["event"], first["tick"]["bids"][0]) == ("snapshot", [100.5, 2])
    version = first["tick"]["version"]
    change = world.change(asks=[("100.60", "0")])
    [frame] = read(session.change(one, change))
    assert (frame["tick"]["event"], frame["tick"]["version"]) == ("update", version + 1)
    assert frame["tick"]["asks"] == [[100.6, 0]]
    assert (frame["tick"]["ts"], frame["ts"]) == (change.engine_ns // MS, change.gateway_ns // MS)
    [frame] = read(session.change(one, world.change()))
    assert (frame["tick"]["version"], frame["tick"]["bids"]) == (version + 2, [])  # empty ones are legal
    again = ask(session, world, message)[1]
    assert (again["tick"]["event"], again["tick"]["version"]) == ("snapshot", version + 2)
    world.change()
    [frame] = read(session.change(one, world.change()))
    assert frame["tick"]["version"] == version + 4  # one was lost
    other = ask(opened(twin, world, "/linear-swap-ws"), world, message)[1]
    assert abs(other["tick"]["version"] - version) > 1_000  # of this connection only


def test_without_data_type_the_whole_book_comes_every_time(twin: HtxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world, "/linear-swap-ws"), world.get(SWAP, "linear")
    assert len(ask(session, world, {"sub": FAST})) == 2
    [frame] = read(session.change(one, world.change(bids=[("100.50", "3")])))
    assert len(frame["tick"]["bids"]) == len(frame["tick"]["asks"]) == 3


def test_lower_case_is_accepted_and_pushes_are_upper_case(twin: HtxTwin, world: FixedWorld) -> None:
    session = opened(twin, world, "/linear-swap-ws")
    [ack] = ask(session, world, {"sub": "market.btc-usdt.bbo"})
    assert ack["subbed"] == "market.btc-usdt.bbo"
    [frame] = read(session.top(world.get(SWAP, "linear"), world.top()))
    assert frame["ch"] == "market.BTC-USDT.bbo"
    assert frame["tick"]["bid"] == [100.5, 2]
    assert ask(session, world, {"unsub": "market.btc-usdt.bbo"})[0]["status"] == "ok"
    assert session.top(world.get(SWAP, "linear"), world.top()) == ()


# the rest


def test_trades_have_ids_beyond_64_bits_on_spot_and_contracts_on_swaps(twin: HtxTwin, world: FixedWorld) -> None:
    spot, swap = opened(twin, world, "/ws"), opened(twin, world, "/linear-swap-ws")
    ask(spot, world, {"sub": f"market.{BTC}.trade.detail"})
    ask(swap, world, {"sub": f"market.{SWAP}.trade.detail"})
    trade = world.trade(123_456_789)
    [frame] = read(spot.trades(world.get(BTC, "spot"), [trade]))
    [row] = frame["tick"]["data"]
    assert row["id"] > 1 << 64
    assert (row["tradeId"], row["amount"], row["direction"]) == (123_456_789, 0.2, "buy")
    [frame] = read(swap.trades(world.get(SWAP, "linear"), [trade, trade]))
    assert len(frame["tick"]["data"]) == 2
    row = frame["tick"]["data"][0]
    assert (row["amount"], row["quantity"]) == (0.2, 0.0002)
    assert spot.trades(world.get(SWAP, "linear"), [trade]) == ()


def test_marks_are_candles_and_funding_comes_every_five_seconds(twin: HtxTwin, world: FixedWorld) -> None:
    index, one = opened(twin, world, "/ws_index"), world.get(SWAP, "linear")
    ask(index, world, {"sub": f"market.{SWAP}.mark_price.1min"})
    [frame] = read(index.mark(one, world.mark(one)))
    assert (frame["tick"]["close"], frame["tick"]["vol"]) == ("100.55", "0")
    notices = opened(twin, world, "/linear-swap-notification")
    topic = "public.*.funding_rate"
    [ack] = ask(notices, world, {"op": "sub", "cid": "1", "topic": topic})
    assert ack == {"op": "sub", "cid": "1", "topic": topic, "ts": world.ns // MS, "err-code": 0}
    pushed = []
    for _ in range(11):
        pushed += read(notices.mark(one, world.mark(one)))
        world.ns += S
    assert len(pushed) == 3
    assert (pushed[0]["op"], pushed[0]["topic"]) == ("notify", topic)
    row = pushed[0]["data"][0]
    assert (row["contract_code"], row["funding_rate"], row["estimated_rate"]) == (SWAP, "0.0001", None)
    assert row["settlement_time"] == str((START_NS + 3_600_000 * MS) // MS)


def test_liquidations_count_contracts_and_coins(twin: HtxTwin, world: FixedWorld) -> None:
    notices, one = opened(twin, world, "/linear-swap-notification"), world.get(SWAP, "linear")
    closing = SimLiquidation(price="99.5", size="432", side="sell", engine_ns=START_NS, gateway_ns=START_NS + MS)
    assert notices.liquidation(one, closing) == []
    ask(notices, world, {"op": "sub", "topic": "public.btc-usdt.liquidation_orders"})
    [frame] = read(notices.liquidation(one, closing))
    [row] = frame["data"]
    assert (row["volume"], row["amount"], row["direction"], row["offset"]) == (432, 0.432, "sell", "close")
    assert (row["created_at"], frame["ts"]) == (START_NS // MS, (START_NS + MS) // MS)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"op": "sub", "topic": "public.NOPE-USDT.funding_rate"}, 2011),
        ({"op": "sub", "topic": "public.BTC-USDT.nonsense"}, 2010),
        ({"op": "unsub", "topic": "public.BTC-USDT.funding_rate"}, 2012),
    ],
)
def test_notifications_have_their_own_error_codes(
    twin: HtxTwin, world: FixedWorld, message: dict[str, str], code: int
) -> None:
    notices = opened(twin, world, "/linear-swap-notification")
    [refusal] = ask(notices, world, message)
    assert (refusal["op"], refusal["topic"], refusal["err-code"]) == (message["op"], message["topic"], code)
    assert ask(notices, world, {"op": "dance"})[0]["op"] == "error"
    assert ask(notices, world, b"hello")[0]["op"] == "error"
    assert ask(notices, world, {"op": "sub", "topic": "public.*.funding_rate"})[0]["err-code"] == 0


# keeping alive


@pytest.mark.parametrize(("path", "end_s"), [("/ws", 16), ("/linear-swap-ws", 20), ("/linear-swap-notification", 25)])
def test_pings_unanswered_come_faster_and_end_the_connection(
    twin: HtxTwin, world: FixedWorld, path: str, end_s: int
) -> None:
    session = opened(twin, world, path)
    pinged: list[int] = []
    for second in range(1, 60):
        [*frames] = read(session.tick(world.ns + second * S))
        if frames and isinstance(frames[0], Close):
            assert (second, frames[0].code) == (end_s, 1003)
            assert frames[0].reason.startswith("ping check expired")
            break
        pinged += [second] * len(frames)
    assert pinged[:4] == [5, 10, 11, 12]


@pytest.mark.parametrize("path", ["/ws", "/linear-swap-notification"])
@pytest.mark.parametrize("right", [True, False])
def test_only_the_pings_own_number_is_an_answer(twin: HtxTwin, world: FixedWorld, path: str, right: bool) -> None:
    session = opened(twin, world, path)
    for _ in range(60):
        world.ns += S
        for frame in read(session.tick(world.ns)):
            if isinstance(frame, Close):
                assert not right
                return
            number = frame.get("ping", frame["ts"] if "op" in frame else None) if right else 1
            pong = {"op": "pong", "ts": str(number)} if "op" in frame else {"pong": number}
            assert ask(session, world, pong) == []
    assert right


def test_a_client_may_ping_on_spot_and_is_not_heard_on_swaps(twin: HtxTwin, world: FixedWorld) -> None:
    assert ask(opened(twin, world, "/ws"), world, {"ping": 5}) == [{"pong": 5}]
    assert ask(opened(twin, world, "/linear-swap-ws"), world, {"ping": 5}) == []


# REST


def test_rest_answers_of_both_hosts(twin: HtxTwin, world: FixedWorld) -> None:
    now_ms = world.ns // MS
    assert answered(twin, world, "/v1/common/timestamp") == {"status": "ok", "data": now_ms}
    assert answered(twin, world, "/api/v1/timestamp") == {"status": "ok", "ts": now_ms}
    book = answered(twin, world, "/market/depth", symbol=BTC, type="step0", depth="5")
    assert (book["ch"], book["tick"]["asks"][0]) == (f"market.{BTC}.depth.step0", [100.6, 0.5])
    book = answered(twin, world, "/linear-swap-ex/market/depth", contract_code="btc-usdt", type="step6")
    assert book["tick"]["version"] == (world.ns - 3 * MS) // S  # the second, and not the websocket's
    assert answered(twin, world, "/linear-swap-ex/market/bbo", contract_code=SWAP)["ticks"][0]["bid"] == [100.5, 2]
    assert answered(twin, world, "/market/detail/merged", symbol=BTC)["tick"]["bid"] == [100.5, 2.0]
    funding = answered(twin, world, "/v5/market/funding_rate", contract_code=f"{SWAP},ETH-USDT")["data"]
    assert [row["contract_code"] for row in funding] == [SWAP, "ETH-USDT"]
    assert len(answered(twin, world, "/linear-swap-api/v1/swap_batch_funding_rate")["data"]) == 5
    history = answered(twin, world, "/index/market/history/linear_swap_mark_price_kline", contract_code=SWAP)
    assert history["data"][0]["close"] == "100.55"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/market/depth", {"symbol": "nopeusdt"}, "invalid-parameter"),
        ("/market/depth", {"symbol": BTC, "type": "step77"}, "invalid-parameter"),
        ("/market/depth", {"symbol": BTC, "depth": "-1"}, "invalid-parameter"),
        ("/linear-swap-ex/market/depth", {"contract_code": "NOPE-USDT"}, "invalid-parameter"),
        ("/linear-swap-api/v1/swap_contract_info", {"contract_code": "NOPE-USDT"}, 1014),
        ("/linear-swap-api/v1/swap_funding_rate", {"contract_code": "NOPE-USDT"}, 1014),
    ],
)
def test_errors_come_with_http_200(
    twin: HtxTwin, world: FixedWorld, path: str, query: dict[str, str], code: str | int
) -> None:
    response = twin.rest(request(path, query), world)
    assert response is not None
    body = json.loads(response.body)
    assert (response.status, body["status"]) == (200, "error")
    assert body.get("err-code", body.get("err_code")) == code


def test_listings(twin: HtxTwin, world: FixedWorld) -> None:
    spot = {row["symbol"]: row for row in answered(twin, world, "/v1/common/symbols")["data"]}
    assert (spot[BTC]["price-precision"], spot[BTC]["amount-precision"], spot[BTC]["state"]) == (1, 6, "online")
    assert {row["sc"] for row in answered(twin, world, "/v2/settings/common/symbols")["data"]} == set(spot)
    swaps = {r["contract_code"]: r for r in answered(twin, world, "/linear-swap-api/v1/swap_contract_info")["data"]}
    assert (swaps[SWAP]["contract_size"], swaps[SWAP]["price_tick"], swaps[SWAP]["contract_status"]) == (0.001, 0.1, 1)
    [coin] = answered(twin, world, "/v2/reference/currencies", currency="usdt")["data"]
    assert {chain["depositStatus"] for chain in coin["chains"]} == {"allowed"}
    for path in ("/swap-api/v1/swap_contract_info", "/api/v1/contract_contract_info"):
        assert {row["contract_status"] for row in answered(twin, world, path)["data"]} == {3}


def test_status_tells_each_product_apart(twin: HtxTwin, world: FixedWorld) -> None:
    def states() -> tuple[int, int]:
        spot = answered(twin, world, "/v2/market-status")["data"]["marketStatus"]
        return spot, answered(twin, world, "/heartbeat/")["data"]["linear_swap_heartbeat"]

    assert states() == (1, 1)
    world.announced = [StatusNotice(state="ongoing", text="Upgrade", products=("linear",))]
    assert states() == (1, 0)
    world.announced = [StatusNotice(state="incident", text="Delays")]
    assert states() == (2, 0)
    world.announced = [StatusNotice(state="scheduled", text="Upgrade")]
    assert states() == (1, 1)


@pytest.mark.parametrize(
    ("text", "written"),
    [("0", "0.0"), ("5", "5.0"), ("0.250", "0.25"), ("0.001", "0.001"), ("0.00097", "9.7E-4"), ("12000000", "1.2E7")],
)
def test_spot_numbers_are_written_as_java_writes_doubles(text: str, written: str) -> None:
    assert bytes(java_double(text)).decode() == written
