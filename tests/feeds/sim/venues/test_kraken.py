"""What a client of the simulated Kraken relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest

from feeds.model import StatusNotice
from feeds.sim.twin import ABNORMAL, Close, TwinSession
from feeds.sim.venues.kraken.twin import KrakenTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1_000 * MS


@pytest.fixture
def twin() -> KrakenTwin:
    return KrakenTwin()


@pytest.fixture
def world(twin: KrakenTwin) -> FixedWorld:
    return FixedWorld(twin)


def opened(twin: KrakenTwin, world: FixedWorld, path: str) -> TwinSession:
    session = twin.open("spot" if path == "/v2" else "linear", path, {}, world)
    assert session is not None
    return session


@pytest.fixture
def spot(twin: KrakenTwin, world: FixedWorld) -> TwinSession:
    session = opened(twin, world, "/v2")
    [hello] = read(session.opened(world.ns))
    assert (hello["channel"], hello["data"][0]["system"]) == ("status", "online")
    return session


@pytest.fixture
def futures(twin: KrakenTwin, world: FixedWorld) -> TwinSession:
    session = opened(twin, world, "/ws/v1")
    assert read(session.opened(world.ns)) == [{"event": "info", "version": 1}]
    return session


def subscribe(channel: str, *symbols: str, method: str = "subscribe", **more: object) -> dict[str, Any]:
    return {"method": method, "params": {"channel": channel, "symbol": list(symbols), **more}, "req_id": 7}


def test_each_symbol_is_answered_by_itself_before_its_snapshot(spot: TwinSession, world: FixedWorld) -> None:
    ack, snapshot, bad = ask(spot, world, subscribe("book", "BTC/USD", "XBT/USD", depth=10))
    assert (ack["method"], ack["success"], ack["req_id"]) == ("subscribe", True, 7)
    assert ack["result"] == {"channel": "book", "symbol": "BTC/USD", "depth": 10, "snapshot": True}
    assert (ack["time_in"], ack["time_out"]) == ("2025-10-10T14:00:00.123000Z", "2025-10-10T14:00:00.123048Z")
    assert (snapshot["channel"], snapshot["type"]) == ("book", "snapshot")
    row = snapshot["data"][0]
    assert row["bids"][0] == {"price": 100.5, "qty": 2}
    text = "1006" + "50000000" + "1007" + "400000000" + "1010" + "700000000"
    text += "1005" + "200000000" + "1004" + "310000000" + "1000" + "100000000"
    assert row["checksum"] == crc32(text.encode())
    assert (bad["success"], bad["symbol"], bad["error"]) == (False, "XBT/USD", "Currency pair not supported XBT/USD")


def test_subscribing_twice_and_leaving(spot: TwinSession, world: FixedWorld) -> None:
    ask(spot, world, subscribe("book", "BTC/USD"))
    [again] = ask(spot, world, subscribe("book", "BTC/USD"))
    assert again["error"] == "Already subscribed"
    [left] = ask(spot, world, subscribe("book", "BTC/USD", method="unsubscribe"))
    assert left["success"] is True
    [unknown] = ask(spot, world, subscribe("book", "BTC/USD", method="unsubscribe"))
    assert unknown["success"] is False
    [depth] = ask(spot, world, subscribe("book", "BTC/USD", depth=50))
    assert depth["error"] == "Subscription depth not supported"
    assert spot.change(world.get("XXBTZUSD", "spot"), world.change(bids=[("100.50", "1.000")])) == ()


def test_what_falls_out_of_the_depth_is_not_deleted_in_words(spot: TwinSession, world: FixedWorld) -> None:
    world.asks = tuple((f"{101 + n / 10:.2f}", "1.000") for n in range(12))
    ask(spot, world, subscribe("book", "BTC/USD", depth=10))
    one = world.get("XXBTZUSD", "spot")
    [frame] = read(spot.change(one, world.change(asks=[("100.90", "2.000")])))
    assert frame["data"][0]["asks"] == [{"price": 100.9, "qty": 2}]
    assert spot.change(one, world.change(asks=[("102.10", "2.000")])) == ()
    [frame] = read(spot.change(one, world.change(asks=[("100.90", "0")])))
    assert frame["data"][0]["asks"] == [{"price": 100.9, "qty": 0}, {"price": 101.9, "qty": 1}]


def test_tickers_are_triggered_as_asked(spot: TwinSession, world: FixedWorld) -> None:
    _, snapshot = ask(spot, world, subscribe("ticker", "BTC/USD", event_trigger="bbo"))
    assert snapshot["data"][0]["bid"] == 100.5
    ask(spot, world, subscribe("ticker", "ETH/USD", snapshot=False))
    btc, eth = world.get("XXBTZUSD", "spot"), world.get("XETHZUSD", "spot")
    assert len(spot.top(btc, world.top())) == 1
    assert list(spot.trades(btc, [world.trade(1)])) == []
    assert list(spot.top(eth, world.top())) == []
    assert len(spot.trades(eth, [world.trade(1)])) == 1


def test_heartbeats_fill_the_silence_and_an_unused_socket_is_cut(spot: TwinSession, world: FixedWorld) -> None:
    assert list(spot.tick(world.ns + 59 * S)) == []
    assert list(spot.tick(world.ns + 60 * S)) == [Close(ABNORMAL)]
    ask(spot, world, subscribe("trade", "BTC/USD"))
    assert read(spot.tick(world.ns + 2 * S)) == [{"channel": "heartbeat"}]
    assert list(spot.tick(world.ns + 2 * S + 1)) == []


def test_derivatives_books_are_whole_and_one_level_a_message(futures: TwinSession, world: FixedWorld) -> None:
    ack, snapshot = ask(futures, world, {"event": "subscribe", "feed": "book", "product_ids": ["pf_xbtusd"]})
    assert ack == {"event": "subscribed", "feed": "book", "product_ids": ["PF_XBTUSD"]}
    assert snapshot["feed"] == "book_snapshot"
    one = world.get("PF_XBTUSD", "linear")
    change = world.change(bids=[("100.50", "0"), ("99.00", "0")], asks=[("100.70", "1.000")])
    first, second = read(futures.change(one, change))
    assert (first["side"], first["price"], first["qty"]) == ("buy", 100.5, 0)
    assert (second["side"], second["price"], second["qty"]) == ("sell", 100.7, 1)
    assert [first["seq"], second["seq"]] == [snapshot["seq"] + 1, snapshot["seq"] + 2]
    world.change()
    [after] = read(futures.change(one, world.change(bids=[("98.00", "1.000")])))
    assert after["seq"] > second["seq"] + 1
    alert, again = ask(futures, world, {"event": "subscribe", "feed": "book", "product_ids": ["PF_XBTUSD"]})
    assert (alert["event"], again["feed"]) == ("alert", "book_snapshot")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"event": "subscribe", "feed": "book", "product_ids": ["PF_GONEUSD"]}, "Invalid product id"),
        ({"event": "subscribe", "feed": "dance", "product_ids": ["PF_XBTUSD"]}, "Invalid feed"),
        (b"hello", "Json Error"),
    ],
)
def test_derivatives_errors_do_not_say_what_they_mean(
    futures: TwinSession, world: FixedWorld, message: object, words: str
) -> None:
    assert ask(futures, world, message) == [{"event": "error", "message": words}]


def test_derivatives_heartbeats_are_a_feed(futures: TwinSession, world: FixedWorld) -> None:
    assert list(futures.tick(world.ns)) == []
    ask(futures, world, {"event": "subscribe", "feed": "heartbeat"})
    assert read(futures.tick(world.ns)) == [{"feed": "heartbeat", "time": START_NS // MS}]


def test_spot_rest(twin: KrakenTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/0/public/Time")["result"]["unixtime"] == START_NS // S
    pair = answered(twin, world, "/0/public/AssetPairs")["result"]["XXBTZUSD"]
    assert (pair["wsname"], pair["pair_decimals"], pair["lot_decimals"]) == ("XBT/USD", 1, 8)
    assert pair["fees"][0][1] == 0.4
    assert list(answered(twin, world, "/0/public/AssetPairs", pair="BTC/USD")["result"]) == ["BTC/USD"]
    for name in ("XBTUSD", "XXBTZUSD"):
        depth = answered(twin, world, "/0/public/Depth", pair=name, count="1")["result"]
        assert depth == {
            "XXBTZUSD": {"asks": [["100.60", "0.500", START_NS // S]], "bids": [["100.50", "2.000", START_NS // S]]}
        }
    assert answered(twin, world, "/0/public/Depth", pair="NOPE")["error"] == ["EQuery:Unknown asset pair"]
    assert answered(twin, world, "/0/public/Assets")["result"]["XXBT"]["status"] == "enabled"
    world.no_withdraw = lambda venue: frozenset({"BTC"})  # type: ignore[method-assign]  # one scenario's word
    assets = answered(twin, world, "/0/public/Assets")["result"]
    assert (assets["XXBT"]["status"], assets["XETH"]["status"]) == ("deposit_only", "enabled")


def test_status_follows_the_announcements(twin: KrakenTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/0/public/SystemStatus")["result"]["status"] == "online"
    world.announced.append(StatusNotice(state="ongoing", text="works"))
    assert answered(twin, world, "/0/public/SystemStatus")["result"]["status"] == "maintenance"


def test_derivatives_rest(twin: KrakenTwin, world: FixedWorld) -> None:
    base = "/derivatives/api/v3"
    row = answered(twin, world, f"{base}/instruments")["instruments"][0]
    assert (row["symbol"], row["type"], row["contractValueTradePrecision"]) == ("PF_XBTUSD", "flexible_futures", 4)
    ticker = answered(twin, world, f"{base}/tickers/PF_XBTUSD")
    assert ticker["serverTime"] == "2025-10-10T14:00:00.123Z"
    assert ticker["ticker"]["bid"] == 100.5
    assert answered(twin, world, f"{base}/tickers/NOPE")["result"] == "error"
    book = answered(twin, world, f"{base}/orderbook", symbol="PF_XBTUSD")["orderBook"]
    assert book["bids"][0] == [100.5, 2]


def test_other_paths_do_not_exist(twin: KrakenTwin, world: FixedWorld) -> None:
    assert twin.rest(request("/0/private/Balance"), world) is None
    assert twin.rest(request("/api/v1/time"), world) is None
    assert twin.open("spot", "/", {}, world) is None


def test_the_unified_websocket_wants_the_asset_class_and_lists_what_there_is(
    twin: KrakenTwin, world: FixedWorld
) -> None:
    session = twin.open("linear", "/v2/public", {}, world)
    assert session is not None
    session.opened(world.ns)
    wanted = {"channel": "book", "symbol": ["PF_XBTUSD"], "depth": 10}
    [refused] = ask(session, world, {"method": "subscribe", "params": wanted})
    assert (refused["success"], refused["error"]) == (False, "Asset class not supported")
    done, book = ask(session, world, {"method": "subscribe", "params": wanted | {"asset_class": "derivatives"}})
    assert (done["success"], book["type"], book["data"][0]["symbol"]) == (True, "snapshot", "PF_XBTUSD")
    params = {"channel": "instrument", "asset_class": "derivatives"}
    done, listed = ask(session, world, {"method": "subscribe", "params": params, "req_id": 4})
    assert (done["success"], done["req_id"]) == (True, 4)
    pairs = {pair["symbol"]: pair for pair in listed["data"]["pairs"]}
    assert set(pairs) == {one.venue_id for one in world.instruments("kraken", "linear")}
    assert (pairs["PF_XBTUSD"]["base"], pairs["PF_XBTUSD"]["quote"]) == ("BTC", "USD")
    spot = next(one for one in world.instruments("kraken", "spot"))
    assert session.change(spot, world.change(bids=[("100.50", "9.000")])) == ()
