"""What a client of the simulated MEXC relies on; expectations come from the protocol sheet, captures and ccxt."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from ccxt.protobuf.mexc.PushDataV3ApiWrapper_pb2 import PushDataV3ApiWrapper
from google.protobuf.json_format import MessageToDict

from feeds.model import Product
from feeds.sim.twin import Close, Out, SimLiquidation, TwinSession
from feeds.sim.venues.mexc.streams_spot import varint
from feeds.sim.venues.mexc.twin import MexcTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1_000 * MS
BTC, PERP = "BTCUSDT", "BTC_USDT"
CUT = [Close(1006)]


@pytest.fixture
def twin() -> MexcTwin:
    return MexcTwin()


def opened(twin: MexcTwin, world: FixedWorld, product: Product) -> TwinSession:
    session = twin.open(product, twin.ws_paths[product], {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


@pytest.fixture
def spot(twin: MexcTwin, world: FixedWorld) -> TwinSession:
    return opened(twin, world, "spot")


@pytest.fixture
def linear(twin: MexcTwin, world: FixedWorld) -> TwinSession:
    return opened(twin, world, "linear")


def decoded(frames: Any) -> list[dict[str, Any]]:
    """Protobuf frames as ccxt reads them."""
    found = []
    for frame in frames:
        assert isinstance(frame, bytes)
        message = PushDataV3ApiWrapper()
        message.ParseFromString(frame)
        found.append(MessageToDict(message))
    return found


def topic(kind: str = "depth", name: str = BTC, every: str = "10ms") -> str:
    return f"spot@public.aggre.{kind}.v3.api.pb@{every}@{name}"


def subscribe(session: TwinSession, world: FixedWorld, *names: str) -> str:
    [frame] = ask(session, world, {"method": "SUBSCRIPTION", "params": list(names), "id": 3})
    assert (frame["id"], frame["code"]) == (3, 0)
    words: str = frame["msg"]
    return words


# spot


def test_topics_are_acknowledged_by_name_and_failures_in_the_same_form(spot: TwinSession, world: FixedWorld) -> None:
    assert subscribe(spot, world, topic(), topic("deals")) == f"{topic()},{topic('deals')}"
    bad = topic(name="btcusdt")
    words = subscribe(spot, world, bad, topic("bookTicker"))
    assert f"Subscribed successful! [{topic('bookTicker')}]" in words
    assert f"Not Subscribed successfully! [{bad}].  Reason： Blocked! " in words
    assert "Blocked" in subscribe(spot, world, "spot@public.aggre.depth.v3.api.pb@BTCUSDT")


def test_thirty_topics_are_all_that_a_connection_ever_gets(spot: TwinSession, world: FixedWorld) -> None:
    for _ in range(30):
        assert subscribe(spot, world, topic()) == topic()
        assert ask(spot, world, {"method": "UNSUBSCRIPTION", "params": [topic()]})[0]["msg"] == topic()
    assert "Not Subscribed" in subscribe(spot, world, topic())


def test_ranges_of_versions_chain_and_meet_the_rest_book(twin: MexcTwin, spot: TwinSession, world: FixedWorld) -> None:
    subscribe(spot, world, topic())
    last = answered(twin, world, "/api/v3/depth", symbol=BTC)["lastUpdateId"]
    for _ in range(3):
        world.ns += 20 * MS
        change = world.change(bids=[("100.50", "0")], asks=[("100.60", "1.500")])
        [push] = decoded(spot.change(world.get(BTC, "spot"), change))
        body = push["publicAggreDepths"]
        assert int(body["fromVersion"]) == last + 1
        assert int(body["toVersion"]) > last + 1
        last = int(body["toVersion"])
        assert body["bids"] == [{"price": "100.5", "quantity": "0"}]
        assert body["asks"] == [{"price": "100.6", "quantity": "1.5"}]
        assert (push["channel"], push["symbol"], push["sendTime"]) == (topic(), BTC, str(change.gateway_ns // MS))


def test_slow_topics_gather_and_a_lost_batch_stays_a_hole(spot: TwinSession, world: FixedWorld) -> None:
    subscribe(spot, world, topic(every="100ms"))
    one = world.get(BTC, "spot")
    [first] = decoded(spot.change(one, world.change(bids=[("100.50", "1")])))
    world.ns += 20 * MS
    assert spot.change(one, world.change(bids=[("100.50", "2")])) == []
    world.ns += 20 * MS
    assert spot.change(one, world.change(bids=[("100.50", "3")])) == []
    world.change()  # lost
    world.ns += 20 * MS
    [gathered] = decoded(spot.change(one, world.change(bids=[("100.50", "4")])))
    assert gathered["publicAggreDepths"]["bids"] == [{"price": "100.5", "quantity": "3"}]
    assert int(gathered["publicAggreDepths"]["fromVersion"]) == int(first["publicAggreDepths"]["toVersion"]) + 1
    world.ns += 200 * MS
    [after] = decoded(spot.tick(world.ns))
    assert int(after["publicAggreDepths"]["fromVersion"]) > int(gathered["publicAggreDepths"]["toVersion"]) + 1


def test_quotes_and_deals_carry_text_and_the_takers_side(spot: TwinSession, world: FixedWorld) -> None:
    subscribe(spot, world, topic("bookTicker"), topic("deals"))
    one = world.get(BTC, "spot")
    [quote] = decoded(spot.top(one, world.top()))
    body = quote["publicAggreBookTicker"]
    assert (body["bidPrice"], body["bidQuantity"], body["askPrice"]) == ("100.5", "2", "100.6")
    [deals] = decoded(spot.trades(one, [world.trade(8), world.trade(9)]))
    row = deals["publicAggreDeals"]["deals"][0]
    assert (row["price"], row["tradeType"], row["time"]) == ("100.5", 1, str((world.ns - 2 * MS) // MS))
    assert len(deals["publicAggreDeals"]["deals"]) == 2


def test_limited_books_and_batches_are_pushed(spot: TwinSession, world: FixedWorld) -> None:
    subscribe(
        spot, world, f"spot@public.limit.depth.v3.api.pb@{BTC}@5", f"spot@public.bookTicker.batch.v3.api.pb@{BTC}"
    )
    [book] = decoded(spot.tick(world.ns))
    assert [level["price"] for level in book["publicLimitDepths"]["asks"]] == ["100.6", "100.7", "101"]
    [batch] = decoded(spot.top(world.get(BTC, "spot"), world.top()))
    assert batch["publicBookTickerBatch"]["items"][0]["askPrice"] == "100.6"


@pytest.mark.parametrize("raw", [b"hello", b"\xff", b"{}", b'{"method":"DANCE"}', b'{"method":"SUBSCRIPTION"}'])
def test_nonsense_on_spot_is_answered_and_survived(spot: TwinSession, world: FixedWorld, raw: bytes) -> None:
    assert ask(spot, world, raw)[0]["msg"] == "msg format invalid"
    assert ask(spot, world, {"method": "PING"}) == [{"id": 0, "code": 0, "msg": "PONG"}]


def test_a_spot_socket_without_topics_or_without_words_is_cut(
    twin: MexcTwin, spot: TwinSession, world: FixedWorld
) -> None:
    other = opened(twin, world, "spot")
    subscribe(spot, world, topic())
    world.ns += 31 * S
    assert list(other.tick(world.ns)) == CUT
    assert list(spot.tick(world.ns)) == []
    ask(spot, world, {"method": "PING"})
    world.ns += 59 * S
    assert list(spot.tick(world.ns)) == []
    world.ns += 2 * S
    assert list(spot.tick(world.ns)) == CUT


def test_a_hundred_messages_a_second_are_too_many(spot: TwinSession, world: FixedWorld) -> None:
    out: list[Out] = []
    for _ in range(101):
        out += spot.receive(b'{"method":"PING"}', world.ns)
    assert out[-1:] == CUT


def test_numbers_are_written_in_seven_bit_groups() -> None:
    assert (varint(0), varint(127), varint(300)) == (b"\x00", b"\x7f", b"\xac\x02")


# perpetuals


def sub(name: str, symbol: str = PERP, **more: object) -> dict[str, object]:
    return {"method": f"sub.{name}", "param": {"symbol": symbol, **more}}


def test_acknowledgements_name_no_symbol_and_errors_the_contract(linear: TwinSession, world: FixedWorld) -> None:
    [good] = ask(linear, world, sub("depth"))
    assert good == {"channel": "rs.sub.depth", "data": "success", "ts": world.ns // MS}
    [bad] = ask(linear, world, sub("depth", "NOPE_USDT"))
    assert (bad["channel"], bad["data"]) == ("rs.error", "Contract [NOPE_USDT] not exists")
    assert len(read(linear.change(world.get(PERP, "linear"), world.change()))) == 1
    for raw in (b"hello", b"\xff", b'{"method":"dance"}', b'{"method":"sub.kline","param":{"symbol":"BTC_USDT"}}'):
        assert ask(linear, world, raw) == []


def test_merged_and_unmerged_changes_number_the_same_versions(
    twin: MexcTwin, linear: TwinSession, world: FixedWorld
) -> None:
    other = opened(twin, world, "linear")
    ask(linear, world, sub("depth"))
    ask(other, world, sub("depth", compress=False))
    start = answered(twin, world, f"/api/v1/contract/depth/{PERP}")["data"]["version"]
    one = world.get(PERP, "linear")
    change = world.change(bids=[("100.50", "0"), ("100.40", "7")], asks=[("100.60", "12")])
    [frame] = read(linear.change(one, change))
    data = frame["data"]
    assert data["begin"] == start + 1
    assert data["end"] == data["version"] > start + 1
    assert data["bids"][0] == [100.5, 0, 0]
    assert data["bids"][1][:2] == [100.4, 7]
    assert (data["cts"], frame["ts"]) == (change.engine_ns // MS, change.gateway_ns // MS)
    split = read(other.change(one, change))
    assert [f["data"]["version"] for f in split] == list(range(start + 1, data["end"] + 1))
    assert [level for f in split for level in f["data"]["bids"]] == data["bids"]


def test_deals_come_in_a_list_and_prices_at_once(linear: TwinSession, world: FixedWorld) -> None:
    one = world.get(PERP, "linear")
    ask(linear, world, sub("deal"))
    [deals] = read(linear.trades(one, [world.trade(8), world.trade(9)]))
    assert [(row["T"], row["p"]) for row in deals["data"]] == [(1, 100.5), (1, 100.5)]
    assert ask(linear, world, sub("fair.price"))[1]["data"]["price"] == 100.55
    assert ask(linear, world, sub("index.price"))[1]["data"]["price"] == 100.52
    funding = ask(linear, world, sub("funding.rate"))[1]["data"]
    assert (funding["rate"], funding["nextSettleTime"]) == (0.0001, START_NS // MS + 3_600_000)
    ask(linear, world, sub("ticker"))
    pushed: Counter[str] = Counter()
    for _ in range(61):
        world.ns += S
        pushed.update(frame["channel"] for frame in read(linear.mark(one, world.mark(one))))
    assert pushed == {"push.fair.price": 61, "push.index.price": 61, "push.ticker": 61, "push.funding.rate": 1}


def test_the_whole_book_can_be_had_in_steps(linear: TwinSession, world: FixedWorld) -> None:
    ask(linear, world, sub("depth.full", limit=5))
    world.ns += 300 * MS
    [frame] = read(linear.tick(world.ns))
    assert frame["channel"] == "push.depth.full"
    assert [level[0] for level in frame["data"]["asks"]] == [100.6, 100.7, 101.0]
    assert ask(linear, world, sub("depth.full", limit=7))[0]["channel"] == "rs.error"


def test_without_pings_the_socket_is_cut_while_data_flows(linear: TwinSession, world: FixedWorld) -> None:
    ask(linear, world, sub("depth"))
    world.ns += 59 * S
    assert ask(linear, world, {"method": "ping"}) == [{"channel": "pong", "data": world.ns // MS, "ts": world.ns // MS}]
    for _ in range(7):
        world.ns += 9 * S
        linear.change(world.get(PERP, "linear"), world.change())
    assert list(linear.tick(world.ns)) == CUT


def test_leaving_is_acknowledged_and_silences(linear: TwinSession, spot: TwinSession, world: FixedWorld) -> None:
    ask(linear, world, sub("depth"))
    [frame] = ask(linear, world, {"method": "unsub.depth", "param": {"symbol": PERP}})
    assert frame["channel"] == "rs.unsub.depth"
    assert list(linear.change(world.get(PERP, "linear"), world.change())) == []
    sold = SimLiquidation(price="99", size="1", side="sell", engine_ns=START_NS, gateway_ns=START_NS)
    for session in (linear, spot):
        assert list(session.liquidation(world.get(PERP, "linear"), sold)) == []
        assert list(session.farewell(planned=True)) == CUT


# REST


def test_rest_answers_in_both_products_forms(twin: MexcTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/api/v3/ping") == {}
    assert answered(twin, world, "/api/v3/time") == {"serverTime": world.ns // MS}
    book = answered(twin, world, "/api/v3/depth", symbol=BTC, limit="2")
    assert book["asks"] == [["100.60", "0.500"], ["100.70", "4.000"]]
    assert answered(twin, world, "/api/v3/ticker/bookTicker", symbol=BTC)["bidPrice"] == "100.50"
    assert answered(twin, world, "/api/v1/contract/ping") == {"success": True, "code": 0, "data": world.ns // MS}
    book = answered(twin, world, f"/api/v1/contract/depth/{PERP}", limit="1")["data"]
    assert book["asks"] == [[100.6, 0, 0]]  # half a contract is none
    assert answered(twin, world, f"/api/v1/contract/depth_commits/{PERP}/5")["data"][0]["version"] == book["version"]
    funding = answered(twin, world, f"/api/v1/contract/funding_rate/{PERP}")["data"]
    assert (funding["fundingRate"], funding["collectCycle"]) == (0.0001, 8)
    assert answered(twin, world, "/api/v1/contract/ticker", symbol=PERP)["data"]["fairPrice"] == 100.55
    contract = answered(twin, world, "/api/v1/contract/detail", symbol=PERP)["data"]
    assert (contract["contractSize"], contract["settleCoin"], contract["state"]) == (0.0001, "USDT", 0)


def test_what_is_not_there_is_refused_in_both_forms(twin: MexcTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/api/v3/depth", symbol="NOPE")["code"] == -1121
    assert answered(twin, world, "/api/v3/depth", symbol=BTC, limit="x")["code"] == -1100
    assert answered(twin, world, "/api/v1/contract/depth/NOPE_USDT")["code"] == 1001
    assert answered(twin, world, f"/api/v1/contract/depth/{PERP}", limit="0")["code"] == 600
    assert twin.rest(request("/api/v3/nowhere"), world) is None
    assert twin.rest(request("/api/v1/contract/nowhere"), world) is None
    assert twin.open("spot", "/ws/v5/public", {}, world) is None
