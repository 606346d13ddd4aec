"""What a client of the simulated Bitget relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.model import StatusNotice
from feeds.sim.twin import Close, SimLiquidation
from feeds.sim.venues.bitget.streams import BitgetSession
from feeds.sim.venues.bitget.twin import BitgetTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1000 * MS
NAME = "BTCUSDT"
Arg = dict[str, str]


@pytest.fixture
def twin() -> BitgetTwin:
    return BitgetTwin()


@pytest.fixture
def modern(twin: BitgetTwin, world: FixedWorld) -> BitgetSession:
    return opened(twin, world, "v3")


@pytest.fixture
def classic(twin: BitgetTwin, world: FixedWorld) -> BitgetSession:
    return opened(twin, world, "v2")


def opened(twin: BitgetTwin, world: FixedWorld, version: str) -> BitgetSession:
    session = twin.open("spot", f"/{version}/ws/public", {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def subscribe(*args: Arg) -> dict[str, Any]:
    return {"op": "subscribe", "args": list(args)}


def v3(topic: str = "books", kind: str = "usdt-futures", name: str = NAME) -> Arg:
    return {"instType": kind, "topic": topic} | ({"symbol": name} if name else {})


def v2(channel: str = "books", kind: str = "SPOT", name: str = NAME) -> Arg:
    return {"instType": kind, "channel": channel, "instId": name}


def test_every_argument_is_acknowledged_by_itself_and_followed_by_its_snapshot(
    modern: BitgetSession, classic: BitgetSession, world: FixedWorld
) -> None:
    ack, book, top_ack, top = ask(modern, world, subscribe(v3(), v3("books1", "spot")))
    assert ack == {"event": "subscribe", "arg": v3(), "connId": ack["connId"]}
    assert (book["action"], book["arg"], book["ts"]) == ("snapshot", v3(), world.ns // MS)
    assert book["data"][0]["b"][0] == ["100.5", "2"]
    assert book["data"][0]["pseq"] == 0
    assert book["data"][0]["ts"] == str((world.ns - 3 * MS) // MS)
    assert "checksum" not in book["data"][0]
    assert top_ack["arg"] == v3("books1", "spot")
    assert [len(top["data"][0][side]) for side in "ab"] == [1, 1]
    ack, book = ask(classic, world, subscribe(v2()))
    assert ack == {"event": "subscribe", "arg": v2()}
    assert book["data"][0]["bids"][0] == ["100.50", "2.000"]


def test_both_versions_send_the_same_numbers_that_chain_and_exceed_a_double(
    modern: BitgetSession, classic: BitgetSession, world: FixedWorld
) -> None:
    last = ask(modern, world, subscribe(v3(kind="spot")))[1]["data"][0]["seq"]
    assert ask(classic, world, subscribe(v2()))[1]["data"][0]["seq"] == last
    assert int(float(last)) != last
    one = world.get(NAME, "spot")
    steps: set[int] = set()
    for n in range(10):
        world.ns += 100 * MS
        change = world.change(bids=[("100.50", f"{n + 3}.000")])
        (fast,), (slow,) = read(modern.change(one, change)), read(classic.change(one, change))
        row, old = fast["data"][0], slow["data"][0]
        assert fast["action"] == slow["action"] == "update"
        assert (row["seq"], row["pseq"]) == (old["seq"], old["pseq"])
        assert row["pseq"] == last
        assert (fast["ts"], row["ts"]) == (change.gateway_ns // MS, str(change.engine_ns // MS))
        steps.add(row["seq"] - last)
        last = row["seq"]
    assert min(steps) > 1
    assert len(steps) > 1


def test_version_2_pushes_every_100_ms_and_never_forgets_the_last_change(
    classic: BitgetSession, world: FixedWorld
) -> None:
    first = ask(classic, world, subscribe(v2()))[1]["data"][0]["seq"]
    one = world.get(NAME, "spot")
    told = []
    for n in range(4):
        world.ns += 50 * MS
        told += read(classic.change(one, world.change(bids=[(f"99.{n}0", "1.000")])))
    assert [len(frame["data"][0]["bids"]) for frame in told] == [1, 2]
    (rest,) = read(classic.tick(world.ns))
    rows = [frame["data"][0] for frame in (*told, rest)]
    assert [row["pseq"] for row in rows] == [first, *[row["seq"] for row in rows[:-1]]]
    assert classic.tick(world.ns) == []


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_lost_batch_leaves_a_gap_in_the_chain(twin: BitgetTwin, world: FixedWorld, version: str) -> None:
    session = opened(twin, world, version)
    last = ask(session, world, subscribe(v2() if version == "v2" else v3(kind="spot")))[1]["data"][0]["seq"]
    world.change(bids=[("100.50", "0")])
    world.ns += 200 * MS
    (frame,) = read(session.change(world.get(NAME, "spot"), world.change(bids=[("100.40", "0")])))
    assert frame["data"][0]["pseq"] > last


def test_a_removed_level_has_size_zero(modern: BitgetSession, world: FixedWorld) -> None:
    ask(modern, world, subscribe(v3(kind="spot")))
    change = world.change(bids=[("100.50", "0")], asks=[("100.60", "0.2500")])
    (frame,) = read(modern.change(world.get(NAME, "spot"), change))
    assert (frame["data"][0]["b"], frame["data"][0]["a"]) == ([["100.5", "0"]], [["100.6", "0.25"]])


def test_small_books_come_whole_every_time(modern: BitgetSession, world: FixedWorld) -> None:
    ask(modern, world, subscribe(v3("books5", "spot")))
    (frame,) = read(modern.change(world.get(NAME, "spot"), world.change(bids=[("100.50", "0")])))
    assert frame["action"] == "snapshot"
    assert [level[0] for level in frame["data"][0]["b"]] == ["100.4", "100"]


def test_a_real_symbol_under_the_wrong_kind_is_acknowledged_and_stays_silent(
    modern: BitgetSession, world: FixedWorld
) -> None:
    (ack,) = ask(modern, world, subscribe(v3(name="USDCUSDT")))  # a spot pair only
    assert ack["event"] == "subscribe"
    one = world.get("USDCUSDT", "spot")
    assert modern.change(one, world.change(bids=[("100.50", "0")])) == []
    assert ask(modern, world, subscribe(v3(kind="coin-futures")))[0]["event"] == "subscribe"


@pytest.mark.parametrize(
    ("version", "arg"),
    [
        ("v2", v2("book")),
        ("v2", v2(name="NOPEUSDT")),
        ("v2", v2(kind="spot")),  # case matters
        ("v2", v2("books50")),
        ("v3", v3(kind="USDT-FUTURES")),
        ("v3", v3("trade")),
        ("v3", v3("books15")),
        ("v3", v3("liquidation", "spot", "")),
    ],
)
def test_what_does_not_exist_is_refused_and_its_neighbour_lives(
    twin: BitgetTwin, world: FixedWorld, version: str, arg: Arg
) -> None:
    session = opened(twin, world, version)
    refused, ack, snapshot = ask(session, world, subscribe(arg, v2() if version == "v2" else v3()))
    assert (refused["event"], refused["code"]) == ("error", 30001)
    assert refused["msg"] == ",".join(f"{key}:{value}" for key, value in arg.items()) + " doesn't exist"
    assert refused.get("arg") == (arg if version == "v2" else None)  # v3 does not repeat it
    assert (ack["event"], snapshot["action"]) == ("subscribe", "snapshot")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"hello", 30002),
        (b"\xff", 30002),
        (b'{"op":"subscribe","args":[7]}', 30002),
        (b'{"op":"dance","args":[]}', 30003),
        (b"{}", 30003),
        (b'{"op":"subscribe","args":[]}', 30016),
        (b'{"op":"subscribe","args":[{"instType":"' + b"x" * 4096 + b'"}]}', 30016),
    ],
)
def test_nonsense_is_answered_and_survived(modern: BitgetSession, world: FixedWorld, raw: bytes, code: int) -> None:
    (frame,) = ask(modern, world, raw)
    assert (frame["event"], frame["code"]) == ("error", code)
    assert ask(modern, world, b"ping") == ["pong"]


def test_unsubscribing_is_acknowledged_and_silences(classic: BitgetSession, world: FixedWorld) -> None:
    ask(classic, world, subscribe(v2()))
    (frame,) = ask(classic, world, {"op": "unsubscribe", "args": [v2()]})
    assert frame == {"event": "unsubscribe", "arg": v2()}
    world.ns += S
    assert classic.change(world.get(NAME, "spot"), world.change(bids=[("100.50", "0")])) == []


def test_who_does_not_ping_is_cut_after_two_minutes_whatever_flows(modern: BitgetSession, world: FixedWorld) -> None:
    ask(modern, world, subscribe(v3(kind="spot")))
    world.ns += 119 * S
    assert modern.tick(world.ns) == []
    ask(modern, world, b"ping")
    for _ in range(119):
        world.ns += S
        assert modern.change(world.get(NAME, "spot"), world.change(bids=[("100.50", "0")])) is not None
        assert modern.tick(world.ns) == []
    world.ns += S
    assert list(modern.tick(world.ns)) == [Close(1006)]


def test_eleven_messages_in_a_second_close_the_connection(modern: BitgetSession, world: FixedWorld) -> None:
    for _ in range(10):
        assert ask(modern, world, b"ping") == ["pong"]
    assert ask(modern, world, b"ping") == [Close(1006)]
    world.ns += S
    assert ask(modern, world, b"ping") == ["pong"]


def test_more_than_240_subscriptions_in_an_hour_close_the_connection(modern: BitgetSession, world: FixedWorld) -> None:
    for _ in range(240):
        world.ns += S
        ask(modern, world, subscribe(v3("ticker")))
    world.ns += S
    refusal, cut = ask(modern, world, subscribe(v3("ticker")))
    assert refusal["code"] == 30007
    assert isinstance(cut, Close)


def test_version_3_closes_on_25_arguments_and_version_2_does_not(
    modern: BitgetSession, classic: BitgetSession, world: FixedWorld
) -> None:
    assert ask(modern, world, subscribe(*[v3()] * 25)) == [Close(1006)]
    assert ask(classic, world, subscribe(*[v2("trade")] * 25))[-1]["action"] == "snapshot"


def test_a_cut_is_not_announced(modern: BitgetSession) -> None:
    assert modern.farewell(planned=True) == modern.farewell(planned=False) == (Close(1006),)


def test_trades_begin_with_history_and_come_newest_first(
    modern: BitgetSession, classic: BitgetSession, world: FixedWorld
) -> None:
    one = world.get(NAME, "spot")
    history = ask(modern, world, subscribe(v3("publicTrade", "spot")))[1]
    assert (history["action"], len(history["data"])) == ("snapshot", 1)
    trades = [world.trade(8), world.trade(9, "100.60")]
    (frame,) = read(modern.trades(one, trades))
    assert frame["action"] == "update"
    assert [row["p"] for row in frame["data"]] == ["100.6", "100.5"]
    assert (frame["data"][0]["S"], frame["data"][0]["v"]) == ("buy", "0.2")
    assert int(frame["data"][0]["i"]) == int(frame["data"][1]["i"]) + 1
    ask(classic, world, subscribe(v2("trade")))
    (frame,) = read(classic.trades(one, trades))
    assert frame["data"][1].items() >= {"price": "100.50", "size": "0.200", "side": "buy"}.items()


def test_liquidations_are_the_largest_of_a_second_by_position_in_quote_currency(
    modern: BitgetSession, world: FixedWorld
) -> None:
    assert len(ask(modern, world, subscribe(v3("liquidation", name="")))) == 1
    one = world.get(NAME, "linear")
    for size, side in (("2.0", "sell"), ("13.00", "sell"), ("1.0", "buy")):
        sold = SimLiquidation(
            price="99.00", size=size, side="sell" if side == "sell" else "buy", engine_ns=START_NS, gateway_ns=START_NS
        )
        assert modern.liquidation(one, sold) == ()
    (frame,) = read(modern.tick(world.ns))
    assert frame["arg"] == v3("liquidation", name="")
    assert [(row["symbol"], row["side"], row["price"], row["amount"]) for row in frame["data"]] == [
        (NAME, "buy", "99", "1287"),
        (NAME, "sell", "99", "99"),
    ]
    assert modern.tick(world.ns) == []


def test_tickers_of_futures_carry_mark_and_funding(
    modern: BitgetSession, classic: BitgetSession, world: FixedWorld
) -> None:
    row = ask(modern, world, subscribe(v3("ticker")))[1]["data"][0]
    assert (row["markPrice"], row["fundingRate"], row["bid1Price"]) == ("100.55", "0.0001", "100.5")
    assert row["nextFundingTime"] == str((START_NS + 3_600_000 * MS) // MS)
    row = ask(classic, world, subscribe(v2("ticker", "USDT-FUTURES")))[1]["data"][0]
    assert (row["markPrice"], row["indexPrice"], row["instId"]) == ("100.55", "100.52", NAME)
    assert "markPrice" not in ask(classic, world, subscribe(v2("ticker")))[1]["data"][0]
    one = world.get(NAME, "linear")
    assert modern.mark(one, world.mark(one)) == []
    world.ns += S
    assert len(read(modern.mark(one, world.mark(one)))) == 1


# REST


def test_depth_is_text_on_spot_and_numbers_elsewhere(twin: BitgetTwin, world: FixedWorld) -> None:
    spot = answered(twin, world, "/api/v2/spot/market/orderbook", symbol=NAME, type="step0", limit="2")
    assert spot["data"]["asks"] == [["100.60", "0.500"], ["100.70", "4.000"]]
    assert spot["requestTime"] == world.ns // MS
    path = "/api/v2/mix/market/merge-depth"
    merged = answered(twin, world, path, productType="USDT-FUTURES", symbol=NAME, precision="scale0", limit="1")
    assert merged["data"]["bids"] == [[100.5, 2.0]]
    unified = answered(twin, world, "/api/v3/market/orderbook", category="SPOT", symbol=NAME, limit="1")
    assert unified["data"] == {"a": [[100.6, 0.5]], "b": [[100.5, 2.0]], "ts": str(world.ns // MS)}
    assert twin.rest(request("/api/v2/mix/market/orderbook"), world) is None


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v3/market/orderbook", {"category": "SPOT", "symbol": "NOPE"}, "40034"),
        ("/api/v3/market/orderbook", {"category": "SPOT"}, "40019"),
        ("/api/v3/market/orderbook", {"symbol": NAME}, "40019"),
        ("/api/v3/market/orderbook", {"category": "STOCKS", "symbol": NAME}, "40020"),
        ("/api/v3/market/orderbook", {"category": "SPOT", "symbol": NAME, "limit": "0"}, "40020"),
        ("/api/v3/market/orderbook", {"category": "COIN-FUTURES", "symbol": NAME}, "40034"),
        ("/api/v2/mix/market/merge-depth", {"productType": "USDT-FUTURES", "symbol": NAME, "limit": "7"}, "40020"),
        ("/api/v2/mix/market/contracts", {}, "40019"),
        ("/api/v2/spot/public/coins", {"coin": "NOPE"}, "40034"),
    ],
)
def test_bad_questions_are_refused(
    twin: BitgetTwin, world: FixedWorld, path: str, query: dict[str, str], code: str
) -> None:
    assert answered(twin, world, path, **query)["code"] == code


def test_instruments_tell_steps_and_fees(twin: BitgetTwin, world: FixedWorld) -> None:
    spot = answered(twin, world, "/api/v2/spot/public/symbols")["data"]
    btc = next(row for row in spot if row["symbol"] == NAME)
    assert (btc["pricePrecision"], btc["quantityPrecision"], btc["takerFeeRate"]) == ("2", "6", "0.001")
    contracts = answered(twin, world, "/api/v2/mix/market/contracts", productType="USDT-FUTURES", symbol=NAME)["data"]
    assert [(row["pricePlace"], row["priceEndStep"], row["sizeMultiplier"]) for row in contracts] == [
        ("1", "1", "0.0001")
    ]
    unified = answered(twin, world, "/api/v3/market/instruments", category="USDT-FUTURES")["data"]
    assert {row["category"] for row in unified} == {"USDT-FUTURES"}
    assert answered(twin, world, "/api/v3/market/instruments", category="COIN-FUTURES")["data"] == []


def test_coins_say_yes_and_no_in_text(twin: BitgetTwin, world: FixedWorld) -> None:
    (xrp,) = answered(twin, world, "/api/v2/spot/public/coins", coin="XRP")["data"]
    assert (xrp["transfer"], xrp["chains"][0]["withdrawable"], xrp["chains"][0]["needTag"]) == ("true", "true", "true")


def test_notices_are_announcements(twin: BitgetTwin, world: FixedWorld) -> None:
    world.announced = [StatusNotice(state="scheduled", text="Upgrade", begin_ns=START_NS)]
    (row,) = answered(twin, world, "/api/v2/public/annoucements", language="en_US")["data"]
    assert row["annTitle"] == "Upgrade"


def test_answers_count_down_the_calls_of_a_second_and_then_refuse(twin: BitgetTwin, world: FixedWorld) -> None:
    for left in range(19, -1, -1):
        response = twin.rest(request("/api/v2/public/time"), world)
        assert response is not None
        assert response.headers["x-mbx-used-remain-limit"] == str(left)
    refused = twin.rest(request("/api/v2/public/time"), world)
    assert refused is not None
    assert refused.status == 429
    assert answered(twin, world, "/api/v3/public/time")["code"] == "00000"  # every path by itself
    world.ns += S
    assert answered(twin, world, "/api/v2/public/time")["code"] == "00000"
