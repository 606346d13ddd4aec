"""What a client of the simulated Crypto.com relies on; expectations come from the official pages and captures."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from feeds.model import StatusNotice
from feeds.sim.twin import ABNORMAL, Close, TwinSession
from feeds.sim.venues.cryptocom import streams as cryptocom
from feeds.sim.venues.cryptocom.twin import CryptocomTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1_000 * MS
ROOT = "/exchange/v1/public"
BOOK = "book.BTCUSD-PERP.50"
CHANGES: dict[str, Any] = {"book_subscription_type": "SNAPSHOT_AND_UPDATE", "book_update_frequency": 10}


@pytest.fixture
def twin() -> CryptocomTwin:
    return CryptocomTwin()


@pytest.fixture
def session(twin: CryptocomTwin, world: FixedWorld) -> TwinSession:
    made = twin.open("linear", "/exchange/v1/market", {}, world)
    assert made is not None
    assert made.opened(world.ns) == ()
    return made


def subscribe(*channels: str, method: str = "subscribe", **params: object) -> dict[str, Any]:
    return {"id": 7, "method": method, "params": {"channels": list(channels), **params}}


def row(frame: dict[str, Any]) -> dict[str, Any]:
    [found] = frame["result"]["data"]
    assert isinstance(found, dict)
    return found


def test_a_book_is_acknowledged_then_whole_then_told_by_changes(session: TwinSession, world: FixedWorld) -> None:
    ack, whole = ask(session, world, subscribe(BOOK, **CHANGES))
    assert ack == {"id": 7, "method": "subscribe", "code": 0}
    head = {"instrument_name": "BTCUSD-PERP", "subscription": BOOK, "channel": "book", "depth": 50}
    assert (whole["id"], whole["result"] | {"data": []}) == (-1, head | {"data": []})
    book = row(whole)
    assert book["bids"][0][:2] == ["100.50", "2.000"]
    assert (book["t"], book["tt"]) == (START_NS // MS, START_NS // MS - 3)
    one = world.get("BTCUSD-PERP", "linear")
    change = world.change(bids=[("100.50", "0")], asks=[("100.55", "1.000")])
    [first] = read(session.change(one, change))
    assert (first["result"]["channel"], row(first)["update"]) == (
        "book.update",
        {"bids": [["100.50", "0", "0"]], "asks": [["100.55", "1.000", row(first)["update"]["asks"][0][2]]]},
    )
    assert row(first)["pu"] == book["u"] < row(first)["u"]
    world.change()  # lost
    [later] = read(session.change(one, world.change(asks=[("100.55", "2.000")])))
    assert row(later)["pu"] != row(first)["u"]


def test_without_asking_for_changes_a_book_is_whole_every_time(session: TwinSession, world: FixedWorld) -> None:
    ask(session, world, subscribe("book.BTC_USD.10"))
    one = world.get("BTC_USD", "spot")
    assert session.change(one, world.change(bids=[("100.50", "9.000")])) == []
    [whole] = read(session.tick(world.ns + S))
    assert whole["result"]["channel"] == "book"
    assert row(whole)["bids"][0][:2] == ["100.50", "9.000"]
    assert session.tick(world.ns + 2 * S) == []


def test_an_idle_book_says_so_every_5_s_unless_something_was_lost(session: TwinSession, world: FixedWorld) -> None:
    _, whole = ask(session, world, subscribe(BOOK, **CHANGES))
    assert session.tick(world.ns + 4 * S) == []
    [nothing] = read(session.tick(world.ns + 5 * S))
    assert row(nothing)["update"] == {"asks": [], "bids": []}
    assert row(nothing)["pu"] == row(nothing)["u"] == row(whole)["u"]
    assert row(nothing)["t"] - row(nothing)["tt"] == 5_003
    assert session.tick(world.ns + 9 * S) == []
    world.change()  # never reaches the feed
    assert session.tick(world.ns + 20 * S) == []


def test_a_book_can_be_asked_for_again_and_nothing_else(session: TwinSession, world: FixedWorld) -> None:
    ask(session, world, subscribe(BOOK, "ticker.BTCUSD-PERP", **CHANGES))
    ack, whole = ask(session, world, subscribe(BOOK, **CHANGES))
    assert (ack["code"], whole["result"]["channel"]) == (0, "book")
    [twice] = ask(session, world, subscribe("ticker.BTCUSD-PERP"))
    assert (twice["id"], twice["code"]) == (7, 40003)
    [left] = ask(session, world, subscribe(BOOK, method="unsubscribe"))
    assert left == {"id": 7, "method": "unsubscribe", "code": 0}
    assert session.change(world.get("BTCUSD-PERP", "linear"), world.change(bids=[("100.50", "1.000")])) == []


def test_one_wrong_name_refuses_all_that_was_asked_with_it(session: TwinSession, world: FixedWorld) -> None:
    for wrong in ("book.NOPE.50", "book.BTCUSD-PERP.150", "mark.BTC_USD", "index.NOPE-INDEX", "dance.BTC_USD"):
        [refused] = ask(session, world, subscribe(wrong, "ticker.BTC_USD"))
        assert (refused["id"], refused["code"]) == (7, 10004)
        assert json.dumps(wrong) in refused["message"]
    assert session.top(world.get("BTC_USD", "spot"), world.top()) == ()


def test_tickers_trades_and_values(session: TwinSession, world: FixedWorld) -> None:
    channels = ("ticker.BTCUSD-PERP", "trade.BTCUSD-PERP", "mark.BTCUSD-PERP", "index.BTCUSD-INDEX",
                "funding.BTCUSD-PERP")  # fmt: skip
    _, ticker, trade, mark, index, funding = ask(session, world, subscribe(*channels))
    traded_ms = START_NS // MS - 2
    best = {name: row(ticker)[name] for name in ("b", "bs", "k", "ks", "i", "t")}
    assert best == {"b": "100.50", "bs": "2.000", "k": "100.60", "ks": "0.500", "i": "BTCUSD-PERP", "t": traded_ms}
    assert (row(trade)["s"], row(trade)["t"], row(trade)["tn"]) == ("BUY", traded_ms, str(START_NS - 2 * MS))
    whole_second = START_NS // S * 1000
    assert (mark["id"], row(mark)) == (7, {"v": "100.55", "t": whole_second})
    assert (index["result"]["instrument_name"], row(index)["v"]) == ("BTCUSD-INDEX", "100.52")
    assert row(funding)["v"] == "0.00001250"  # of one hour; the world's is of eight
    one = world.get("BTCUSD-PERP", "linear")
    [frame] = read(session.trades(one, [world.trade(8), world.trade(9, "100.60")]))
    assert [trade["m"] for trade in frame["result"]["data"]] == ["9", "8"]
    assert len(session.mark(one, world.mark(one))) == 3
    assert session.trades(world.get("ETHUSD-PERP", "linear"), [world.trade(1)]) == ()


def test_a_heartbeat_must_be_answered_within_5_s(session: TwinSession, world: FixedWorld) -> None:
    assert session.tick(world.ns + 29 * S) == []
    [beat] = read(session.tick(world.ns + 30 * S))
    assert beat == {"id": START_NS // MS + 30_000, "method": "public/heartbeat", "code": 0}
    assert ask(session, world, {"id": beat["id"], "method": "public/respond-heartbeat"}) == []
    assert session.tick(world.ns + 50 * S) == []
    [beat] = read(session.tick(world.ns + 60 * S))
    assert ask(session, world, {"id": beat["id"] - 1, "method": "public/respond-heartbeat"}) == []
    assert session.tick(world.ns + 64 * S) == []
    assert session.tick(world.ns + 66 * S) == (Close(1000),)


def test_a_new_connection_may_not_ask_as_much_as_an_old_one(session: TwinSession, world: FixedWorld) -> None:
    codes = [ask(session, world, subscribe("ticker.BTC_USD"))[0]["code"] for _ in range(21)]
    assert codes == [0, *[40003] * 19, 42901]
    world.ns += S
    assert ask(session, world, subscribe("trade.BTC_USD"))[0]["code"] == 0


def test_there_is_a_most_of_channels(session: TwinSession, world: FixedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cryptocom.MOST_CHANNELS == 400
    monkeypatch.setattr(cryptocom, "MOST_CHANNELS", 3)  # there are not 400 in this small market
    assert ask(session, world, subscribe(BOOK, "ticker.BTC_USD", "trade.BTC_USD"))[0]["code"] == 0
    [refused] = ask(session, world, subscribe("trade.BTCUSD-PERP"))
    assert (refused["code"], refused["message"]) == (40107, "EXCEED_MAX_SUBSCRIPTIONS")
    assert ask(session, world, subscribe(BOOK))[0]["code"] == 0, "what one has already can be asked for again"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (b"hello", {"id": -1, "method": "ERROR", "code": 40001, "message": "BAD_REQUEST", "original": "hello"}),
        ({"method": "dance"}, {"id": -1, "method": "dance", "code": 40002, "message": "METHOD_NOT_FOUND"}),
        ({"id": 0}, {"id": 0, "method": "ERROR", "code": 40002, "message": "METHOD_NOT_FOUND"}),
    ],
)
def test_what_cannot_be_understood_is_named(
    session: TwinSession, world: FixedWorld, message: object, said: dict[str, Any]
) -> None:
    assert ask(session, world, message) == [said]


def test_farewells(session: TwinSession) -> None:
    assert (session.farewell(True), session.farewell(False)) == ((Close(1013),), (Close(ABNORMAL),))


def test_instruments_books_tickers_and_trades_over_rest(twin: CryptocomTwin, world: FixedWorld) -> None:
    listed = {one["symbol"]: one for one in answered(twin, world, f"{ROOT}/get-instruments")["result"]["data"]}
    assert (listed["BTC_USD"]["inst_type"], listed["BTC_USD"]["price_tick_size"]) == ("CCY_PAIR", "0.01")
    perpetual = listed["BTCUSD-PERP"]
    assert (perpetual["inst_type"], perpetual["underlying_symbol"]) == ("PERPETUAL_SWAP", "BTCUSD-INDEX")
    book = answered(twin, world, f"{ROOT}/get-book", instrument_name="BTC_USD", depth="1")
    assert (book["id"], book["method"], book["code"]) == (-1, "public/get-book", 0)
    [data] = book["result"]["data"]
    assert (data["bids"][0][:2], len(data["asks"]), data["t"]) == (["100.50", "2.000"], 1, START_NS // MS - 3)
    [ticker] = answered(twin, world, f"{ROOT}/get-tickers", instrument_name="BTC_USD")["result"]["data"]
    assert (ticker["b"], ticker["k"], ticker["t"]) == ("100.50", "100.60", START_NS // MS - 2)
    assert "bs" not in ticker, "only the socket tells sizes"
    assert len(answered(twin, world, f"{ROOT}/get-tickers")["result"]["data"]) == len(listed)
    [trade] = answered(twin, world, f"{ROOT}/get-trades", instrument_name="BTC_USD")["result"]["data"]
    assert trade["s"] == "Buy"
    mark = {"instrument_name": "BTCUSD-PERP", "valuation_type": "mark_price"}
    assert answered(twin, world, f"{ROOT}/get-valuations", **mark)["result"]["data"][0]["v"] == "100.55"


def test_every_answer_is_dated_to_the_second_and_by_nothing_finer(twin: CryptocomTwin, world: FixedWorld) -> None:
    for path in (f"{ROOT}/get-instruments", f"{ROOT}/get-tickers", "/v1/public/get-announcements"):
        response = twin.rest(request(path), world)
        assert response is not None
        assert parsedate_to_datetime(response.headers["date"]).timestamp() == START_NS // S


@pytest.mark.parametrize(
    "query",
    [{"instrument_name": "NOPE"}, {"instrument_name": "BTC_USD", "depth": "x"}, {}],
)
def test_what_rest_does_not_know_is_a_bad_request(
    twin: CryptocomTwin, world: FixedWorld, query: dict[str, str]
) -> None:
    response = twin.rest(request(f"{ROOT}/get-book", query), world)
    assert response is not None
    assert (response.status, json.loads(response.body)["code"]) == (400, 40003)


def test_announcements_say_what_they_touch(twin: CryptocomTwin, world: FixedWorld) -> None:
    works = StatusNotice(
        state="scheduled", text="Works", products=("linear",), begin_ns=START_NS, end_ns=START_NS + S, market_data=True
    )
    world.announced.append(works)
    system, listing = answered(twin, world, "/v1/public/get-announcements")["result"]["data"]
    assert (system["category"], system["title"], listing["category"]) == ("system", "Works", "list")
    assert system["impacted_params"] == {"spot_trading_impacted": "BAU", "derivative_trading_impacted": "PARTIAL"}
    assert (system["start_time"], system["end_time"]) == (START_NS // MS, START_NS // MS + 1000)


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("limit", 429, 42901), ("maintenance", 503, 9010001), ("timeout", 408, 40801), ("overload", 500, 50001),
     ("overload", 503, 10001)],
)  # fmt: skip
def test_faults_have_the_venues_codes(twin: CryptocomTwin, kind: str, status: int, code: int) -> None:
    response = twin.error(kind, status)
    assert (response.status, json.loads(response.body)["code"]) == (status, code)


@pytest.mark.parametrize("kind", ["geo", "ban"])
def test_countries_and_addresses_are_shut_out_by_a_page(twin: CryptocomTwin, kind: str) -> None:
    response = twin.error(kind, 403)
    assert (response.status, response.headers["content-type"]) == (403, "text/html")


def test_other_paths_do_not_exist(twin: CryptocomTwin, world: FixedWorld) -> None:
    assert twin.rest(request("/v2/public/get-book"), world) is None
    assert twin.rest(request(f"{ROOT}/get-time"), world) is None
    assert twin.open("spot", "/v2/market", {}, world) is None
