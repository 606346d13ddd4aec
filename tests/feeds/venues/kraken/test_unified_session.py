"""Kraken's perpetuals from the day on that their websocket v1 ends: what is sent, and how answers are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.books.book import Book, Outcome
from feeds.model import Ack, BookDelta, BookSnapshot, Channel, Event, Garbled, Heartbeat, Notice, Pong, Refusal, Trade
from feeds.sim.venues.kraken.twin import KrakenTwin
from feeds.venues.base import Payload, VenueError
from feeds.venues.kraken.venue import UNIFIED_STARTS_S, Kraken
from feeds.venues.registry import VENUES
from tests.feeds.sim.fixed_world import MS, FixedWorld
from tests.feeds.venues.captures import instrument
from tests.feeds.venues.line import Line, unexpected
from tests.feeds.venues.mutations import hostile

BEFORE, AFTER = Kraken(lambda: UNIFIED_STARTS_S - 1), Kraken(lambda: UNIFIED_STARTS_S)
PERP = instrument("kraken.linear", "BTC/USD:USD", "PF_XBTUSD", tick=0.1, lot=0.001)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setitem(VENUES, "kraken", AFTER)
    return Line("kraken", "linear")


def sent(payloads: Sequence[Payload]) -> list[Any]:
    return [json.loads(payload) for payload in payloads]


def test_the_feed_changes_on_the_day_and_only_for_derivatives() -> None:
    old, new = BEFORE.products["linear"], AFTER.products["linear"]
    assert (old.ws, new.ws) == ("wss://futures.kraken.com", "wss://uws.kraken.com")
    assert [v.plan("linear", [PERP])[0].path for v in (BEFORE, AFTER)] == ["/ws/v1", "/v2/public"]
    assert BEFORE.products["spot"] is AFTER.products["spot"]
    assert (BEFORE.feed_note("linear"), AFTER.feed_note("spot"), AFTER.listing("spot")) == ("", "", None)
    assert AFTER.feed_note("linear").startswith("Kraken ended this feed on 2027-03-01.")
    listing = AFTER.listing("linear")
    assert BEFORE.listing("linear") is None
    assert listing is not None and listing.url == "wss://uws.kraken.com/v2/public"


def test_a_rest_that_has_ended_is_not_asked() -> None:
    assert BEFORE.probes("linear", [PERP]) and BEFORE.snapshot_request("linear", PERP) is not None
    assert not AFTER.probes("linear", [PERP]) and AFTER.snapshot_request("linear", PERP) is None


def test_requests_name_the_asset_class_and_the_venues_own_symbols() -> None:
    ours = AFTER.session(AFTER.plan("linear", [PERP])[0], [PERP])
    book, trade = sent(ours.subscribe())
    assert book == {
        "method": "subscribe",
        "params": {
            "channel": "book", "asset_class": "derivatives", "symbol": ["PF_XBTUSD"], "depth": 500, "snapshot": True
        },
        "req_id": 1,
    }  # fmt: skip
    assert trade["params"] == {
        "channel": "trade", "asset_class": "derivatives", "symbol": ["PF_XBTUSD"], "snapshot": False
    }  # fmt: skip
    assert [ask["method"] for ask in sent(ours.resubscribe(Channel.BOOK, PERP.symbol))] == ["unsubscribe", "subscribe"]
    assert ours.resubscribe(Channel.MARK, PERP.symbol) == ()


def test_the_twin_serves_what_we_ask_for(line: Line) -> None:
    events = line.start()
    assert unexpected(events) == []
    assert {e.channel for e in events if isinstance(e, Ack)} == {Channel.BOOK, Channel.TRADES}
    assert line.apply(events) == [Outcome.APPLIED]
    assert not [e for e in events if isinstance(e, Notice)]
    line.world.ns += 50 * MS
    changed = line.deliver(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "3.000"), ("100.40", "0")])))
    assert line.apply(changed) == [Outcome.APPLIED]
    assert (line.book.bids[100.5], 100.4 in line.book.bids) == (3.0, False)
    [trade] = [e for e in line.deliver(line.theirs.trades(line.sim, [line.world.trade(8)])) if isinstance(e, Trade)]
    assert (trade.symbol, trade.price, trade.side) == (line.instrument.symbol, 100.5, "buy")
    [pong] = line.send([line.ours.ping(7) or ""])
    assert isinstance(pong, Pong) and pong.token == 7 and pong.server_in_ns is not None
    assert [type(e) for e in line.deliver(line.theirs.tick(line.world.ns + 2_000 * MS))] == [Heartbeat]


def test_a_lost_change_and_a_damaged_message_are_noticed(line: Line) -> None:
    line.apply(line.start())
    line.world.change()
    line.world.bids = (("100.50", "2.500"), *line.world.bids[1:])
    change = line.theirs.change(line.sim, line.world.change(asks=[("100.70", "2.000")]))
    assert line.apply(line.deliver(change)) == [Outcome.BAD_CHECKSUM]
    again = line.send(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))
    assert line.apply(again) == [Outcome.APPLIED] and line.book.bids[100.5] == 2.5
    [doubt] = line.ours.receive(b'{"channel":"book","type":"update","data":[{"symbol":3}]}', 0)
    assert isinstance(doubt, Garbled) and (doubt.channel, doubt.symbol) == (Channel.BOOK, None)


def test_what_an_unknown_symbol_and_a_missing_asset_class_are_told() -> None:
    twin = KrakenTwin()
    world = FixedWorld(twin)
    theirs = twin.open("linear", "/v2/public", {}, world)
    assert theirs is not None
    gone = instrument("kraken.linear", "GONE/USD:USD", "PF_GONEUSD")
    ours = AFTER.session(AFTER.plan("linear", [gone])[0], [gone])
    heard: list[Event] = []
    for payload in ours.subscribe():
        assert isinstance(payload, str)
        for frame in theirs.receive(payload.encode(), world.ns):
            assert isinstance(frame, str)
            heard += ours.receive(frame.encode(), world.ns)
    assert {(e.channel, e.symbol) for e in heard if isinstance(e, Refusal)} == {
        (Channel.BOOK, gone.symbol), (Channel.TRADES, gone.symbol)
    }  # fmt: skip
    as_spot = b'{"method":"subscribe","params":{"channel":"book","symbol":["PF_XBTUSD"]}}'
    assert [json.loads(str(frame))["success"] for frame in theirs.receive(as_spot, world.ns)] == [False]


def frame(kind: str, bids: list[tuple[float, float]], checksum: int) -> bytes:
    row = {"symbol": "PF_XBTUSD", "bids": [{"price": p, "qty": q} for p, q in bids], "asks": [], "checksum": checksum}
    return json.dumps({"channel": "book", "type": kind, "data": [row]}).encode()


def test_a_checksum_that_does_not_come_out_at_first_leaves_the_book_unchecked_and_says_so() -> None:
    """When the decimals that we know are wrong, the book is kept unchecked and not requested again and again."""
    ours = AFTER.session(AFTER.plan("linear", [PERP])[0], [PERP])
    book = Book(PERP, AFTER.rule("linear"))
    heard = [
        *ours.receive(frame("snapshot", [(100.0, 2.0)], 1), 0),
        *ours.receive(frame("update", [(99.0, 1.0)], 2), 0),
    ]
    heard += ours.receive(frame("snapshot", [(100.0, 3.0)], 5), 0)
    found = [book.apply(e, 0) for e in heard if isinstance(e, BookSnapshot | BookDelta)]
    assert found == [Outcome.UNPROVEN, Outcome.APPLIED, Outcome.APPLIED]


LISTED = (
    b'{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"USD"}],"pairs":['
    b'{"symbol":"PF_XBTUSD","base":"XBT","quote":"USD","status":"online","price_increment":1,"qty_increment":0.0001,'
    b'"qty_min":0.0001,"has_index":true},{"symbol":"PF_ETHUSD","base":"ETH","quote":"USD","status":"post_only",'
    b'"price_increment":0.1,"qty_increment":0.001},{"symbol":"PI_XBTUSD","base":"XBT","quote":"USD","status":"online",'
    b'"price_increment":0.5,"qty_increment":1},{"symbol":"PF_NEWUSD","base":"NEW","quote":"USD","status":"online"}]}}'
)


def test_perpetuals_are_read_from_the_list_and_the_rest_is_left_out() -> None:
    for other in (b'{"channel":"status","type":"update","data":[{"system":"online"}]}', b'{"method":"subscribe"}'):
        assert AFTER.read_listing("linear", other) is None
    btc, eth = AFTER.read_listing("linear", LISTED) or ()
    assert (btc.symbol, btc.venue_id, btc.settle, btc.tick, btc.lot, btc.min_size, btc.active) == (
        "BTC/USD:USD", "PF_XBTUSD", "USD", 1.0, 0.0001, 0.0001, True
    )  # fmt: skip
    assert (eth.symbol, eth.min_size, eth.active, eth.contract_size, eth.inverse) == (
        "ETH/USD:USD",
        None,
        False,
        1,
        False,
    )
    with pytest.raises(VenueError, match="not supported"):
        AFTER.read_listing("linear", b'{"method":"subscribe","success":false,"error":"Channel not supported"}')


@given(st.data())
def test_hostile_bytes_are_survived(data: st.DataObject) -> None:
    ours = AFTER.session(AFTER.plan("linear", [PERP])[0], [PERP])
    raw = data.draw(hostile([LISTED, frame("snapshot", [(100.0, 2.0)], 1), frame("update", [(99.0, 1.0)], 2)]))
    for event in ours.receive(raw, 0):
        assert not isinstance(event, BookSnapshot) or all(size >= 0 for _, size in event.bids)
    try:
        AFTER.read_listing("linear", raw)
    except VenueError:
        return
