"""What a client of the simulated KuCoin relies on; expectations come from the protocol sheet, the SDK and ccxt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from feeds.model import Product, StatusNotice
from feeds.sim.twin import Close, TwinSession
from feeds.sim.venues.kucoin.twin import KucoinTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1000 * MS
BTC, PERP = "BTC-USDT", "XBTUSDTM"


@pytest.fixture
def twin() -> KucoinTwin:
    return KucoinTwin()


def frames(outs: list[Any]) -> list[Any]:
    """UTA frames are bytes."""
    return [json.loads(out) if isinstance(out, bytes) else out for out in outs]


def uta(twin: KucoinTwin, world: FixedWorld, product: Product = "linear") -> TwinSession:
    session = twin.open(product, "/", {}, world)
    assert session is not None
    [welcome] = frames(list(session.opened(world.ns)))
    assert welcome["message"] == "welcome"
    assert welcome["pingInterval"] == 18000
    return session


def bullet(twin: KucoinTwin, world: FixedWorld, product: Product) -> dict[str, Any]:
    asked = structs.replace(
        request("/api/v1/bullet-public", product=product), method="POST", headers={"host": "127.0.0.1:9"}
    )
    response = twin.rest(asked, world)
    assert response is not None
    data: dict[str, Any] = json.loads(response.body)["data"]
    return data


def classic(twin: KucoinTwin, world: FixedWorld, product: Product = "spot") -> TwinSession:
    token = bullet(twin, world, product)["token"]
    session = twin.open(product, "/endpoint", {"token": token, "connectId": "hQvf8jkno"}, world)
    assert session is not None
    assert read(session.opened(world.ns)) == [{"id": "hQvf8jkno", "type": "welcome"}]
    return session


def tell(session: TwinSession, world: FixedWorld, message: object) -> list[Any]:
    return frames(ask(session, world, message))


def obu(depth: str = "increment@10ms", symbol: str = PERP, trade_type: str = "FUTURES", **more: Any) -> dict[str, Any]:
    named = {"symbol": symbol} | more
    return {"id": "p1", "action": "SUBSCRIBE", "channel": "obu", "tradeType": trade_type, "depth": depth} | named


# UTA


def test_frames_are_binary_and_the_acknowledgement_comes_before_the_snapshot(
    twin: KucoinTwin, world: FixedWorld
) -> None:
    session = uta(twin, world)
    outs = session.receive(json.dumps(obu(rpiFilter=0)).encode(), world.ns)
    assert all(isinstance(out, bytes) for out in outs)
    ack, snapshot = frames(list(outs))
    assert ack == {"id": "p1", "result": True}
    assert (snapshot["T"], snapshot["dp"], snapshot["t"]) == ("obu.FUTURES", "increment@10ms", "snapshot")
    assert snapshot["d"]["O"] == snapshot["d"]["C"]
    assert snapshot["d"]["b"][0] == ["100.5", "2"]
    assert snapshot["P"] == world.ns
    assert snapshot["d"]["M"] % MS == 0


def test_spot_writes_its_nanoseconds_as_text(twin: KucoinTwin, world: FixedWorld) -> None:
    _, snapshot = tell(uta(twin, world, "spot"), world, obu(symbol=BTC, trade_type="SPOT"))
    assert snapshot["P"] == str(world.ns)
    assert isinstance(snapshot["d"]["C"], int)


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_deltas_chain_and_a_lost_batch_leaves_a_hole(twin: KucoinTwin, world: FixedWorld, product: Product) -> None:
    name, trade_type = (BTC, "SPOT") if product == "spot" else (PERP, "FUTURES")
    session, one = uta(twin, world, product), world.get(name, product)
    last = tell(session, world, obu(symbol=name, trade_type=trade_type))[1]["d"]["C"]
    for number in range(5):
        change = world.change(bids=[("100.50", f"{number}.000"), ("100.45", "1.000")])
        [delta] = frames(list(session.change(one, change)))
        assert delta["t"] == "delta"
        assert delta["d"]["O"] == last + 1
        assert delta["d"]["C"] > last
        assert delta["d"]["b"][0][0] in ("100.5", "100.45")
        last = delta["d"]["C"]
    world.change(bids=[("100.50", "9.000")])
    [delta] = frames(list(session.change(one, world.change(bids=[("100.50", "8.000")]))))
    assert delta["d"]["O"] > last + 1


def test_all_connections_are_told_the_same(twin: KucoinTwin, world: FixedWorld) -> None:
    first, second = uta(twin, world), uta(twin, world)
    for session in (first, second):
        tell(session, world, obu())
    change = world.change(asks=[("100.60", "0")])
    one = world.get(PERP, "linear")
    assert first.change(one, change) == second.change(one, change) != []


def test_the_two_families_and_rest_number_a_book_alike(twin: KucoinTwin, world: FixedWorld) -> None:
    for product, name, trade_type, topic, path in (
        ("spot", BTC, "SPOT", "/market/level2", "/api/v1/market/orderbook/level2_100"),
        ("linear", PERP, "FUTURES", "/contractMarket/level2", "/api/v1/level2/snapshot"),
    ):
        kind: Product = "spot" if product == "spot" else "linear"
        new, old, one = uta(twin, world, kind), classic(twin, world, kind), world.get(name, kind)
        tell(new, world, obu(symbol=name, trade_type=trade_type))
        tell(old, world, {"id": "1", "type": "subscribe", "topic": f"{topic}:{name}", "response": True})
        change = world.change(bids=[("100.50", "9.000")], asks=[("100.60", "0"), ("100.70", "1.000")])
        [delta] = frames(list(new.change(one, change)))
        rows = [frame["data"] for frame in read(old.change(one, change))]
        ends = [row.get("sequenceEnd", row.get("sequence")) for row in rows]
        assert ends[-1] == delta["d"]["C"]
        assert int(answered(twin, world, path, symbol=name)["data"]["sequence"]) == ends[-1]
        assert (rows[0].get("sequenceStart") or rows[0]["sequence"]) == delta["d"]["O"]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (obu(trade_type="SPOT"), "invalid request data"),
        (obu("7"), "invalid request data"),
        (obu() | {"channel": "books"}, "invalid request data"),
        (obu(symbols=[PERP]), "symbols are not supported for topic obu"),
        (obu(symbol=""), "missing `symbol` for topic: obu"),
        ({"id": "p1", "action": "dance"}, "invalid request data"),
    ],
)
def test_what_it_refuses(twin: KucoinTwin, world: FixedWorld, message: dict[str, Any], why: str) -> None:
    [answer] = tell(uta(twin, world), world, message)
    assert (answer["id"], answer["result"]) == ("p1", False)
    assert why in answer.get("message", "") + answer.get("reason", "")


def test_unknown_symbols_are_acknowledged_and_silent(twin: KucoinTwin, world: FixedWorld) -> None:
    assert tell(uta(twin, world), world, obu(symbol="NOPE")) == [{"id": "p1", "result": True}]
    old = classic(twin, world)
    asked = {"id": "2", "type": "subscribe", "topic": "/market/match:NOPE-USDT", "response": True}
    assert tell(old, world, asked) == [{"id": "2", "type": "ack"}]


def test_marks_trades_and_tickers(twin: KucoinTwin, world: FixedWorld) -> None:
    session, one = uta(twin, world), world.get(PERP, "linear")
    mark = tell(session, world, {"id": "1", "action": "SUBSCRIBE", "channel": "mark-price", "symbol": PERP})[1]
    assert mark == {
        "T": "mark-price", "P": str(world.ns),
        "d": {"s": PERP, "mp": "100.55", "ip": "100.52", "oi": "50541824", "ts": world.ns // MS},
    }  # fmt: skip
    funding = tell(session, world, {"id": "2", "action": "SUBSCRIBE", "channel": "funding-fee", "symbols": [PERP]})[1]
    assert (funding["d"]["fr"], funding["d"]["gl"]) == ("0.0001", 28_800_000)
    assert funding["d"]["nt"] - funding["d"]["ft"] == 28_800_000
    for channel in ("trade", "ticker"):
        tell(session, world, obu() | {"channel": channel})
    [trade] = frames(list(session.trades(one, [world.trade(8)])))
    assert (trade["T"], trade["d"]["S"], trade["d"]["p"]) == ("trade.FUTURES", "buy", "100.5")
    [ticker] = frames(list(session.top(one, world.top())))
    assert (ticker["d"]["b"], ticker["d"]["B"], ticker["d"]["a"]) == ("100.5", "2", "100.6")


def test_depth_50_is_sent_again_unchanged_ten_times_a_second(twin: KucoinTwin, world: FixedWorld) -> None:
    session = uta(twin, world)
    first = tell(session, world, obu("50"))[1]
    world.ns += 100 * MS
    [again] = frames(list(session.tick(world.ns)))
    assert again["d"]["b"] == first["d"]["b"]
    assert session.tick(world.ns + 50 * MS) == []


def test_uta_closes_without_subscriptions_after_a_minute_and_punishes_quick_pings(
    twin: KucoinTwin, world: FixedWorld
) -> None:
    idle, busy = uta(twin, world), uta(twin, world)
    tell(busy, world, obu())
    world.ns += 60 * S
    assert isinstance(idle.tick(world.ns)[0], Close)
    world.ns += 60 * S
    assert busy.tick(world.ns) == []
    pong = tell(busy, world, {"id": "7", "type": "ping"})[0]
    assert pong == {"id": "7", "type": "pong", "ts": world.ns}
    world.ns += 2 * S
    assert tell(busy, world, {"id": "8", "op": "ping", "timestamp": 1})[0]["type"] == "pong"  # as the SDK asks
    world.ns += S // 2
    assert isinstance(tell(busy, world, {"id": "9", "type": "ping"})[0], Close)


# classic


def test_the_token_leads_to_the_port_that_was_asked(twin: KucoinTwin, world: FixedWorld) -> None:
    data = bullet(twin, world, "spot")
    [server] = data["instanceServers"]
    assert server["endpoint"] == "ws://127.0.0.1:9/endpoint"
    assert (server["pingInterval"], server["pingTimeout"]) == (18000, 10000)
    for product, token in (("linear", data["token"]), ("spot", "made up")):
        session = twin.open("linear" if product == "linear" else "spot", "/endpoint", {"token": token}, world)
        assert session is not None
        error, close = read(session.opened(world.ns))
        assert (error["type"], error["code"], error["data"]) == ("error", 401, "token is invalid")
        assert isinstance(close, Close)


def test_one_subscription_may_name_a_hundred_symbols_and_not_one_more(twin: KucoinTwin, world: FixedWorld) -> None:
    session = classic(twin, world)

    def subscribe(count: int, start: int = 0) -> Any:
        names = ",".join(f"C{n}-USDT" for n in range(start, start + count))
        return tell(session, world, {"id": 1, "type": "subscribe", "topic": f"/market/match:{names}", "response": True})

    assert subscribe(100) == [{"id": "1", "type": "ack"}]
    assert subscribe(101, 500)[0]["code"] == 509
    for start in (100, 200):
        assert subscribe(100, start)[0]["type"] == "ack"
    assert "per session" in subscribe(1, 300)[0]["data"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"id": "1", "type": "subscribe", "topic": "/market/nothing:BTC-USDT"}, 404),
        ({"id": "1", "type": "subscribe", "topic": "/contractMarket/level2:XBTUSDTM"}, 404),
        ({"id": "1", "type": "dance"}, 415),
        (b"hello", 400),
        (b"\xff", 400),
        (b'{"id":[1],"type":"ping"}', 400),
    ],
)
def test_classic_errors(twin: KucoinTwin, world: FixedWorld, message: object, code: int) -> None:
    session = classic(twin, world)
    assert tell(session, world, message)[0]["code"] == code
    assert tell(session, world, {"id": "9", "type": "ping"})[0]["type"] == "pong"


def test_classic_messages_have_the_venues_shapes(twin: KucoinTwin, world: FixedWorld) -> None:
    session, one = classic(twin, world), world.get(BTC, "spot")
    for name in ("match", "ticker"):
        tell(session, world, {"id": "1", "type": "subscribe", "topic": f"/market/{name}: {BTC}", "response": True})
    tell(session, world, {"id": "1", "type": "subscribe", "topic": f"/spotMarket/level1:{BTC}"})
    [match] = read(session.trades(one, [world.trade(8)]))
    assert (match["topic"], match["subject"], match["data"]["time"]) == (
        "/market/match:BTC-USDT", "trade.l3match", str(world.ns - 2 * MS),
    )  # fmt: skip
    ticker, level1 = read(session.top(one, world.top()))
    assert (ticker["data"]["bestBid"], ticker["data"]["bestAskSize"]) == ("100.5", "0.5")
    assert level1["data"]["asks"] == ["100.6", "0.5"]
    perp = classic(twin, world, "linear")
    instrument = {"id": "1", "type": "subscribe", "topic": f"/contract/instrument:{PERP}"}
    assert [m["subject"] for m in tell(perp, world, instrument)] == ["mark.index.price", "funding.rate"]


def test_a_number_without_a_level_has_price_zero(twin: KucoinTwin, world: FixedWorld) -> None:
    session = classic(twin, world)
    tell(session, world, {"id": "1", "type": "subscribe", "topic": f"/market/level2:{BTC}", "response": True})
    [frame] = read(session.change(world.get(BTC, "spot"), world.change(bids=[("100.50", "1.000")])))
    data = frame["data"]
    assert data["changes"]["asks"] == [["0", "0", str(data["sequenceEnd"])]]
    assert data["changes"]["bids"] == [["100.5", "1", str(data["sequenceStart"])]]


def test_a_silent_classic_client_is_cut_even_while_data_flows(twin: KucoinTwin, world: FixedWorld) -> None:
    session = classic(twin, world)
    tell(session, world, {"id": "1", "type": "subscribe", "topic": f"/spotMarket/level2Depth5:{BTC}"})
    world.ns += 59 * S
    assert len(session.tick(world.ns)) == 1
    world.ns += S
    assert isinstance(session.tick(world.ns)[0], Close)


def test_too_many_messages_are_refused(twin: KucoinTwin, world: FixedWorld) -> None:
    world.ns = world.ns // (10 * S) * 10 * S
    session = classic(twin, world)
    for _ in range(100):
        assert tell(session, world, {"id": "1", "type": "ping"})[0]["type"] == "pong"
    assert tell(session, world, {"id": "1", "type": "ping"})[0]["code"] == 509


# REST


def test_rest_speaks_text_on_spot_and_numbers_on_futures(twin: KucoinTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/api/v1/timestamp") == {"code": "200000", "data": world.ns // MS}
    spot = answered(twin, world, "/api/v1/market/orderbook/level2_20", symbol=BTC)["data"]
    assert spot["bids"][0] == ["100.5", "2"]
    assert isinstance(spot["sequence"], str)
    perp = answered(twin, world, "/api/v1/level2/depth20", symbol=PERP)["data"]
    assert perp["bids"][0] == [100.5, 2]
    assert perp["ts"] == world.ns
    assert answered(twin, world, "/api/v1/level2/depth20", symbol="NOPE")["code"] == "400100"
    assert answered(twin, world, "/api/v1/market/orderbook/level1", symbol=BTC)["data"]["bestAsk"] == "100.6"
    assert answered(twin, world, "/api/v1/ticker", symbol=PERP)["data"]["bestBidPrice"] == "100.5"


def test_bitcoin_is_xbt_on_futures_and_sizes_are_lots(twin: KucoinTwin, world: FixedWorld) -> None:
    rows = {row["symbol"]: row for row in answered(twin, world, "/api/v1/contracts/active")["data"]}
    assert (rows[PERP]["baseCurrency"], rows[PERP]["multiplier"], rows[PERP]["lotSize"]) == ("XBT", 0.001, 1)
    assert rows["ETHUSDTM"]["baseCurrency"] == "ETH"
    assert rows[PERP]["nextFundingRateTime"] == 3_600_000
    assert rows[PERP]["nextFundingRateDateTime"] == (START_NS + 3_600_000 * MS) // MS
    assert answered(twin, world, f"/api/v1/contracts/{PERP}")["data"] == rows[PERP]
    symbols = {row["symbol"]: row for row in answered(twin, world, "/api/v2/symbols")["data"]}
    assert symbols[BTC]["baseIncrement"] == "0.00000001"


def test_coins_tell_their_transfer_state(twin: KucoinTwin, world: FixedWorld) -> None:
    row = answered(twin, world, "/api/v3/currencies/BTC")["data"]
    assert [(chain["isWithdrawEnabled"], chain["isDepositEnabled"]) for chain in row["chains"]] == [(True, True)]
    assert row in answered(twin, world, "/api/v3/currencies")["data"]
    assert answered(twin, world, "/api/v3/currencies/NOPE")["code"] == "900003"


def test_status_is_by_product(twin: KucoinTwin, world: FixedWorld) -> None:
    world.announced = [StatusNotice(state="ongoing", text="upgrade", products=("linear",))]
    assert answered(twin, world, "/api/v1/status")["data"] == {"status": "close", "msg": "upgrade"}
    path = "/api/ua/v1/server/status"
    assert answered(twin, world, path, tradeType="SPOT")["data"]["serverStatus"] == "open"
    assert answered(twin, world, path, tradeType="FUTURES")["data"]["serverStatus"] == "close"
    assert answered(twin, world, path)["code"] == "400100"


def test_the_pool_of_weight_is_counted_and_runs_dry(twin: KucoinTwin, world: FixedWorld) -> None:
    world.ns = world.ns // (30 * S) * 30 * S
    asked = request("/api/v1/level2/depth100", {"symbol": PERP})
    response = twin.rest(asked, world)
    assert response is not None
    assert response.headers["gw-ratelimit-remaining"] == "1990"
    assert response.headers["gw-ratelimit-reset"] == "30000"
    for _ in range(200):
        response = twin.rest(asked, world)
    assert response is not None
    assert response.status == 429
    assert response.headers["gw-ratelimit-remaining"] == "0"
    world.ns += 30 * S
    response = twin.rest(asked, world)
    assert response is not None
    assert response.status == 200


def test_unknown_paths_are_nobodys(twin: KucoinTwin, world: FixedWorld) -> None:
    assert twin.open("spot", "/nowhere", {}, world) is None
    assert twin.rest(request("/api/v1/nowhere"), world) is None
    assert twin.rest(structs.replace(request("/api/v1/orders"), method="POST"), world) is None
