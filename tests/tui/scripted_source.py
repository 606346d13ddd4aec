"""Sources without a collector: one that says what it is told, one that plays a scenario."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from feeds.frame import Order
from feeds.link_messages import Command, Goodbye, Message, Past, Shown, UseHome, UseOrder, UseWatchlist
from tests.tui.scripted import Scenario, frame, history


class ScriptedSource:
    """A source that says what it is told: ``put`` messages, ``end`` it; ``sent`` keeps what the screen asked."""

    def __init__(self, messages: Sequence[Message] = ()) -> None:
        self._queue: asyncio.Queue[Message | OSError | None] = asyncio.Queue()
        self.sent: list[Command] = []
        self.refuses: OSError | None = None
        for message in messages:
            self.put(message)

    def put(self, message: Message) -> None:
        self._queue.put_nowait(message)

    def end(self, error: OSError | None = None) -> None:
        self._queue.put_nowait(error)

    async def messages(self) -> AsyncIterator[Message]:
        while True:
            message = await self._queue.get()
            if message is None:
                return
            if isinstance(message, OSError):
                raise message
            yield message

    async def send(self, command: Command) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.sent.append(command)


class PlayedSource:
    """A scenario in real time, four frames a second, that does what it is asked."""

    def __init__(self, scenario: Scenario, begin_s: float = 0.0) -> None:
        self._scenario = scenario
        self._begin_s = begin_s
        self._home = "binance.linear"
        self._order = Order(side="sell", notional=100_000.0)
        self._watchlist = "majors"

    async def messages(self) -> AsyncIterator[Message]:
        loop = asyncio.get_running_loop()
        begin = loop.time() - self._begin_s
        if self._scenario not in ("warmup", "empty"):
            yield Past(history(self._scenario, self._begin_s))
        while True:
            t_s = loop.time() - begin
            if self._scenario == "lost" and t_s > self._begin_s + 5:
                yield Goodbye("collector stopped by SIGTERM")
                return
            made = frame(self._scenario, t_s, home=self._home, order=self._order, watchlist=self._watchlist)
            yield Shown(made)
            await asyncio.sleep(0.25)

    async def send(self, command: Command) -> None:
        match command:
            case UseHome(route=name):
                self._home = name
            case UseOrder(side=side, notional=notional):
                self._order = Order(side=side, notional=notional)
            case UseWatchlist(name=name):
                self._watchlist = name
