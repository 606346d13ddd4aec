"""What a client of the simulated Coinbase relies on; expectations come from the protocol sheet and the capture."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.sim.twin import ABNORMAL, Close
from feeds.sim.venues.coinbase.streams import CoinbaseSession
from feeds.sim.venues.coinbase.twin import CoinbaseTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1_000 * MS
ADVANCED = "/api/v3/brokerage"


@pytest.fixture
def twin() -> CoinbaseTwin:
    return CoinbaseTwin()


@pytest.fixture
def session(twin: CoinbaseTwin, world: FixedWorld) -> CoinbaseSession:
    made = twin.open("spot", "/", {}, world)
    assert made is not None
    assert made.opened(world.ns) == ()
    return made


def subscribe(channel: str, *names: str, kind: str = "subscribe") -> dict[str, Any]:
    return {"type": kind, "product_ids": list(names), "channel": channel}


def test_a_whole_book_comes_before_the_list_of_all_subscriptions(session: CoinbaseSession, world: FixedWorld) -> None:
    book, ack = ask(session, world, subscribe("level2", "BTC-USD"))
    assert (book["channel"], book["sequence_num"], book["timestamp"]) == (
        "l2_data",
        0,
        "2025-10-10T14:00:00.123000000Z",
    )
    [event] = book["events"]
    assert (event["type"], event["product_id"], len(event["updates"])) == ("snapshot", "BTC-USD", 6)
    assert event["updates"][0] == {
        "side": "bid", "event_time": "2025-10-10T14:00:00.120000Z", "price_level": "100.5", "new_quantity": "2"
    }  # fmt: skip
    assert {update["side"] for update in event["updates"]} == {"bid", "offer"}
    assert (ack["sequence_num"], ack["events"]) == (1, [{"subscriptions": {"level2": ["BTC-USD"]}}])
    *_, ack = ask(session, world, subscribe("market_trades", "BTC-USD", "ETH-USD"))
    wanted = {"level2": ["BTC-USD"], "market_trades": ["BTC-USD", "ETH-USD"]}
    assert ack["events"] == [{"subscriptions": wanted}]
    [ack] = ask(session, world, {"type": "subscribe", "channel": "heartbeats"})
    assert ack["events"] == [{"subscriptions": wanted | {"heartbeats": ["heartbeats"]}}]
    [ack] = ask(session, world, subscribe("level2", "BTC-USD", kind="unsubscribe"))
    assert "level2" not in ack["events"][0]["subscriptions"]


def test_one_number_counts_all_messages_and_skips_one_for_what_got_lost(
    session: CoinbaseSession, world: FixedWorld
) -> None:
    one = world.get("BTC-USD", "spot")
    last = ask(session, world, subscribe("level2", "BTC-USD"))[-1]["sequence_num"]
    ask(session, world, {"type": "subscribe", "channel": "heartbeats"})
    [beat] = read(session.tick(world.ns))
    [first] = read(session.change(one, world.change(bids=[("100.50", "0")])))
    assert (beat["sequence_num"], first["sequence_num"]) == (last + 2, last + 3)
    assert first["events"][0]["updates"][0]["new_quantity"] == "0"
    world.change()
    [after] = read(session.change(one, world.change(bids=[("100.50", "1.000")])))
    assert after["sequence_num"] == last + 5


def test_trades_come_newest_first_with_the_makers_side(session: CoinbaseSession, world: FixedWorld) -> None:
    one = world.get("BTC-USD", "spot")
    past, _ = ask(session, world, subscribe("market_trades", "BTC-USD"))
    assert past["events"][0]["type"] == "snapshot"
    [frame] = read(session.trades(one, [world.trade(8), world.trade(9)]))
    assert [row["trade_id"] for row in frame["events"][0]["trades"]] == ["9", "8"]
    assert frame["events"][0]["trades"][0]["side"] == "SELL"
    assert list(session.top(one, world.top())) == []


def test_tickers_speak_when_something_trades(session: CoinbaseSession, world: FixedWorld) -> None:
    ask(session, world, subscribe("ticker", "BTC-USD"))
    one = world.get("BTC-USD", "spot")
    assert list(session.top(one, world.top())) == []
    [frame] = read(session.trades(one, [world.trade(8)]))
    assert frame["events"][0]["tickers"][0]["best_bid"] == "100.5"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (subscribe("level2", "BTC-USD", "GONE-USD"), "GONE-USD is not a valid product"),
        (subscribe("dance", "BTC-USD"), "dance is not a valid channel"),
        (b"hello", "failed to parse the message"),
    ],
)
def test_one_wrong_name_fails_the_whole_request(
    session: CoinbaseSession, world: FixedWorld, message: object, words: str
) -> None:
    assert ask(session, world, message) == [{"type": "error", "message": words}]
    assert session.change(world.get("BTC-USD", "spot"), world.change()) == ()


def test_a_pair_in_usdc_answers_under_its_dollar_name(session: CoinbaseSession, world: FixedWorld) -> None:
    book, _ = ask(session, world, subscribe("level2", "BTC-USDC"))
    assert book["events"][0]["product_id"] == "BTC-USD"


def test_unused_and_silent_connections_are_cut(session: CoinbaseSession, world: FixedWorld) -> None:
    assert list(session.tick(world.ns + 4 * S)) == []
    assert list(session.tick(world.ns + 5 * S)) == [Close(ABNORMAL)]
    ask(session, world, subscribe("level2", "BTC-USD"))
    assert list(session.tick(world.ns + 89 * S)) == []
    assert list(session.tick(world.ns + 90 * S)) == [Close(ABNORMAL)]


def test_rest(twin: CoinbaseTwin, world: FixedWorld) -> None:
    clock = answered(twin, world, f"{ADVANCED}/time")
    assert clock == {
        "iso": "2025-10-10T14:00:00Z", "epochSeconds": str(START_NS // S), "epochMillis": str(START_NS // MS)
    }  # fmt: skip
    rows = {row["product_id"]: row for row in answered(twin, world, f"{ADVANCED}/market/products")["products"]}
    assert rows["BTC-USD"]["alias_to"] == ["BTC-USDC"]
    assert (rows["BTC-USDC"]["alias"], rows["BTC-USDC"]["quote_currency_id"]) == ("BTC-USD", "USDC")
    assert answered(twin, world, f"{ADVANCED}/market/products", product_type="FUTURE")["products"] == []
    book = answered(twin, world, f"{ADVANCED}/market/product_book", product_id="BTC-USDC", limit="1")["pricebook"]
    assert book == {
        "product_id": "BTC-USD", "bids": [{"price": "100.5", "size": "2"}], "asks": [{"price": "100.6", "size": "0.5"}],
        "time": "2025-10-10T14:00:00.120000Z",
    }  # fmt: skip
    assert answered(twin, world, f"{ADVANCED}/market/product_book", product_id="X-USD")["error"] == "NOT_FOUND"
    coins = {coin["id"]: coin for coin in answered(twin, world, "/currencies")}
    assert [network["status"] for network in coins["ETH"]["supported_networks"]] == ["online", "online"]
    world.no_withdraw = lambda venue: frozenset({"ETH"})  # type: ignore[method-assign]  # one scenario's word
    coins = {coin["id"]: coin for coin in answered(twin, world, "/currencies")}
    assert [network["status"] for network in coins["ETH"]["supported_networks"]] == ["offline", "offline"]
    assert coins["BTC"]["supported_networks"][0]["status"] == "online"
    assert twin.rest(request(f"{ADVANCED}/accounts"), world) is None
    assert twin.open("spot", "/ws", {}, world) is None
