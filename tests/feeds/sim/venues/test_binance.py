"""The simulated Binance against its protocol sheet: every path, stream, id rule and refusal a client relies on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from feeds.model import Product, StatusNotice
from feeds.sim.conditions import CALM_PAIR, Timeline
from feeds.sim.market.clock import Clock
from feeds.sim.market.market import Market, VenueWorld
from feeds.sim.market.pair import SimPair
from feeds.sim.scenario import Scenario, StatusEntry
from feeds.sim.twin import Change, Close, Out, Request, Response, SimInstrument, SimLiquidation, TwinSession
from feeds.sim.venues.binance.twin import BinanceTwin

START_NS = 1_760_000_000_000_000_000
SECOND_NS = 1_000_000_000


class Setup:
    """A market, a twin and a clock moved by hand."""

    def __init__(self, notices: tuple[StatusEntry, ...] = ()) -> None:
        self.now_ns = START_NS
        self.twin = BinanceTwin()
        scenario = Scenario(name="x", title="x", duration_s=60, notice=notices)
        self.market = Market([self.twin], Clock(lambda: self.now_ns, Timeline(scenario)), 1)
        self.engine = VenueWorld(self.market, "binance", by_feed=False)
        self.feed = VenueWorld(self.market, "binance", by_feed=True)

    def instrument(self, product: Product, venue_id: str = "BTCUSDT") -> SimInstrument:
        found = self.feed.find("binance", venue_id, product)
        assert found is not None
        return found

    def pair(self, product: Product, venue_id: str = "BTCUSDT") -> SimPair:
        return self.market.pair(self.instrument(product, venue_id))

    def get(self, path: str, product: Product = "spot", **query: str) -> Response | None:
        ask = Request(product=product, method="GET", path=path, query=query, headers={}, body=b"")
        return self.twin.rest(ask, self.engine)

    def json(self, path: str, product: Product = "spot", **query: str) -> Any:
        answer = self.get(path, product, **query)
        assert answer is not None
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)

    def open(self, product: Product, path: str, **query: str) -> TwinSession:
        session = self.twin.open(product, path, query, self.feed)
        assert session is not None
        return session

    def change(self, product: Product, venue_id: str = "BTCUSDT", steps: int = 1) -> Change:
        pair = self.pair(product, venue_id)
        for _ in range(steps):
            self.now_ns += 50_000_000
            self.market.advance()
            pair.step(self.market.prices.mid(pair.asset.pair), CALM_PAIR, self.now_ns, 0.05, self.now_ns + 2_000_000)
        self.market.stepped(f"binance.{product}")
        change = pair.publish(self.now_ns + 2_000_000)
        assert change is not None
        pair.feed.apply(change)
        return change


def send(session: TwinSession, now_ns: int = START_NS, **command: Any) -> list[Any]:
    return read(session.receive(msgspec.json.encode(command), now_ns))


def read(outs: Sequence[Out]) -> list[Any]:
    return [out if isinstance(out, Close) else msgspec.json.decode(out) for out in outs]


@pytest.fixture
def setup() -> Setup:
    return Setup()


BASES: Mapping[Product, str] = {"spot": "/api/v3", "linear": "/fapi/v1"}
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.mark.parametrize("product", PRODUCTS)
def test_ping_and_time_are_there_and_every_answer_tells_the_used_weight(setup: Setup, product: Product) -> None:
    base = BASES[product]
    assert setup.json(f"{base}/ping", product) == {}
    assert setup.json(f"{base}/time", product) == {"serverTime": setup.engine.now_ns() // 1_000_000}
    answer = setup.get(f"{base}/depth", product, symbol="BTCUSDT", limit="1000")
    assert answer is not None
    expected = 2 + (50 if product == "spot" else 20)
    assert answer.headers["x-mbx-used-weight-1m"] == str(expected)
    setup.now_ns += 60 * SECOND_NS
    again = setup.get(f"{base}/ping", product)
    assert again is not None
    assert again.headers["x-mbx-used-weight-1m"] == "1"


@pytest.mark.parametrize("product", PRODUCTS)
def test_depth_is_sorted_limited_and_stamped_as_documented(setup: Setup, product: Product) -> None:
    book = setup.json(f"{BASES[product]}/depth", product, symbol="BTCUSDT", limit="5")
    assert [len(book["bids"]), len(book["asks"])] == [5, 5]
    prices = [float(price) for price, _ in (*reversed(book["bids"]), *book["asks"])]
    assert prices == sorted(prices)
    assert ("E" in book and "T" in book) == (product == "linear")
    decimals = {len(price.partition(".")[2]) for price, _ in book["bids"]}
    assert decimals == {8 if product == "spot" else 2}


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v3/depth", {"symbol": "NOPE"}, -1121),
        ("/api/v3/depth", {}, -1102),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "7"}, -4021),
        ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "many"}, -4021),
        ("/fapi/v1/premiumIndex", {"symbol": "USDEUSDT"}, -1121),
        ("/api/v3/ticker/bookTicker", {"symbol": "btcusdt"}, -1121),
    ],
)
def test_bad_requests_get_the_venues_codes(setup: Setup, path: str, query: dict[str, Any], code: int) -> None:
    answer = setup.get(path, "linear", **query)
    assert answer is not None
    assert answer.status == 400
    assert msgspec.json.decode(answer.body)["code"] == code


def test_unknown_paths_do_not_exist(setup: Setup) -> None:
    for path in ("/api/v3/account", "/fapi/v1/premiumIndexx", "/api/v3/premiumIndex", "/v5/market/time", "/"):
        assert setup.get(path) is None


def test_too_many_requests_lead_to_429_and_then_to_a_ban(setup: Setup) -> None:
    seen = []
    for _ in range(260):
        answer = setup.get("/fapi/v1/depth", "linear", symbol="BTCUSDT", limit="1000")
        assert answer is not None
        seen.append(answer.status)
    assert seen[:120] == [200] * 120
    assert seen[121] == 429
    assert seen[-1] == 418
    last = setup.get("/fapi/v1/ping", "linear")
    assert last is not None
    assert "Retry-After" in last.headers
    assert msgspec.json.decode(last.body)["code"] == -1003
    setup.now_ns += 60 * SECOND_NS
    assert setup.json("/fapi/v1/ping", "linear") == {}


def test_official_status_says_what_the_scenario_says() -> None:
    entry = StatusEntry(from_s=5, to_s=10, venues=("binance",), state="ongoing", text="wallet upgrade", assumed=True)
    setup = Setup((entry,))
    assert setup.json("/sapi/v1/system/status") == {"status": 0, "msg": "normal"}
    setup.now_ns += 6 * SECOND_NS
    assert setup.json("/sapi/v1/system/status") == {"status": 1, "msg": "wallet upgrade"}
    assert [type(notice) for notice in setup.engine.notices("binance")] == [StatusNotice]


@pytest.mark.parametrize(
    ("product", "path"),
    [
        ("spot", "/ws"),
        ("spot", "/stream"),
        ("spot", "/ws/btcusdt@trade"),
        ("spot", "/ws/0"),
        ("spot", "/ws-api/v3"),
        ("linear", "/public/stream"),
        ("linear", "/market/ws"),
        ("linear", "/public/ws/7"),
        ("linear", "/ws"),
        ("linear", "/ws-fapi/v1"),
    ],
)
def test_websocket_paths_exist(setup: Setup, product: Product, path: str) -> None:
    assert setup.open(product, path).opened(START_NS) == ()


def test_other_websocket_paths_do_not_exist(setup: Setup) -> None:
    for path in ("/public/ws", "/v5/public/spot", "/", "/public", "/wss"):
        assert setup.twin.open("spot", path, {}, setup.feed) is None


@pytest.mark.parametrize("product", PRODUCTS)
def test_subscriptions_are_acknowledged_listed_and_ended(setup: Setup, product: Product) -> None:
    session = setup.open(product, setup.twin.ws_paths[product])
    streams = ["btcusdt@depth@100ms", "nonsense@nothing"]
    assert send(session, method="SUBSCRIBE", params=streams, id=1) == [{"result": None, "id": 1}]
    assert send(session, method="LIST_SUBSCRIPTIONS", id="a") == [{"result": streams, "id": "a"}]
    assert send(session, method="UNSUBSCRIBE", params=streams[:1], id=2) == [{"result": None, "id": 2}]
    assert not session.change(setup.instrument(product), setup.change(product))
    assert send(session, method="LIST_SUBSCRIPTIONS", id=3) == [{"result": streams[1:], "id": 3}]


def test_bad_commands_get_errors_and_do_not_raise(setup: Setup) -> None:
    session = setup.open("linear", "/public/stream")
    (answer,) = send(session, method="DANCE", id=4)
    assert answer["error"]["code"] == 2
    assert answer["id"] == 4
    for raw in (b"", b"{", b"[]", b"\xff", b"null", b'{"method": 7}', b'{"method":"SUBSCRIBE","params":"x"}'):
        (answer,) = read(session.receive(raw, START_NS + SECOND_NS))
        assert "error" in answer


@pytest.mark.parametrize(("product", "limit"), [("spot", 5), ("linear", 10)])
def test_too_many_messages_a_second_cut_the_connection(setup: Setup, product: Product, limit: int) -> None:
    session = setup.open(product, setup.twin.ws_paths[product])
    for n in range(limit):
        assert not isinstance(send(session, START_NS + n, method="LIST_SUBSCRIPTIONS", id=n)[0], Close)
    (cut,) = send(session, START_NS + limit, method="LIST_SUBSCRIPTIONS", id=99)
    assert isinstance(cut, Close)


@pytest.mark.parametrize("product", PRODUCTS)
def test_diffs_continue_the_snapshot_by_the_documented_rules(setup: Setup, product: Product) -> None:
    session = setup.open(product, setup.twin.ws_paths[product], streams="btcusdt@depth@100ms")
    instrument = setup.instrument(product)
    early = read(session.change(instrument, setup.change(product)))[0]["data"]
    snapshot = setup.json(f"{BASES[product]}/depth", product, symbol="BTCUSDT", limit="1000")
    last_id = snapshot["lastUpdateId"]
    book = {(side, price): size for side in ("bids", "asks") for price, size in snapshot[side]}
    events = [read(session.change(instrument, setup.change(product)))[0] for _ in range(30)]
    assert all(event["stream"] == "btcusdt@depth@100ms" for event in events)
    previous = early
    if product == "spot":
        assert early["u"] <= last_id
        assert events[0]["data"]["U"] <= last_id + 1 <= events[0]["data"]["u"]
    else:
        assert early["u"] < last_id
        assert events[0]["data"]["U"] <= last_id <= events[0]["data"]["u"]
    for event in (wrapped["data"] for wrapped in events):
        assert event["s"] == "BTCUSDT"
        assert event["U"] == previous["u"] + 1
        if product == "linear":
            assert event["pu"] == previous["u"]
            assert event["T"] <= event["E"]
        for side, levels in (("bids", event["b"]), ("asks", event["a"])):
            for price, size in levels:
                if float(size) == 0:
                    book.pop((side, price), None)
                else:
                    book[side, price] = size
        previous = event
    truth = setup.json(f"{BASES[product]}/depth", product, symbol="BTCUSDT", limit="1000")
    assert book == {(side, price): size for side in ("bids", "asks") for price, size in truth[side]}


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_lost_batch_is_a_visible_gap(setup: Setup, product: Product) -> None:
    session = setup.open(product, setup.twin.ws_paths[product], streams="btcusdt@depth@100ms")
    before = read(session.change(setup.instrument(product), setup.change(product)))[0]["data"]
    setup.change(product)
    after = read(session.change(setup.instrument(product), setup.change(product)))[0]["data"]
    assert after["U"] > before["u"] + 1
    if product == "linear":
        assert after["pu"] != before["u"]


@pytest.mark.parametrize(("product", "stream", "every"), [("spot", "@depth", 10), ("linear", "@depth@500ms", 5)])
def test_slower_diffs_are_merged_without_a_hole(setup: Setup, product: Product, stream: str, every: int) -> None:
    session = setup.open(product, setup.twin.ws_paths[product], streams=f"btcusdt{stream}/btcusdt@depth@100ms")
    slow: list[Any] = []
    fast: list[Any] = []
    for _ in range(40):
        for wrapped in read(session.change(setup.instrument(product), setup.change(product, steps=2))):
            (slow if wrapped["stream"].endswith(stream) else fast).append(wrapped["data"])
    assert len(fast) == 40
    assert 40 // every - 1 <= len(slow) <= 40 // every + 2
    for before, after in pairwise(slow):
        assert after["U"] == before["u"] + 1
        assert product == "spot" or after["pu"] == before["u"]


def test_what_waits_for_its_time_is_sent_though_nothing_more_comes(setup: Setup) -> None:
    session = setup.open("linear", setup.twin.ws_paths["linear"], streams="btcusdt@depth10@500ms")
    outs = [read(session.change(setup.instrument("linear"), setup.change("linear"))) for _ in range(3)]
    assert [len(out) for out in outs] == [1, 0, 0]
    assert session.tick(setup.now_ns + 100_000_000) == []
    (wrapped,) = read(session.tick(setup.now_ns + 600_000_000))
    pair = setup.pair("linear")
    assert [tuple(level) for level in wrapped["data"]["b"]] == list(pair.feed.image(10).bids)
    assert wrapped["data"]["pu"] == outs[0][0]["data"]["u"]
    assert session.tick(setup.now_ns + 1_600_000_000) == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_partial_books_hold_that_many_levels(setup: Setup, product: Product) -> None:
    session = setup.open(product, setup.twin.ws_paths[product], streams="btcusdt@depth5@100ms")
    (wrapped,) = read(session.change(setup.instrument(product), setup.change(product)))
    names = ("bids", "asks") if product == "spot" else ("b", "a")
    assert [len(wrapped["data"][name]) for name in names] == [5, 5]


def test_futures_streams_of_the_wrong_category_or_an_unrouted_url_deliver_nothing(setup: Setup) -> None:
    instrument, streams = (
        setup.instrument("linear"),
        ["btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@markPrice@1s"],
    )
    change = setup.change("linear")
    heard: dict[str, set[str]] = {}
    for path in ("/public/ws", "/market/ws", "/private/ws", "/ws"):
        session = setup.open("linear", path)
        send(session, method="SUBSCRIBE", params=streams, id=1)
        events = read(session.change(instrument, change))
        events += read(session.trades(instrument, [setup.feed.last_trade(instrument)]))
        events += read(session.mark(instrument, setup.feed.mark(instrument)))
        heard[path] = {event["e"] for event in events}
    assert heard == {
        "/public/ws": {"depthUpdate"},
        "/market/ws": {"aggTrade", "markPriceUpdate"},
        "/private/ws": set(),
        "/ws": set(),
    }


def test_spot_and_futures_do_not_mix(setup: Setup) -> None:
    session = setup.open("spot", "/ws/btcusdt@depth@100ms")
    assert session.change(setup.instrument("linear"), setup.change("linear")) == ()
    (raw,) = read(session.change(setup.instrument("spot"), setup.change("spot")))
    assert raw["e"] == "depthUpdate"


@pytest.mark.parametrize("product", PRODUCTS)
def test_best_prices_trades_marks_and_liquidations_have_their_documented_fields(setup: Setup, product: Product) -> None:
    category = "" if product == "spot" else "/market"
    quotes = setup.open(product, setup.twin.ws_paths[product], streams="btcusdt@bookTicker")
    others = setup.open(
        product, f"{category}/stream", streams="btcusdt@aggTrade/btcusdt@markPrice@1s/!forceOrder@arr/btcusdt@trade"
    )
    pair, instrument = setup.pair(product), setup.instrument(product)
    beats = []
    for _ in range(40):
        setup.now_ns += 50_000_000
        setup.market.advance()
        mid = setup.market.prices.mid("BTC/USDT")
        beats.append(pair.step(mid, CALM_PAIR, setup.now_ns, 0.05, setup.now_ns + 2_000_000))
    tops = [read(quotes.top(instrument, beat.top))[0]["data"] for beat in beats if beat.top is not None]
    assert all(float(top["b"]) < float(top["a"]) for top in tops)
    assert all(("E" in top and top["T"] <= top["E"]) == (product == "linear") for top in tops)
    deals = [event["data"] for beat in beats if beat.trades for event in read(others.trades(instrument, beat.trades))]
    kinds = {deal["e"] for deal in deals}
    assert kinds == ({"aggTrade", "trade"} if product == "spot" else {"aggTrade"})
    assert {deal["m"] for deal in deals} == {True, False}
    ids = [deal["a"] for deal in deals if deal["e"] == "aggTrade"]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    mark = read(others.mark(instrument, setup.feed.mark(instrument)))
    forced = SimLiquidation(price="1", size="2", side="sell", engine_ns=START_NS, gateway_ns=START_NS)
    order = read(others.liquidation(instrument, forced))
    if product == "spot":
        assert mark == order == []
    else:
        assert mark[0]["data"]["T"] % 28_800_000 == 0
        assert order[0]["stream"] == "!forceOrder@arr"
        assert order[0]["data"]["o"]["S"] == "SELL"


def test_marks_come_every_third_second_unless_asked_each_second(setup: Setup) -> None:
    session = setup.open("linear", "/market/stream", streams="btcusdt@markPrice/btcusdt@markPrice@1s")
    instrument = setup.instrument("linear")
    streams = [
        event["stream"] for _ in range(6) for event in read(session.mark(instrument, setup.feed.mark(instrument)))
    ]
    assert streams.count("btcusdt@markPrice") == 2
    assert streams.count("btcusdt@markPrice@1s") == 6


def test_only_spot_announces_its_cut(setup: Setup) -> None:
    notice, cut = read(setup.open("spot", "/stream").farewell(planned=True))
    assert notice["data"]["e"] == "serverShutdown"
    assert isinstance(cut, Close)
    assert read(setup.open("spot", "/ws").farewell(planned=True))[0]["e"] == "serverShutdown"
    assert setup.open("linear", "/public/ws").farewell(planned=True) == (Close(1001),)
    assert setup.open("spot", "/ws").farewell(planned=False) == (Close(1006),)


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_request_api_answers_over_the_websocket(setup: Setup, product: Product) -> None:
    session = setup.open(product, "/ws-api/v3" if product == "spot" else "/ws-fapi/v1")
    (book,) = send(session, id="b", method="depth", params={"symbol": "ETHUSDT", "limit": 5})
    assert book["status"] == 200
    assert len(book["result"]["bids"]) == 5
    (clock,) = send(session, id="t", method="time")
    assert clock["status"] == (200 if product == "spot" else 400)
    (wrong,) = send(session, id="w", method="ticker.book", params={"symbol": "NOPE"})
    assert wrong["error"]["code"] == -1121
    assert read(session.receive(b"{", START_NS))[0]["status"] == 400


@pytest.mark.parametrize("product", PRODUCTS)
def test_all_clients_are_told_the_same_text_object(setup: Setup, product: Product) -> None:
    path = setup.twin.ws_paths[product]
    one, two = (setup.open(product, path, streams="btcusdt@depth@100ms") for _ in range(2))
    change = setup.change(product)
    first = one.change(setup.instrument(product), change)[0]
    assert two.change(setup.instrument(product), change)[0] is first


def test_exchange_info_lists_tick_lot_and_status(setup: Setup) -> None:
    for product in PRODUCTS:
        info = setup.json(f"{BASES[product]}/exchangeInfo", product)
        rows = {row["symbol"]: row for row in info["symbols"]}
        assert rows["BTCUSDT"]["status"] == "TRADING"
        filters = {entry["filterType"]: entry for entry in rows["BTCUSDT"]["filters"]}
        assert filters["PRICE_FILTER"]["tickSize"] == setup.instrument(product).tick
        assert filters["LOT_SIZE"]["stepSize"] == setup.instrument(product).lot
        assert ("USDEUSDT" in rows) == (product == "spot")
    (coin,) = [row for row in setup.json("/dapi/v1/exchangeInfo")["symbols"] if row["symbol"] == "BTCUSD_PERP"]
    assert (coin["contractStatus"], coin["contractSize"], coin["marginAsset"]) == ("TRADING", 100, "BTC")
