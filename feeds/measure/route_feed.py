"""One feed of a route: its hosts, REST side, sockets and books. All of it ends when the venue ends the feed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from feeds.books.route_books import Origin, RouteBooks
from feeds.measure.book_checks import BookChecks
from feeds.measure.contract import Hosts
from feeds.measure.feed_samples import FeedSampler
from feeds.measure.rest_side import RestSide
from feeds.measure.route_context import RouteContext
from feeds.measure.route_sockets import RouteSockets
from feeds.measure.route_tasks import RouteTasks
from feeds.measure.snapshots import Snapshots
from feeds.model import Channel, Instrument
from feeds.transport.stream import Stream
from feeds.venues.base import ProductFacts


class RouteFeed:
    def __init__(self, context: RouteContext, hosts: Hosts) -> None:
        self._context, self.hosts = context, hosts
        self.facts: ProductFacts = context.venue.products[context.product]
        self.rest = RestSide(context, hosts.rest)
        self.sockets = RouteSockets(context, hosts.ws)
        self.books: RouteBooks | None = None
        self._tasks = RouteTasks(context)
        self._snapshots: Snapshots | None = None
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
        self._snapshots = Snapshots(context, books, self.rest, self._tasks)
        self._checks = BookChecks(books, self.facts.quiet_s.get(Channel.BOOK), self._snapshots.widen)
        self._sampler = FeedSampler(context.route, books, context.offset)
        self.sockets.open(instruments, books, self.rest, self._tasks)

    def cancel(self) -> None:
        """End all of it, without waiting."""
        self._tasks.cancel()
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
        assert self.books is not None and self._snapshots is not None
        if self.books.rest_snapshot:
            self._snapshots.want(symbol)
        elif isinstance(origin, Stream):
            self.books.resyncs += 1
            origin.resubscribe(Channel.BOOK, symbol)

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
