"""The collector: wires watching, judging and advising together and emits frames. Knows nothing of who receives them."""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import Callable, Collection, Mapping

import msgspec
from msgspec import Struct

from feeds import assemble, basis, domains, paths
from feeds.advising import Advising
from feeds.backoff import ConnectLimits
from feeds.clock import Clock, ClockStep, LoopLag, OffsetEstimator, SystemClock
from feeds.config import Config, Endpoint
from feeds.costs import AdviceSettings
from feeds.frame import (
    BasisRow,
    Command,
    Depth,
    Frame,
    History,
    Order,
    PairRow,
    RailRow,
    RouteRow,
    SelfRow,
    Spread2,
    UseHome,
    UseOrder,
    UseWatchlist,
)
from feeds.health import Judge
from feeds.http import trust
from feeds.instruments import Instruments
from feeds.journal import Journal
from feeds.ladder import Ladder
from feeds.machine import Usage, rss_mb
from feeds.model import Instrument, Product, StatusNotice, Verdict, venue_of
from feeds.past import Keeper
from feeds.rails import RailsWatch
from feeds.samples import Sample, SelfSample, StatusSample
from feeds.signals import RouteSignals
from feeds.status import StatusWatch
from feeds.venues.registry import VENUES
from feeds.watching import Hosts, Meters, RouteWatch
from feeds.watchlists import Watchlist, pairs_of
from feeds.witness import Witness, parse_target

log = logging.getLogger(__name__)

SECOND_NS = 1_000_000_000


class Simulation(Struct, frozen=True, kw_only=True):
    """Where the simulated venues are."""

    scenario: str
    endpoints: Mapping[str, Endpoint]
    witnesses: tuple[str, ...]
    control: str
    label: str
    """Names what the simulator lists, for the instruments' cache."""


class Watched(Struct, kw_only=True):
    """The watchlist under measurement, with all that ends when another is chosen."""

    watchlist: Watchlist
    routes: dict[str, RouteWatch]
    judge: Judge
    advising: Advising
    instruments: Instruments
    tasks: list[StatusWatch | RailsWatch]
    rails: dict[str, tuple[RailRow, ...]]
    """By venue."""
    across: bool
    """Some routes quote in another dollar currency than the watched symbols: the basis between them is watched."""
    home: str | None
    order: Order
    rates: basis.Rates = basis.NO_RATES
    verdicts: dict[str, Verdict] = {}
    signals: dict[str, RouteSignals] = {}
    rows: tuple[RouteRow, ...] = ()
    depths: dict[tuple[str, str], tuple[Ladder, dict[str, Depth]]] = {}


class Collector:
    def __init__(
        self, configuration: Config, *, simulation: Simulation | None = None, clock: Clock | None = None
    ) -> None:
        self.sinks: list[Callable[[Frame], None]] = []
        self._config, self._simulation = configuration, simulation
        self._clock: Clock = clock or SystemClock()
        self._journal = Journal()
        self._keeper = Keeper()
        self._limits = ConnectLimits()
        self._offsets: dict[str, OffsetEstimator] = {}
        self._lag = LoopLag(self._clock)
        self._step = ClockStep(self._clock)
        self._usage = Usage(self._clock)
        self._own = SelfRow()
        self._number = 0
        self._started_ns = self._clock.time_ns()
        self._commands: list[Command] = []
        self._watched: Watched | None = None
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
                    from feeds.sim.orders import obey

                    group.create_task(obey(self._simulation.control))
                await self._switch(self._config.chosen())
                await self._frames()
        finally:
            self._lag.stop()
            await self._leave()

    # the watchlist

    async def _switch(self, watchlist: Watchlist) -> None:
        await self._leave()
        routes = {route: self._route(route) for route in watchlist.routes}
        instruments = Instruments(
            routes=tuple(routes),
            cache_dir=paths.cache_dir(),
            label=self._simulation.label if self._simulation is not None else None,
            rest={r: w.hosts.rest for r, w in routes.items() if w.hosts.rest != w.facts.rest},
            ready=self._listed,
            say=lambda text: self._say("markets", None, text),
        )
        self._watched = Watched(
            watchlist=watchlist,
            routes=routes,
            judge=Judge(tuple(routes), domains=domains.judged(self._config.domains)),
            advising=Advising(AdviceSettings(fees=self._config.fees, domains=domains.members(self._config.domains))),
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

    def _route(self, route: str) -> RouteWatch:
        venue = VENUES[venue_of(route)]
        product: Product = route.partition(".")[2]  # type: ignore[assignment]  # routes are made of known products
        facts = venue.products[product]
        own = (self._simulation.endpoints if self._simulation is not None else self._config.endpoints).get(route)
        return RouteWatch(
            route,
            venue,
            product,
            Hosts(
                rest=own.rest if own is not None and own.rest is not None else facts.rest,
                ws=own.ws if own is not None and own.ws is not None else facts.ws,
            ),
            Meters(self._clock, self._emit, self._say),
            offset=self._offsets.setdefault(route, OffsetEstimator()),
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
            chosen += self._basis_pairs(watched, listed)
        instruments = watched.instruments.of(route, list(dict.fromkeys(chosen)))
        if instruments:
            watch.watch(instruments)

    def _basis_pairs(self, watched: Watched, listed: Collection[str]) -> list[str]:
        """Stablecoin pairs of a spot route, as long as few others watch the same."""
        pairs = []
        for pair in basis.PAIRS:
            others = sum(1 for w in watched.routes.values() if w.board is not None and pair in w.board.pairs)
            if pair in listed and others < basis.ROUTES_PER_PAIR:
                pairs.append(pair)
        return pairs

    def _rates(self, watched: Watched) -> basis.Rates:
        books = []
        for route, watch in watched.routes.items():
            if watch.board is None or assemble.known_silent(watched.verdicts.get(route)):
                continue
            for pair in basis.PAIRS:
                state = watch.board.pairs.get(pair)
                if state is not None and watch.carries(pair):
                    ladder = state.book.ladder()
                    if ladder.best_bid is not None and ladder.best_ask is not None:
                        books.append((pair, ladder.best_bid, ladder.best_ask))
        return basis.rates_of(books)

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
                self._second()
                second_s = max(second_s + 1.0, loop.time() + 0.5)
            frame = self._frame()
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

    def _second(self) -> None:
        watched = self._watched
        if watched is None:
            return
        now_ns = self._clock.time_ns()
        lag = self._lag.read()
        step_ms = self._step.read_ms()
        watched.judge.observe(
            SelfSample(
                t_ns=now_ns,
                loop_lag_p50_ms=lag.p50_ms,
                loop_lag_p99_ms=lag.p99_ms,
                loop_lag_max_ms=lag.max_ms,
                clock_step_ms=step_ms,
            )
        )
        for watch in watched.routes.values():
            watch.sample()
        verdicts = dict(watched.judge.verdicts(now_ns))
        for route, verdict in verdicts.items():
            self._journal.state_change(now_ns, watched.verdicts.get(route), verdict)
        watched.verdicts = verdicts
        watched.signals = {route: watched.judge.signals(route) for route in watched.routes}
        watched.rows = tuple(self._route_row(watched, route) for route in watched.routes)
        mids = {
            (route, symbol): mid
            for route, watch in watched.routes.items()
            if watch.board is not None
            for symbol, pair in watch.board.pairs.items()
            if (mid := pair.book.ladder().mid) is not None
        }
        watched.advising.observe(now_ns, mids)
        watched.rates = self._rates(watched)
        watched.advising.advise(
            now_ns,
            watched.watchlist,
            watched.order,
            watched.routes,
            verdicts,
            watched.signals,
            watched.rates,
            watched.rails,
        )
        for text in watched.advising.news():
            self._journal.say(now_ns, "info", "advice", None, text)
        self._own = self._own_row(watched)

    def _route_row(self, watched: Watched, route: str) -> RouteRow:
        watch = watched.routes[route]
        board = watch.board
        notes = [*watch.notes, *([watch.market_note] if watch.market_note else [])]
        if watch.listed is None:
            notes.append("Instruments are not known yet: the venue is being asked.")
        return assemble.route_row(
            route,
            watch.product,
            watched.verdicts[route],
            watched.signals[route],
            channels=watch.channel_rows(),
            sockets_up=watch.sockets_up,
            sockets=len(watch.streams),
            gaps=board.gaps if board is not None else 0,
            resyncs=board.resyncs if board is not None else 0,
            reconnects=watch.reconnects,
            garbled=watch.garbled,
            unknown=watch.unknown,
            offset_ms=watch.offset.offset_ms,
            offset_err_ms=watch.offset.error_ms,
            rails=watched.rails.get(venue_of(route)),
            notes=tuple(notes),
        )

    def _own_row(self, watched: Watched) -> SelfRow:
        own = watched.judge.own()
        rates = [s.msgs_s for s in watched.signals.values() if s.msgs_s is not None]
        return SelfRow(
            loop_lag_ms=Spread2(own.loop_lag_p50_ms, own.loop_lag_p99_ms),
            backlog=own.backlog,
            witness=own.witness,
            witness_ms=own.witness_ms,
            witness_since_ns=own.witness_since_ns,
            clock=self._clock_statement(own.clock),
            cpu_share=self._usage.cpu_share(),
            rss_mb=rss_mb(),
            msgs_s=sum(rates) if rates else None,
        )

    def _clock_statement(self, stepped: str) -> str:
        """How our clock compares with the venues', by their median: one venue's wrong clock does not count."""
        best = [(o.offset_ms, o.error_ms) for o in self._offsets.values()]
        known = [(offset, error) for offset, error in best if offset is not None and error is not None]
        if not known:
            return "not yet compared with any venue's"
        offset = statistics.median(o for o, _ in known)
        error = min(e for _, e in known)
        step = "; it stepped lately" if stepped == "stepped" else ""
        if abs(offset) <= error:
            return f"agrees with {len(known)} routes within {error:.1f} ms{step}"
        word = "behind" if offset > 0 else "ahead of"
        return f"{abs(offset):.1f} ms {word} the median of {len(known)} routes, ± {error:.1f} ms{step}"

    def _frame(self) -> Frame:
        watched = self._watched
        assert watched is not None
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
            pairs=self._pairs(watched, now_ns),
            advice=watched.advising.rows,
            basis=tuple(
                BasisRow(pair=f"{a}/{b}", rate=r.rate, half_spread_bps=r.half_spread_bps, routes=r.routes)
                for (a, b), r in watched.rates.known.items()
                if f"{a}/{b}" in basis.PAIRS
            ),
            own=self._own,
            events=self._journal.rows(),
        )
        if self._keeper.due(now_ns):
            self._keeper.add(frame)
        return frame

    def _pairs(self, watched: Watched, now_ns: int) -> tuple[PairRow, ...]:
        by_symbol: dict[str, dict[str, float]] = {}
        for route, symbol in watched.watchlist.pairs:
            watch = watched.routes[route]
            actual = watch.actual(symbol)
            pair = watch.board.pairs.get(actual) if watch.board is not None else None
            if pair is None or assemble.known_silent(watched.verdicts.get(route)):
                continue
            mid = pair.book.ladder().mid
            rate = watched.rates.of(basis.quote_of(actual), basis.quote_of(symbol))
            if mid is not None and rate is not None:
                by_symbol.setdefault(symbol, {})[route] = mid * rate.rate
        gaps = {symbol: assemble.gaps_bps(mids) for symbol, mids in by_symbol.items()}
        return tuple(
            self._pair(watched, watched.routes[route], symbol, gaps.get(symbol, {}).get(route), now_ns)
            for route, symbol in watched.watchlist.pairs
        )

    def _pair(self, watched: Watched, watch: RouteWatch, symbol: str, gap_bps: float | None, now_ns: int) -> PairRow:
        wanted, symbol = symbol, watch.actual(symbol)
        pair = watch.board.pairs.get(symbol) if watch.board is not None else None
        if pair is None:
            known = watch.listed is not None and symbol not in watch.listed
            return assemble.unlisted_row(watch.route, symbol, "absent" if known else "waiting")
        ladder = pair.book.ladder()
        key = (watch.route, symbol)
        kept = watched.depths.get(key)
        if kept is None or kept[0] is not ladder:
            kept = watched.depths[key] = (ladder, assemble.bands(ladder))
        signals = watched.signals.get(watch.route)
        kind = assemble.pair_kind(
            pair,
            connected=watch.carries(symbol),
            known_silent=assemble.known_silent(watched.verdicts.get(watch.route)),
            ever=symbol in watch.ever_synced,
        )
        return assemble.pair_row(
            pair.book.instrument,
            watch.product,
            pair,
            kind,
            ladder,
            signals.symbols.get(symbol) if signals is not None else None,
            now_ns=now_ns,
            offset_ns=watch.offset.offset_ns,
            offset_err_ms=watch.offset.error_ms,
            gap_bps=gap_bps,
            depth=kept[1],
            stands_for=wanted if wanted != symbol else None,
        )
