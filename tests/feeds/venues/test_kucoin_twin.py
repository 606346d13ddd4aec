"""KuCoin against its simulated self, which was written from the protocol and other people's clients."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from feeds.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Fault,
    Garbled,
    Instrument,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close
from feeds.venues.base import Answer
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.line import Line, strangers

S = 1_000 * MS
PRODUCTS: tuple[Product, ...] = ("spot", "linear")


@pytest.fixture(params=PRODUCTS)
def uta(request: pytest.FixtureRequest) -> Line:
    return Line("kucoin", request.param, "uta")


@pytest.fixture(params=PRODUCTS)
def classic(request: pytest.FixtureRequest) -> Line:
    return Line("kucoin", request.param, "classic")


def test_every_channel_is_acknowledged_and_none_refused(uta: Line, classic: Line) -> None:
    acked = set()
    for line in (uta, classic):
        events = line.start()
        assert strangers(events) == []
        found = {(e.channel, e.symbol) for e in events if isinstance(e, Ack)}
        assert found == {(s.channel, s.symbol) for s in line.plan.subscriptions}
        acked |= {channel for channel, _ in found}
    assert {Channel.BOOK, Channel.BBO, Channel.TRADES} <= acked


def test_a_thousand_changes_keep_the_book_equal_to_theirs(uta: Line) -> None:
    rng = Random(uta.product)
    mine: dict[str, dict[str, str]] = {"bids": dict(uta.world.bids), "asks": dict(uta.world.asks)}
    assert uta.apply(uta.start()) == [Outcome.APPLIED]
    for _ in range(1_200):
        changed = {
            name: [
                (f"{start + sign * rng.randrange(40) / 10:.2f}", rng.choice(("0", "1.000", "2.500")))
                for _ in range(rng.randrange(1, 4))
            ]
            for name, start, sign in (("bids", 100.5, -1), ("asks", 100.6, 1))
        }
        for name, levels in changed.items():
            mine[name] |= dict(levels)
        uta.world.ns += 20 * MS
        change = uta.world.change(**changed)
        outcomes = uta.apply(uta.hear(uta.theirs.change(uta.sim, change)))
        assert set(outcomes) <= {Outcome.APPLIED}
    for name, ours in (("bids", uta.book.bids), ("asks", uta.book.asks)):
        assert ours == {float(price): float(size) for price, size in mine[name].items() if size != "0"}
    assert uta.book.engine_ns == (uta.world.ns - 3 * MS) // MS * MS
    assert uta.book.gateway_ns == uta.world.ns - MS


def test_a_lost_change_is_noticed_and_mended(uta: Line) -> None:
    uta.apply(uta.start())
    uta.world.change(bids=[("100.10", "1.000")])  # never reaches the feed
    change = uta.world.change(asks=[("100.65", "2.000")])
    assert uta.apply(uta.hear(uta.theirs.change(uta.sim, change))) == [Outcome.GAP]
    assert not uta.book.bids
    again = uta.say(uta.ours.resubscribe(Channel.BOOK, uta.instrument.symbol))
    assert strangers(again) == []
    assert uta.apply(again) == [Outcome.APPLIED]
    assert max(uta.book.bids) == 100.5
    change = uta.world.change(bids=[("100.55", "1.000")])
    assert uta.apply(uta.hear(uta.theirs.change(uta.sim, change))) == [Outcome.APPLIED]
    assert max(uta.book.bids) == 100.55


def test_levels_beyond_the_window_come_and_go_without_harm(uta: Line) -> None:
    uta.world.bids = tuple((f"{100 - n / 100:.2f}", "1.000") for n in range(600))
    uta.apply(uta.start())
    assert len(uta.book.bids) == 500
    deep = uta.world.change(bids=[("94.50", "7.000")])
    assert uta.apply(uta.hear(uta.theirs.change(uta.sim, deep))) == []
    better = uta.world.change(bids=[("100.01", "1.000")])
    assert uta.apply(uta.hear(uta.theirs.change(uta.sim, better))) == [Outcome.APPLIED]
    assert (len(uta.book.bids), max(uta.book.bids), min(uta.book.bids)) == (500, 100.01, 95.02)


def test_best_prices_have_both_times(uta: Line) -> None:
    uta.start()
    events = uta.hear(uta.theirs.top(uta.sim, uta.world.top()))
    [quote] = [e for e in events if isinstance(e, Quote)]
    assert strangers(events) == []
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (100.5, 2.0, 100.6, 0.5)
    assert quote.engine_ns == (uta.world.ns - 3 * MS) // MS * MS
    assert quote.gateway_ns == uta.world.ns - MS


def test_trades_come_over_the_classic_road(classic: Line) -> None:
    classic.start()
    events = classic.hear(classic.theirs.trades(classic.sim, [classic.world.trade(8), classic.world.trade(9)]))
    assert strangers(events) == []
    assert [(e.price, e.size, e.side, e.engine_ns) for e in events if isinstance(e, Trade)] == [
        (100.5, 0.2, "buy", classic.world.ns - 2 * MS)
    ] * 2
    assert len({e.trade_id for e in events if isinstance(e, Trade)}) == 2


def test_marks_come_every_second_and_funding_every_minute() -> None:
    line = Line("kucoin", "linear", "uta")
    marks = [e for e in line.start() if isinstance(e, Mark)]
    assert {(m.mark, m.index) for m in marks} == {(100.55, 100.52), (None, None)}
    assert {(m.funding_rate, m.interval_h) for m in marks} == {(0.0001, 8.0), (None, None)}
    funded = 0
    for _ in range(61):
        line.world.ns += S
        found = line.hear(line.theirs.mark(line.sim, line.world.mark(line.sim)))
        assert strangers(found) == []
        funded += sum(isinstance(e, Mark) and e.funding_rate is not None for e in found)
    assert funded == 1
    assert {m.next_funding_ns for m in marks} - {None} == {line.world.mark(line.sim).next_funding_ns // MS * MS}


@pytest.mark.parametrize("label", ["uta", "classic"])
def test_pings_are_answered_with_the_venues_clock(label: str) -> None:
    line = Line("kucoin", "linear", label)
    line.start()
    ping = line.ours.ping(42)
    assert ping is not None
    [pong] = line.say([ping])
    assert isinstance(pong, Pong)
    assert pong.token == 42
    assert pong.server_out_ns is not None
    assert abs(pong.server_out_ns - line.world.ns) < 1_000


@pytest.mark.parametrize("label", ["uta", "classic"])
def test_our_pings_keep_a_quiet_socket_open_and_silence_does_not(label: str) -> None:
    line = Line("kucoin", "linear", label)
    line.start()
    every_s = line.venue.products["linear"].app_ping_s
    assert every_s is not None
    for number in range(12):
        line.world.ns += int(every_s * S)
        line.say([line.ours.ping(number) or ""])
        assert not [o for o in line.theirs.tick(line.world.ns) if isinstance(o, Close)]
    line.world.ns += 61 * S
    cut = [o for o in line.theirs.tick(line.world.ns) if isinstance(o, Close)]
    assert bool(cut) == (label == "classic")  # UTA keeps whoever has a subscription


@pytest.mark.parametrize("label", ["uta", "classic"])
def test_an_unknown_symbol_is_acknowledged_stays_silent_and_its_neighbour_lives(label: str) -> None:
    line = Line("kucoin", "linear", label)
    gone = Instrument(
        route=line.instrument.route, symbol="GONE/USDT:USDT", venue_id="GONEUSDTM", base="GONE", quote="USDT",
        tick=1, lot=1, taker_fee=0,
    )  # fmt: skip
    both = [gone, line.instrument]
    [plan] = [p for p in line.venue.plan("linear", both) if p.label == label]
    line.ours = line.venue.session(plan, both)
    events = line.start()
    assert strangers(events) == []
    assert {(e.channel, e.symbol) for e in events if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in plan.subscriptions
    }
    events += line.hear(line.theirs.trades(line.sim, [line.world.trade(8)]))
    data = [e for e in events if isinstance(e, BookSnapshot | Quote | Mark | Trade)]
    assert {e.symbol for e in data} == {line.instrument.symbol}


def test_garbage_in_between_is_counted_and_survived(uta: Line) -> None:
    uta.apply(uta.start())
    [garbled] = uta.hear(["{not json"])
    assert isinstance(garbled, Garbled)
    change = uta.world.change(bids=[("100.55", "1.000")])
    assert uta.apply(uta.hear(uta.theirs.change(uta.sim, change))) == [Outcome.APPLIED]


def test_a_token_of_the_other_product_and_an_old_one_open_nothing() -> None:
    line = Line("kucoin", "spot", "classic")
    token = line.rest("/api/v1/bullet-public", "POST")
    query = {"token": line.venue.dial_url(line.plan, "ws://loopback", token).split("token=")[1].split("&")[0]}
    query["token"] = query["token"].replace("%3D", "=")
    for product, at_ns in (("linear", 0), ("spot", 25 * 3600 * S)):
        line.world.ns += at_ns
        opened = line.twin.open("spot" if product == "spot" else "linear", "/endpoint", query, line.world)
        assert opened is not None
        words, cut = opened.opened(line.world.ns)
        assert "token" in str(words)
        assert isinstance(cut, Close)


def test_the_old_classic_books_decode_too(classic: Line) -> None:
    """Not asked for by us, but what most clients of KuCoin hold."""
    spot = classic.product == "spot"
    classic.start()
    name = "/market/level2" if spot else "/contractMarket/level2"
    classic.say([f'{{"id":"1","type":"subscribe","topic":"{name}:{classic.sim.venue_id}","response":true}}'])
    change = classic.world.change(bids=[("100.55", "1.000"), ("100.40", "0")], asks=[("100.60", "3.000")])
    found = classic.hear(classic.theirs.change(classic.sim, change))
    assert strangers(found) == []
    deltas = [e for e in found if isinstance(e, BookDelta)]
    assert len(deltas) == (1 if spot else 3)
    assert [level for e in deltas for level in e.bids] == [(100.55, 1.0), (100.4, 0.0)]
    assert [level for e in deltas for level in e.asks] == [(100.6, 3.0)]
    following = [(e.first_seq, e.last_seq) for e in deltas]
    change = classic.world.change(bids=[("100.55", "2.000")])
    following += [
        (e.first_seq, e.last_seq)
        for e in classic.hear(classic.theirs.change(classic.sim, change))
        if isinstance(e, BookDelta)
    ]
    for (_, last), (first, _) in pairwise(following):
        assert last is not None
        assert first == last + 1


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [
        ("overload", 503, Fault.OVERLOAD),
        ("overload", 500, Fault.OVERLOAD),
        ("overload", 429, Fault.OVERLOAD),
        ("limit", 429, Fault.OUR_LIMIT),
        ("ban", 403, Fault.OUR_LIMIT),
        ("geo", 403, Fault.GEO_BLOCK),
        ("maintenance", 503, Fault.MAINTENANCE),
        ("timeout", 408, Fault.OVERLOAD),
    ],
)
def test_their_error_bodies_mean_what_they_should(kind: str, status: int, fault: Fault) -> None:
    line = Line("kucoin", "linear", "uta")
    response = line.twin.error(kind, status)
    body = response.body if isinstance(response.body, bytes) else response.body.encode()
    headers = {key.lower(): value for key, value in response.headers.items()}
    for probe in line.venue.probes("linear", [line.instrument]):
        answer = Answer(status=response.status, headers=headers, body=body)
        assert line.venue.read_probe("linear", probe, answer).fault is fault


def test_probes_snapshots_and_status_are_read(uta: Line) -> None:
    for probe in uta.venue.probes(uta.product, [uta.instrument]):
        reading = uta.venue.read_probe(uta.product, probe, uta.rest(probe.request.path))
        assert reading.fault is None
        assert reading.weight_used
        if probe.gives_time:
            assert reading.server_ns is not None
            assert abs(reading.server_ns - uta.world.ns) <= MS
    uta.apply(uta.start())
    wanted = uta.venue.snapshot_request(uta.product, uta.instrument)
    assert wanted is not None
    book = uta.venue.read_snapshot(uta.product, uta.instrument, uta.rest(wanted.path))
    assert (book.bids[0], book.asks[0], book.seq) == ((100.5, 2.0), (100.6, 0.5), uta.book.seq)
    status = uta.venue.status_request(uta.product)
    assert status is not None
    assert uta.venue.read_status(uta.product, uta.rest(status.path)) == ()
    uta.world.announced = [StatusNotice(state="ongoing", text="upgrade match engine")]
    [notice] = uta.venue.read_status(uta.product, uta.rest(status.path))
    assert (notice.state, notice.products) == ("ongoing", (uta.product,))
    assert not [e for e in uta.say(uta.ours.subscribe()) if isinstance(e, Refusal)]
