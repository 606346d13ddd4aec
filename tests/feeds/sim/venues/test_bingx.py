"""What a client of the simulated BingX relies on; expectations come from the sheet, frames and measurements."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs

from feeds.model import Product
from feeds.sim.twin import ABNORMAL, Close, Out, TwinSession
from feeds.sim.venues.bingx.streams import MOST_TOPICS
from feeds.sim.venues.bingx.twin import BingxTwin
from tests.feeds.sim.fixed_world import MS, FixedWorld, answered, request

S = 1000 * MS
PATHS: dict[Product, str] = {"spot": "/market", "linear": "/swap-market"}


@pytest.fixture
def twin() -> BingxTwin:
    return BingxTwin()


def opened(twin: BingxTwin, world: FixedWorld, product: Product = "linear") -> TwinSession:
    session = twin.open(product, PATHS[product], {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def read(frames: Sequence[Out]) -> list[Any]:
    """Every frame is one gzip member."""
    found: list[Any] = []
    for frame in frames:
        assert isinstance(frame, bytes | Close)
        if isinstance(frame, Close):
            found.append(frame)
        else:
            content = gzip.decompress(frame)
            found.append("Ping" if content == b"Ping" else json.loads(content))
    return found


def ask(session: TwinSession, world: FixedWorld, message: object) -> list[Any]:
    return read(session.receive(message if isinstance(message, bytes) else json.dumps(message).encode(), world.ns))


def sub(session: TwinSession, world: FixedWorld, topic: str, verb: str = "sub") -> list[Any]:
    return ask(session, world, {"id": "7", "reqType": verb, "dataType": topic})


def test_an_answer_echoes_the_id(twin: BingxTwin, world: FixedWorld) -> None:
    good = {"id": "7", "code": 0, "msg": "", "dataType": "", "data": None}
    assert sub(opened(twin, world), world, "BTC-USDT@markPrice") == [good]
    # ccxt leaves the verb out on spot
    asked = {"id": "a", "dataType": "BTC-USDT@bookTicker"}
    spot = ask(opened(twin, world, "spot"), world, asked)[0]
    assert spot == {"id": "a", "code": 0, "msg": "SUCCESS", "timestamp": world.ns // MS}


@pytest.mark.parametrize("topic", ["NOPE-USDT@incrDepth", "btc-usdt@incrDepth", "BTC-USDT@depth7", "BTC-USDT@x", ""])
def test_what_cannot_be_had_is_refused_and_the_socket_stays(twin: BingxTwin, world: FixedWorld, topic: str) -> None:
    session = opened(twin, world)
    [refusal] = sub(session, world, topic)
    assert refusal == {"id": "7", "code": 80015, "msg": "dataType not support", "dataType": topic, "data": None}
    assert sub(session, world, "BTC-USDT@trade")[0]["code"] == 0


@pytest.mark.parametrize("raw", [b"hello", b"\xff\x00", b"[]", b'[{"id":"1"}]', b"{"])
def test_lists_and_noise_get_no_answer(twin: BingxTwin, world: FixedWorld, raw: bytes) -> None:
    assert ask(opened(twin, world), world, raw) == []


def test_a_socket_takes_200_topics(twin: BingxTwin, world: FixedWorld) -> None:
    session = opened(twin, world)
    sample = world.get("BTC-USDT", "linear")
    world._listed = [structs.replace(sample, venue_id=f"C{n}-USDT") for n in range(MOST_TOPICS + 1)]
    answers = [sub(session, world, f"C{n}-USDT@markPrice")[0] for n in range(MOST_TOPICS + 1)]
    assert [a["code"] for a in answers] == [0] * MOST_TOPICS + [80403]
    assert sub(session, world, "C0-USDT@markPrice")[0]["code"] == 0  # not a new one
    sub(session, world, "C1-USDT@markPrice", "unsub")
    assert sub(session, world, f"C{MOST_TOPICS}-USDT@markPrice")[0]["code"] == 0


def test_a_first_book_then_changes_with_ids_that_skip(twin: BingxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world), world.get("BTC-USDT", "linear")
    _, first = sub(session, world, "BTC-USDT@incrDepth")
    assert (first["code"], first["dataType"], first["data"]["action"]) == (0, "BTC-USDT@incrDepth", "all")
    assert first["data"]["time"] == (world.ns - 3 * MS) // MS
    assert first["data"]["bids"][0] == ["100.50", "2.000"]
    last, steps = first["data"]["lastUpdateId"], set()
    for _ in range(8):
        asks = [("100.60", "0"), ("100.70", "5.000")]
        [frame] = read(session.change(one, world.change(asks=asks)))
        assert frame["data"]["action"] == "update"
        steps.add(frame["data"]["lastUpdateId"] - last)
        last = frame["data"]["lastUpdateId"]
        asks = [("100.60", "1.000")]
        [frame] = read(session.change(one, world.change(asks=asks)))
        steps.add(frame["data"]["lastUpdateId"] - last)
        last = frame["data"]["lastUpdateId"]
    assert 2 <= min(steps) < max(steps) <= 9


def test_removed_levels_have_all_their_decimals_and_asks_come_worst_first(twin: BingxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world), world.get("BTC-USDT", "linear")
    sub(session, world, "BTC-USDT@incrDepth")
    [frame] = read(session.change(one, world.change(asks=[("100.60", "0"), ("100.70", "5.000")])))
    assert frame["data"]["asks"] == [["100.70", "5.000"], ["100.60", "0.0000"]]


def test_other_coins_than_btc_and_eth_are_pushed_half_as_often(twin: BingxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world), world.get("SOL-USDT", "linear")
    sub(session, world, "SOL-USDT@incrDepth")
    assert session.change(one, world.change(bids=[("100.50", "3.0")])) == []
    [frame] = read(session.change(one, world.change(bids=[("100.40", "0")])))
    assert frame["data"]["bids"] == [["100.50", "3.0"], ["100.40", "0.0"]]


def test_spot_counts_by_one_and_sends_no_time_with_books(twin: BingxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world, "spot"), world.get("BTC-USDT", "spot")
    _, first = sub(session, world, "BTC-USDT@incrDepth")
    [frame] = read(session.change(one, world.change(bids=[("100.50", "3")])))
    assert frame["data"]["lastUpdateId"] == first["data"]["lastUpdateId"] + 1
    assert "time" not in frame["data"]
    assert frame["success"] is True


def test_whole_books_come_with_the_time_or_number_that_clients_read(twin: BingxTwin, world: FixedWorld) -> None:
    _, swap = sub(opened(twin, world), world, "BTC-USDT@depth20@200ms")
    assert (swap["dataType"], swap["ts"]) == ("BTC-USDT@depth20@200ms", (world.ns - 3 * MS) // MS)
    session = opened(twin, world, "spot")
    sub(session, world, "BTC-USDT@depth100")
    [spot] = read(session.change(world.get("BTC-USDT", "spot"), world.change(bids=[("1", "1")])))
    assert spot["data"]["lastUpdateId"] > 0
    assert [price for price, _ in spot["data"]["asks"]] == ["101.00", "100.70", "100.60"]


def test_best_prices_begin_with_old_news(twin: BingxTwin, world: FixedWorld) -> None:
    session, one = opened(twin, world), world.get("BTC-USDT", "linear")
    _, old = sub(session, world, "BTC-USDT@bookTicker")
    assert old["data"]["E"] - old["data"]["T"] > 20 * 60 * 1000
    [new] = read(session.top(one, world.top()))
    row = new["data"]
    assert (row["b"], row["B"], row["a"], row["A"]) == ("100.50", "2.000", "100.60", "0.500")
    assert (row["E"] - row["T"], row["s"]) == (2, "BTC-USDT")


def test_trades_are_lists_on_perpetuals_and_single_on_spot(twin: BingxTwin, world: FixedWorld) -> None:
    rows = [world.trade(1), structs.replace(world.trade(2), side="sell")]
    for product, frames in (("linear", 1), ("spot", 2)):
        session = opened(twin, world, product)  # type: ignore[arg-type]  # a literal in a loop
        _, _ = sub(session, world, "BTC-USDT@trade")
        got = read(session.trades(world.get("BTC-USDT", product), rows))  # type: ignore[arg-type]  # as above
        assert len(got) == frames
        told = got[0]["data"] if product == "linear" else [g["data"] for g in got]
        assert [(row["p"], row["q"], row["m"]) for row in told] == [
            ("100.50", "0.200", False),
            ("100.50", "0.200", True),
        ]
        assert ("t" in told[0]) == (product == "spot")


def test_who_does_not_answer_pings_is_cut_after_30_s(twin: BingxTwin, world: FixedWorld) -> None:
    for product in ("linear", "spot"):
        session = opened(twin, world, product)
        start_ns, pings = world.ns, []
        for second in range(1, 31):
            pings += read(session.tick(start_ns + second * S))
        assert len(pings) == 6
        assert pings[0] == "Ping" if product == "linear" else len(pings[0]["ping"]) == 32
        pong = b"Pong" if product == "linear" else json.dumps({"pong": pings[0]["ping"], "time": ""}).encode()
        session.receive(pong, start_ns + 30 * S)
        assert Close(ABNORMAL) not in read(session.tick(start_ns + 60 * S))
        assert read(session.tick(start_ns + 61 * S)) == [Close(ABNORMAL)]


def test_listings(twin: BingxTwin, world: FixedWorld) -> None:
    swaps = answered(twin, world, "/openApi/swap/v2/quote/contracts")["data"]
    assert {row["symbol"] for row in swaps} >= {"BTC-USDT", "ETH-USDT", "BTC-USDC"}
    assert (swaps[0]["pricePrecision"], swaps[0]["quantityPrecision"], swaps[0]["apiStateOpen"]) == (1, 4, "true")
    pairs = answered(twin, world, "/openApi/spot/v1/common/symbols")["data"]["symbols"]
    assert (pairs[0]["symbol"], pairs[0]["tickSize"], pairs[0]["stepSize"]) == ("BTC-USDT", 0.01, 0.000001)


def test_rest_refuses_what_the_venue_refuses(twin: BingxTwin, world: FixedWorld) -> None:
    for path in ("/openApi/nothing", "/swap/v2/server/time", "/"):
        assert twin.rest(request(path), world) is None
    depth = "/openApi/swap/v2/quote/depth"
    assert answered(twin, world, depth, symbol="NOPE-USDT", limit="5")["code"] == 109425
    assert answered(twin, world, depth, symbol="BTC-USDT", limit="7")["code"] == 109400
    assert answered(twin, world, depth, limit="5")["code"] == 109400
    mark = answered(twin, world, "/openApi/swap/v2/quote/premiumIndex", symbol="BTC-USDT")["data"]
    assert (mark["markPrice"], mark["fundingIntervalHours"]) == ("100.55", 8)
    assert len(answered(twin, world, "/openApi/swap/v2/quote/premiumIndex")["data"]) > 1
