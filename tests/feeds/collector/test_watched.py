"""How many pairs of a route something can come from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from feeds.books.route_books import RouteBooks
from feeds.collector.listing import RouteListing
from feeds.collector.rows import pair_kind
from feeds.collector.watched import watch_sample
from feeds.measure.book_checks import book_sample
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.feed_samples import FeedSampler
from feeds.model import BookSnapshot, Channel, Refusal
from feeds.samples import FeedSample, WatchSample
from feeds.venues.sequence import Unsequenced
from tests.feeds.advise.routes import SYMBOL, instrument

ROUTE, OTHER = "okx.linear", "NEW/USDT:USDT"
STREAM = SimpleNamespace(label="ws 1")


class Watched:
    def __init__(self, *instruments: Any) -> None:
        self.listing = RouteListing([SYMBOL, OTHER])
        self.books: RouteBooks | None = None
        if instruments:
            self.listing.update([i.symbol for i in instruments], "")
            self.books = RouteBooks(
                ROUTE,
                SimpleNamespace(rule=lambda product: Unsequenced()),
                "linear",
                instruments,
                resync=lambda symbol, origin: None,
                notice=lambda text, within_s: None,
                log_event=lambda code, text: None,
            )

    def sample(self) -> WatchSample:
        route: Any = SimpleNamespace(route=ROUTE, books=self.books)
        return watch_sample(route, self.listing, 7, 5)

    def refuse(self, symbol: str) -> None:
        assert self.books is not None
        refusal = Refusal(channel=Channel.BOOK, symbol=symbol, code="51001", text="no such instrument")
        self.books.events(STREAM, [refusal], 1, 1)


def test_before_the_instruments_are_known_it_is_waited_for() -> None:
    sample = Watched().sample()
    assert (sample.pairs, sample.waiting, sample.why) == (0, True, "its instruments are not known yet")
    assert (sample.t_ns, sample.mono_ns) == (7, 5)


def test_a_route_that_lists_none_of_them_says_so() -> None:
    watched = Watched()
    watched.listing.update(["XYZ/USDT:USDT"], "")
    sample = watched.sample()
    assert (sample.pairs, sample.waiting, sample.why) == (0, False, "it lists none of them")


def test_a_refused_pair_and_an_inactive_one_are_not_counted_until_they_come_after_all() -> None:
    watched = Watched(instrument(ROUTE), instrument(ROUTE, symbol=OTHER, active=False))
    assert watched.books is not None
    assert watched.sample().pairs == 1
    watched.refuse(SYMBOL)
    sample = watched.sample()
    assert (sample.pairs, sample.why) == (0, "refused: no such instrument")
    kinds = {pair_kind(pair, connected=True, silent=False) for pair in watched.books.pairs.values()}
    assert kinds == {"refused"}, "said on the pair"
    book = BookSnapshot(symbol=OTHER, bids=[(99.0, 1.0)], asks=[(101.0, 1.0)])
    watched.books.events(STREAM, [book], 1, 1)
    assert watched.sample().pairs == 1


def test_a_pair_from_which_nothing_can_come_is_in_no_figure_of_its_route() -> None:
    watched = Watched(instrument(ROUTE), instrument(ROUTE, symbol=OTHER, active=False))
    assert watched.books is not None
    assert not book_sample(ROUTE, watched.books.pairs[OTHER], 1, 1).expected
    assert book_sample(ROUTE, watched.books.pairs[SYMBOL], 1, 1).expected
    silences = {f"book:{SYMBOL}": 1.0, f"book:{OTHER}": 9e6, "trades": 2.0}
    feed = FeedSample(
        route=ROUTE,
        t_ns=1,
        interval_ms=1_000.0,
        messages=1,
        bursts=1,
        channel_silence_ms=silences,
        never_data=(f"book:{OTHER}", "trades"),
    )
    kept = FeedSampler(ROUTE, watched.books, OffsetEstimator()).without_hopeless(feed)
    assert kept.channel_silence_ms == {f"book:{SYMBOL}": 1.0, "trades": 2.0}
    assert kept.never_data == ("trades",)
