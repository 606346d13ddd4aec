"""Keeps the child process of one route running, and knows whether it still works."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

from feeds.ccxt_pro import process
from feeds.ccxt_pro.messages import Beat, ChildMessage, Follow, Job
from feeds.ccxt_pro.process import ChildLostError, Pipe
from feeds.clock import SECOND, Clock
from feeds.transport.backoff import Backoff

BEATLESS_NS = 3 * SECOND
"""The child sends a beat every second. Without one for this long, its silence says nothing about the venue."""


class Supervisor:
    """Starts the child, hands on its messages, and starts another one when it is lost."""

    def __init__(
        self,
        job: Job,
        clock: Clock,
        *,
        on_follow: Callable[[], None],
        on_message: Callable[[ChildMessage], None],
        on_lost: Callable[[Exception | None], None],
        begin: Callable[[], Awaitable[Pipe]] = process.start,
        silent_s: float = process.SILENT_S,
        backoff: Backoff | None = None,
    ) -> None:
        """``begin`` starts a child, which counts as lost after ``silent_s`` without a message.

        ``on_follow`` is called whenever a child was told what to watch, ``on_lost`` whenever one is gone: with the
        reason, None when we ended it ourselves.
        """
        self._job, self._clock, self._begin, self._silent_s = job, clock, begin, silent_s
        self._on_follow, self._on_message, self._on_lost = on_follow, on_message, on_lost
        self._backoff = backoff or Backoff(base_s=1.0)
        self._task: asyncio.Task[None] | None = None
        self._pipe: Pipe | None = None
        self._symbols: tuple[str, ...] | None = None
        self._beat_ns: int | None = None
        self.lag_ms: float | None = None
        """p99 of how late the child's event loop is; None before its first beat."""
        self.garbled = 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def follow(self, symbols: Sequence[str]) -> None:
        """Have these watched, by this child and by those after it. A child that watches already is replaced: ccxt reads
        its list of markets once."""
        before, self._symbols = self._symbols, tuple(symbols)
        if self._pipe is None:
            return
        if before is None:
            self._send_symbols(self._pipe, self._symbols)
        elif self._task is not None:
            self._task = asyncio.create_task(self._run_after(self._task))

    async def _run_after(self, other: asyncio.Task[None]) -> None:
        other.cancel()
        await asyncio.wait([other])
        await self._run()

    def forgive(self) -> None:
        """The child works: the next failure is the first one again."""
        self._backoff.forgive()

    @property
    def running(self) -> bool:
        return self._pipe is not None

    def beats(self, mono_ns: int) -> bool:
        """The child is running and its event loop is not blocked."""
        return self._beat_ns is not None and mono_ns - self._beat_ns <= BEATLESS_NS

    async def _run(self) -> None:
        while True:
            why: Exception | None = None
            try:
                self._pipe = await self._begin()
                await self._listen(self._pipe)
            except (ChildLostError, OSError) as error:
                why = error
            finally:
                pipe, self._pipe = self._pipe, None
                self._beat_ns = self.lag_ms = None
                self._on_lost(why)
                if pipe is not None:
                    await pipe.end()
            await asyncio.sleep(self._backoff.delay_s())

    async def _listen(self, pipe: Pipe) -> None:
        pipe.send(self._job)
        if self._symbols is not None:
            self._send_symbols(pipe, self._symbols)
        counted = 0
        async for message in pipe.messages(self._silent_s):
            self.garbled += pipe.garbled - counted
            counted = pipe.garbled
            if isinstance(message, Beat):
                self.lag_ms, self._beat_ns = message.lag_ms, self._clock.monotonic_ns()
            else:
                self._on_message(message)

    def _send_symbols(self, pipe: Pipe, symbols: tuple[str, ...]) -> None:
        pipe.send(Follow(symbols))
        self._on_follow()
