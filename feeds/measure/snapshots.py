"""REST snapshots for books that need one to sync: one at a time for each symbol, within the REST budget."""

from __future__ import annotations

import asyncio

from feeds.books.book import Outcome
from feeds.books.route_books import RouteBooks
from feeds.measure.rest_side import RestSide
from feeds.measure.route_context import RouteContext
from feeds.measure.route_tasks import RouteTasks
from feeds.model import BookSnapshot, Instrument
from feeds.transport.http import HttpError
from feeds.venues.base import VenueError

FIRST_WAIT_S = 0.3
"""Some deltas should come before the snapshot is asked for, so that one of them continues it."""
CATCH_UP_S, CATCH_UP_TURNS = 0.05, 40
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class Snapshots:
    def __init__(self, context: RouteContext, books: RouteBooks, rest: RestSide, tasks: RouteTasks) -> None:
        self._context, self._books, self._rest, self._tasks = context, books, rest, tasks
        self._under_way: set[str] = set()

    def under_way(self, symbol: str) -> bool:
        """Being fetched now, or to be tried again soon."""
        return symbol in self._under_way

    def want(self, symbol: str) -> None:
        """Fetch until the book is synced. Asking again meanwhile changes nothing."""
        instrument = self._books.instruments.get(symbol)
        if instrument is not None and symbol not in self._under_way:
            self._under_way.add(symbol)
            self._tasks.start(self._fetch(instrument))

    def widen(self, symbol: str) -> None:
        """Lay a fresh, deeper snapshot under a synced book whose known range has become narrow."""
        instrument = self._books.instruments.get(symbol)
        if instrument is not None and symbol not in self._under_way:
            self._under_way.add(symbol)
            self._tasks.start(self._widen(instrument))

    async def _widen(self, instrument: Instrument) -> None:
        try:
            book = self._books.pairs[instrument.symbol].book
            book.await_snapshot()
            await asyncio.sleep(FIRST_WAIT_S)
            if book.synced:
                await self._once(instrument, deep=True)
        finally:
            self._under_way.discard(instrument.symbol)

    async def _caught_up(self, snapshot: BookSnapshot) -> None:
        """Wait until the stream has come as far as the snapshot, so that the book keeps what it knows beyond it."""
        book = self._books.pairs[snapshot.symbol].book
        for _ in range(CATCH_UP_TURNS):
            if not book.synced or book.seq is None or snapshot.seq is None or book.seq >= snapshot.seq:
                return
            await asyncio.sleep(CATCH_UP_S)

    async def _fetch(self, instrument: Instrument) -> None:
        try:
            await asyncio.sleep(FIRST_WAIT_S)
            for wait_s in (*RETRY_S, *[RETRY_S[-1]] * 1000):
                if not self._books.pairs[instrument.symbol].book.wants_snapshot:
                    return
                why = await self._once(instrument)
                if why is None:
                    return
                if wait_s >= RETRY_S[2]:
                    self._context.log_event("resync", f"{instrument.symbol}: {why}, trying again")
                await asyncio.sleep(wait_s)
        finally:
            self._under_way.discard(instrument.symbol)

    async def _once(self, instrument: Instrument, *, deep: bool = False) -> str | None:
        """None when the book is synced, else why not."""
        venue, product = self._context.venue, self._context.product
        request = venue.deep_snapshot_request(product, instrument) if deep else None
        request = request or venue.snapshot_request(product, instrument)
        if request is None:
            return "the venue offers no snapshot"
        try:
            answer = await self._rest.request(request)
            snapshot = venue.read_snapshot(product, instrument, answer)
        except HttpError as error:
            return f"no snapshot over REST ({error})"
        except VenueError as error:
            return f"the REST snapshot cannot be used ({error})"
        if deep:
            await self._caught_up(snapshot)
        outcome = self._books.rest_book(snapshot, self._context.meters.clock.monotonic_ns())
        if outcome is Outcome.APPLIED:
            return None
        return "the REST snapshot is older than the stream"
