"""A venue's official status, asked for once a minute and handed to each of its routes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from feeds.clock import Clock
from feeds.measure.contract import MonitoredRoute
from feeds.model import StatusNotice
from feeds.transport.http import HttpError
from feeds.venues.base import VenueError

EVERY_S = 60.0
SOON_S = 15.0
"""Interval while something is announced as ongoing."""

OnNotices = Callable[[str, tuple[StatusNotice, ...]], None]


class StatusWatch:
    """``on_notices(route, notices)`` is called after every answer, with those notices that concern the route."""

    def __init__(self, venue: str, routes: Sequence[MonitoredRoute], clock: Clock, on_notices: OnNotices) -> None:
        self.venue = venue
        self._routes, self._clock, self._on_notices = tuple(routes), clock, on_notices
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """A venue that publishes no status is asked nothing. One whose products share a status is asked once."""
        asked: set[str] = set()
        for watch in self._routes:
            request = watch.venue.status_request(watch.product)
            if request is not None and (key := f"{watch.facts.rest}{request.path}") not in asked:
                asked.add(key)
                self._tasks.append(asyncio.create_task(self._ask(watch)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _ask(self, watch: MonitoredRoute) -> None:
        wait_s = 1.0
        while True:
            await asyncio.sleep(wait_s)
            wait_s = EVERY_S
            request = watch.venue.status_request(watch.product)
            if request is None:
                return
            try:
                notices = tuple(watch.venue.read_status(watch.product, await watch.request(request)))
            except (HttpError, VenueError):
                continue  # no answer is no status: whether the venue answers is the probes' business
            if any(n.state in ("ongoing", "incident") for n in notices):
                wait_s = SOON_S
            for each in self._routes:
                self._on_notices(each.route, tuple(n for n in notices if not n.products or each.product in n.products))
