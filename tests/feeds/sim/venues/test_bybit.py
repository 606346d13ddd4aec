"""What a client of the simulated Bybit relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.model import Product, StatusNotice
from feeds.sim.twin import Close, SimLiquidation
from feeds.sim.venues.bybit.streams import BybitSession
from feeds.sim.venues.bybit.twin import BybitTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read

S = 1000 * MS
BTC = "BTCUSDT"
BOOK = f"orderbook.50.{BTC}"


@pytest.fixture
def twin() -> BybitTwin:
    return BybitTwin()


@pytest.fixture
def linear(twin: BybitTwin, world: FixedWorld) -> BybitSession:
    return opened(twin, world, "linear")


@pytest.fixture
def spot(twin: BybitTwin, world: FixedWorld) -> BybitSession:
    return opened(twin, world, "spot")


def opened(twin: BybitTwin, world: FixedWorld, category: str) -> BybitSession:
    session = twin.open("linear", f"/v5/public/{category}", {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def subscribe(*topics: str, **more: str) -> dict[str, Any]:
    return {"op": "subscribe", "args": list(topics), **more}


def test_linear_sends_the_snapshot_before_the_acknowledgement_and_spot_after(
    linear: BybitSession, spot: BybitSession, world: FixedWorld
) -> None:
    book, ack = ask(linear, world, subscribe(BOOK, req_id="a1"))
    assert (ack["success"], ack["ret_msg"], ack["req_id"], ack["op"]) == (True, "", "a1", "subscribe")
    assert book["type"] == "snapshot"
    assert list(book)[:3] == ["topic", "type", "ts"]
    ack, book = ask(spot, world, subscribe(BOOK))
    assert (ack["success"], ack["ret_msg"], "req_id" in ack) == (True, "subscribe", False)
    assert list(book)[:3] == ["topic", "ts", "type"]


def test_linear_prices_keep_their_decimals_and_spot_prices_do_not(
    linear: BybitSession, spot: BybitSession, world: FixedWorld
) -> None:
    assert ask(linear, world, subscribe(BOOK))[0]["data"]["b"][0] == ["100.50", "2.000"]
    assert ask(spot, world, subscribe(BOOK))[1]["data"]["b"][0] == ["100.5", "2"]


def test_deltas_count_up_by_one_and_carry_engine_and_push_time(linear: BybitSession, world: FixedWorld) -> None:
    last = ask(linear, world, subscribe(BOOK))[0]["data"]
    one = world.get(BTC, "linear")
    for _ in range(5):
        change = world.change(bids=[("100.50", f"{world.seq}.5")])
        (frame,) = read(linear.change(one, change))
        assert frame["type"] == "delta"
        assert frame["data"]["u"] == last["u"] + 1
        assert frame["data"]["seq"] > last["seq"]
        assert (frame["cts"], frame["ts"]) == (change.engine_ns // MS, change.gateway_ns // MS)
        last = frame["data"]


def test_a_change_beyond_the_window_makes_no_message_and_no_gap(linear: BybitSession, world: FixedWorld) -> None:
    world.bids = tuple((f"{200 - i}.00", "1.000") for i in range(60))
    last = ask(linear, world, subscribe(BOOK))[0]["data"]["u"]
    one = world.get(BTC, "linear")
    assert linear.change(one, world.change(bids=[("145.00", "9.000")])) == []
    (frame,) = read(linear.change(one, world.change(bids=[("200.00", "0")])))
    assert frame["data"]["u"] == last + 1
    assert frame["data"]["b"] == [["200.00", "0"], ["150.00", "1.000"]]


def test_a_lost_batch_leaves_a_gap(linear: BybitSession, world: FixedWorld) -> None:
    last = ask(linear, world, subscribe(BOOK))[0]["data"]["u"]
    world.change(bids=[("100.50", "0")])
    (frame,) = read(linear.change(world.get(BTC, "linear"), world.change(bids=[("100.40", "0")])))
    assert frame["data"]["u"] == last + 2


def test_200_levels_go_out_every_100_ms_with_all_changes_between(linear: BybitSession, world: FixedWorld) -> None:
    last = ask(linear, world, subscribe(f"orderbook.200.{BTC}"))[0]["data"]["u"]
    one = world.get(BTC, "linear")
    frames: list[Any] = []
    for i in range(6):
        world.ns += 25 * MS
        frames += read(
            linear.change(one, world.change(bids=[("100.50", f"{i + 5}.000")], asks=[(f"10{i + 2}.00", "1.000")]))
        )
    (frame,) = frames
    assert frame["data"]["u"] == last + 1
    assert len(frame["data"]["a"]) == 4
    world.ns += S
    (frame,) = read(linear.tick(world.ns))
    assert frame["data"]["u"] == last + 2
    assert frame["data"]["b"] == [["100.50", "10.000"]]


def test_every_connection_hears_the_same_whenever_it_came(twin: BybitTwin, world: FixedWorld) -> None:
    topic, one = f"orderbook.200.{BTC}", world.get(BTC, "linear")
    first, second = opened(twin, world, "linear"), opened(twin, world, "linear")
    ask(first, world, subscribe(topic))
    heard: dict[BybitSession, list[Any]] = {first: [], second: []}
    for i in range(40):
        world.ns += 30 * MS
        if i == 13:
            snapshot, _ = ask(second, world, subscribe(topic))
            assert snapshot["data"]["u"] == heard[first][-1]["data"]["u"]
        change = world.change(bids=[("100.50", f"{i + 5}.000")])
        for session, frames in heard.items():
            frames += read(session.change(one, change))
    world.ns += S
    for session in (second, first):
        heard[session] += read(session.tick(world.ns))
    assert len(heard[second]) > 5
    assert heard[first][-len(heard[second]) :] == heard[second]
    updates = [frame["data"]["u"] for frame in heard[first]]
    assert updates == list(range(updates[0], updates[0] + len(updates)))


def test_after_a_loss_a_new_subscription_gets_the_venues_book(linear: BybitSession, world: FixedWorld) -> None:
    ask(linear, world, subscribe(BOOK))
    world.change(bids=[("100.50", "0")])
    world.bids = (("100.45", "1.000"),)
    linear.change(world.get(BTC, "linear"), world.change(bids=[("100.45", "1.000")]))
    ask(linear, world, {"op": "unsubscribe", "args": [BOOK]})
    assert ask(linear, world, subscribe(BOOK))[0]["data"]["b"] == [["100.45", "1.000"]]


def test_best_prices_are_snapshots_repeated_after_three_quiet_seconds(linear: BybitSession, world: FixedWorld) -> None:
    first, _ = ask(linear, world, subscribe(f"orderbook.1.{BTC}"))
    assert (first["type"], len(first["data"]["b"]), len(first["data"]["a"])) == ("snapshot", 1, 1)
    (frame,) = read(linear.top(world.get(BTC, "linear"), world.top()))
    world.ns += 2 * S
    assert linear.tick(world.ns) == []
    world.ns += S
    (again,) = read(linear.tick(world.ns))
    assert again == frame | {"ts": world.ns // MS}
    world.ns += 3 * S
    world.bids = (("100.45", "1.000"),)
    assert linear.tick(world.ns) == [], "news that were lost on the way must not look like a quiet market"


@pytest.mark.parametrize("topic", ["orderbook.500.BTCUSDT", "orderbook.50.NOPEUSDT", "orderbook.50.btcusdt", "order"])
def test_one_bad_topic_refuses_the_whole_linear_request(linear: BybitSession, world: FixedWorld, topic: str) -> None:
    (frame,) = ask(linear, world, subscribe(BOOK, topic))
    assert frame["success"] is False
    assert frame["ret_msg"] == f"error:handler not found,topic:{topic}"
    assert linear.change(world.get(BTC, "linear"), world.change(bids=[("100.50", "0")])) == []


def test_spot_words_its_refusals_otherwise(spot: BybitSession, world: FixedWorld) -> None:
    (frame,) = ask(spot, world, subscribe("orderbook.50.NOPEUSDT"))
    assert frame["ret_msg"] == "Invalid symbol :[orderbook.50.NOPEUSDT]"
    (frame,) = ask(spot, world, subscribe(*[BOOK] * 11))
    assert (frame["success"], frame["ret_msg"]) == (False, "args size >10")
    (frame,) = ask(spot, world, subscribe(f"allLiquidation.{BTC}"))
    assert frame["success"] is False


def test_subscribing_twice_is_refused_and_the_first_lives(linear: BybitSession, world: FixedWorld) -> None:
    ask(linear, world, subscribe(BOOK))
    (frame,) = ask(linear, world, subscribe(BOOK))
    assert frame["ret_msg"] == f"error:already subscribed,topic:{BOOK}"
    assert len(linear.change(world.get(BTC, "linear"), world.change(bids=[("100.50", "0")]))) == 1


def test_unsubscribing_silences_and_a_new_subscription_begins_with_a_snapshot(
    linear: BybitSession, world: FixedWorld
) -> None:
    ask(linear, world, subscribe(BOOK))
    (ack,) = ask(linear, world, {"op": "unsubscribe", "args": [BOOK], "req_id": "u1"})
    assert (ack["success"], ack["op"], ack["req_id"]) == (True, "unsubscribe", "u1")
    assert linear.change(world.get(BTC, "linear"), world.change(bids=[("100.50", "0")])) == []
    assert ask(linear, world, subscribe(BOOK))[0]["type"] == "snapshot"


def test_pongs_differ_by_category(linear: BybitSession, spot: BybitSession, world: FixedWorld) -> None:
    (frame,) = ask(linear, world, {"op": "ping", "req_id": "9"})
    assert (frame["ret_msg"], frame["op"], frame["req_id"]) == ("pong", "ping", "9")
    assert ask(linear, world, {"op": "ping"})[0]["req_id"] == ""
    assert ask(linear, world, {"op": "ping", "req_id": 9})[0]["req_id"] == "9", "ccxt sends a number"
    assert "req_id" not in ask(spot, world, {"op": "ping", "req_id": "9"})[0]


@pytest.mark.parametrize("raw", [b"hello", b'{"op":"nope"}', b"\xff\xfe", b"[]", b'{"op":5}', b'{"op":"subscribe"}'])
def test_nonsense_is_answered_and_survived(linear: BybitSession, world: FixedWorld, raw: bytes) -> None:
    (frame,) = ask(linear, world, raw)
    assert frame["success"] is False
    assert ask(linear, world, {"op": "ping"})[0]["success"] is True


def test_ten_idle_minutes_end_the_connection(linear: BybitSession, world: FixedWorld) -> None:
    world.ns += 599 * S
    assert linear.tick(world.ns) == []
    world.ns += 2 * S
    assert [type(frame) for frame in linear.tick(world.ns)] == [Close]


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_trades_name_the_taker_and_follow_the_categorys_shape(
    twin: BybitTwin, world: FixedWorld, product: Product
) -> None:
    session = opened(twin, world, product)
    ask(session, world, subscribe(f"publicTrade.{BTC}"))
    (frame,) = read(session.trades(world.get(BTC, product), [world.trade(8), world.trade(9, "100.60")]))
    first, second = frame["data"]
    assert (first["S"], float(first["p"]), float(first["v"]), first["T"]) == ("Buy", 100.5, 0.2, world.ns // MS - 2)
    assert frame["ts"] == world.ns // MS
    assert first["i"] != second["i"]
    assert ("L" in second, second["i"].isdigit()) == ((False, True) if product == "spot" else (True, False))
    if product == "linear":
        assert (first["L"], second["L"]) == ("ZeroPlusTick", "PlusTick")


def test_a_liquidated_long_is_told_as_buy(linear: BybitSession, world: FixedWorld) -> None:
    ask(linear, world, subscribe(f"allLiquidation.{BTC}"))
    sold = SimLiquidation(price="99.00", size="13.000", side="sell", engine_ns=START_NS - MS, gateway_ns=START_NS)
    (frame,) = read(linear.liquidation(world.get(BTC, "linear"), sold))
    assert frame["type"] == "snapshot"
    assert frame["data"] == [{"T": START_NS // MS - 1, "s": BTC, "S": "Buy", "v": "13.000", "p": "99.00"}]


def test_linear_tickers_are_whole_once_and_then_only_what_changed(linear: BybitSession, world: FixedWorld) -> None:
    whole, _ = ask(linear, world, subscribe(f"tickers.{BTC}"))
    assert whole["type"] == "snapshot"
    assert (whole["data"]["markPrice"], whole["data"]["fundingIntervalHour"]) == ("100.55", "8")
    assert whole["data"]["nextFundingTime"] == str(START_NS // MS + 3_600_000)
    one = world.get(BTC, "linear")
    world.asks = (("100.70", "4.000"),)
    assert linear.top(one, world.top()) == []
    world.ns += 100 * MS
    (delta,) = read(linear.top(one, world.top()))
    assert delta["type"] == "delta"
    assert delta["data"] == {"symbol": BTC, "ask1Price": "100.70", "ask1Size": "4.000"}
    world.ns += S
    assert linear.tick(world.ns) == []


def test_spot_tickers_are_whole_and_without_best_prices(spot: BybitSession, world: FixedWorld) -> None:
    _, frame = ask(spot, world, subscribe(f"tickers.{BTC}"))
    assert frame["type"] == "snapshot"
    assert frame["data"]["lastPrice"] == "100.5"
    assert not any(key.startswith(("bid", "ask")) for key in frame["data"])


def test_a_category_hears_nothing_of_the_other(linear: BybitSession, world: FixedWorld) -> None:
    ask(linear, world, subscribe(BOOK, f"publicTrade.{BTC}", f"tickers.{BTC}", f"orderbook.1.{BTC}"))
    one = world.get(BTC, "spot")
    world.ns += S
    assert linear.change(one, world.change(bids=[("100.50", "0")])) == ()
    assert linear.trades(one, [world.trade(9)]) == ()
    assert linear.top(one, world.top()) == ()
    assert linear.mark(one, world.mark(one)) == ()


def test_system_status_has_a_socket_of_its_own(twin: BybitTwin, world: FixedWorld) -> None:
    session = opened(twin, world, "misc/status")
    assert [frame["success"] for frame in ask(session, world, subscribe("system.status"))] == [True]
    world.announced = [StatusNotice(state="incident", text="Delays", begin_ns=START_NS, products=("linear",))]
    (frame,) = read(session.tick(world.ns))
    assert frame["topic"] == "system.status"
    row = frame["data"][0]
    assert (row["state"], row["maintainType"], row["product"], row["title"]) == ("ongoing", 3, [1], "Delays")
    assert session.tick(world.ns) == []
    assert ask(session, world, subscribe(BOOK))[0]["success"] is False


def test_rest_time_and_book_say_when(twin: BybitTwin, world: FixedWorld) -> None:
    body = answered(twin, world, "/v5/market/time")
    assert (body["retCode"], body["time"]) == (0, world.ns // MS)
    assert body["result"]["timeNano"] == str(world.ns)
    book = answered(twin, world, "/v5/market/orderbook", category="linear", symbol=BTC, limit="2")["result"]
    assert (book["s"], len(book["b"]), len(book["a"])) == (BTC, 2, 2)
    assert (book["cts"], book["ts"]) == (world.ns // MS - 3, world.ns // MS)
    spot = answered(twin, world, "/v5/market/orderbook", category="spot", symbol=BTC)["result"]
    assert len(spot["b"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"category": "linear", "symbol": "NOPE"},
        {"category": "linear"},
        {"category": "nope", "symbol": BTC},
        {"category": "linear", "symbol": BTC, "limit": "0"},
        {"category": "option", "symbol": BTC},
    ],
)
def test_bad_book_requests_are_params_errors(twin: BybitTwin, world: FixedWorld, query: dict[str, str]) -> None:
    assert answered(twin, world, "/v5/market/orderbook", **query)["retCode"] == 10001


def test_linear_instruments_come_in_pages_and_spot_in_one(twin: BybitTwin, world: FixedWorld) -> None:
    path = "/v5/market/instruments-info"
    names: list[str] = []
    cursor = ""
    while True:
        result = answered(twin, world, path, category="linear", limit="2", cursor=cursor)["result"]
        names += [row["symbol"] for row in result["list"]]
        cursor = result["nextPageCursor"]
        if not cursor:
            break
    assert names == [one.venue_id for one in world.instruments("", "linear")]
    spot = answered(twin, world, path, category="spot")["result"]
    assert "nextPageCursor" not in spot
    assert spot["list"][0]["lotSizeFilter"]["basePrecision"] == "0.000001"
    (inverse,) = answered(twin, world, path, category="inverse", symbol="BTCUSD")["result"]["list"]
    assert (inverse["contractType"], inverse["settleCoin"]) == ("InversePerpetual", "BTC")
    assert inverse["lotSizeFilter"]["minOrderQty"] == "1", "ccxt takes it for the contract's size"
    assert answered(twin, world, path, category="option")["result"]["list"] == []
    assert answered(twin, world, path, category="linear", status="PreLaunch")["result"]["list"] == []
    assert answered(twin, world, path, category="linear", cursor="after_NOPE")["retCode"] == 10001


def test_rest_tickers_carry_funding_on_linear_and_best_prices_on_both(twin: BybitTwin, world: FixedWorld) -> None:
    (linear,) = answered(twin, world, "/v5/market/tickers", category="linear", symbol=BTC)["result"]["list"]
    assert (linear["fundingRate"], linear["bid1Price"]) == ("0.0001", "100.50")
    assert float(linear["openInterestValue"]) > 0, "by it ccxt knows that this is a contract"
    (spot,) = answered(twin, world, "/v5/market/tickers", category="spot", symbol=BTC)["result"]["list"]
    assert spot["ask1Price"] == "100.6"


def test_status_can_be_asked_by_state(twin: BybitTwin, world: FixedWorld) -> None:
    world.announced = [StatusNotice(state="scheduled", text="Upgrade", begin_ns=START_NS, market_data=False)]
    (row,) = answered(twin, world, "/v5/system/status")["result"]["list"]
    assert (row["state"], row["serviceTypes"], row["begin"]) == ("scheduled", [4], str(START_NS // MS))
    assert answered(twin, world, "/v5/system/status", state="ongoing")["result"]["list"] == []
