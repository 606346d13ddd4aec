"""What a client of the simulated Deribit relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from feeds.sim.twin import ABNORMAL, Close, SimLiquidation
from feeds.sim.venues.deribit.streams import DeribitSession
from feeds.sim.venues.deribit.twin import PATH, DeribitTwin
from tests.feeds.sim.fixed_world import MS, FixedWorld, answered, ask, read, request

S = 1000 * MS
BTC = "BTC-PERPETUAL"
BOOK = f"book.{BTC}.100ms"


@pytest.fixture
def twin() -> DeribitTwin:
    return DeribitTwin()


@pytest.fixture
def session(twin: DeribitTwin, world: FixedWorld) -> DeribitSession:
    session = twin.open("inverse", PATH, {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def call(method: str, number: object = 3, **params: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": params}


def subscribe(session: DeribitSession, world: FixedWorld, *channels: str) -> list[Any]:
    return ask(session, world, call("subscribe", channels=list(channels)))


def data(frame: Any) -> Any:
    assert frame["method"] == "subscription"
    return frame["params"]["data"]


def test_an_answer_echoes_the_id_and_tells_its_times_in_microseconds(
    session: DeribitSession, world: FixedWorld
) -> None:
    for number in (7, "seven"):
        [frame] = ask(session, world, call("test", number))
        assert (frame["jsonrpc"], frame["id"], frame["testnet"]) == ("2.0", number, False)
        assert frame["usIn"] == world.ns // 1000
        assert frame["usOut"] - frame["usIn"] == frame["usDiff"] > 0
    [frame] = ask(session, world, call("get_time"))
    assert frame["result"] == world.ns // MS


def test_the_snapshot_follows_the_answer_and_changes_are_chained(session: DeribitSession, world: FixedWorld) -> None:
    answer, first = subscribe(session, world, BOOK)
    assert answer["result"] == [BOOK]
    row = data(first)
    assert (row["type"], row["instrument_name"]) == ("snapshot", BTC)
    assert row["bids"][0] == ["new", 100.5, 2.0]
    assert "prev_change_id" not in row
    last, steps = row["change_id"], set()
    one = world.get(BTC, "inverse")
    for _ in range(10):
        change = world.change(bids=[("100.50", "5")], asks=[("100.65", "1"), ("100.60", "0")])
        [frame] = read(session.change(one, change))
        row = data(frame)
        assert (row["type"], row["prev_change_id"]) == ("change", last)
        assert row["timestamp"] == change.engine_ns // MS
        steps.add(row["change_id"] - last)
        last = row["change_id"]
    assert min(steps) > 1
    assert len(steps) > 1


def test_a_change_says_what_is_new_changed_and_gone(session: DeribitSession, world: FixedWorld) -> None:
    subscribe(session, world, BOOK)
    change = world.change(bids=[("100.50", "5"), ("100.45", "1")], asks=[("100.60", "0"), ("100.65", "0")])
    [frame] = read(session.change(world.get(BTC, "inverse"), change))
    assert sorted(data(frame)["bids"]) == [["change", 100.5, 5.0], ["new", 100.45, 1.0]]
    assert data(frame)["asks"] == [["delete", 100.6, 0.0]]


def test_a_lost_batch_leaves_a_hole_in_the_chain(session: DeribitSession, world: FixedWorld) -> None:
    last = data(subscribe(session, world, BOOK)[1])["change_id"]
    world.change(bids=[("100.50", "0")])
    [frame] = read(session.change(world.get(BTC, "inverse"), world.change(bids=[("100.40", "0")])))
    assert data(frame)["prev_change_id"] > last


def test_the_slow_channel_gathers_a_second(session: DeribitSession, world: FixedWorld) -> None:
    last = data(subscribe(session, world, f"book.{BTC}.agg2")[1])["change_id"]
    one = world.get(BTC, "inverse")
    assert session.tick(world.ns) == []
    for size in ("5", "6"):
        assert session.change(one, world.change(bids=[("100.50", size)])) == []
    [frame] = read(session.tick(world.ns))
    assert (data(frame)["prev_change_id"], data(frame)["bids"]) == (last, [["change", 100.5, 6.0]])


def test_the_best_levels_come_whole_each_time(session: DeribitSession, world: FixedWorld) -> None:
    _, first = subscribe(session, world, f"book.{BTC}.none.1.100ms")
    assert (data(first)["bids"], data(first)["asks"]) == ([[100.5, 2.0]], [[100.6, 0.5]])
    assert "type" not in data(first)
    [frame] = read(session.change(world.get(BTC, "inverse"), world.change(bids=[("100.55", "5")])))
    assert (data(frame)["bids"], data(frame)["asks"]) == ([[100.55, 5.0]], [[100.6, 0.5]])


def test_names_of_nothing_are_left_out_without_a_word(session: DeribitSession, world: FixedWorld) -> None:
    wrong = ["book.NOPE.100ms", f"book.{BTC}.7ms", f"dance.{BTC}", f"quote.{BTC}.100ms", f"book.{BTC}.none.7.100ms"]
    answer, *frames = subscribe(session, world, *wrong, BOOK, f"quote.{BTC}", "platform_state")
    assert set(answer["result"]) == {BOOK, f"quote.{BTC}", "platform_state"}
    assert len(frames) == 2


def test_raw_channels_are_for_those_who_log_in(session: DeribitSession, world: FixedWorld) -> None:
    [frame] = subscribe(session, world, f"book.{BTC}.raw", BOOK)
    assert frame["error"] == {"code": 13778, "message": "raw_subscriptions_not_available_for_unauthorized"}
    assert session.change(world.get(BTC, "inverse"), world.change()) == []


def test_only_after_unsubscribing_there_is_a_second_snapshot(session: DeribitSession, world: FixedWorld) -> None:
    subscribe(session, world, BOOK)
    [again] = subscribe(session, world, BOOK)
    assert again["result"] == [BOOK]
    [off] = ask(session, world, call("unsubscribe", channels=[BOOK, "quote.NOPE"]))
    assert off["result"] == [BOOK]
    assert session.change(world.get(BTC, "inverse"), world.change()) == []
    assert len(subscribe(session, world, BOOK)) == 2
    [all_off] = ask(session, world, call("unsubscribe_all"))
    assert all_off["result"] == "ok"
    assert session.change(world.get(BTC, "inverse"), world.change()) == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"hello", -32700),
        (b"\xff", -32700),
        (b"[]", -32700),
        (call("dance"), -32601),
        ({**call("x"), "method": "private/buy"}, 13009),
        (call("subscribe"), -32602),
        (call("subscribe", channels=[]), -32602),
        (call("subscribe", channels=[5]), -32602),
        (call("subscribe", channels=[f"quote.{n}" for n in range(501)]), -32602),
        (call("set_heartbeat", interval=5), -32602),
        (call("set_heartbeat", interval="x"), -32602),
        (call("set_heartbeat"), -32602),
        (call("ticker", instrument_name="NOPE"), -32602),
        (call("ticker", instrument_name=5), -32602),
    ],
)
def test_nonsense_is_answered_and_survived(
    session: DeribitSession, world: FixedWorld, message: object, code: int
) -> None:
    [frame] = ask(session, world, message)
    assert frame["error"]["code"] == code
    assert "result" in ask(session, world, call("test"))[0]


def test_credits_run_out_and_come_back(session: DeribitSession, world: FixedWorld) -> None:
    for _ in range(10):
        assert "result" in subscribe(session, world, "platform_state")[0]
    assert subscribe(session, world, "platform_state")[0]["error"]["code"] == 10028
    world.ns += S
    assert "result" in subscribe(session, world, "platform_state")[0]


def test_a_heartbeat_must_be_answered(session: DeribitSession, world: FixedWorld) -> None:
    world.ns += 60 * S
    assert session.tick(world.ns) == []  # nobody asked for one
    assert ask(session, world, call("set_heartbeat", interval=10))[0]["result"] == "ok"
    for _ in range(2):
        world.ns += 10 * S
        kinds = [frame["params"]["type"] for frame in read(session.tick(world.ns))]
        assert kinds == ["heartbeat", "test_request"]
        ask(session, world, call("test"))
    world.ns += 10 * S
    session.tick(world.ns)
    ask(session, world, call("get_time"))  # is no answer
    world.ns += 10 * S
    assert list(session.tick(world.ns)) == [Close(ABNORMAL)]


def test_farewells(session: DeribitSession, world: FixedWorld) -> None:
    assert session.farewell(planned=True) == (Close(ABNORMAL),)
    subscribe(session, world, "platform_state")
    told, cut = read(session.farewell(planned=True))
    assert (data(told), cut) == ({"maintenance": True}, Close(ABNORMAL))
    assert session.farewell(planned=False) == (Close(ABNORMAL),)


def test_trades_quotes_and_tickers(session: DeribitSession, world: FixedWorld) -> None:
    names = [f"trades.{BTC}.100ms", f"quote.{BTC}", f"ticker.{BTC}.100ms", f"perpetual.{BTC}.100ms"]
    _, quote, ticker = subscribe(session, world, *names)
    assert data(quote)["best_bid_amount"] == 2.0
    assert data(ticker)["funding_8h"] == 0.0001
    one = world.get(BTC, "inverse")
    [frame] = read(session.trades(one, [world.trade(8), world.trade(9)]))
    assert [(row["trade_id"], row["direction"], row["price"]) for row in data(frame)] == [
        ("8", "buy", 100.5),
        ("9", "buy", 100.5),
    ]
    closing = SimLiquidation(price="99.00", size="10", side="sell", engine_ns=2 * MS, gateway_ns=world.ns)
    [frame] = read(session.liquidation(one, closing))
    assert (data(frame)[0]["liquidation"], data(frame)[0]["direction"]) == ("M", "buy")
    closing = structs.replace(closing, engine_ns=3 * MS)
    [frame] = read(session.liquidation(one, closing))
    assert (data(frame)[0]["liquidation"], data(frame)[0]["direction"]) == ("T", "sell")
    told = read(session.mark(one, world.mark(one)))
    assert [frame["params"]["channel"] for frame in told] == [f"ticker.{BTC}.100ms", f"perpetual.{BTC}.100ms"]
    assert data(told[0])["mark_price"] == 100.55


# REST


def test_the_same_methods_are_there_over_rest(twin: DeribitTwin, world: FixedWorld) -> None:
    book = answered(twin, world, "/api/v2/public/get_order_book", instrument_name=BTC, depth="1")["result"]
    assert (book["bids"], book["asks"]) == ([[100.5, 2.0]], [[100.6, 0.5]])
    assert book["timestamp"] == world.ns // MS - 3
    assert answered(twin, world, "/api/v2/public/status")["result"] == {"locked": "false"}
    posted = structs.replace(request("/api/v2"), method="POST", body=json.dumps(call("get_time", 9)).encode())
    response = twin.rest(posted, world)
    assert response is not None
    assert json.loads(response.body)["id"] == 9


@pytest.mark.parametrize("query", [{}, {"instrument_name": "NOPE"}, {"instrument_name": BTC, "depth": "-1"}])
def test_a_bad_request_over_rest_is_400_with_an_error(
    twin: DeribitTwin, world: FixedWorld, query: dict[str, str]
) -> None:
    response = twin.rest(request("/api/v2/public/get_order_book", query), world)
    assert response is not None
    assert response.status == 400
    assert json.loads(response.body)["error"]["code"] == -32602


def test_instruments_by_currency_and_kind(twin: DeribitTwin, world: FixedWorld) -> None:
    def names(**query: str) -> list[str]:
        rows = answered(twin, world, "/api/v2/public/get_instruments", **query)["result"]
        return [row["instrument_name"] for row in rows]

    assert names(currency="BTC") == [BTC]
    assert "BTC_USDC-PERPETUAL" in names(currency="USDC", kind="future")
    assert names(currency="any", kind="spot") == ["BTC_USDC", "ETH_USDC", "SOL_USDC", "XRP_USDC", "USDC_USDT"]
    assert names(kind="option") == names(expired="true") == []
    rows = answered(twin, world, "/api/v2/public/get_instruments")["result"]
    assert len(rows) == len(twin.instruments())
    row = next(row for row in rows if row["instrument_name"] == BTC)
    assert (row["instrument_type"], row["settlement_currency"], row["contract_size"]) == ("reversed", "BTC", 10.0)
    assert answered(twin, world, "/api/v2/public/get_currencies")["result"][0]["currency"] == "BTC"


def test_unknown_paths_are_nobodys(twin: DeribitTwin, world: FixedWorld) -> None:
    assert twin.open("spot", "/ws/api/v1", {}, world) is None
    assert twin.rest(request("/api/v1/public/test"), world) is None
    assert answered(twin, world, "/api/v2/public/dance")["error"]["code"] == -32601
