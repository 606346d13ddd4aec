"""One feed of a route: its hosts, REST side, sockets and books. All of it ends when the venue ends the feed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.books.route_books import Origin, RouteBooks
from feeds.measure.book_checks import BookChecks
from feeds.measure.contract import Hosts
from feeds.measure.feed_samples import FeedSampler
from feeds.measure.rest_side import RestSide
from feeds.measure.resyncs import TIMING, Resyncs
from feeds.measure.route_context import RouteContext
from feeds.measure.route_sockets import RouteSockets
from feeds.measure.route_tasks import RouteTasks
from feeds.measure.snapshots import Snapshots
from feeds.model import Channel, Instrument
from feeds.venues.base import ProductFacts


class RouteFeed:
    resync_timing = TIMING

    def __init__(self, context: RouteContext, hosts: Hosts, rest: RestSide | None = None) -> None:
        """``rest``: of the feed before, where that one asks the same host."""
        self._context, self.hosts = context, hosts
        self.facts: ProductFacts = context.venue.products[context.product]
        self.rest = rest or RestSide(context, hosts.rest)
        self.sockets = RouteSockets(context, hosts.ws)
        self.books: RouteBooks | None = None
        self._tasks = RouteTasks(context)
        self._resyncs: Resyncs | None = None
        self._checks: BookChecks | None = None
        self._sampler: FeedSampler | None = None

    def watch(self, instruments: Sequence[Instrument]) -> None:
        """Open the sockets for these instruments. Called once."""
        context = self._context
        self.rest.probe(instruments)
        self.books = books = RouteBooks(
            context.route,
            context.venue,
            context.product,
            instruments,
            resync=self._resync,
            notice=lambda text, within_s: context.log_event("status", text),
            log_event=context.log_event,
        )
        snapshots = Snapshots(context, books, self.rest, self._tasks)
        self._resyncs = Resyncs(
            books,
            self.sockets.stream_of,
            snapshots,
            context.log_event,
            context.meters.clock.monotonic_ns,
            self.resync_timing,
        )
        self._checks = BookChecks(books, self.facts.quiet_s.get(Channel.BOOK), snapshots.widen)
        self._sampler = FeedSampler(context.route, books, context.offset)
        self.sockets.open(instruments, books, self.rest, self._tasks)
        self._tasks.start(self._resyncs.run())

    def adjust(self, instruments: Sequence[Instrument]) -> None:
        """Take over figures that no socket and no book depends on."""
        assert self.books is not None
        if any(new.active != self.books.instruments[new.symbol].active for new in instruments):
            self.rest.probe(instruments)  # they ask for a market that is traded
        self.books.adjust(instruments)

    def inherit(self, old: RouteFeed) -> None:
        """Go on with what ``old`` has counted and keeps, for the same route."""
        assert self.books is not None and old.books is not None
        self.books.inherit(old.books)
        self.sockets.inherit(old.sockets)

    def cancel(self, *, rest: bool = True) -> None:
        """End all of it, without waiting; or all but its REST side, which another feed uses."""
        self._tasks.cancel()
        if rest:
            self.rest.cancel()

    async def stop(self) -> None:
        await self._tasks.stop()
        await self.rest.stop()

    @property
    def instruments(self) -> tuple[Instrument, ...] | None:
        """None until ``watch`` was called."""
        return None if self.books is None else tuple(self.books.instruments.values())

    @property
    def whole(self) -> bool:
        """At least one book is complete now."""
        return self.books is not None and any(pair.book.synced for pair in self.books.pairs.values())

    def _resync(self, symbol: str, origin: Origin) -> None:
        assert self._resyncs is not None
        self._resyncs.want(symbol)

    def sample(self, now_ns: int, mono_ns: int, interval_ms: float) -> None:
        """Emit what the feed brought in the interval that ends now; nothing before ``watch``."""
        if self.books is None or self._checks is None or self._sampler is None:
            return
        emit = self._context.meters.emit
        self.sockets.sample_links(self.books.gaps, mono_ns)
        feed = self._sampler.sample(now_ns, mono_ns, interval_ms, self.sockets.messages)
        feed = msgspec.structs.replace(feed, frozen_books=self._checks.frozen(mono_ns))
        emit(self._sampler.without_hopeless(self.sockets.add_to(feed, mono_ns)))
        for symbol in self.books.pairs:
            emit(self._checks.sample(symbol, now_ns, mono_ns))
            if self.books.rest_snapshot:
                self._checks.keep_wide(symbol, mono_ns)
