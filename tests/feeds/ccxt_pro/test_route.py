"""A generic route as the collector sees it, with a process that says what we want and a clock moved by hand."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from feeds.ccxt_pro.messages import (
    Beat,
    BookNow,
    ChildCommand,
    ChildMessage,
    Follow,
    Job,
    Lost,
    Probed,
    Refused,
    TradeNow,
)
from feeds.ccxt_pro.process import ChildLostError, Pipe
from feeds.ccxt_pro.route import CcxtProRoute
from feeds.collector.rows import channel_row
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.model import Fault
from feeds.samples import BookSample, FeedSample, LinkSample, ProbeSample, Sample
from feeds.transport.backoff import Backoff
from feeds.venues.generic import generic
from tests.feeds.advise.routes import instrument
from tests.feeds.loopback import FakeClock

ROUTE = "other.spot"
BTC, ETH = "BTC/USDT", "ETH/USDT"


class FakePipe:
    """Says what is put into it; an exception ends it."""

    def __init__(self) -> None:
        self.sent: list[ChildCommand] = []
        self.garbled = 0
        self.ended = False
        self._said: asyncio.Queue[ChildMessage | Exception] = asyncio.Queue()

    def send(self, command: ChildCommand) -> None:
        self.sent.append(command)

    async def messages(self, silent_s: float) -> AsyncIterator[ChildMessage]:
        while True:
            word = await self._said.get()
            if isinstance(word, Exception):
                raise word
            yield word

    async def say(self, *words: ChildMessage | Exception) -> None:
        for word in words:
            self._said.put_nowait(word)
        for _ in range(20):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self.ended = True


class Rig:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.samples: list[Sample] = []
        self.journal: list[tuple[str, str]] = []
        self.pipes: list[FakePipe] = []
        meters = Meters(self.clock, self.samples.append, lambda code, route, text: self.journal.append((code, text)))
        self.watch = CcxtProRoute(
            ROUTE,
            generic("phemex"),
            "spot",
            Hosts(rest="http://here", ws="ws://here"),
            meters,
            offset=OffsetEstimator(),
            begin=self._begin,
            backoff=Backoff(base_s=0.002, rng=random.Random(1)),
        )

    async def _begin(self) -> Pipe:
        self.pipes.append(FakePipe())
        fake: Any = self.pipes[-1]  # of the pipe's interface all that is used
        found: Pipe = fake
        return found

    async def begin(self) -> FakePipe:
        self.watch.start()
        self.watch.watch([instrument(ROUTE, symbol=s, venue_id=s, settle=None) for s in (BTC, ETH)])
        await self.until(lambda: len(self.pipes[-1:]) == 1 and len(self.pipes[0].sent) == 2)
        await self.pipes[0].say(Beat(lag_ms=0.5))
        return self.pipes[0]

    async def until(self, wanted: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not wanted():  # noqa: ASYNC110  # a backoff of milliseconds runs in between
                await asyncio.sleep(0.001)

    def sampled(self, after_s: float = 1.0) -> list[Sample]:
        self.clock.advance(after_s)
        before = len(self.samples)
        self.watch.sample()
        return self.samples[before:]

    def book(self, symbol: str = BTC, bid: float = 100.0, **changes: Any) -> BookNow:
        levels = [(bid - n / 10, 1.0) for n in range(30)]
        asks = [(bid + 0.1 + n / 10, 1.0) for n in range(30)]
        book = BookNow(
            symbol=symbol,
            bids=levels,
            asks=asks,
            nonce=5,
            received_ns=self.clock.time_ns(),
            received_mono_ns=self.clock.monotonic_ns(),
        )
        return msgspec.structs.replace(book, **changes)

    def synced(self) -> dict[str, bool]:
        assert self.watch.books is not None
        return {symbol: pair.book.synced for symbol, pair in self.watch.books.pairs.items()}


async def test_the_process_is_told_what_to_watch_and_where() -> None:
    rig = Rig()
    pipe = await rig.begin()
    job = Job(ccxt_id="phemex", product="spot", rest="http://here", ws="ws://here", venue="phemex", proxies={})
    assert pipe.sent == [job, Follow((BTC, ETH))]
    await rig.watch.stop()
    assert pipe.ended


async def test_books_and_trades_become_samples_and_what_cannot_be_known_is_none() -> None:
    rig = Rig()
    pipe = await rig.begin()
    assert rig.sampled() == [] and rig.watch.sockets_up == 0, "before the first book nothing is known"
    stamp_ms = rig.clock.time_ns() // 1_000_000
    trade = TradeNow(
        symbol=BTC,
        price=100.0,
        size=1.0,
        side="buy",
        received_ns=rig.clock.time_ns(),
        received_mono_ns=rig.clock.monotonic_ns(),
    )
    await pipe.say(Beat(lag_ms=2.0), rig.book(), rig.book(bid=101.0, updates=9, venue_ms=stamp_ms - 40), trade)
    assert rig.watch.sockets_up == rig.watch.sockets == 1
    assert rig.watch.carries(BTC) and not rig.watch.carries(ETH)
    link, feed, btc, eth = rig.sampled()
    assert isinstance(link, LinkSample) and link.connected and link.ws_ms is None and link.tcp_rtt_ms is None
    assert isinstance(feed, FeedSample) and (feed.messages, feed.book_updates, feed.trades) == (11, 2, 1)
    assert feed.engine_lag_ms is None and feed.keepalive_ok is None and feed.own_lag_ms == 2.0
    assert feed.age_p50_ms is None, "without the venue's clock compared to ours there is no age"
    assert isinstance(btc, BookSample) and btc.synced and btc.mid == 101.05
    assert isinstance(eth, BookSample) and not eth.synced and eth.mid is None and eth.age_ms is None
    assert rig.watch.books is not None
    assert {symbol for symbol, pair in rig.watch.books.pairs.items() if pair.synced_before} == {BTC}
    await rig.watch.stop()


async def test_ages_are_counted_by_the_probes_clock() -> None:
    rig = Rig()
    pipe = await rig.begin()
    now_ns = rig.clock.time_ns()
    ahead_ms = now_ns // 1_000_000 + 5_007
    probe = Probed(
        name="time", scheduled_ns=now_ns, total_ms=10.0, wait_ms=0.0, status=200,
        sent_ns=now_ns, rtt_ns=10_000_000, server_ms=ahead_ms,
    )  # fmt: skip
    await pipe.say(msgspec.structs.replace(probe, cold=True))
    assert rig.watch.offset.offset_ms is None, "a connection was made in between"
    await pipe.say(probe, rig.book(), rig.book(venue_ms=ahead_ms - 50))
    assert rig.watch.offset.offset_ms is not None and math.isclose(rig.watch.offset.offset_ms, 5002.5)
    feed = next(s for s in rig.sampled() if isinstance(s, FeedSample))
    assert feed.age_p50_ms is not None and 40 < feed.age_p50_ms < 60
    first, second = (s for s in rig.samples if isinstance(s, ProbeSample))
    assert first.cold and first.offset_ms is None and second.offset_ms is not None
    assert second.total_ms == 10.0 and second.first_byte_ms is None and second.connect_ms is None
    await rig.watch.stop()


async def test_a_cut_connection_takes_the_books_with_it_and_comes_back() -> None:
    rig = Rig()
    pipe = await rig.begin()
    await pipe.say(rig.book(), rig.book(ETH))
    await pipe.say(Lost(symbol=BTC, text="cut"))
    assert rig.synced() == {BTC: False, ETH: True} and rig.watch.sockets_up == 1, "a neighbour lives on"
    await pipe.say(Lost(symbol=ETH, text="NetworkError: closed", fault=Fault.OUR_LIMIT))
    assert rig.synced() == {BTC: False, ETH: False} and rig.watch.sockets_up == 0
    down = rig.samples[-1]
    assert isinstance(down, LinkSample) and not down.connected and down.fault is Fault.OUR_LIMIT
    assert not rig.watch.carries(ETH) and rig.watch.reconnects == 0
    await pipe.say(rig.book())
    assert rig.watch.carries(BTC) and (rig.watch.sockets_up, rig.watch.reconnects) == (1, 1)
    await rig.watch.stop()


async def test_a_wrong_book_is_a_gap_and_no_cut() -> None:
    rig = Rig()
    pipe = await rig.begin()
    await pipe.say(rig.book(), Lost(symbol=BTC, text="ChecksumError: x", gap=True))
    assert rig.synced()[BTC] is False and rig.watch.sockets_up == 1
    link = next(s for s in rig.sampled() if isinstance(s, LinkSample))
    assert link.connected and link.gaps == 1
    assert rig.journal[-1][0] == "gap"
    await rig.watch.stop()


async def test_a_refused_symbol_is_said_once_and_is_forgiven_when_it_comes() -> None:
    rig = Rig()
    pipe = await rig.begin()
    refused = Refused(symbol=ETH, trades=False, text="BadSymbol: no ETH")
    await pipe.say(rig.book(), refused, refused)
    assert [text for code, text in rig.journal if code == "refused"] == [
        "ETH/USDT: subscription refused: BadSymbol no ETH"
    ]
    states = {row.channel: row.state for row in map(channel_row, rig.watch.channels())}
    assert (states[f"book:{BTC}"], states[f"book:{ETH}"]) == ("live", "refused")
    await pipe.say(rig.book(ETH))
    assert {row.channel: row.state for row in map(channel_row, rig.watch.channels())}[f"book:{ETH}"] == "live"
    await rig.watch.stop()


async def test_a_lost_process_is_our_trouble_and_another_is_started() -> None:
    rig = Rig()
    pipe = await rig.begin()
    await pipe.say(rig.book())
    before = len(rig.samples)
    await pipe.say(ChildLostError("it has ended (code -9)"))
    assert pipe.ended and rig.watch.sockets_up == 0 and not rig.watch.carries(BTC) and not rig.synced()[BTC]
    assert rig.journal[-1][0] == "self" and "code -9" in rig.journal[-1][1]
    assert rig.sampled() == [] and len(rig.samples) == before, "of the venue nothing is said"
    await rig.until(lambda: len(rig.pipes) == 2 and len(rig.pipes[1].sent) == 2)
    await rig.pipes[1].say(Beat(lag_ms=1.0), rig.book())
    assert rig.watch.carries(BTC) and rig.watch.reconnects == 0
    assert len(rig.sampled()) == 4
    await rig.watch.stop()


async def test_a_process_that_hangs_is_no_witness_of_silence() -> None:
    rig = Rig()
    pipe = await rig.begin()
    await pipe.say(Beat(lag_ms=1.0), rig.book())
    assert rig.sampled(2.0)
    assert rig.sampled(4.0) == []
    await pipe.say(Beat(lag_ms=4000.0), rig.book())
    feed = next(s for s in rig.sampled() if isinstance(s, FeedSample))
    assert feed.own_lag_ms == 4000.0
    await rig.watch.stop()


async def test_what_nobody_asked_for_is_counted() -> None:
    rig = Rig()
    pipe = await rig.begin()
    pipe.garbled = 3
    await pipe.say(rig.book("DOGE/USDT"))
    assert (rig.watch.unknown, rig.watch.garbled) == (1, 3)
    await rig.watch.stop()


async def test_a_changed_list_is_watched_by_a_new_process_and_changed_figures_by_the_same() -> None:
    rig = Rig()
    first = await rig.begin()
    await first.say(rig.book())
    btc, eth, sol = (instrument(ROUTE, symbol=s, venue_id=s, settle=None) for s in (BTC, ETH, "SOL/USDT"))
    cheaper = msgspec.structs.replace(btc, taker_fee=0.0001)
    rig.watch.watch([cheaper, eth])
    assert rig.synced()[BTC] and rig.watch.books is not None
    assert rig.watch.books.pairs[BTC].book.instrument == cheaper
    assert len(rig.pipes) == 1 and not first.ended

    rig.watch.watch([cheaper, eth, sol])
    await rig.until(lambda: len(rig.pipes) == 2 and len(rig.pipes[1].sent) == 2)
    assert first.ended and rig.pipes[1].sent[1] == Follow((BTC, ETH, "SOL/USDT"))
    await rig.pipes[1].say(Beat(lag_ms=0.1), rig.book("SOL/USDT"))
    assert rig.synced() == {BTC: False, ETH: False, "SOL/USDT": True}
    assert not [text for code, text in rig.journal if code == "self"], "no process was lost"
    await rig.watch.stop()
    assert rig.pipes[1].ended
