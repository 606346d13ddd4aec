"""Background tasks of one route, which end together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from feeds.measure.route_context import RouteContext

log = logging.getLogger(__name__)


class RouteTasks:
    """Starts tasks and cancels them together. A task that fails is a bug of ours, and is logged as that."""

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Without waiting for their end."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        tasks = tuple(self._tasks)
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s: a task of ours has died", self._context.route, exc_info=error)
            self._context.log_event("self", f"a task of ours has died: {error!r}")
