"""What a client of the simulated Bitfinex relies on; expectations come from the protocol sheet and captures."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import pytest
from msgspec import structs

from feeds.model import StatusNotice
from feeds.sim.twin import Close, SimLiquidation
from feeds.sim.venues.bitfinex.rest import checksum, javascript_number, level
from feeds.sim.venues.bitfinex.streams import BitfinexSession
from feeds.sim.venues.bitfinex.twin import BitfinexTwin
from tests.feeds.sim.fixed_world import MS, FixedWorld, answered, request

S = 1000 * MS
NAME = "tBTCF0:USTF0"
ALL = 229376


@pytest.fixture
def twin() -> BitfinexTwin:
    return BitfinexTwin()


@pytest.fixture
def session(twin: BitfinexTwin, world: FixedWorld) -> BitfinexSession:
    made = twin.open("linear", "/ws/2", {}, world)
    assert made is not None
    [hello] = [json.loads(str(out)) for out in made.opened(world.ns)]
    assert (hello["event"], hello["version"], hello["platform"]) == ("info", 2, {"status": 1})
    return made


def say(session: BitfinexSession, world: FixedWorld, **message: object) -> list[Any]:
    return heard(session.receive(json.dumps(message).encode(), world.ns))


def heard(frames: object) -> list[Any]:
    assert isinstance(frames, list | tuple)
    return [json.loads(frame) if isinstance(frame, str) else frame for frame in frames]


def subscribe(session: BitfinexSession, world: FixedWorld, **request: object) -> list[Any]:
    return say(session, world, event="subscribe", **request)


def flags(session: BitfinexSession, world: FixedWorld, value: int = ALL) -> None:
    assert say(session, world, event="conf", flags=value) == [{"event": "conf", "status": "OK", "flags": value}]


def test_there_is_one_socket_for_both_products(twin: BitfinexTwin, world: FixedWorld) -> None:
    assert twin.open("spot", "/ws/2", {}, world) is not None
    assert twin.open("spot", "/ws/1", {}, world) is None
    assert {"tBTCUSD", "tBTCUST", "tDOGE:UST", "tUDCUST", NAME} <= {one.venue_id for one in twin.instruments()}


def test_without_flags_arrays_end_after_their_payload(session: BitfinexSession, world: FixedWorld) -> None:
    ack, image = subscribe(session, world, channel="book", symbol=NAME)
    assert ack | {"chanId": 0} == {
        "event": "subscribed", "channel": "book", "chanId": 0, "symbol": NAME, "prec": "P0", "freq": "F0", "len": "25",
        "pair": NAME[1:],
    }  # fmt: skip
    assert image[0] == ack["chanId"]
    assert [row[::2] for row in image[1]] == [
        [100.5, 2], [100.4, 3.1], [100, 1], [100.6, -0.5], [100.7, -4], [101, -7],
    ]  # fmt: skip
    assert len(image) == 2


def test_one_counter_runs_over_all_channels_and_the_time_follows_it(
    session: BitfinexSession, world: FixedWorld
) -> None:
    flags(session, world)
    _, image, check = subscribe(session, world, channel="book", symbol=NAME, len=250)
    _, past = subscribe(session, world, channel="trades", symbol=NAME)
    now_ms = world.ns // MS
    assert [image[-2:], check[-2:], past[-2:]] == [[1, now_ms], [2, now_ms], [3, now_ms]]
    one = world.get(NAME, "linear")
    world.ns += S
    told = heard(session.change(one, world.change(bids=[("100.50", "0"), ("100.45", "1.500")])))
    later_ms = world.ns // MS - 1
    assert [frame[1:] for frame in told[:2]] == [
        [[100.5, 0, 1], 4, later_ms],
        [[100.45, told[1][1][1], 1.5], 5, later_ms],
    ]
    assert told[1][1][1] >= 1
    assert (told[2][1], told[2][3:]) == ("cs", [6, later_ms])


def test_the_checksum_is_a_signed_crc32_of_both_sides_in_turns(session: BitfinexSession, world: FixedWorld) -> None:
    flags(session, world, 131072)
    *_, check = subscribe(session, world, channel="book", symbol=NAME)
    crc = crc32(b"100.5:2:100.6:-0.5:100.4:3.1:100.7:-4:100:1:101:-7")
    assert check[1:] == ["cs", crc - (1 << 32) if crc >> 31 else crc]
    assert checksum([("0.00000012", "5")], []) in range(-(1 << 31), 1 << 31)
    assert [javascript_number(text) for text in ("0.00000012", "0.00000010", "0.0000012", "104250.0", "10")] == [
        "1.2e-7", "1e-7", "0.0000012", "104250", "10",
    ]  # fmt: skip


def test_a_wrong_checksum_is_sent_when_asked_for(session: BitfinexSession, world: FixedWorld) -> None:
    flags(session, world)
    subscribe(session, world, channel="book", symbol=NAME)
    one, change = world.get(NAME, "linear"), world.change(bids=[("100.50", "0")])
    *_, right = heard(session.change(one, change))
    worse = structs.replace(world.change(bids=[("100.50", "0.001")]), wrong_checksum=True)
    session.change(one, worse)
    again = world.change(bids=[("100.50", "0")])
    *_, same = heard(session.change(one, again))
    assert same[2] == right[2]
    wrong = structs.replace(world.change(bids=[("100.50", "0.001")]), wrong_checksum=True)
    fine = world.change(bids=[("100.50", "0")])
    *_, off = heard(session.change(one, wrong))
    session.change(one, fine)
    *_, good = heard(session.change(one, world.change(bids=[("100.50", "0.001")])))
    assert off[2] != good[2]


def test_what_is_lost_on_the_way_leaves_a_hole_in_the_numbers(session: BitfinexSession, world: FixedWorld) -> None:
    flags(session, world)
    *_, check = subscribe(session, world, channel="book", symbol=NAME)
    world.change()  # never reaches anybody
    first, *_ = heard(session.change(world.get(NAME, "linear"), world.change(bids=[("100.50", "0")])))
    assert first[2] == check[-2] + 2


def test_a_book_of_one_level_tells_the_next_best(session: BitfinexSession, world: FixedWorld) -> None:
    ack, image = subscribe(session, world, channel="book", symbol=NAME, len="1")
    assert [row[0] for row in image[1]] == [100.5, 100.6]
    gone, new = heard(session.change(world.get(NAME, "linear"), world.change(bids=[("100.50", "0")])))
    assert gone == [ack["chanId"], [100.5, 0, 1]]
    assert new[1][::2] == [100.4, 3.1]


def test_slow_books_wait_two_seconds(session: BitfinexSession, world: FixedWorld) -> None:
    subscribe(session, world, channel="book", symbol=NAME, freq="F1")
    world.ns += S
    assert heard(session.change(world.get(NAME, "linear"), world.change(bids=[("100.50", "0")]))) == []
    world.ns += 2 * S
    [[_, gone]] = heard(session.tick(world.ns))
    assert gone == [100.5, 0, 1]


def test_trades_are_executed_and_then_confirmed(session: BitfinexSession, world: FixedWorld) -> None:
    ack, past = subscribe(session, world, channel="trades", symbol=NAME)
    assert past[1][0][0] == 7
    executed, confirmed = heard(session.trades(world.get(NAME, "linear"), [world.trade(8)]))
    row = [8, (world.ns - 2 * MS) // MS, 0.2, 100.5]
    assert (executed, confirmed) == ([ack["chanId"], "te", row], [ack["chanId"], "tu", row])


def test_marks_and_liquidations_are_status_channels(session: BitfinexSession, world: FixedWorld) -> None:
    one = world.get(NAME, "linear")
    ack, first = subscribe(session, world, channel="status", key=f"deriv:{NAME}")
    assert (ack["key"], first[1][14], first[1][3], first[1][11]) == (f"deriv:{NAME}", 100.55, 100.52, 0.0001)
    assert len(heard(session.mark(one, world.mark(one)))) == 1
    subscribe(session, world, channel="status", key="liq:global")
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=world.ns, gateway_ns=world.ns)
    trigger, match = (frame[1][0] for frame in heard(session.liquidation(one, closing)))
    assert (trigger[0], trigger[4], trigger[5], trigger[8], trigger[11]) == ("pos", NAME, 0.3, 0, 99)
    assert match[8] == 1


def test_the_ticker_sums_25_levels_and_ends_in_null(session: BitfinexSession, world: FixedWorld) -> None:
    _, first = subscribe(session, world, channel="ticker", symbol=NAME)
    assert first[1][:4] == [100.5, 6.1, 100.6, 11.5]
    assert (len(first[1]), first[1][10]) == (11, None)
    one = world.get(NAME, "linear")
    assert heard(session.top(one, world.top())) == []
    world.ns += 6 * S
    assert len(heard(session.top(one, world.top()))) == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"channel": "book", "symbol": "tGONE"}, 10300),
        ({"channel": "book", "symbol": NAME, "len": "7"}, 10300),
        ({"channel": "book", "symbol": NAME, "prec": "R0"}, 10300),
        ({"channel": "status", "key": "deriv:tGONE"}, 10300),
        ({"channel": "status", "key": "nonsense"}, 10300),
        ({"channel": "gossip", "symbol": NAME}, 10302),
    ],
)
def test_refusals_repeat_the_question(
    session: BitfinexSession, world: FixedWorld, asked: dict[str, str], code: int
) -> None:
    [refusal] = subscribe(session, world, **asked)
    assert (refusal["event"], refusal["code"]) == ("error", code)
    assert asked.items() <= refusal.items()


def test_repetition_crowd_and_nonsense_have_codes_of_their_own(session: BitfinexSession, world: FixedWorld) -> None:
    subscribe(session, world, channel="trades", symbol=NAME)
    [dup] = subscribe(session, world, channel="trades", symbol=NAME)
    assert dup["code"] == 10301
    names = [one.venue_id for one in world.instruments("bitfinex")]
    every = [{"channel": channel, "symbol": name} for channel in ("book", "ticker") for name in names]
    answers = [subscribe(session, world, **one)[0] for one in every]
    assert [one.get("code") for one in answers[23:26]] == [None, 10305, 10305]
    assert [one["code"] for one in say(session, world, event="what")] == [10000]
    assert [one["code"] for one in heard(session.receive(b"\xff", world.ns))] == [10000]
    assert [one["code"] for one in say(session, world, event="unsubscribe", chanId=1)] == [10400]
    assert [one["status"] for one in say(session, world, event="conf", flags=1 << 29)] == ["FAILED"]


def test_what_is_unsubscribed_from_is_quiet(session: BitfinexSession, world: FixedWorld) -> None:
    ack, _ = subscribe(session, world, channel="trades", symbol=NAME)
    chan = ack["chanId"]
    assert say(session, world, event="unsubscribe", chanId=str(chan)) == [
        {"event": "unsubscribed", "status": "OK", "chanId": chan}
    ]
    assert heard(session.trades(world.get(NAME, "linear"), [world.trade(8)])) == []


def test_pings_are_answered_with_the_time_and_quiet_channels_beat(session: BitfinexSession, world: FixedWorld) -> None:
    assert say(session, world, event="ping", cid=5) == [{"event": "pong", "ts": world.ns // MS, "cid": 5}]
    ack, _ = subscribe(session, world, channel="trades", symbol=NAME)
    world.ns += 14 * S
    assert heard(session.tick(world.ns)) == []
    world.ns += S
    assert heard(session.tick(world.ns)) == [[ack["chanId"], "hb"]]


def test_maintenance_is_told_when_it_begins_and_ends(
    twin: BitfinexTwin, session: BitfinexSession, world: FixedWorld
) -> None:
    world.announced = [StatusNotice(state="ongoing", text="upgrade")]
    assert [frame["code"] for frame in heard(session.tick(world.ns))] == [20060]
    assert answered(twin, world, "/v2/platform/status") == [0]
    world.announced = []
    assert [frame["code"] for frame in heard(session.tick(world.ns))] == [20061]
    notice, close = heard(session.farewell(planned=True))
    assert (notice["code"], type(close)) == (20051, Close)
    assert [type(frame) for frame in session.farewell(planned=False)] == [Close]


def test_rest_answers_what_clients_ask_for(twin: BitfinexTwin, world: FixedWorld) -> None:
    assert answered(twin, world, f"/v2/book/{NAME}/P0", len="1") == [
        level("100.50", "2.000", 1),
        level("100.60", "0.500", -1),
    ]
    for path, query in (("/v2/book/tGONE/P0", {}), (f"/v2/book/{NAME}/R0", {}), (f"/v2/book/{NAME}/P0", {"len": "3"})):
        assert answered(twin, world, path, **query)[:2] == ["error", 10020]
    spot, linear = answered(twin, world, "/v2/conf/pub:list:pair:exchange,pub:list:pair:futures")
    assert ("BTCUST" in spot, linear[0]) == (True, "BTCF0:USTF0")
    assert answered(twin, world, "/v2/conf/pub%3Anothing") == [[]]
    assert answered(twin, world, "/v2/tickers", symbols=NAME)[0][0] == NAME
    assert answered(twin, world, "/v2/status/deriv", keys=NAME)[0][15] == 100.55
    assert twin.rest(request("/v2/nothing"), world) is None


def test_withdrawals_close_with_the_scenario(twin: BitfinexTwin, world: FixedWorld) -> None:
    world.no_withdraw = lambda venue: frozenset({"USDT"})  # type: ignore[method-assign]  # one scenario's word
    [rows] = answered(twin, world, "/v2/conf/pub:info:tx:status")
    assert {row[0]: row[2] for row in rows} | {"BITCOIN": 1, "TETHERUSE": 0, "TETHERUSX": 0} == {
        row[0]: row[2] for row in rows
    }
