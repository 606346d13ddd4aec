"""The collector: wires watching, judging and advising together and emits frames. Knows nothing of who receives them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from feeds.advise import basis
from feeds.advise.costs import AdviceSettings
from feeds.ccxt_pro.route import CcxtProRoute
from feeds.clock import Clock, SystemClock
from feeds.collector import rows
from feeds.collector.advice_inputs import Advising
from feeds.collector.event_log import EventLog
from feeds.collector.history import HistoryKeeper
from feeds.collector.process_usage import Usage
from feeds.collector.session import WatchSession
from feeds.collector.simulated import Simulation, obey
from feeds.collector.summary import depth_totals, summary
from feeds.config import paths
from feeds.config.load import Config
from feeds.config.watchlists import Watchlist, pairs_of
from feeds.frame import (
    Command,
    Frame,
    History,
    Order,
    RailRow,
    SelfRow,
    UseHome,
    UseOrder,
    UseWatchlist,
)
from feeds.instruments.loader import InstrumentLoader
from feeds.judge.judge import Judge
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import MonitoredRoute
from feeds.measure.loop_lag import ClockStep, LoopLag
from feeds.measure.route import Hosts, Meters, RouteMonitor
from feeds.measure.transfers import RailsWatch
from feeds.measure.venue_status import StatusWatch
from feeds.measure.witness import Witness, parse_target
from feeds.model import Instrument, StatusNotice, product_in, venue_of
from feeds.samples import Sample, SelfSample, StatusSample
from feeds.transport.http import trust
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues import failure_domains
from feeds.venues.generic import generic
from feeds.venues.registry import VENUES

log = logging.getLogger(__name__)

SECOND_NS = 1_000_000_000

_Piece = TypeVar("_Piece")


class Collector:
    def __init__(
        self, configuration: Config, *, simulation: Simulation | None = None, clock: Clock | None = None
    ) -> None:
        self.sinks: list[Callable[[Frame], None]] = []
        self._config, self._simulation = configuration, simulation
        self._clock: Clock = clock or SystemClock()
        self._journal = EventLog()
        self._keeper = HistoryKeeper()
        self._limits = ConnectLimits()
        self._offsets: dict[str, OffsetEstimator] = {}
        self._lag = LoopLag(self._clock)
        self._step = ClockStep(self._clock)
        self._usage = Usage(self._clock)
        self._own = SelfRow()
        self._number = 0
        self._started_ns = self._clock.time_ns()
        self._commands: list[Command] = []
        self._watched: WatchSession | None = None
        self._tls = trust()

    # the outside

    def history(self) -> History:
        return self._keeper.history()

    def command(self, command: Command) -> None:
        """Carried out before the next frame."""
        if len(self._commands) < 100:
            self._commands.append(command)

    async def run(self) -> None:
        """Until cancelled. An exception of a sink ends it."""
        self._lag.start()
        targets = self._simulation.witnesses if self._simulation is not None else self._config.witnesses
        witness = Witness(self._emit, self._clock, targets=[parse_target(t) for t in targets])
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(witness.run())
                if self._simulation is not None:
                    group.create_task(obey(self._simulation.control))
                await self._switch(self._config.chosen())
                await self._frames()
        finally:
            self._lag.stop()
            await self._leave()

    # the watchlist

    async def _switch(self, watchlist: Watchlist) -> None:
        await self._leave()
        watchlist = self._within_reach(watchlist)
        routes = {route: self._route(route) for route in watchlist.routes}
        instruments = InstrumentLoader(
            routes=tuple(routes),
            cache_dir=paths.cache_dir(),
            label=self._simulation.label if self._simulation is not None else None,
            rest={r: w.hosts.rest for r, w in routes.items() if w.hosts.rest != w.facts.rest},
            ready=self._listed,
            say=lambda text: self._say("markets", None, text),
        )
        self._watched = WatchSession(
            watchlist=watchlist,
            routes=routes,
            judge=Judge(tuple(routes), domains=failure_domains.judged(self._config.domains)),
            advising=Advising(
                AdviceSettings(fees=self._config.fees, domains=failure_domains.members(self._config.domains))
            ),
            instruments=instruments,
            tasks=[],
            rails={},
            across=any(
                set(w.facts.quotes) != {quote}
                for w in routes.values()
                for quote in {basis.quote_of(s) for s in watchlist.symbols}
            ),
            home=watchlist.home,
            order=Order(side=watchlist.side, notional=watchlist.notionals[0]),
        )
        for watch in routes.values():
            watch.start()
        instruments.start()
        coins = tuple(
            dict.fromkeys(coin for s in watchlist.symbols for coin in (s.partition("/")[0], basis.quote_of(s)))
        )
        for venue in dict.fromkeys(venue_of(route) for route in routes):
            own = [w for r, w in routes.items() if venue_of(r) == venue]
            tasks: list[StatusWatch | RailsWatch] = [StatusWatch(venue, own, self._clock, self._notices)]
            tasks += [RailsWatch(w, coins, self._railed) for w in own if w.product == "spot"]
            for task in tasks:
                task.start()
            self._watched.tasks += tasks

    async def _leave(self) -> None:
        watched, self._watched = self._watched, None
        if watched is not None:
            await watched.instruments.stop()
            await asyncio.gather(*(t.stop() for t in watched.tasks), *(w.stop() for w in watched.routes.values()))

    def _within_reach(self, watchlist: Watchlist) -> Watchlist:
        """In a simulation nothing real may be asked: without the exchanges that are simulated by nobody."""
        if self._simulation is None:
            return watchlist
        reached = tuple(r for r in watchlist.routes if venue_of(r) in VENUES or r in self._simulation.endpoints)
        for route in watchlist.routes:
            if route not in reached:
                self._say("watchlist", route, "left out: nobody simulates this exchange")
        home = watchlist.home if watchlist.home in reached else None
        return msgspec.structs.replace(watchlist, routes=reached, home=home)

    def _route(self, route: str) -> MonitoredRoute:
        own = (self._simulation.endpoints if self._simulation is not None else self._config.endpoints).get(route)
        meters, offset = Meters(self._clock, self._emit, self._say), self._offsets.setdefault(route, OffsetEstimator())
        if venue_of(route) not in VENUES:
            other, kind = generic(venue_of(route)), product_in(route)
            hosts = Hosts(rest=own.rest or "" if own else "", ws=own.ws or "" if own else "")
            return CcxtProRoute(route, other, kind, hosts, meters, offset=offset)
        venue = VENUES[venue_of(route)]
        product = product_in(route)
        facts = venue.products[product]
        return RouteMonitor(
            route,
            venue,
            product,
            Hosts(
                rest=own.rest if own is not None and own.rest is not None else facts.rest,
                ws=own.ws if own is not None and own.ws is not None else facts.ws,
            ),
            meters,
            offset=offset,
            limits=self._limits,
            tls=self._tls,
        )

    def _listed(self, route: str, listed: Mapping[str, Instrument], note: str) -> None:
        """Instruments of a route are known (or their note has changed)."""
        watched = self._watched
        if watched is None:
            return
        watch = watched.routes[route]
        watch.market_note = note
        if watch.listed is not None:
            return
        watch.listed = frozenset(listed)
        wanted = [s for _, s in pairs_of((route,), watched.watchlist.symbols)]
        found = {symbol: basis.stand_in(symbol, listed) for symbol in wanted}
        watch.stand_ins = {symbol: own for symbol, own in found.items() if own is not None and own != symbol}
        absent = [symbol for symbol, own in found.items() if own is None]
        if absent:
            watch.notes.append(f"Not listed here: {', '.join(absent)}.")
        for symbol, own in watch.stand_ins.items():
            watch.notes.append(f"{own} stands in for {symbol}, compared through the live basis.")
        chosen = [own for own in found.values() if own is not None]
        if watch.product == "spot" and watched.across:
            chosen += rows.basis_pairs(watched, listed)
        instruments = watched.instruments.of(route, list(dict.fromkeys(chosen)))
        if instruments:
            watch.watch(instruments)

    def _notices(self, route: str, notices: tuple[StatusNotice, ...]) -> None:
        self._emit(StatusSample(route=route, t_ns=self._clock.time_ns(), notices=notices))

    def _railed(self, venue: str, rows: tuple[RailRow, ...]) -> None:
        watched = self._watched
        if watched is None:
            return
        before = {row.coin: row.withdraw for row in watched.rails.get(venue, ())}
        watched.rails[venue] = rows
        for row in rows:
            was = before.get(row.coin)
            if row.withdraw == "closed" and was != "closed":
                self._say("transfer", f"{venue}.spot", f"{row.coin} cannot be withdrawn")
            elif row.withdraw == "open" and was in ("closed", "slow"):
                self._say("transfer", f"{venue}.spot", f"{row.coin} can be withdrawn again")

    def _say(self, code: str, route: str | None, text: str) -> None:
        level = "info" if code in ("status", "markets", "connect", "reconnect") else "warning"
        self._journal.say(self._clock.time_ns(), level, code, route, text)  # type: ignore[arg-type]  # of Level's words

    def _emit(self, sample: Sample) -> None:
        if self._watched is not None:
            self._watched.judge.observe(sample)

    # frames

    async def _frames(self) -> None:
        """Open loop: a late frame does not shift the next; missed ones are left out."""
        loop = asyncio.get_running_loop()
        step_s = 1.0 / self._config.frames_per_s
        due_s = loop.time()
        second_s = due_s
        while True:
            await self._obey()
            if loop.time() >= second_s:
                await self._second()
                second_s = max(second_s + 1.0, loop.time() + 0.5)
            frame = await self._frame()
            for sink in self.sinks:
                sink(frame)
            due_s = max(due_s + step_s, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def _obey(self) -> None:
        commands, self._commands = self._commands, []
        for command in commands:
            watched = self._watched
            if watched is None:
                return
            match command:
                case UseWatchlist(name=name) if name in self._config.watchlists:
                    if name != watched.watchlist.name:
                        await self._switch(self._config.watchlists[name])
                case UseHome(route=route) if route in watched.routes:
                    watched.home = route
                    watched.watchlist = msgspec.structs.replace(watched.watchlist, home=route)
                case UseOrder(side=side, notional=notional) if 0 < notional < 1e15:
                    watched.order = Order(side=side, notional=notional)

    async def _second(self) -> None:
        """The work of a second, in pieces: the read loop gets its turn in between."""
        watched = self._watched
        if watched is None:
            return
        now_ns = self._clock.time_ns()
        lag = self._lag.read()
        step_ns = self._step.read_ns()
        if step_ns:
            for offset in self._offsets.values():
                offset.stepped(step_ns)
        watched.judge.observe(
            SelfSample(
                t_ns=now_ns,
                loop_lag_p50_ms=lag.p50_ms,
                loop_lag_p99_ms=lag.p99_ms,
                loop_lag_max_ms=lag.max_ms,
                clock_step_ms=step_ns / 1e6,
            )
        )
        for watch in watched.routes.values():
            watch.sample()
            await asyncio.sleep(0)
        verdicts = dict(watched.judge.verdicts(now_ns))
        for route, verdict in verdicts.items():
            self._journal.state_change(now_ns, watched.verdicts.get(route), verdict)
        watched.verdicts = verdicts
        watched.signals = {route: watched.judge.signals(route) for route in watched.routes}
        watched.rows = tuple(rows.route_row(watched, route) for route in watched.routes)
        mids = {
            (key[0], pair.book.instrument.symbol): ladder.mid
            async for key, (pair, ladder) in _in_turns(rows.ladders(watched))
            if ladder.mid is not None
        }
        watched.advising.observe(now_ns, mids)
        watched.rates = rows.rates(watched)
        advice = watched.advising.advise(
            now_ns,
            watched.watchlist,
            watched.order,
            watched.routes,
            verdicts,
            watched.signals,
            watched.rates,
            watched.rails,
        )
        watched.advice = tuple([row async for row in _in_turns(advice, at_once=1)])
        for text in watched.advising.news():
            self._journal.say(now_ns, "info", "advice", None, text)
        self._own = rows.own_row(watched, self._usage, self._offsets.values())

    async def _frame(self) -> Frame:
        watched = self._watched
        assert watched is not None
        taken = dict([found async for found in _in_turns(rows.ladders(watched))])
        pairs = [row async for row in _in_turns(rows.pair_rows(watched, taken, self._clock.time_ns))]
        depth = [total async for total in _in_turns(depth_totals(watched.watchlist.symbols, pairs), at_once=1)]
        now_ns = self._clock.time_ns()
        self._number += 1
        frame = Frame(
            t_ns=now_ns,
            number=self._number,
            vantage=self._config.vantage,
            watchlist=watched.watchlist.name,
            watchlists=tuple(self._config.watchlists),
            simulated=self._simulation.scenario if self._simulation is not None else None,
            started_ns=self._started_ns,
            symbols=watched.watchlist.symbols,
            home=watched.home,
            order=watched.order,
            routes=watched.rows,
            pairs=tuple(pairs),
            summary=summary(watched.rows, watched.home, self._own),
            depth=tuple(depth),
            advice=watched.advice,
            basis=rows.basis_rows(watched),
            own=self._own,
            events=self._journal.rows(),
        )
        if self._keeper.due(now_ns):
            self._keeper.add(frame)
        return frame


async def _in_turns(pieces: Iterable[_Piece], at_once: int = 16) -> AsyncIterator[_Piece]:
    """The read loop gets its turn after every few pieces: what we compute must not make a message late."""
    for number, piece in enumerate(pieces, 1):
        yield piece
        if number % at_once == 0:
            await asyncio.sleep(0)
