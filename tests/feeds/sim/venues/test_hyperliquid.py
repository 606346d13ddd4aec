"""What a client of the simulated Hyperliquid relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from feeds.model import StatusNotice
from feeds.sim.twin import ABNORMAL, Close, SimLiquidation
from feeds.sim.venues.hyperliquid.streams import HyperliquidSession
from feeds.sim.venues.hyperliquid.twin import HyperliquidTwin
from tests.feeds.sim.fixed_world import MS, FixedWorld, ask, read, request

S = 1000 * MS


@pytest.fixture
def twin() -> HyperliquidTwin:
    return HyperliquidTwin()


@pytest.fixture
def socket(twin: HyperliquidTwin, world: FixedWorld) -> HyperliquidSession:
    session = twin.open("linear", "/ws", {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def subscribe(kind: str, coin: str = "BTC", method: str = "subscribe", **more: object) -> dict[str, Any]:
    return {"method": method, "subscription": {"type": kind, "coin": coin, **more}}


def posted(twin: HyperliquidTwin, world: FixedWorld, **asked: object) -> Any:
    answer = twin.rest(structs.replace(request("/info"), method="POST", body=json.dumps(asked).encode()), world)
    assert answer is not None
    assert answer.status == 200, answer
    return json.loads(answer.body)


def many_levels(world: FixedWorld) -> None:
    world.bids = tuple((f"{100 - n}", f"{n + 1}.500") for n in range(30))
    world.asks = tuple((f"{101 + n}", f"{n + 1}.250") for n in range(30))


def test_books_are_whole_and_the_fast_one_is_short(socket: HyperliquidSession, world: FixedWorld) -> None:
    many_levels(world)
    ack, deep = ask(socket, world, subscribe("l2Book"))
    echo = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None}
    assert ack == {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": echo}}
    assert (deep["channel"], deep["data"]["coin"], deep["data"]["time"]) == ("l2Book", "BTC", world.ns // MS)
    assert [len(side) for side in deep["data"]["levels"]] == [20, 20]
    assert {key: deep["data"]["levels"][1][0][key] for key in ("px", "sz")} == {"px": "101.0", "sz": "1.25"}
    ack, fast = ask(socket, world, subscribe("l2Book", fast=True))
    assert ack["data"]["subscription"] == {**echo, "fast": True}
    assert [len(side) for side in fast["data"]["levels"]] == [5, 5]
    assert fast["data"]["fast"] is True


def test_the_usual_book_comes_every_five_seconds_and_the_fast_one_with_every_push(
    socket: HyperliquidSession, world: FixedWorld
) -> None:
    many_levels(world)
    ask(socket, world, subscribe("l2Book"))
    ask(socket, world, subscribe("l2Book", fast=True))
    one, counts = world.get("BTC", "linear"), [0, 0]
    for _ in range(40):
        world.ns += 500 * MS
        for frame in read(socket.change(one, world.change())):
            counts["fast" in frame["data"]] += 1
            assert frame["data"]["time"] == (world.ns - 3 * MS) // MS
    assert counts == [4, 40]
    assert socket.change(world.get("ETH", "linear"), world.change()) == []


def test_levels_are_added_up_to_significant_figures(socket: HyperliquidSession, world: FixedWorld) -> None:
    world.bids, world.asks = (
        (("100.50", "2.0"), ("100.40", "3.1"), ("99.9", "1.0")),
        (("100.60", "0.5"), ("101.2", "4")),
    )
    _, frame = ask(socket, world, subscribe("l2Book", nSigFigs=3))
    bids, asks = frame["data"]["levels"]
    assert [(level["px"], level["sz"]) for level in bids] == [("100.0", "5.1"), ("99.9", "1.0")]
    assert [(level["px"], level["sz"]) for level in asks] == [("101.0", "0.5"), ("102.0", "4.0")]


@pytest.mark.parametrize(
    "bad",
    [
        subscribe("l2Book", "NOPE"),
        subscribe("bbo", "btc"),
        subscribe("l2Book", nSigFigs=6),
        subscribe("l2Book", mantissa=2),
        subscribe("l2Book", nSigFigs=4, mantissa=2),
    ],
)
def test_one_bad_subscription_closes_the_socket(
    socket: HyperliquidSession, world: FixedWorld, bad: dict[str, Any]
) -> None:
    assert ask(socket, world, bad) == [Close(ABNORMAL)]


def test_repetitions_are_refused(socket: HyperliquidSession, world: FixedWorld) -> None:
    ask(socket, world, subscribe("bbo"))
    (again,) = ask(socket, world, subscribe("bbo"))
    assert (again["channel"], again["data"][:19]) == ("error", "Already subscribed:")
    (gone,) = ask(socket, world, subscribe("bbo", method="unsubscribe"))
    assert gone["data"]["method"] == "unsubscribe"
    assert socket.top(world.get("BTC", "linear"), world.top()) == ()
    (never,) = ask(socket, world, subscribe("bbo", method="unsubscribe"))
    assert never["data"].startswith("Already unsubscribed")


@pytest.mark.parametrize(
    "raw",
    [
        b"hello",
        b"\xff",
        b"{}",
        b'{"method":"subscribe","subscription":{"type":"l2Book","coin":["BTC"]}}',
        b'{"method":"x"}',
    ],
)
def test_nonsense_is_refused_and_survived(socket: HyperliquidSession, world: FixedWorld, raw: bytes) -> None:
    (refused,) = ask(socket, world, raw)
    assert refused["channel"] == "error"
    assert refused["data"].startswith("Error parsing JSON into valid websocket request: ")
    assert ask(socket, world, {"method": "ping"}) == [{"channel": "pong"}]


def test_other_channels_have_the_venues_shape(socket: HyperliquidSession, world: FixedWorld) -> None:
    one = world.get("BTC", "linear")
    _, first = ask(socket, world, subscribe("bbo"))
    assert [side["px"] for side in first["data"]["bbo"]] == ["100.5", "100.6"]
    _, past = ask(socket, world, subscribe("trades"))
    assert past["data"][0]["time"] <= world.ns // MS
    _, context = ask(socket, world, subscribe("activeAssetCtx"))
    assert context["data"]["ctx"]["markPx"] == "100.55"
    (top,) = read(socket.top(one, world.top()))
    assert top["data"]["time"] == (world.ns - 3 * MS) // MS
    (trades,) = read(socket.trades(one, [world.trade(8), world.trade(9)]))
    assert [row["side"] for row in trades["data"]] == ["B", "B"]
    assert all(row["tid"] < 1 << 50 and len(row["hash"]) == 66 and len(row["users"]) == 2 for row in trades["data"])
    (mark,) = read(socket.mark(one, world.mark(one)))
    assert mark["data"]["ctx"] | {"midPx": "100.55", "oraclePx": "100.52", "funding": "0.0001"} == mark["data"]["ctx"]
    closed = SimLiquidation(price="99.0", size="0.3", side="sell", engine_ns=world.ns, gateway_ns=world.ns)
    assert socket.liquidation(one, closed) == ()
    _, mids = ask(socket, world, {"method": "subscribe", "subscription": {"type": "allMids"}})
    assert mids["data"]["mids"]["BTC"] == "100.55"


def test_an_empty_side_is_null(socket: HyperliquidSession, world: FixedWorld) -> None:
    world.asks = ()
    _, first = ask(socket, world, subscribe("bbo"))
    assert first["data"]["bbo"][1] is None


def test_rest_over_the_socket(socket: HyperliquidSession, world: FixedWorld) -> None:
    def post(payload: object) -> Any:
        (answer,) = ask(socket, world, {"method": "post", "id": 7, "request": {"type": "info", "payload": payload}})
        assert (answer["channel"], answer["data"]["id"]) == ("post", 7)
        return answer["data"]["response"]

    response = post({"type": "l2Book", "coin": "BTC"})
    assert (response["type"], response["payload"]["type"]) == ("info", "l2Book")
    assert response["payload"]["data"]["coin"] == "BTC"
    assert [one["name"] for one in post({"type": "meta"})["payload"]["data"]["universe"]][:2] == ["BTC", "ETH"]
    assert post({"type": "nothing"})["type"] == "error"
    assert post(None)["type"] == "error"


def test_a_socket_that_is_told_nothing_for_a_minute_is_dropped(socket: HyperliquidSession, world: FixedWorld) -> None:
    world.ns += 59 * S
    assert socket.tick(world.ns) == []
    ask(socket, world, {"method": "ping"})
    world.ns += 59 * S
    assert socket.tick(world.ns) == []
    world.ns += S
    assert socket.tick(world.ns) == (Close(ABNORMAL),)
    assert socket.farewell(planned=True) == (Close(ABNORMAL),)


def test_a_book_whose_news_were_lost_is_not_repeated(socket: HyperliquidSession, world: FixedWorld) -> None:
    ask(socket, world, subscribe("l2Book", fast=True))
    world.ns += 2 * S
    assert len(socket.tick(world.ns)) == 1
    world.change()
    world.ns += 2 * S
    assert socket.tick(world.ns) == []


def test_rest_answers(twin: HyperliquidTwin, world: FixedWorld) -> None:
    status = posted(twin, world, type="exchangeStatus")
    assert status["specialStatuses"] is None
    assert 0 <= world.ns // MS - status["time"] < 70
    world.announced = [StatusNotice(state="ongoing", text="upgrade"), StatusNotice(state="completed", text="old")]
    assert posted(twin, world, type="exchangeStatus")["specialStatuses"] == ["upgrade"]
    assert posted(twin, world, type="l2Book", coin="BTC")["levels"][0][0]["px"] == "100.5"
    meta, contexts = posted(twin, world, type="metaAndAssetCtxs")
    assert [one["name"] for one in meta["universe"]] == ["BTC", "ETH", "SOL", "XRP", "DOGE"]
    assert [one["szDecimals"] for one in meta["universe"]] == [5, 4, 2, 0, 0]
    assert len(contexts) == 5
    assert posted(twin, world, type="meta", dex="xyz")["universe"] == []
    assert posted(twin, world, type="perpDexs") == [None]
    assert posted(twin, world, type="allMids")["ETH"] == "100.55"
    assert posted(twin, world, type="recentTrades", coin="BTC")[0]["coin"] == "BTC"
    assert len(posted(twin, world, type="spotMetaAndAssetCtxs")) == 2
    assert posted(twin, world, type="spotMeta")["universe"][0]["name"] == "PURR/USDC"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"type":"l2Book","coin":"NOPE"}', 500),
        (b'{"type":"recentTrades","coin":"NOPE"}', 500),
        (b'{"type":"dance"}', 422),
        (b"[]", 422),
        (b"{", 400),
        (b"\xff", 400),
    ],
)
def test_rest_refusals(twin: HyperliquidTwin, world: FixedWorld, body: bytes, status: int) -> None:
    answer = twin.rest(structs.replace(request("/info"), method="POST", body=body), world)
    assert answer is not None
    assert answer.status == status


def test_unknown_paths_are_nobodys(twin: HyperliquidTwin, world: FixedWorld) -> None:
    assert twin.open("linear", "/ws2", {}, world) is None
    assert twin.rest(request("/exchange"), world) is None
    got = twin.rest(request("/info"), world)
    assert got is not None
    assert got.status == 405
