"""What a client of the simulated OKX relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.model import StatusNotice
from feeds.sim.twin import Close, SimLiquidation
from feeds.sim.venues.okx.streams import OkxSession
from feeds.sim.venues.okx.twin import OkxTwin
from tests.feeds.sim.fixed_world import MS, START_NS, FixedWorld, answered, ask, read

S = 1000 * MS
BTC = "BTC-USDT"
SWAP = "BTC-USDT-SWAP"


@pytest.fixture
def twin() -> OkxTwin:
    return OkxTwin()


@pytest.fixture
def session(twin: OkxTwin, world: FixedWorld) -> OkxSession:
    return opened(twin, world)


def opened(twin: OkxTwin, world: FixedWorld, endpoint: str = "public") -> OkxSession:
    session = twin.open("spot", f"/ws/v5/{endpoint}", {}, world)
    assert session is not None
    assert session.opened(world.ns) == ()
    return session


def subscribe(*args: dict[str, str], **more: str) -> dict[str, Any]:
    return {"op": "subscribe", "args": list(args), **more}


def book(channel: str = "books", name: str = BTC) -> dict[str, str]:
    return {"channel": channel, "instId": name}


def test_every_arg_is_acknowledged_by_itself_with_the_id_and_followed_by_its_snapshot(
    session: OkxSession, world: FixedWorld
) -> None:
    frames = ask(session, world, subscribe(book(), book("bbo-tbt", SWAP), id="1512"))
    assert [frame.get("event") for frame in frames] == ["subscribe", None, "subscribe", None]
    assert frames[0]["arg"] == book()
    assert frames[0]["id"] == "1512"
    assert frames[1]["action"] == "snapshot"
    assert frames[1]["data"][0]["bids"][0][:3] == ["100.5", "2", "0"]
    assert frames[1]["data"][0]["prevSeqId"] == -1
    assert frames[1]["data"][0]["checksum"] == 0
    assert "action" not in frames[3]
    assert [len(frames[3]["data"][0][side]) for side in ("bids", "asks")] == [1, 1]


def test_diffs_chain_by_previous_sequence_in_steps_other_than_one(session: OkxSession, world: FixedWorld) -> None:
    last = ask(session, world, subscribe(book()))[1]["data"][0]["seqId"]
    one = world.get(BTC, "spot")
    steps = set()
    for _ in range(10):
        (frame,) = read(session.change(one, world.change(bids=[("100.50", "0")])))
        row = frame["data"][0]
        assert frame["action"] == "update"
        assert row["prevSeqId"] == last
        steps.add(row["seqId"] - last)
        last = row["seqId"]
    assert min(steps) > 1
    assert len(steps) > 1


def test_a_removed_level_has_size_zero_and_no_orders(session: OkxSession, world: FixedWorld) -> None:
    ask(session, world, subscribe(book()))
    change = world.change(bids=[("100.50", "0")], asks=[("100.60", "0.2500")])
    (frame,) = read(session.change(world.get(BTC, "spot"), change))
    assert frame["data"][0]["bids"] == [["100.5", "0", "0", "0"]]
    assert frame["data"][0]["asks"][0][:2] == ["100.6", "0.25"]
    assert frame["data"][0]["ts"] == str(change.gateway_ns // MS)


def test_a_lost_batch_leaves_a_gap_in_the_chain(session: OkxSession, world: FixedWorld) -> None:
    last = ask(session, world, subscribe(book()))[1]["data"][0]["seqId"]
    world.change(bids=[("100.50", "0")])
    (frame,) = read(session.change(world.get(BTC, "spot"), world.change(bids=[("100.40", "0")])))
    assert frame["data"][0]["prevSeqId"] > last


def test_a_quiet_book_sends_a_heartbeat_of_equal_sequence_ids(session: OkxSession, world: FixedWorld) -> None:
    last = ask(session, world, subscribe(book()))[1]["data"][0]["seqId"]
    for _ in range(5):
        world.ns += 13 * S
        ask(session, world, b"ping")
    (frame,) = read(session.tick(world.ns))
    assert frame["action"] == "update"
    assert frame["data"][0]["prevSeqId"] == frame["data"][0]["seqId"] == last
    assert frame["data"][0]["asks"] == frame["data"][0]["bids"] == []


def test_a_book_whose_news_were_lost_sends_no_heartbeat(session: OkxSession, world: FixedWorld) -> None:
    ask(session, world, subscribe(book()))
    world.change(bids=[("100.50", "0")])
    world.ns += 61 * S
    ask(session, world, b"ping")
    assert session.tick(world.ns) == []


def test_one_unknown_instrument_is_refused_and_its_neighbours_live(session: OkxSession, world: FixedWorld) -> None:
    frames = ask(session, world, subscribe(book(name="NOPE-USDT"), book()))
    assert frames[0]["event"] == "error"
    assert frames[0]["code"] == "60018"
    assert "channel:books,instId:NOPE-USDT doesn't exist" in frames[0]["msg"]
    assert frames[1]["event"] == "subscribe"
    assert frames[2]["action"] == "snapshot"


@pytest.mark.parametrize(
    ("endpoint", "arg", "code"),
    [
        ("public", book("candle1m"), "64001"),
        ("public", book("trades-all"), "60018"),
        ("business", book("books"), "60018"),
        ("public", book("books-l2-tbt"), "60011"),
        ("public", book("mark-price"), "60018"),
        ("public", {"channel": "liquidation-orders", "instId": SWAP}, "60018"),
    ],
)
def test_wrong_urls_and_forbidden_channels_have_their_own_codes(
    twin: OkxTwin, world: FixedWorld, endpoint: str, arg: dict[str, str], code: str
) -> None:
    (frame,) = ask(opened(twin, world, endpoint), world, subscribe(arg))
    assert frame["event"] == "error"
    assert frame["code"] == code


@pytest.mark.parametrize(
    "raw", [b"hello", b'{"op":"dance","args":[]}', b"\xff", b'{"op":"subscribe","args":[7]}', b"{}"]
)
def test_nonsense_is_answered_and_survived(session: OkxSession, world: FixedWorld, raw: bytes) -> None:
    (frame,) = ask(session, world, raw)
    assert frame["code"] == "60012"
    assert ask(session, world, b"ping") == ["pong"]


def test_unsubscribing_is_acknowledged_and_silences(session: OkxSession, world: FixedWorld) -> None:
    ask(session, world, subscribe(book()))
    (frame,) = ask(session, world, {"op": "unsubscribe", "args": [book()]})
    assert frame["event"] == "unsubscribe"
    assert frame["arg"] == book()
    assert session.change(world.get(BTC, "spot"), world.change(bids=[("100.50", "0")])) == []


def test_a_socket_that_hears_and_says_nothing_for_30_s_is_cut_and_a_ping_saves_it(
    session: OkxSession, world: FixedWorld
) -> None:
    world.ns += 29 * S
    assert list(session.tick(world.ns)) == []
    ask(session, world, b"ping")
    world.ns += 29 * S
    assert list(session.tick(world.ns)) == []
    world.ns += 2 * S
    assert list(session.tick(world.ns)) == [Close(4004, "No data received in 30s.")]


def test_more_than_480_requests_in_an_hour_are_refused(session: OkxSession, world: FixedWorld) -> None:
    for _ in range(480):
        ask(session, world, subscribe(book("tickers", "NOPE-USDT")))
    assert ask(session, world, subscribe(book()))[0]["code"] == "60014"
    world.ns += 3601 * S
    assert ask(session, world, subscribe(book()))[0]["event"] == "subscribe"


def test_a_planned_cut_is_announced_with_64008(session: OkxSession) -> None:
    notice, cut = read(session.farewell(planned=True))
    assert (notice["event"], notice["code"]) == ("notice", "64008")
    assert isinstance(cut, Close)
    assert session.farewell(planned=False) == (Close(4006, "Abnormal disconnection"),)


def test_liquidations_are_by_kind_of_instrument_and_tell_the_position_closed(
    session: OkxSession, world: FixedWorld
) -> None:
    ask(session, world, subscribe({"channel": "liquidation-orders", "instType": "SWAP"}))
    sold = SimLiquidation(price="99.00", size="13.00", side="sell", engine_ns=START_NS, gateway_ns=START_NS)
    (frame,) = read(session.liquidation(world.get(SWAP, "linear"), sold))
    assert frame["arg"] == {"channel": "liquidation-orders", "instType": "SWAP"}
    assert frame["data"][0]["instId"] == SWAP
    detail = frame["data"][0]["details"][0]
    assert (detail["side"], detail["posSide"], detail["bkPx"], detail["sz"]) == ("sell", "long", "99", "13")


def test_trades_begin_with_the_last_one_and_name_the_taker(session: OkxSession, world: FixedWorld) -> None:
    assert ask(session, world, subscribe(book("trades")))[1]["data"][0]["tradeId"] == "7"
    (frame,) = read(session.trades(world.get(BTC, "spot"), [world.trade(8)]))
    row = frame["data"][0]
    assert (row["tradeId"], row["side"], row["px"], row["sz"], row["count"]) == ("8", "buy", "100.5", "0.2", "1")


def test_mark_repeats_after_ten_seconds_and_funding_after_a_minute(session: OkxSession, world: FixedWorld) -> None:
    frames = ask(session, world, subscribe(book("mark-price", SWAP), book("funding-rate", SWAP)))
    funding = frames[3]["data"][0]
    assert int(funding["nextFundingTime"]) - int(funding["fundingTime"]) == 8 * 3_600_000
    one = world.get(SWAP, "linear")
    pushed: dict[str, int] = {}
    for _ in range(61):
        world.ns += S
        for frame in read(session.mark(one, world.mark(one))):
            channel = frame["arg"]["channel"]
            pushed[channel] = pushed.get(channel, 0) + 1
    assert pushed == {"mark-price": 6, "funding-rate": 1}


def test_tickers_wait_100_ms_and_never_forget_the_last_change(session: OkxSession, world: FixedWorld) -> None:
    ask(session, world, subscribe(book("tickers")))
    one = world.get(BTC, "spot")
    world.asks = (("100.70", "4.000"),)
    assert session.top(one, world.top()) == []
    world.ns += S
    (frame,) = read(session.tick(world.ns))
    assert frame["data"][0]["askPx"] == "100.7"


def test_status_is_pushed_once_for_every_change_of_it(session: OkxSession, world: FixedWorld) -> None:
    assert len(ask(session, world, subscribe({"channel": "status"}))) == 1
    world.announced = [StatusNotice(state="incident", text="Delays", begin_ns=START_NS)]
    (frame,) = read(session.tick(world.ns))
    row = frame["data"][0]
    assert (row["state"], row["maintType"], row["title"], row["env"]) == ("ongoing", "3", "Delays", "1")
    assert session.tick(world.ns) == []


def test_rest_answers_in_text_numbers(twin: OkxTwin, world: FixedWorld) -> None:
    assert answered(twin, world, "/api/v5/public/time") == {
        "code": "0",
        "msg": "",
        "data": [{"ts": str(world.ns // MS)}],
    }
    rows = answered(twin, world, "/api/v5/market/books", instId=SWAP, sz="2")["data"]
    assert [level[0] for level in rows[0]["asks"]] == ["100.6", "100.7"]
    assert len(answered(twin, world, "/api/v5/market/books", instId=SWAP)["data"][0]["bids"]) == 1
    assert answered(twin, world, "/api/v5/market/books", instId="NOPE")["code"] == "51001"
    assert answered(twin, world, "/api/v5/market/ticker", instId=SWAP)["data"][0]["bidPx"] == "100.5"
    (mark,) = answered(twin, world, "/api/v5/public/mark-price", instId=SWAP)["data"]
    assert (mark["instId"], mark["markPx"]) == (SWAP, "100.55")
    funding = answered(twin, world, "/api/v5/public/funding-rate", instId=SWAP)["data"][0]
    assert funding["fundingTime"] == str((START_NS + 3_600_000 * MS) // MS)


@pytest.mark.parametrize("sz", ["0", "-1", "x", "1e3", "9" * 40])
def test_a_bad_depth_is_refused(twin: OkxTwin, world: FixedWorld, sz: str) -> None:
    assert answered(twin, world, "/api/v5/market/books", instId=SWAP, sz=sz)["code"] == "51000"


def test_instruments_come_by_kind_and_kinds_that_are_not_simulated_are_empty(twin: OkxTwin, world: FixedWorld) -> None:
    path = "/api/v5/public/instruments"
    spot = answered(twin, world, path, instType="SPOT")["data"]
    swaps = answered(twin, world, path, instType="SWAP")["data"]
    assert {row["instId"] for row in spot} >= {BTC, "ETH-USDT"}
    btc = next(row for row in swaps if row["instId"] == SWAP)
    assert (btc["ctType"], btc["settleCcy"], btc["ctVal"], btc["ctMult"]) == ("linear", "USDT", "0.01", "1")
    assert answered(twin, world, path, instType="FUTURES")["data"] == []
    assert answered(twin, world, path, instType="OPTION", uly="BTC-USD")["data"] == []
    assert answered(twin, world, path)["code"] == "50014"


def test_status_can_be_asked_by_state(twin: OkxTwin, world: FixedWorld) -> None:
    world.announced = [
        StatusNotice(
            state="scheduled", text="Upgrade", begin_ns=START_NS, end_ns=START_NS + 60 * S, products=("linear",)
        ),
        StatusNotice(state="normal", text=""),
    ]
    (row,) = answered(twin, world, "/api/v5/system/status")["data"]
    assert (row["state"], row["maintType"], row["serviceType"]) == ("scheduled", "1", "9")
    assert answered(twin, world, "/api/v5/system/status", state="ongoing")["data"] == []
