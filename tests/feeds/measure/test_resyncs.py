"""Books are asked for again: at once after a loss, with growing pauses after that, and when they never come."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest

from feeds.books.route_books import RouteBooks
from feeds.clock import SECOND
from feeds.measure.resyncs import Resyncs, ResyncTiming
from feeds.model import BookDelta, BookSnapshot, Channel, Garbled, Refusal
from feeds.venues.kraken.spot_rule import KrakenV2Rule
from feeds.venues.sequence import Contiguous, SequenceRule
from tests.feeds.venues.captures import instrument

SYMBOL, OTHER = "BTC/USD", "ETH/USD"
TIMING = ResyncTiming()


class OverRest(Contiguous):
    rest_snapshot = True


class Bench:
    """A route's books, one socket and one REST side, on a clock of their own."""

    def __init__(self, rule: SequenceRule) -> None:
        self.now_ns = 0
        self.sent: list[tuple[float, str]] = []
        """(second, symbol) of every request."""
        self.said: list[str] = []
        self.fetching: set[str] = set()
        self.fetched: list[tuple[float, str]] = []
        self.connected, self.sending, self.label, self.book_symbols = True, False, "one", (SYMBOL, OTHER)
        listed = [instrument("kraken.spot", symbol, symbol) for symbol in (SYMBOL, OTHER)]
        self.books = RouteBooks(
            "kraken.spot",
            SimpleNamespace(rule=lambda product: rule),
            "spot",
            listed,
            resync=lambda symbol, origin: self.resyncs.want(symbol),
            notice=lambda text, within_s: self.said.append(text),
            log_event=lambda code, text: self.said.append(f"{code}: {text}"),
        )
        self.resyncs = Resyncs(
            self.books,
            lambda symbol: self,
            self,
            lambda code, text: self.said.append(f"{code}: {text}"),
            lambda: self.now_ns,
        )

    # a socket and a REST side

    def resubscribe(self, channel: Channel, symbol: str) -> None:
        assert channel is Channel.BOOK
        self.sent.append((self.now_ns / SECOND, symbol))

    def want(self, symbol: str) -> None:
        self.fetched.append((self.now_ns / SECOND, symbol))

    def under_way(self, symbol: str) -> bool:
        return symbol in self.fetching

    # time and messages

    def passes(self, seconds: float) -> None:
        for _ in range(int(seconds / TIMING.turn_s)):
            self.now_ns += int(TIMING.turn_s * SECOND)
            self.resyncs.turn()

    def hears(self, *events: object) -> None:
        self.books.events(self, events, self.now_ns, self.now_ns)  # type: ignore[arg-type] # any event

    def gets_books(self) -> None:
        for symbol in (SYMBOL, OTHER):
            self.hears(BookSnapshot(symbol=symbol, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)], seq=1))


def delta(seq: int, symbol: str = SYMBOL) -> BookDelta:
    return BookDelta(symbol=symbol, bids=[(1.0, 2.0)], asks=(), first_seq=seq, last_seq=seq)


def test_a_first_book_that_never_comes_is_asked_for_again_with_growing_pauses() -> None:
    bench = Bench(Contiguous())
    bench.hears(BookSnapshot(symbol=OTHER, bids=[(1.0, 1.0)], asks=[(2.0, 1.0)], seq=1))
    for second in range(1200):
        bench.hears(delta(second + 5))  # its updates come: the channel looks alive
        bench.passes(1.0)
    seconds = [second for second, symbol in bench.sent]
    assert {symbol for _, symbol in bench.sent} == {SYMBOL}
    pauses = [after - before for before, after in pairwise(seconds)]
    assert seconds[0] == pytest.approx(15.0, abs=1.0)
    assert pauses == sorted(pauses) and pauses[-1] == pytest.approx(300.0, abs=1.0)
    assert len(seconds) <= 8
    assert bench.said[0] == f"resync: {SYMBOL}: no first book for 15 s, asking again"


def test_an_answer_that_is_lost_after_a_gap_is_asked_for_again() -> None:
    bench = Bench(Contiguous())
    bench.gets_books()
    bench.passes(60.0)
    bench.hears(delta(7))
    assert bench.sent == [(60.0, SYMBOL)], "at once"
    bench.passes(40.0)
    assert [second for second, _ in bench.sent] == pytest.approx([60.0, 75.5], abs=0.6)
    assert bench.said[-1] == f"resync: {SYMBOL}: no new snapshot for 15 s, asking again"


def test_a_book_that_is_lost_at_once_each_time_is_not_asked_for_without_pause() -> None:
    """Seen: 28 subscribes in 12 s, for ever."""
    bench = Bench(Contiguous())
    bench.gets_books()
    bench.passes(60.0)
    for _ in range(240):
        bench.hears(delta(9))
        if bench.sent and bench.sent[-1][0] == bench.now_ns / SECOND:
            bench.gets_books()
        bench.passes(0.5)
        if not bench.books.pairs[SYMBOL].book.synced and bench.sent[-1][0] == bench.now_ns / SECOND:
            bench.gets_books()
    seconds = [second - 60.0 for second, _ in bench.sent]
    assert len(seconds) <= 8, seconds
    assert any("lost again and again" in text for text in bench.said)
    bench.passes(61.0)
    bench.gets_books()
    bench.passes(60.0)
    bench.sent.clear()
    bench.hears(delta(9))
    assert bench.sent == [(bench.now_ns / SECOND, SYMBOL)], "forgiven after a while without a loss"


def test_nothing_is_asked_for_where_nothing_can_have_come_yet() -> None:
    bench = Bench(Contiguous())
    bench.connected = False
    bench.passes(100.0)
    bench.connected, bench.sending = True, True
    bench.passes(100.0)
    bench.sending = False
    bench.hears(*(Refusal(channel=Channel.BOOK, symbol=symbol, text="no") for symbol in (SYMBOL, OTHER)))
    bench.passes(100.0)
    assert bench.sent == []


def test_over_rest_the_channel_is_asked_for_when_no_update_comes_and_the_book_when_they_do() -> None:
    bench = Bench(OverRest())
    bench.passes(16.0)
    assert {symbol for _, symbol in bench.sent} == {SYMBOL, OTHER} and bench.fetched == []
    bench.passes(2.0)
    bench.hears(delta(5))
    assert [symbol for _, symbol in bench.fetched] == [SYMBOL]
    bench.fetching.add(SYMBOL)
    for _ in range(100):
        bench.hears(delta(6))
        bench.passes(1.0)
    assert len(bench.fetched) == 1, "the fetch under way asks again by itself"
    bench.fetching.clear()  # it has given up
    bench.hears(delta(7))
    assert len(bench.fetched) == 2


def test_an_unreadable_frame_makes_books_doubtful_where_no_number_would_tell() -> None:
    bench = Bench(KrakenV2Rule())
    bench.gets_books()
    bench.passes(31.0)
    bench.hears(Garbled(what="a trade", channel=Channel.TRADES))
    assert bench.books.gaps == 0 and bench.sent == []
    bench.hears(Garbled(what="of one", channel=Channel.BOOK, symbol=OTHER))
    assert (bench.books.gaps, bench.sent) == (1, [(31.0, OTHER)])
    bench.hears(Garbled(what="no idea of what"))
    assert (bench.books.gaps, bench.sent) == (2, [(31.0, OTHER), (31.0, SYMBOL)])
    assert not any(pair.book.synced for pair in bench.books.pairs.values())
    assert (
        f"gap: {SYMBOL}: a message that could not be read may have changed it, asking for a new snapshot" in bench.said
    )


def test_where_messages_are_numbered_the_next_one_tells() -> None:
    bench = Bench(Contiguous())
    bench.gets_books()
    bench.hears(Garbled(what="{"))
    assert bench.books.gaps == 0 and bench.books.garbled == 1
    bench.hears(delta(3))
    assert bench.books.gaps == 1
