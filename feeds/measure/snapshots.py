"""REST snapshots of books that sync with one: one at a time a symbol, patient, never more than the budget allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from feeds.books.book import Outcome
from feeds.books.route_books import RouteBooks
from feeds.clock import Clock
from feeds.model import BookSnapshot, Instrument, Product
from feeds.transport.http import HttpError
from feeds.transport.requester import Requester
from feeds.venues.base import Venue, VenueError

FIRST_WAIT_S = 0.3
"""Deltas are let in before the snapshot is asked for, so that one of them bridges it."""
CATCH_UP_S, CATCH_UP_TURNS = 0.05, 40
RETRY_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


class Snapshots:
    def __init__(
        self,
        venue: Venue,
        product: Product,
        board: RouteBooks,
        requester: Requester,
        clock: Clock,
        group: Callable[[Coroutine[Any, Any, None]], object],
        trouble: Callable[[str, str], None],
    ) -> None:
        """``group`` starts a task that ends with its owner; ``trouble(code, text)`` goes to the journal."""
        self._venue, self._product, self._board = venue, product, board
        self._requester, self._clock, self._group, self._trouble = requester, clock, group, trouble
        self._under_way: set[str] = set()

    def want(self, symbol: str) -> None:
        """Fetch until the book is synced; asking again meanwhile changes nothing."""
        instrument = self._board.instruments.get(symbol)
        if instrument is not None and symbol not in self._under_way:
            self._under_way.add(symbol)
            self._group(self._fetch(instrument))

    def widen(self, symbol: str) -> None:
        """Lay a fresh, deeper snapshot under a synced book whose known range has become narrow."""
        instrument = self._board.instruments.get(symbol)
        if instrument is not None and symbol not in self._under_way:
            self._under_way.add(symbol)
            self._group(self._widen(instrument))

    async def _widen(self, instrument: Instrument) -> None:
        try:
            book = self._board.pairs[instrument.symbol].book
            book.await_snapshot()
            await asyncio.sleep(FIRST_WAIT_S)
            if book.synced:
                await self._once(instrument, deep=True)
        finally:
            self._under_way.discard(instrument.symbol)

    async def _caught_up(self, snapshot: BookSnapshot) -> None:
        """Let the stream come as far as the snapshot, so that the book keeps what it knows beyond it."""
        book = self._board.pairs[snapshot.symbol].book
        for _ in range(CATCH_UP_TURNS):
            if not book.synced or book.seq is None or snapshot.seq is None or book.seq >= snapshot.seq:
                return
            await asyncio.sleep(CATCH_UP_S)

    async def _fetch(self, instrument: Instrument) -> None:
        try:
            await asyncio.sleep(FIRST_WAIT_S)
            for wait_s in (*RETRY_S, *[RETRY_S[-1]] * 1000):
                if not self._board.pairs[instrument.symbol].book.wants_snapshot:
                    return
                why = await self._once(instrument)
                if why is None:
                    return
                if wait_s >= RETRY_S[2]:
                    self._trouble("resync", f"{instrument.symbol}: {why}, trying again")
                await asyncio.sleep(wait_s)
        finally:
            self._under_way.discard(instrument.symbol)

    async def _once(self, instrument: Instrument, *, deep: bool = False) -> str | None:
        """None when the book is synced, else why not."""
        request = self._venue.deep_snapshot_request(self._product, instrument) if deep else None
        request = request or self._venue.snapshot_request(self._product, instrument)
        if request is None:
            return "the venue offers no snapshot"
        try:
            answer = await self._requester.request(request)
            snapshot = self._venue.read_snapshot(self._product, instrument, answer)
        except HttpError as error:
            return f"no snapshot over REST ({error})"
        except VenueError as error:
            return f"the REST snapshot cannot be used ({error})"
        if deep:
            await self._caught_up(snapshot)
        outcome = self._board.rest_book(snapshot, self._clock.time_ns())
        if outcome is Outcome.APPLIED:
            return None
        return "the REST snapshot is older than the stream"
