"""The whole collector under load, with every socket, probe, sample, verdict, advice and frame of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from feeds.collector.collector import Collector
from feeds.config.load import Config, load_config
from feeds.frame import Frame
from feeds.samples import FeedSample, Sample
from tests.bench import rounds


class Listening(Collector):
    """Records our own lag from the samples."""

    def __init__(self, configuration: Config) -> None:
        super().__init__(configuration)
        self.own_lag_ms: list[float] = []
        """Socket readable to handler end, p99 of each second and route."""

    def _observe(self, sample: Sample) -> None:
        if isinstance(sample, FeedSample) and sample.own_lag_ms is not None:
            self.own_lag_ms.append(sample.own_lag_ms)
        super()._observe(sample)


class Whole:
    def __init__(self) -> None:
        self._collector: Listening | None = None
        self._running: asyncio.Task[None] | None = None
        self._symbols: dict[str, str] = {}
        self._frame: Frame | None = None
        self._frames = 0
        self._loop_lag_ms: list[float] = []

    async def open(self, place: dict[str, Any]) -> None:
        self._symbols = place["symbols"]
        self._collector = Listening(load_config(Path(place["config"])))
        self._collector.sinks.append(self._keep)
        self._running = asyncio.create_task(self._collector.run())
        while not self._live():
            if self._running.done():
                self._running.result()
            await asyncio.sleep(0.05)

    def _keep(self, frame: Frame) -> None:
        self._frame = frame
        self._frames += 1
        if frame.own.loop_lag_ms.p99 is not None:
            self._loop_lag_ms.append(frame.own.loop_lag_ms.p99)

    def _live(self) -> bool:
        rows = () if self._frame is None else self._frame.pairs
        wanted = set(self._symbols.items())
        return {(row.route, row.symbol) for row in rows if row.state == "live"} >= wanted

    def _boards(self) -> dict[str, Any]:
        assert self._collector is not None
        running = self._collector._running  # counting to the message needs more than frames tell
        assert running is not None
        return {route: running.session.routes[route].books for route in self._symbols}

    def done(self, marks: dict[str, float]) -> bool:
        boards = self._boards()
        return all(mark_px in boards[route].pairs[self._symbols[route]].book.bids for route, mark_px in marks.items())

    def book(self) -> list[list[list[float]]] | None:
        return None

    def counters(self) -> dict[str, float]:
        boards = self._boards().values()
        return {
            "applied": sum(books.book_updates for books in boards),
            "gaps": sum(books.gaps for books in boards),
            "garbled": sum(books.garbled + books.unknown for books in boards),
            "frames": self._frames,
        }

    def notes(self) -> dict[str, Any]:
        if self._collector is None:
            return {}
        own, loop = self._collector.own_lag_ms, self._loop_lag_ms
        self._collector.own_lag_ms, self._loop_lag_ms = [], []
        return {"own_lag_ms": max(own, default=None), "loop_lag_ms": max(loop, default=None)}

    async def close(self) -> None:
        await rounds.cancel(self._running)


if __name__ == "__main__":
    rounds.main(Whole)
