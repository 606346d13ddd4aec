"""What a screen may ask of the collector, and what it may not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from feeds.collector.collector import COMMANDS_KEPT, Collector, Running
from feeds.config.load import parse
from feeds.frame import Frame
from feeds.link_messages import Command, UseHome, UseOrder, UseWatchlist
from feeds.publish import link

CONFIG = "".join(
    f'[watchlists.{name}]\nsymbols = ["BTC/USDT:USDT"]\nroutes = ["okx.linear", "bybit.linear"]\nhome = "okx.linear"\n'
    for name in ("one", "two", "three")
)

HOSTILE: tuple[Command, ...] = (
    UseOrder("buy", math.nan),
    UseOrder("buy", math.inf),
    UseOrder("sell", -5.0),
    UseOrder("sell", 1e300),
    UseHome("nobody.spot"),
    UseHome("\x1b[2J" * 10_000),
    UseHome(""),
    UseWatchlist("x" * 60_000),
    UseWatchlist("[bold]\u202e"),
)


class Switching(Collector):
    """Notes the watchlists it is switched to."""

    def __init__(self) -> None:
        super().__init__(parse('watchlist = "one"\n' + CONFIG, Path("test.toml")))
        self.switched: list[str] = []

    async def running(self) -> Running:
        made = await super()._switch(self._config.chosen())
        await self._stop_session()
        return made

    async def _switch(self, chosen: object) -> Running:
        self.switched.append(chosen.name)  # type: ignore[attr-defined]  # a watchlist
        return await self.running()


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Switching:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Switching()


@pytest.mark.parametrize("command", HOSTILE)
async def test_hostile_commands_that_are_well_formed_arrive_and_change_nothing(
    collector: Switching, command: Command
) -> None:
    assert len(link.packet(command)) < link.MAX_COMMAND_BYTES
    running = await collector.running()
    before = running.session.order, running.session.watchlist
    collector.command(command)
    assert await collector._carry_out(running) is running
    assert (running.session.order, running.session.watchlist) == before
    assert collector.switched == []


async def test_of_many_watchlists_asked_for_at_once_only_the_last_is_measured(collector: Switching) -> None:
    running = await collector.running()
    for name in ("two", "three") * 1_000:
        collector.command(UseWatchlist(name))
    assert len(collector._commands) == COMMANDS_KEPT
    await collector._carry_out(running)
    assert collector.switched == ["three"]


async def test_a_listener_that_raises_does_not_end_the_frames(collector: Switching) -> None:
    heard: list[int] = []

    def broken(frame: Frame) -> None:
        raise RuntimeError("a bug")

    collector.sinks.append(broken)
    collector.sinks.append(lambda frame: heard.append(frame.number))
    running = await collector.running()
    for _ in range(2):
        frame = await collector._frame_maker.make(
            running.session, running.assessor.latest, collector._own_row, collector._events
        )
        collector.sinks.publish(frame)
    assert heard == [1, 2]
    (event,) = frame.events
    assert event.code == "sink" and "RuntimeError: a bug" in event.text
