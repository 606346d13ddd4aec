"""What a client of the simulated Gate relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from feeds.model import Product
from feeds.sim.twin import ABNORMAL, Close, SimLiquidation
from feeds.sim.venues.gate.streams import GateSession
from feeds.sim.venues.gate.twin import GateTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read, request

S = 1000 * MS
BTC, ETH = "BTC_USDT", "ETH_USDT"
PATHS: dict[Product, str] = {"spot": "/ws/v4/", "linear": "/v4/ws/usdt"}


@pytest.fixture
def twin() -> GateTwin:
    return GateTwin()


def opened(twin: GateTwin, world: FixedWorld, product: Product, decimals: bool = True) -> GateSession:
    session = twin.open(product, PATHS[product], {}, world)
    assert session is not None
    session.handshake({"x-gate-size-decimal": "1"} if decimals else {})
    assert session.opened(world.ns) == ()
    return session


@pytest.fixture
def spot(twin: GateTwin, world: FixedWorld) -> GateSession:
    return opened(twin, world, "spot")


@pytest.fixture
def futures(twin: GateTwin, world: FixedWorld) -> GateSession:
    return opened(twin, world, "linear")


def subscribe(channel: str, *payload: str, event: str = "subscribe", **more: object) -> dict[str, Any]:
    return {"time": START_NS // S, "channel": channel, "event": event, "payload": list(payload), **more}


def test_obu_sends_its_whole_book_before_the_acknowledgement(spot: GateSession, world: FixedWorld) -> None:
    whole, ack = ask(spot, world, subscribe("spot.obu", "ob.BTC_USDT.50", id=7))
    assert (whole["channel"], whole["event"], whole["time_ms"]) == ("spot.obu", "update", world.ns // MS)
    result = whole["result"]
    assert (result["full"], result["s"], result["t"]) == (True, "ob.BTC_USDT.50", (world.ns - 3 * MS) // MS)
    assert result["b"][0] == ["100.5", "2"]
    assert (ack["id"], ack["event"], ack["payload"]) == (7, "subscribe", ["ob.BTC_USDT.50"])
    assert ack["result"] == {"status": "success"}
    assert "error" not in ack
    assert ack["requestId"] == ack["trace_id"]


def test_diffs_are_numbered_without_holes_and_may_carry_nothing_else(spot: GateSession, world: FixedWorld) -> None:
    last = ask(spot, world, subscribe("spot.obu", "ob.BTC_USDT.400"))[0]["result"]["u"]
    one = world.get(BTC, "spot")
    spans = set()
    for size in ("0", "1.000", "2.000", "0.500"):
        (frame,) = read(spot.change(one, world.change(bids=[("100.50", size)])))
        result = frame["result"]
        assert result["U"] == last + 1
        assert result["b"] == [["100.5", size.rstrip("0").rstrip(".") if "." in size else size]]
        assert result.keys().isdisjoint({"a", "full"})
        spans.add(result["u"] - last)
        last = result["u"]
    assert min(spans) > 1
    (bare,) = read(spot.change(one, world.change()))
    assert bare["result"].keys() == {"t", "s", "U", "u"}


def test_a_lost_batch_leaves_a_hole(spot: GateSession, world: FixedWorld) -> None:
    last = ask(spot, world, subscribe("spot.obu", "ob.BTC_USDT.400"))[0]["result"]["u"]
    world.change(bids=[("100.50", "0")])
    (frame,) = read(spot.change(world.get(BTC, "spot"), world.change(bids=[("100.40", "0")])))
    assert frame["result"]["U"] > last + 1


def test_obu_accepts_unknown_names_and_levels_and_stays_silent(spot: GateSession, world: FixedWorld) -> None:
    (ack,) = ask(spot, world, subscribe("spot.obu", "ob.NOPE_USDT.400", "ob.BTC_USDT.7"))
    assert ack["result"] == {"status": "success"}
    assert spot.change(world.get(BTC, "spot"), world.change(bids=[("100.50", "0")])) == []


def test_the_same_stream_twice_is_an_error_until_it_is_left(spot: GateSession, world: FixedWorld) -> None:
    name = "ob.BTC_USDT.400"
    ask(spot, world, subscribe("spot.obu", name))
    (again,) = ask(spot, world, subscribe("spot.obu", name))
    assert again["error"] == {"code": 2, "message": f"Alert sub {name}"}
    assert again["result"] == {"status": "fail"}
    (left,) = ask(spot, world, subscribe("spot.obu", name, event="unsubscribe"))
    assert (left["event"], left["result"]) == ("unsubscribe", {"status": "success"})
    assert spot.change(world.get(BTC, "spot"), world.change(bids=[("100.50", "0")])) == []
    assert len(ask(spot, world, subscribe("spot.obu", name))) == 2


@pytest.mark.parametrize("product", ["spot", "linear"])
def test_the_older_book_continues_the_rest_book(twin: GateTwin, world: FixedWorld, product: Product) -> None:
    session = opened(twin, world, product)
    kind = "spot" if product == "spot" else "futures"
    how = ("100ms",) if product == "spot" else ("100ms", "100")
    (ack,) = ask(session, world, subscribe(f"{kind}.order_book_update", BTC, *how))
    assert ack["result"] == {"status": "success"}
    named = {"currency_pair" if product == "spot" else "contract": BTC}
    path = "/api/v4/spot/order_book" if product == "spot" else "/api/v4/futures/usdt/order_book"
    base = answered(twin, world, path, with_id="true", limit="2", **named)["id"]
    one = world.get(BTC, product)
    assert session.change(one, world.change()) == []  # nothing happened: no push
    (frame,) = read(session.change(one, world.change(bids=[("100.45", "1.500")])))
    result = frame["result"]
    assert result["U"] <= base + 1 <= result["u"]
    level = ["100.45", "1.5"] if product == "spot" else {"p": "100.45", "s": "1.5"}
    assert (result["b"], result["a"], result["l"], result["s"]) == ([level], [], "100", BTC)
    (following,) = read(session.change(one, world.change(asks=[("100.60", "0")])))
    assert following["result"]["U"] == result["u"] + 1


def test_a_batch_lost_after_a_quiet_one_leaves_a_hole(futures: GateSession, twin: GateTwin, world: FixedWorld) -> None:
    ask(futures, world, subscribe("futures.order_book_update", BTC, "100ms", "20"))
    base = answered(twin, world, "/api/v4/futures/usdt/order_book", contract=BTC, with_id="true")["id"]
    one = world.get(BTC, "linear")
    assert futures.change(one, world.change()) == []  # its ids belong to the next push
    world.change()  # lost
    (frame,) = read(futures.change(one, world.change(bids=[("100.45", "1.500")])))
    assert frame["result"]["U"] > base + 1


@pytest.mark.parametrize("payload", [(BTC,), (BTC, "7ms"), (BTC, "20ms", "100"), ("NOPE_USDT", "100ms"), ()])
def test_a_bad_book_argument_is_refused(futures: GateSession, world: FixedWorld, payload: tuple[str, ...]) -> None:
    (refused,) = ask(futures, world, subscribe("futures.order_book_update", *payload))
    assert refused["error"]["code"] == 2


def test_one_unknown_name_fails_its_whole_request(spot: GateSession, world: FixedWorld) -> None:
    (refused,) = ask(spot, world, subscribe("spot.trades", "LUNARLENS_USDT", BTC))
    assert refused["error"] == {"code": 2, "message": "unknown currency pair: LUNARLENS_USDT"}
    assert spot.trades(world.get(BTC, "spot"), [world.trade(8)]) == ()
    (ack,) = ask(spot, world, subscribe("spot.trades", BTC))
    assert "error" not in ack
    assert len(spot.trades(world.get(BTC, "spot"), [world.trade(8), world.trade(9)])) == 2


def test_spot_trades_are_single_and_dated_finer_than_milliseconds(spot: GateSession, world: FixedWorld) -> None:
    ask(spot, world, subscribe("spot.trades", BTC))
    (frame,) = read(spot.trades(world.get(BTC, "spot"), [world.trade(8)]))
    row = frame["result"]
    assert (row["id"], row["side"], row["amount"], row["price"]) == (8, "buy", "0.2", "100.5")
    assert row["create_time_ms"] == f"{(world.ns - 2 * MS) // MS}.0000"


@pytest.mark.parametrize(("decimals", "size", "best"), [(True, "0.2", "0.5"), (False, 0, 0)])
def test_futures_sizes_are_whole_contracts_for_who_does_not_ask_for_more(
    twin: GateTwin, world: FixedWorld, decimals: bool, size: object, best: object
) -> None:
    session = opened(twin, world, "linear", decimals)
    one = world.get(ETH, "linear")
    for channel in ("trades", "book_ticker"):
        ask(session, world, subscribe(f"futures.{channel}", ETH))
    (trades,) = read(session.trades(one, [world.trade(8)]))
    (top,) = read(session.top(one, world.top()))
    assert trades["result"][0]["size"] == size
    assert top["result"]["A"] == best
    whole, _ = ask(session, world, subscribe("futures.obu", "ob.ETH_USDT.50"))
    assert whole["result"]["a"][0] == ["100.6", "0.5"]  # exact in any case


def test_liquidations_come_once_a_second_or_in_twenties(futures: GateSession, world: FixedWorld) -> None:
    one = world.get(BTC, "linear")
    sold = SimLiquidation(price="99.00", size="13", side="sell", engine_ns=START_NS, gateway_ns=START_NS)
    assert futures.liquidation(one, sold) == ()
    ask(futures, world, subscribe("futures.public_liquidates", "!all"))
    assert futures.liquidation(one, sold) == ()
    (frame,) = read(futures.tick(world.ns))
    assert frame["result"] == [{"price": "99", "size": "-13", "time_ms": START_NS // MS, "contract": BTC}]
    assert futures.tick(world.ns) == []
    for _ in range(19):
        assert futures.liquidation(one, sold) == ()
    (frame,) = read(futures.liquidation(one, sold))
    assert len(frame["result"]) == 20


def test_tickers_tell_mark_and_funding(futures: GateSession, spot: GateSession, world: FixedWorld) -> None:
    ask(futures, world, subscribe("futures.tickers", BTC))
    one = world.get(BTC, "linear")
    (frame,) = read(futures.mark(one, world.mark(one)))
    row = frame["result"][0]
    assert (row["contract"], row["mark_price"], row["funding_rate"]) == (BTC, "100.55", "0.0001")
    ask(spot, world, subscribe("spot.tickers", BTC))
    (frame,) = read(spot.tick(world.ns))
    assert (frame["result"]["highest_bid"], frame["result"]["lowest_ask"]) == ("100.5", "100.6")


def test_pings_are_answered_with_milliseconds(futures: GateSession, world: FixedWorld) -> None:
    (pong,) = ask(futures, world, {"time": 1, "channel": "futures.ping"})
    assert pong == {
        "time": world.ns // S,
        "time_ms": world.ns // MS,
        "channel": "futures.pong",
        "event": "",
        "error": None,
        "result": None,
    }


def test_a_socket_that_wants_and_says_nothing_is_dropped(spot: GateSession, world: FixedWorld) -> None:
    world.ns += 30 * S
    assert spot.tick(world.ns) == []
    ask(spot, world, {"time": 1, "channel": "spot.ping"})
    world.ns += 30 * S
    assert spot.tick(world.ns) == []
    world.ns += S
    assert spot.tick(world.ns) == (Close(ABNORMAL),)
    ask(spot, world, subscribe("spot.trades", BTC))
    world.ns += 600 * S
    assert spot.tick(world.ns) == []


def test_an_upgrade_is_announced(futures: GateSession) -> None:
    notice, cut = read(futures.farewell(planned=True))
    assert (notice["channel"], notice["result"]["type"]) == ("futures.system", "upgrade")
    assert cut == Close(ABNORMAL)
    assert futures.farewell(planned=False) == (Close(ABNORMAL),)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"hello", 1),
        (b"\xff", 1),
        (b"{}", 1),
        (b'{"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]}', 1),
        (b'{"time":1,"channel":"spot.trades","event":"subscribe","payload":"BTC_USDT"}', 1),
        (b'{"time":1,"channel":"spot.trades","event":"dance","payload":[]}', 1),
        (b'{"time":1,"channel":"spot.trades","event":"subscribe"}', 2),
        (b'{"time":1,"channel":"spot.dance","event":"subscribe","payload":["BTC_USDT"]}', 2),
        (b'{"time":1,"channel":"futures.trades","event":"subscribe","payload":["BTC_USDT"]}', 2),
        (b'{"time":1,"channel":"spot.dance","event":"unsubscribe","payload":["BTC_USDT"]}', 2),
    ],
)
def test_nonsense_is_refused_and_survived(spot: GateSession, world: FixedWorld, raw: bytes, code: int) -> None:
    (refused,) = ask(spot, world, raw)
    assert refused["error"]["code"] == code
    assert len(ask(spot, world, subscribe("spot.obu", "ob.BTC_USDT.50"))) == 2


def test_rest_books_differ_by_product_and_by_header(twin: GateTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/api/v4/spot/time") == {"server_time": world.ns // MS}
    book = answered(twin, world, "/api/v4/spot/order_book", currency_pair=BTC, limit="2")
    assert (book["current"], book["update"]) == (world.ns // MS, (world.ns - 3 * MS) // MS)
    assert (book["asks"], "id" in book) == ([["100.6", "0.5"], ["100.7", "4"]], False)
    path = "/api/v4/futures/usdt/order_book"
    whole = answered(twin, world, path, contract=ETH)
    assert (whole["asks"][0], whole["current"]) == ({"p": "100.6", "s": 0}, world.ns // MS / 1e3)
    finer = structs.replace(request(path, {"contract": ETH}), headers={"x-gate-size-decimal": "1"})
    response = twin.rest(finer, world)
    assert response is not None
    assert json.loads(response.body)["asks"][0] == {"p": "100.6", "s": "0.5"}
    assert response.headers["x-gate-ratelimit-limit"] == "200"


@pytest.mark.parametrize(
    ("path", "query", "label"),
    [
        ("/api/v4/spot/order_book", {"currency_pair": "NOPE_USDT"}, "INVALID_CURRENCY_PAIR"),
        ("/api/v4/spot/order_book", {"currency_pair": BTC, "limit": "x"}, "INVALID_PARAM_VALUE"),
        ("/api/v4/spot/order_book", {}, "MISSING_REQUIRED_PARAM"),
        ("/api/v4/futures/usdt/contracts/NOPE_USDT", {}, "CONTRACT_NOT_FOUND"),
        ("/api/v4/futures/usdt/trades", {"contract": "NOPE_USDT"}, "CONTRACT_NOT_FOUND"),
        ("/api/v4/spot/tickers", {"currency_pair": "NOPE_USDT"}, "INVALID_CURRENCY_PAIR"),
    ],
)
def test_rest_refuses_by_label(twin: GateTwin, world: FixedWorld, path: str, query: dict[str, str], label: str) -> None:
    response = twin.rest(request(path, query), world)
    assert response is not None
    assert (response.status, json.loads(response.body)["label"]) == (400, label)


def test_listings_say_what_a_size_is(twin: GateTwin, world: FixedWorld) -> None:
    pairs = {row["id"]: row for row in answered(twin, world, "/api/v4/spot/currency_pairs")}
    assert (pairs[BTC]["precision"], pairs[BTC]["amount_precision"], pairs[BTC]["fee"]) == (1, 6, "0.2")
    contracts = {row["name"]: row for row in answered(twin, world, "/api/v4/futures/usdt/contracts")}
    btc, eth = contracts[BTC], contracts[ETH]
    assert (btc["quanto_multiplier"], btc["enable_decimal"], btc["order_size_min"]) == ("0.0001", False, 1)
    assert (eth["quanto_multiplier"], eth["enable_decimal"], eth["order_size_min"]) == ("0.01", True, "0.01")
    assert btc["funding_next_apply"] == (START_NS + 3_600 * S) // S
    assert answered(twin, world, f"/api/v4/futures/usdt/contracts/{BTC}") == btc
    assert answered(twin, world, "/api/v4/futures/btc/contracts") == []
    assert answered(twin, world, "/api/v4/futures/usdt/tickers", contract=BTC)[0]["mark_price"] == "100.55"
    assert answered(twin, world, "/api/v4/futures/usdt/trades", contract=BTC)[0]["id"] == 7
    assert answered(twin, world, "/api/v4/spot/trades", currency_pair=BTC)[0]["price"] == "100.5"


def test_coins_tell_whether_they_can_be_moved(twin: GateTwin, world: FixedWorld) -> None:
    coins = {row["currency"]: row for row in answered(twin, world, "/api/v4/spot/currencies")}
    assert {row["base"] for row in answered(twin, world, "/api/v4/spot/currency_pairs")} <= coins.keys()
    assert [chain["name"] for chain in coins["USDT"]["chains"]] == ["ETH", "TRX", "BSC"]
    assert not coins["USDT"]["withdraw_disabled"]
    chains = answered(twin, world, "/api/v4/wallet/currency_chains", currency="USDT")
    assert [c["chain"] for c in chains] == ["ETH", "TRX", "BSC"]
    assert {(c["is_deposit_disabled"], c["is_withdraw_disabled"]) for c in chains} == {(0, 0)}
    assert answered(twin, world, "/api/v4/wallet/currency_chains", currency="NOPE") == []


def test_unknown_paths_are_nobodys(twin: GateTwin, world: FixedWorld) -> None:
    assert twin.open("spot", "/ws/v3/", {}, world) is None
    assert twin.open("spot", "/ws/v4", {}, world) is not None
    assert twin.rest(request("/api/v4/nowhere"), world) is None
    assert twin.rest(request("/api/v2/spot/time"), world) is None
