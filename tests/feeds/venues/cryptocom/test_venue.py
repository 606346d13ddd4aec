from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from feeds.books.book import Book, Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Garbled,
    Heartbeat,
    Mark,
    Pong,
    Product,
    Quote,
    Refusal,
    Reply,
    Trade,
    Unknown,
)
from feeds.venues.base import Answer, VenueError
from feeds.venues.cryptocom.venue import Cryptocom
from feeds.venues.sequence import Unsequenced
from tests.feeds.sim.fixed_world import MS
from tests.feeds.venues.captures import assert_ends_in, events, instrument, needs_wire, recording, records, truth
from tests.feeds.venues.line import Line, strangers
from tests.feeds.venues.mutations import hostile

VENUE = Cryptocom()
BTC = instrument("cryptocom.linear", "BTC/USD:USD", "BTCUSD-PERP")
ETH = instrument("cryptocom.linear", "ETH/USD:USD", "ETHUSD-PERP")
T0 = 1_790_000_000_000 * MS
RETIRED = "cryptocom/cryptofeed_20211124"
"""v2, whole books of 150 levels without a number: no longer served, and still read."""


def session(*instruments: Any) -> Any:
    return VENUE.session(VENUE.plan("linear", instruments)[0], instruments)


@pytest.fixture(params=["spot", "linear"])
def line(request: pytest.FixtureRequest) -> Line:
    product: Product = request.param
    return Line("cryptocom", product)


@needs_wire
def test_even_the_retired_protocols_books_end_in_the_truth() -> None:
    expected = truth(RETIRED)
    options = [instrument("cryptocom.spot", name, name) for name in expected]
    reader = VENUE.session(VENUE.plan("spot", options)[0], options)
    books = {one.symbol: Book(one, Unsequenced()) for one in options}
    for record in records(RETIRED):
        for event in reader.receive(record.raw, 0) if record.t == "recv" else ():
            assert not isinstance(event, Garbled | Unknown)
            if isinstance(event, BookSnapshot):
                books[event.symbol].apply(event, 0)
    for name, book in books.items():
        assert_ends_in(book, msgspec.structs.replace(expected[name], last_seq=None))


@needs_wire
def test_every_isolated_message_decodes() -> None:
    seen = set()
    for record in records("cryptocom/isolated_tardis-node"):
        name = msgspec.json.decode(record.raw).get("result", {}).get("instrument_name", "BTC_USDT")
        one = instrument("cryptocom.linear", name, name)
        for event in events(session(one), [record.raw]):
            assert not isinstance(event, Garbled | Unknown | Refusal), record.data
            seen.add(type(event))
    assert {BookSnapshot, BookDelta, Quote} <= seen


def test_a_gap_empties_the_book_and_both_times_are_read() -> None:
    book = Book(BTC, VENUE.rule("linear"))
    got: list[Any] = events(session(BTC), recording("cryptocom/books_gap"))
    outcomes = [book.apply(e, 1) for e in got]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED, Outcome.GAP, Outcome.APPLIED]
    assert (book.engine_ns, book.gateway_ns, book.seq) == (T0 + 301 * MS, T0 + 308 * MS, 72560688900)
    assert (book.bids, book.asks) == ({31613.5: 0.7}, {31614.0: 0.5})


def test_channels() -> None:
    reader = session(BTC)
    frames = recording("cryptocom/channels")
    got: list[Any] = events(reader, frames)
    assert [type(e) for e in got] == [Quote, Quote, Heartbeat, Trade, Trade, Mark, Mark, Mark, Reply, Heartbeat]
    quote = got[1]
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (31600.0, 5.4, None, None)
    assert quote.gateway_ns is None, "a ticker's time is that of a trade: a quiet market is not a late one"
    assert [(e.side, e.price, e.engine_ns) for e in got[3:5]] == [
        ("sell", 31603.0, T0 + 3 * MS), ("buy", 31603.5, T0 + 4 * MS + 17),
    ]  # fmt: skip
    mark, index, funding = got[5:8]
    assert (mark.mark, mark.index, index.mark, index.index) == (31606.3, None, None, 31605.1)
    assert (funding.funding_rate, funding.interval_h) == (-7e-06, 1.0)
    assert funding.next_funding_ns == (T0 // (3600 * 1000 * MS) + 1) * 3600 * 1000 * MS
    assert msgspec.json.decode(got[8].payload) == {"id": 1790000000005, "method": "public/respond-heartbeat"}


def test_a_bad_name_is_found_by_halves_and_its_neighbours_live(line: Line) -> None:
    gone = msgspec.structs.replace(line.instrument, symbol="GONE/USD", venue_id="GONEUSD-PERP")
    both = [gone, line.instrument]
    [plan] = VENUE.plan(line.product, both)
    line.ours = VENUE.session(plan, both)
    got = line.say(line.ours.subscribe())
    refused = {(e.channel, e.symbol) for e in got if isinstance(e, Refusal) and e.channel}
    assert refused == {(s.channel, s.symbol) for s in plan.subscriptions if s.symbol == gone.symbol}
    assert {e.symbol for e in got if isinstance(e, Ack)} == {line.instrument.symbol}
    assert line.apply(got) == [Outcome.APPLIED]


def test_ten_thousand_changes_a_gap_and_a_resync(line: Line) -> None:
    start = line.start()
    assert strangers(start) == []
    assert {(e.channel, e.symbol) for e in start if isinstance(e, Ack)} == {
        (s.channel, s.symbol) for s in line.plan.subscriptions
    }
    assert line.apply(start) == [Outcome.APPLIED]
    rng = Random(7)
    bids, asks = ({float(p): float(s) for p, s in side} for side in (line.world.bids, line.world.asks))
    for _ in range(10_000):
        batch: list[list[tuple[str, str]]] = [[], []]
        for side, book, base in ((batch[0], bids, 80.0), (batch[1], asks, 101.0)):
            for step in rng.sample(range(195), rng.randrange(3)):
                price, size = f"{base + step / 10:.2f}", rng.choice(["0", f"{rng.randrange(1, 9000) / 1000:.3f}"])
                side.append((price, size))
                book[float(price)] = float(size)
                if size == "0":
                    del book[float(price)]
        line.world.ns += 50 * MS
        got = line.apply(line.hear(line.theirs.change(line.sim, line.world.change(*batch))))
        assert got in ([], [Outcome.APPLIED])  # what lies beyond 50 levels is not told
    assert line.book.bids == dict(sorted(bids.items(), reverse=True)[:50])
    assert line.book.asks == dict(sorted(asks.items())[:50])
    line.world.change()  # never reaches the feed
    lost = line.hear(line.theirs.change(line.sim, line.world.change(asks=[("100.65", "2.000")])))
    assert line.apply(lost) == [Outcome.GAP]
    assert line.apply(line.say(line.ours.resubscribe(Channel.BOOK, line.instrument.symbol))) == [Outcome.APPLIED]


def test_pings_come_back_and_heartbeats_are_answered(line: Line) -> None:
    line.start()
    ping = line.ours.ping(42)
    assert ping is not None
    assert line.say([ping]) == [Pong(token=42)]
    alive: list[Event] = []
    for _ in range(70):
        line.world.ns += 1_000 * MS
        alive += line.hear(line.theirs.tick(line.world.ns))  # fails on a Close
    assert [e for e in alive if not isinstance(e, BookDelta)] == [Heartbeat(), Heartbeat()]


def test_a_book_that_does_not_change_says_so_and_is_not_called_late(line: Line) -> None:
    line.apply(line.start())
    line.world.ns += 6_000 * MS
    [nothing] = line.hear(line.theirs.tick(line.world.ns))
    assert isinstance(nothing, BookDelta)
    assert (nothing.bids, nothing.asks) == ([], [])
    assert (nothing.engine_ns, nothing.gateway_ns) == (None, line.world.ns), (
        "its last change is 6 s old: no lag of theirs"
    )
    assert line.apply([nothing]) == [Outcome.APPLIED]
    changed = line.hear(line.theirs.change(line.sim, line.world.change(bids=[("100.50", "9.000")])))
    assert line.apply(changed) == [Outcome.APPLIED]
    assert line.book.bids[100.5] == 9.0


def test_what_passes_is_asked_again_a_second_later() -> None:
    reader = session(BTC)
    ask = msgspec.json.decode(reader.subscribe()[0])
    busy = msgspec.json.encode({"id": ask["id"], "code": 42901, "method": "subscribe", "message": "TOO_MANY"})
    [refused] = reader.receive(busy, 0)
    assert (refused.fault, refused.channel) == (Fault.OUR_LIMIT, None)
    beat = b'{"id":1,"method":"public/heartbeat","code":0}'
    assert len(reader.receive(beat, 900 * MS)) == 2
    again = msgspec.json.decode(reader.receive(beat, 1_001 * MS)[2].payload)
    assert again["params"] == ask["params"]


@pytest.mark.parametrize(
    ("kind", "status", "fault"),
    [("overload", 503, Fault.OVERLOAD), ("overload", 500, Fault.OVERLOAD), ("timeout", 504, Fault.OVERLOAD),
     ("limit", 429, Fault.OUR_LIMIT), ("geo", 403, Fault.GEO_BLOCK), ("ban", 403, Fault.REFUSED),
     ("maintenance", 503, Fault.MAINTENANCE)],
)  # fmt: skip
def test_their_error_bodies_mean_what_they_should(line: Line, kind: str, status: int, fault: Fault) -> None:
    raw = line.twin.error(kind, status).body
    answer = Answer(status=status, headers={}, body=raw if isinstance(raw, bytes) else raw.encode())
    for probe in VENUE.probes(line.product, [line.instrument]):
        assert VENUE.read_probe(line.product, probe, answer).fault is fault


def test_probes_and_snapshots_are_read(line: Line) -> None:
    for probe in VENUE.probes(line.product, [line.instrument]):
        reading = VENUE.read_probe(line.product, probe, line.rest(probe.request.path))
        assert reading.fault is None
        assert reading.server_ns is not None
        assert 0 <= line.world.ns - reading.server_ns < 1_000 * MS
    wanted = VENUE.snapshot_request(line.product, line.instrument)
    assert wanted is not None
    book = VENUE.read_snapshot(line.product, line.instrument, line.rest(wanted.path))
    assert (book.bids[0], book.asks[0]) == ((100.5, 2.0), (100.6, 0.5))


def test_instruments_are_divided_among_sockets_of_at_most_400_channels() -> None:
    def plan(count: int) -> Any:
        names = [f"C{n}USD-PERP" for n in range(count)]
        return VENUE.plan("linear", [instrument("cryptocom.linear", name, name) for name in names])

    plans = plan(125)
    assert [one.label for one in plans] == ["market", "market-2", "market-3"]
    asked = [{s.symbol for s in one.subscriptions} for one in plans]
    assert [len(symbols) for symbols in asked] == [60, 60, 5]
    assert len(set.union(*asked)) == 125
    for one in plans:
        instruments = [instrument("cryptocom.linear", s.symbol, s.symbol) for s in one.subscriptions if s.symbol]
        payloads = VENUE.session(one, instruments).subscribe()
        channels = [c for raw in payloads for c in msgspec.json.decode(raw)["params"]["channels"]]
        assert len(channels) == len(set(channels)) <= 400
        assert all(len(raw) <= 4_000 for raw in payloads)
    assert [one.label for one in plan(1)] == ["market"]


def answer(body: object, status: int = 200, date: str = "Fri, 10 Oct 2025 14:00:00 GMT") -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Answer(status=status, headers={"date": date} if date else {}, body=raw)


ON_DATE_MS = 1_760_104_800_000


def works(begin_ms: int | None, end_ms: int | None, spot: str | None, linear: str | None, **more: object) -> Any:
    params = {"spot_trading_impacted": spot, "derivative_trading_impacted": linear, "crypto_wallet_impacted": None}
    row = {"category": "system", "title": "Works", "start_time": begin_ms, "end_time": end_ms, "instrument_name": None}
    return row | {"impacted_params": params} | more


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (works(ON_DATE_MS - 1, ON_DATE_MS + 1, "PARTIAL", "BAU"), ("ongoing", ("spot",), True)),
        (works(ON_DATE_MS + 1, ON_DATE_MS + 9, "BAU", "FULL"), ("scheduled", ("linear",), True)),
        (works(ON_DATE_MS + 1, None, "PARTIAL", "PARTIAL"), ("scheduled", (), True)),
        (works(ON_DATE_MS + 1, None, "BAU", None), ("scheduled", (), False)),
        (works(ON_DATE_MS + 1, None, "BAU", "BAU", impacted_params=None), ("scheduled", (), True)),
        (works(ON_DATE_MS - 9, ON_DATE_MS - 1, "PARTIAL", "BAU"), None),
        (works(None, None, "PARTIAL", "PARTIAL"), None),
        (works(ON_DATE_MS + 1, None, "PARTIAL", "PARTIAL", category="list"), None),
    ],
)
def test_announced_works_are_told_with_what_they_touch(row: object, expected: tuple[object, ...] | None) -> None:
    asked = VENUE.status_request("spot")
    assert asked is not None
    assert asked.path == "/v1/public/get-announcements"
    notices = VENUE.read_status("spot", answer({"code": 0, "result": {"data": [row]}}))
    assert [(n.state, tuple(n.products), n.market_data) for n in notices] == ([] if expected is None else [expected])


def test_announced_times_are_read_and_a_missing_end_is_a_day_later() -> None:
    rows = [works(ON_DATE_MS, None, "PARTIAL", "BAU"), works(ON_DATE_MS, ON_DATE_MS + 5, "PARTIAL", "BAU")]
    day, short = VENUE.read_status("spot", answer({"code": 0, "result": {"data": rows}}))
    assert (day.begin_ns, day.end_ns) == (ON_DATE_MS * MS, (ON_DATE_MS + 86_400_000) * MS)
    assert (short.text, short.end_ns) == ("Works", (ON_DATE_MS + 5) * MS)


def test_without_a_date_announced_works_are_only_scheduled() -> None:
    """Whether they have begun cannot be known then."""
    past = works(ON_DATE_MS - 9, ON_DATE_MS - 1, "PARTIAL", "BAU")
    [notice] = VENUE.read_status("spot", answer({"code": 0, "result": {"data": [past]}}, date="yesterday"))
    assert notice.state == "scheduled"


BAD_BODIES = [
    b"", b"<html>", b"[]", b"\xff", b'{"code":0}', b'{"code":"x"}', b'{"code":0,"result":null}', b'{"code":40401}',
    b'{"code":0,"result":{"data":[{"bids":[["-1","1"]],"asks":[],"start_time":-1}]}}',
    b'{"code":0,"result":{"data":[{"bids":[["NaN","1"]],"asks":[],"start_time":"soon"}]}}',
    b'{"code":0,"result":{"data":7}}',
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(VenueError, match="cryptocom"):
        VENUE.read_snapshot("linear", BTC, answer(body))
    with pytest.raises(VenueError, match="cryptocom"):
        VENUE.read_status("linear", answer(body))


def test_a_book_must_be_one_book() -> None:
    empty: dict[str, object] = {"bids": [], "asks": []}
    for rows in ([], [empty, empty]):
        with pytest.raises(VenueError):
            VENUE.read_snapshot("linear", BTC, answer({"code": 0, "result": {"data": rows}}))


@pytest.mark.parametrize(
    ("body", "status", "fault", "code"),
    [
        ({"code": 10001, "message": "SYS_ERROR"}, 200, Fault.OVERLOAD, "10001"),
        ({"code": 50001, "message": "ERR_INTERNAL"}, 400, Fault.OVERLOAD, "50001"),
        ({"code": 40801, "message": "REQUEST_TIMEOUT"}, 408, Fault.OVERLOAD, "40801"),
        ({"code": 9010001, "message": "SYSTEM_MAINTENANCE"}, 200, Fault.MAINTENANCE, "9010001"),
        ({"code": 42901, "message": "TOO_MANY_REQUESTS"}, 429, Fault.OUR_LIMIT, "42901"),
        ({"code": 10006, "message": "TOO_MANY_REQUESTS"}, 200, Fault.OUR_LIMIT, "10006"),
        ({"code": 40103, "message": "IP_ILLEGAL"}, 401, Fault.REFUSED, "40103"),
        ({"code": 40003, "message": "INVALID_REQUEST"}, 400, Fault.BAD_REQUEST, "40003"),
        ({"code": 209, "message": "INVALID_INSTRUMENT"}, 400, Fault.BAD_REQUEST, "209"),
        ({"code": 40401, "message": "NOT_FOUND"}, 200, Fault.BAD_REQUEST, "40401"),
        ({"code": 77777, "message": "new"}, 503, Fault.OVERLOAD, "77777"),
        ({"code": 77777, "message": "new"}, 200, Fault.UNKNOWN, "77777"),
        (b"<html>502</html>", 502, Fault.OVERLOAD, "502"),
        (b"not available in your country", 403, Fault.GEO_BLOCK, "403"),
        (b"{", 200, Fault.UNKNOWN, "200"),
        ({"code": 0}, 200, Fault.UNKNOWN, "200"),
    ],
)
def test_what_refusals_mean(body: object, status: int, fault: Fault, code: str) -> None:
    [time, book] = VENUE.probes("linear", [BTC])
    for probe in (time, book):
        reading = VENUE.read_probe("linear", probe, answer(body, status))
        assert (reading.fault, reading.code, reading.server_ns) == (fault, code, None)


@pytest.mark.parametrize(
    ("date", "server_ns"),
    [
        ("Fri, 10 Oct 2025 14:00:00 GMT", ON_DATE_MS * MS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 10 Oct 99999 14:00:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_only_clock_is_the_date_of_an_answer_and_coarse(date: str, server_ns: int | None) -> None:
    """``t`` is when the data last changed: as a clock it would make a quiet market a late venue."""
    ticker = {"code": 0, "result": {"data": [{"i": "BTCUSD-PERP", "t": ON_DATE_MS - 60_000}]}}
    reading = VENUE.read_probe("linear", VENUE.probes("linear", [BTC])[0], answer(ticker, date=date))
    assert (reading.fault, reading.server_ns, reading.server_resolution_ns) == (None, server_ns, 1_000_000_000)
    pong = {"id": 5, "code": 0, "method": "subscribe"}
    reader = session(BTC)
    reader.ping(5)
    assert reader.receive(msgspec.json.encode(pong), 0) == (Pong(token=5),)


SAMPLES = [raw for n in ("books_gap", "channels") for raw in recording(f"cryptocom/{n}")]


@settings(max_examples=200, deadline=None)
@given(hostile(SAMPLES))
def test_no_bytes_make_it_raise_or_emit_nonsense(raw: bytes) -> None:
    reader = session(BTC, ETH)
    reader.subscribe()
    for event in reader.receive(raw, T0):
        if isinstance(event, BookSnapshot | BookDelta):
            assert all(0 < price < 1e18 and 0 <= size < 1e18 for price, size in (*event.bids, *event.asks))
        elif isinstance(event, Quote):
            assert all(value is None or 0 < value < 1e18 for value in (event.bid, event.ask))
        elif isinstance(event, Trade):
            assert 0 < event.price < 1e18
