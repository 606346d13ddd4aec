"""Decoder and twin agree on what is special to single venues. What is common to all is in ``test_agreement``."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from feeds.books.book import Outcome
from feeds.model import (
    Ack,
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Heartbeat,
    Liquidation,
    Mark,
    Product,
    Quote,
    Reply,
    StatusNotice,
    Trade,
)
from feeds.sim.twin import Close, SimLiquidation, TextLevel
from tests.feeds.sim.fixed_world import MS, START_NS
from tests.feeds.venues.agreement import asked as answer_to
from tests.feeds.venues.line import Line, unexpected

S = 1_000 * MS
every_product = pytest.mark.parametrize("product", ["spot", "linear"])


# heartbeats


@pytest.mark.parametrize(
    ("venue", "product", "beat_s", "beats"),
    [
        ("bybit", "spot", 3, [Heartbeat(channel=Channel.BBO, symbol="BTC/USDT", gateway_ns=START_NS + 3 * S)]),
        ("coinbase", "spot", 1, [Heartbeat(gateway_ns=START_NS + S)]),
        ("deribit", "linear", 10, [Heartbeat(), Heartbeat()]),
        ("htx", "spot", 5, [Heartbeat(gateway_ns=START_NS + 5 * S)]),
        ("bingx", "linear", 5, [Heartbeat()]),
        ("kraken", "linear", 1, [Heartbeat(gateway_ns=START_NS + S)]),
    ],
)
def test_a_beat_says_of_what_and_when(venue: str, product: Product, beat_s: int, beats: list[Event]) -> None:
    line = Line(venue, product, "public")
    line.start()
    line.deliver(line.theirs.top(line.sim, line.world.top()))
    heard: list[Event] = []
    for _ in range(beat_s):
        line.world.ns += S
        heard += line.deliver(line.theirs.tick(line.world.ns))
    assert heard == beats


@every_product
def test_a_quiet_book_of_okx_repeats_its_number(product: Product) -> None:
    line = Line("okx", product)
    line.start()
    line.world.ns += 60 * S
    [same] = line.deliver(line.theirs.tick(line.world.ns))
    assert isinstance(same, BookDelta)
    assert same.prev_seq == same.last_seq is not None


@every_product
def test_every_channel_of_bitfinex_beats(product: Product) -> None:
    line = Line("bitfinex", product)
    line.start()
    line.world.ns += 15 * S
    beats = line.deliver(line.theirs.tick(line.world.ns))
    assert [type(e) for e in beats] == [Heartbeat] * len(line.plan.subscriptions)


def test_books_of_hyperliquid_go_on_in_a_market_that_stands_still() -> None:
    line = Line("hyperliquid", "linear")
    line.start()
    told = 0
    for _ in range(20):
        line.world.ns += S
        told += len(line.apply(line.deliver(line.theirs.tick(line.world.ns))))
    assert told == 20 + 3  # the fast ones, and the usual ones of three slots of five seconds


def test_htx_cuts_a_line_that_does_not_answer_and_we_know_why() -> None:
    line = Line("htx", "spot", "public")
    for second in range(1, 30):
        for frame in line.theirs.tick(START_NS + second * S):
            if isinstance(frame, Close):
                assert second == 16
                assert line.venue.read_close(frame.code) is Fault.OUR_LIMIT
                return
    pytest.fail("never cut")


@pytest.mark.parametrize("label", ["uta", "classic"])
def test_silence_of_ours_ends_a_classic_socket_of_kucoin(label: str) -> None:
    line = Line("kucoin", "linear", label)
    line.start()
    line.world.ns += 61 * S
    cut = [o for o in line.theirs.tick(line.world.ns) if isinstance(o, Close)]
    assert bool(cut) == (label == "classic")  # UTA keeps connections with a subscription


# books


def test_whatever_comes_between_counts_in_coinbases_numbers() -> None:
    line = Line("coinbase", "spot")
    line.apply(line.start())
    for n in range(100):
        line.world.ns += 50 * MS
        between = [*line.theirs.tick(line.world.ns), *line.theirs.trades(line.sim, [line.world.trade(9)])]
        assert unexpected(line.deliver(between)) == []
        change = line.world.change(bids=[("100.50", f"{n + 1}.000")])
        assert line.apply(line.deliver(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]


@every_product
def test_gates_bare_numbers_go_on_with_the_book(product: Product) -> None:
    line = Line("gate", product)
    line.apply(line.start())
    for bids in ([], [("100.50", "9.000")]):
        line.world.ns += 100 * MS
        [delta] = line.deliver(line.theirs.change(line.sim, line.world.change(bids=bids)))
        assert isinstance(delta, BookDelta)
        assert len(delta.bids) == len(bids)
        assert line.apply([delta]) == [Outcome.APPLIED]


@every_product
def test_bingx_numbers_tell_losses_on_spot_alone(product: Product) -> None:
    line = Line("bingx", product)
    wanted = line.venue.snapshot_request(product, line.instrument)
    assert wanted is not None
    assert line.apply(line.start()) == [Outcome.APPLIED]
    book = line.venue.read_snapshot(product, line.instrument, answer_to(line, wanted))
    assert book.seq == (line.book.seq if product == "spot" else None)  # spot's REST counts as its stream does
    steps: set[int] = set()
    for n in range(100):
        before = line.book.seq or 0
        line.world.ns += 200 * MS
        change = line.world.change(bids=[("100.50", f"{n + 1}.000")])
        assert line.apply(line.deliver(line.theirs.change(line.sim, change))) == [Outcome.APPLIED]
        steps.add((line.book.seq or 0) - before)
    assert steps == {1} if product == "spot" else min(steps) > 1


@pytest.mark.parametrize("heard_first", [True, False])
def test_a_spot_book_of_htx_is_caught_up_whatever_came_before_it(heard_first: bool) -> None:
    line = Line("htx", "spot", "book")
    frames = [out for payload in line.ours.subscribe() for out in line.theirs.receive(str(payload).encode(), 0)]
    for n in range(20):
        change = line.world.change(bids=[(f"100.5{n % 5}", f"{n + 1}.000")])
        frames += line.theirs.change(line.sim, change)
    if heard_first:  # the answer is older than our deltas, which are applied to it
        asked = [event for raw in frames if isinstance(raw, bytes) for event in line.ours.receive(raw, line.world.ns)]
        assert [type(event) for event in asked] == [Ack, Reply]
        assert line.apply(line.send([e.payload for e in asked if isinstance(e, Reply)])) == [Outcome.APPLIED]
    else:  # the answer is newer than the stream: older deltas are skipped
        outcomes = line.apply(line.deliver(frames))
        assert outcomes == [Outcome.APPLIED, *[Outcome.SKIPPED] * 17, *[Outcome.APPLIED] * 3]
    new = {100.5: 16.0, 100.51: 17.0, 100.52: 18.0, 100.53: 19.0, 100.54: 20.0}
    assert line.book.bids == new | {100.4: 3.1, 100.0: 1.0}


@every_product
def test_levels_beyond_kucoins_window_come_and_go_without_harm(product: Product) -> None:
    uta = Line("kucoin", product, "uta")
    uta.world.bids = tuple((f"{100 - n / 100:.2f}", "1.000") for n in range(600))
    uta.apply(uta.start())
    assert len(uta.book.bids) == 500
    deep = uta.world.change(bids=[("94.50", "7.000")])
    assert uta.apply(uta.deliver(uta.theirs.change(uta.sim, deep))) == []
    better = uta.world.change(bids=[("100.01", "1.000")])
    assert uta.apply(uta.deliver(uta.theirs.change(uta.sim, better))) == [Outcome.APPLIED]
    assert (len(uta.book.bids), max(uta.book.bids), min(uta.book.bids)) == (500, 100.01, 95.02)


@every_product
def test_the_old_classic_books_of_kucoin_decode_too(product: Product) -> None:
    """Detour does not subscribe to them, but most clients of KuCoin do."""
    classic, spot = Line("kucoin", product, "classic"), product == "spot"
    classic.start()
    name = "/market/level2" if spot else "/contractMarket/level2"
    classic.send([f'{{"id":"1","type":"subscribe","topic":"{name}:{classic.sim.venue_id}","response":true}}'])
    change = classic.world.change(bids=[("100.55", "1.000"), ("100.40", "0")], asks=[("100.60", "3.000")])
    found = classic.deliver(classic.theirs.change(classic.sim, change))
    assert unexpected(found) == []
    deltas = [e for e in found if isinstance(e, BookDelta)]
    assert len(deltas) == (1 if spot else 3)
    assert [level for e in deltas for level in e.bids] == [(100.55, 1.0), (100.4, 0.0)]
    assert [level for e in deltas for level in e.asks] == [(100.6, 3.0)]
    following = [(e.first_seq, e.last_seq) for e in deltas]
    change = classic.world.change(bids=[("100.55", "2.000")])
    following += [
        (e.first_seq, e.last_seq)
        for e in classic.deliver(classic.theirs.change(classic.sim, change))
        if isinstance(e, BookDelta)
    ]
    for (_, last), (first, _) in pairwise(following):
        assert last is not None
        assert first == last + 1


def test_hyperliquids_books_are_the_market_as_far_as_it_is_told() -> None:
    line = Line("hyperliquid", "linear")
    line.apply(line.start())
    rng = Random(7)
    deep: tuple[dict[float, float], dict[float, float]] = ({}, {})
    kinds: set[int | None] = set()
    for _ in range(1_000):
        mid = 1_000 + rng.randrange(-3, 4)
        sides: list[tuple[TextLevel, ...]] = []
        for step in (-1, 1):
            distances = sorted(rng.sample(range(1, 60), rng.randrange(3, 40)))
            sides.append(tuple((f"{mid + step * d}", f"{rng.randrange(1, 9000) / 1000:.3f}") for d in distances))
        line.world.bids, line.world.asks = sides
        line.world.ns += 550 * MS
        made = line.deliver(line.theirs.change(line.sim, line.world.change()))
        books = [e for e in made if isinstance(e, BookSnapshot)]
        kinds |= {e.levels_limit for e in books}
        assert set(line.apply(made)) == {Outcome.APPLIED}
        wholes = [{float(p): float(s) for p, s in side[:20]} for side in sides]
        if len(books) == 2:
            deep = wholes[0], wholes[1]
        assert books
        for ours, truth, below, sign in (
            (line.book.bids, wholes[0], deep[0], -1),
            (line.book.asks, wholes[1], deep[1], 1),
        ):
            top = dict(list(truth.items())[:5])
            assert {price: ours[price] for price in top} == top
            worst = list(top)[-1]
            for price, size in ours.items():
                assert price in top or (below.get(price) == size and (price - worst) * sign > 0) or truth == ours
    assert {None, 20} <= kinds


# best prices, trades and the rest


@every_product
def test_best_prices_of_bitfinex_follow_its_book(product: Product) -> None:
    """Every checksum agrees, also with long fractions and sizes below a millionth."""
    line = Line("bitfinex", product)
    assert set(line.apply(line.start())) == {Outcome.APPLIED}
    bids, asks = dict(line.world.bids), dict(line.world.asks)
    rng = Random("bitfinex")
    for n in range(1_000):
        line.world.ns += 50 * MS
        side, low = (bids, 9_000) if n % 2 else (asks, 10_060)
        price = f"{rng.randrange(low, low + 1_000) / 100:.2f}"
        size = "0" if rng.random() < 0.4 else f"{rng.randrange(1, 10 ** rng.randrange(1, 12)) / 1e8:.8f}"
        if size == "0":
            if side.pop(price, None) is None:
                continue
        else:
            side[price] = size
        change = line.world.change(**{"bids" if n % 2 else "asks": [(price, size)]})
        events = line.deliver(line.theirs.change(line.sim, change))
        assert set(line.apply(events)) <= {Outcome.APPLIED}
        for quote in events:
            if isinstance(quote, Quote):
                assert (quote.bid, quote.ask) == (max(map(float, bids)), min(map(float, asks)))
    for ours, theirs in ((line.book.bids, bids), (line.book.asks, asks)):
        levels = sorted(((float(p), float(s)) for p, s in theirs.items()), reverse=ours is line.book.bids)
        assert dict(levels[:250]) == ours


@every_product
def test_best_prices_of_bitfinex_are_mended_at_once_after_a_loss(product: Product) -> None:
    line = Line("bitfinex", product)
    line.apply(line.start())
    line.world.change()  # never reaches the feed
    line.world.ns += S
    change = line.world.change(asks=[("100.65", "2.000")])
    frames = [str(frame).encode() for frame in line.theirs.change(line.sim, change)]
    events = [event for raw in frames for event in line.ours.receive(raw, line.world.ns)]
    assert line.apply(events)[0] is Outcome.GAP
    asked = [e.payload for e in events if isinstance(e, Reply)]  # best prices are subscribed again at once
    assert [type(e) for e in line.send(asked) if isinstance(e, Quote)] == [Quote]


@every_product
def test_what_bingx_repeats_at_the_start_is_no_news(product: Product) -> None:
    assert not [e for e in Line("bingx", product).start() if isinstance(e, Quote | Trade)]


@every_product
def test_mexc_tells_the_engines_time_of_what_is_new_alone(product: Product) -> None:
    """A spot message that only removes levels carries the time of an old order. It must not be read as lag."""
    line = Line("mexc", product)
    line.start()
    line.deliver(line.theirs.change(line.sim, line.world.change(bids=[("100.30", "5.000")])))
    line.world.ns += 60 * S
    batch = line.world.change(bids=[("100.30", "0")])
    [delta] = line.deliver(line.theirs.change(line.sim, batch))
    assert isinstance(delta, BookDelta)
    assert delta.gateway_ns == batch.gateway_ns // MS * MS
    assert delta.engine_ns == (None if line.product == "spot" else batch.engine_ns // MS * MS)


@pytest.mark.parametrize("product", ["spot", "linear", "inverse"])
@pytest.mark.parametrize("offset_ms", [0, 1])
def test_a_liquidation_on_deribit_names_the_forced_side_whoever_took(product: Product, offset_ms: int) -> None:
    line = Line("deribit", product)
    line.start()
    engine_ns = line.world.ns - offset_ms * MS
    closing = SimLiquidation(price="99.00", size="0.300", side="sell", engine_ns=engine_ns, gateway_ns=line.world.ns)
    events = line.deliver(line.theirs.liquidation(line.sim, closing))
    [closed] = [e for e in events if isinstance(e, Liquidation)]
    assert (closed.side, closed.price, closed.size) == ("sell", 99.0, 0.3)
    assert closed.engine_ns == engine_ns // MS * MS
    assert len([e for e in events if isinstance(e, Trade)]) == 1


def test_marks_of_kucoin_come_every_second_and_funding_every_minute() -> None:
    line = Line("kucoin", "linear", "uta")
    marks = [e for e in line.start() if isinstance(e, Mark)]
    assert {(m.mark, m.index) for m in marks} == {(100.55, 100.52), (None, None)}
    assert {(m.funding_rate, m.interval_h) for m in marks} == {(0.0001, 8.0), (None, None)}
    funded = 0
    for _ in range(61):
        line.world.ns += S
        found = line.deliver(line.theirs.mark(line.sim, line.world.mark(line.sim)))
        assert unexpected(found) == []
        funded += sum(isinstance(e, Mark) and e.funding_rate is not None for e in found)
    assert funded == 1
    assert {m.next_funding_ns for m in marks} - {None} == {line.world.mark(line.sim).next_funding_ns // MS * MS}


# tokens and status


def test_a_kucoin_token_of_the_other_product_and_an_old_one_open_nothing() -> None:
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


def test_hyperliquid_hangs_up_on_whoever_wants_the_best_prices_of_nothing() -> None:
    line = Line("hyperliquid", "linear")
    line.start()
    unchecked = b'{"method":"subscribe","subscription":{"type":"bbo","coin":"GONE"}}'
    assert list(line.theirs.receive(unchecked, line.world.ns)) == [Close(1006)]


@pytest.mark.parametrize(
    ("venue", "product", "announced", "state", "products"),
    [
        ("deribit", "linear", StatusNotice(state="ongoing", text="", products=("inverse",)), "ongoing", ("inverse",)),
        ("deribit", "spot", StatusNotice(state="incident", text=""), "ongoing", ()),
        (
            "htx",
            "spot",
            StatusNotice(state="ongoing", text="U", begin_ns=START_NS, end_ns=START_NS + S),
            "ongoing",
            ("spot",),
        ),
    ],
)
def test_official_status_says_what_and_until_when(
    venue: str, product: Product, announced: StatusNotice, state: str, products: tuple[Product, ...]
) -> None:
    line = Line(venue, product, "public")
    line.world.announced = [announced]
    request = line.venue.status_request(product)
    assert request is not None
    [notice] = line.venue.read_status(product, answer_to(line, request))
    assert (notice.state, notice.products) == (state, products)
    assert (notice.end_ns is None) == (announced.end_ns is None)
    assert notice.end_ns is None or abs(notice.end_ns - (announced.end_ns or 0)) < MS
