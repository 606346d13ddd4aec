"""Instruments while a session runs for days: asked for daily, taken over, and never for older or half ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from feeds.instruments import loader as module
from feeds.instruments.cache import FRESH_NS, Markets, Refreshed
from feeds.instruments.loader import RECHECK_S, InstrumentLoader
from feeds.model import Instrument
from tests.feeds.advise.routes import instrument

ROUTE = "okx.linear"


def markets(fetched_ns: int, *symbols: str, note: str = "") -> Markets:
    listed = {s: instrument(ROUTE, symbol=s) for s in symbols}
    return Markets(route=ROUTE, instruments=listed, fetched_ns=fetched_ns, note=note)


class World:
    """A venue whose answers are given, and a clock that sleeps move on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cached: Markets | None) -> None:
        self.now_ns = 1_000 * FRESH_NS
        self.answers: list[Refreshed] = []
        self.known: list[tuple[tuple[str, ...], str]] = []
        self.said: list[str] = []
        self.asked_ns: list[int] = []
        self.slept_s: list[float] = []
        self._over = asyncio.Event()
        monkeypatch.setattr(module, "load_cached", lambda *_: {} if cached is None else {ROUTE: cached})
        monkeypatch.setattr(module, "refresh", self._refresh)
        monkeypatch.setattr("time.time_ns", lambda: self.now_ns)
        monkeypatch.setattr("asyncio.sleep", self._sleep)
        self.loader = InstrumentLoader(
            routes=[ROUTE],
            cache_dir=Path("/nowhere"),
            label=None,
            rest={},
            proxies={},
            ready=self._ready,
            log_event=self.said.append,
        )

    def _ready(self, route: str, listed: Mapping[str, Instrument], note: str) -> None:
        self.known.append((tuple(listed), note))

    async def _refresh(
        self, routes: Iterable[str], *_: object, arrived: Callable[[Markets], None], **__: Any
    ) -> Refreshed:
        self.asked_ns.append(self.now_ns)
        if not self.answers:
            self._over.set()
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        for each in answer.markets.values():
            if not each.note:
                arrived(each)
        return answer

    async def _sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_ns += int(seconds * 1e9)

    async def play(self, *answers: Refreshed) -> None:
        self.answers = list(answers)
        self.loader.start()
        await asyncio.wait_for(self._over.wait(), 5)
        await self.loader.stop()


def good(fetched_ns: int, *symbols: str) -> Refreshed:
    return Refreshed(markets={ROUTE: markets(fetched_ns, *symbols)}, failures={})


async def test_every_day_the_list_is_asked_for_anew_and_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)
    begun_ns = world.now_ns
    await world.play(good(begun_ns, "A"), good(begun_ns + FRESH_NS, "A", "B"))
    assert [each for each, _ in world.known] == [("A",), ("A", "B")]
    assert [(t - begun_ns) // FRESH_NS for t in world.asked_ns] == [0, 1, 2]
    assert set(world.slept_s) == {RECHECK_S}


async def test_an_older_list_from_the_disk_never_replaces_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)
    begun_ns = world.now_ns
    old = Refreshed(markets={ROUTE: markets(begun_ns - 9 * FRESH_NS, "OLD", note="old.")}, failures={ROUTE: "no"})
    gone = Refreshed(markets={}, failures={ROUTE: "no"})
    await world.play(good(begun_ns, "A"), old, gone)
    assert [each for each, _ in world.known] == [("A",)] * 3
    assert world.known[1][1] == "instruments of okx.linear are 24 hours old: venue could not be asked."
    assert world.said[0] == "okx.linear: the venue could not be asked for its instruments (no); using the cached ones"


async def test_a_list_that_lost_most_is_said_and_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)
    many = [f"N{n}" for n in range(50)]
    await world.play(good(world.now_ns, *many), good(world.now_ns + FRESH_NS, "N1"))
    assert all(len(each) == 50 for each, _ in world.known)
    assert world.said == [
        "okx.linear: the venue lists 1 of 50 instruments now, which is not believed; the earlier list stays"
    ]


async def test_a_cache_that_cannot_be_written_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, None)
    begun_ns = world.now_ns
    full = Refreshed(markets={ROUTE: markets(begun_ns, "A")}, failures={}, not_kept="No space left on device")
    again = Refreshed(
        markets={ROUTE: markets(begun_ns + FRESH_NS, "A")}, failures={}, not_kept="No space left on device"
    )
    await world.play(full, again)
    assert world.said == [
        "instruments cannot be kept on disk (No space left on device): they are asked for again at the next start"
    ]
