"""The collector: measures the chosen watchlist and makes frames. It does not know who reads them."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from feeds import stderr
from feeds.advise.settings import AdviceSettings
from feeds.clock import Clock, SystemClock
from feeds.collector.advice_inputs import Advising
from feeds.collector.assessment import Assessor
from feeds.collector.event_log import EventLog
from feeds.collector.frames import FrameMaker
from feeds.collector.history import FrameHistory
from feeds.collector.own_machine import OwnMachine, break_words
from feeds.collector.route_builder import RouteBuilder
from feeds.collector.session import WatchSession
from feeds.collector.simulated import Simulation, follow_orders
from feeds.collector.sinks import Sinks
from feeds.config.load import Config
from feeds.config.watchlists import Watchlist
from feeds.frame import Level, SelfRow
from feeds.judge.judge import Judge
from feeds.link_messages import Command, History, UseHome, UseOrder, UseWatchlist
from feeds.measure.witness import Witness, parse_target
from feeds.samples import Sample
from feeds.venues import failure_domains

COMMANDS_KEPT = 100
"""More than this many between two frames are dropped."""
MAX_NOTIONAL = 1e15


class Running(Struct, frozen=True):
    """What measures the present watchlist."""

    session: WatchSession
    judge: Judge
    assessor: Assessor


class Collector:
    def __init__(
        self, configuration: Config, *, simulation: Simulation | None = None, clock: Clock | None = None
    ) -> None:
        self._config, self._simulation = configuration, simulation
        self._clock: Clock = clock or SystemClock()
        self._events = EventLog(self._clock)
        self.sinks = Sinks(self._clock, self.tell)
        self._history = FrameHistory()
        self._builder = RouteBuilder(configuration, simulation, clock=self._clock, events=self._events)
        self._machine = OwnMachine(self._clock, self._builder.offsets)
        self._own_row = SelfRow()
        self._frame_maker = FrameMaker(
            self._clock,
            vantage=configuration.vantage,
            watchlists=tuple(configuration.watchlists),
            scenario=simulation.scenario if simulation is not None else None,
        )
        self._commands: list[Command] = []
        self._running: Running | None = None

    # the outside

    async def history(self) -> History:
        return await self._history.history()

    def command(self, command: Command) -> None:
        """Carried out before the next frame."""
        if len(self._commands) < COMMANDS_KEPT:
            self._commands.append(command)

    def tell(self, level: Level, text: str) -> None:
        """News of a listener: an event for those that listen, a line on stderr for who started us."""
        self._events.add(self._clock.time_ns(), level, "sink", None, text)
        stderr.say(text)

    async def run(self) -> None:
        """Until cancelled."""
        self._machine.start()
        targets = self._simulation.witnesses if self._simulation is not None else self._config.witnesses
        witness = Witness(self._observe, self._clock, targets=[parse_target(t) for t in targets])
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(witness.run())
                if self._simulation is not None:
                    group.create_task(follow_orders(self._simulation.control, self._simulation.control_token))
                await self._frames(await self._switch(self._config.chosen()))
        finally:
            self._machine.stop()
            await self._stop_session()

    def _observe(self, sample: Sample) -> None:
        self._look_at_the_clock()
        if self._running is not None:
            self._running.judge.observe(sample)

    def _look_at_the_clock(self) -> None:
        """Before anything that was just measured is used: was our clock set, or did we sleep?"""
        found = self._machine.look()
        if found is None:
            return
        self._events.add(found.t_ns, "warning", "clock", None, break_words(found))
        if self._running is not None:
            self._running.judge.observe(found)
            if found.slept_ms > 0:
                self._running.assessor.awoke()

    # the watchlist

    async def _switch(self, chosen: Watchlist) -> Running:
        await self._stop_session()
        watchlist = self._builder.within_reach(chosen)
        domains = self._config.domains
        judge = Judge(watchlist.routes, domains=failure_domains.judged(domains))
        session = WatchSession(
            watchlist,
            {route: self._builder.build(route, self._observe) for route in watchlist.routes},
            observe=self._observe,
            clock=self._clock,
            events=self._events,
            cache_label=self._simulation.label if self._simulation is not None else None,
            proxies=self._config.proxies,
        )
        advising = Advising(AdviceSettings(fees=self._config.fees, domains=failure_domains.members(domains)))
        self._running = Running(session, judge, Assessor(session, judge, advising, self._events))
        session.start()
        return self._running

    async def _stop_session(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            await running.session.stop()

    async def _carry_out(self, running: Running) -> Running:
        """The commands that have come since the last frame. Returns what measures after them."""
        commands, self._commands = self._commands, []
        # of several watchlists only the last: each costs the connections of all routes
        last = next((c for c in reversed(commands) if isinstance(c, UseWatchlist)), None)
        commands = [c for c in commands if not isinstance(c, UseWatchlist) or c is last]
        for command in commands:
            match command:
                case UseWatchlist(name=name) if name in self._config.watchlists:
                    if name != running.session.watchlist.name:
                        running = await self._switch(self._config.watchlists[name])
                case UseHome(route=route) if route in running.session.routes:
                    running.session.use_home(route)
                case UseOrder(side=side, notional=notional) if 0 < notional < MAX_NOTIONAL:
                    running.session.use_order(side, notional)
        return running

    # frames

    async def _frames(self, running: Running) -> None:
        """Open loop: a late frame does not shift the next; missed ones are left out."""
        loop = asyncio.get_running_loop()
        step_s = 1.0 / self._config.frames_per_s
        due_s = loop.time()
        second_s = due_s
        while True:
            running = await self._carry_out(running)
            if loop.time() >= second_s:
                await self._second(running)
                second_s = max(second_s + 1.0, loop.time() + 0.5)
            self._look_at_the_clock()
            frame = await self._frame_maker.make(
                running.session,
                running.assessor.latest,
                self._own_row,
                self._events,
                stood_ns=self._machine.stood_ns,
            )
            if self._history.due(frame):
                self._history.add(frame)
            self.sinks.publish(frame)
            due_s = max(due_s + step_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def _second(self, running: Running) -> None:
        self._observe(self._machine.sample())
        await running.assessor.second(self._clock.time_ns(), self._clock.monotonic_ns())
        self._own_row = self._machine.row(running.judge, running.assessor.latest.signals.values())
