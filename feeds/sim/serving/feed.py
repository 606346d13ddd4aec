"""One route's feed: steps its pairs beat by beat and brings what happened to every client, in order and in time."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections import deque
from collections.abc import Iterable, Sequence
from random import Random
from typing import TypeAlias

from msgspec import Struct

from feeds.model import Channel
from feeds.sim.conditions import feed_delay_s
from feeds.sim.market.market import Market
from feeds.sim.market.pair import SimPair
from feeds.sim.serving.client import Client
from feeds.sim.serving.frames import payload_frame
from feeds.sim.twin import Change, Out, Payload, SimLiquidation, SimMark, SimTrade, Top, TwinFacts

BEAT_MS = 50.0
"""Best prices and trades are looked at this often, or at the book's pace where that is faster."""
MARK_EVERY_S = 1.0
UNHEARD = 24
"""So many events of a pair that no client was told of, and it is only looked at every ``SELDOM_S`` until one is."""
SELDOM_S = 0.5
LATEST_S = 1.0
"""A beat that comes later than this is not made up for: the machine was busy."""

Happening: TypeAlias = Change | Top | tuple[SimTrade, ...] | SimLiquidation | SimMark


class Item(Struct, frozen=True):
    pair: SimPair
    what: Happening
    delivered: bool = True
    """False: lost on the way to the clients (silence, a gap); the feed's own book still has it."""


class RouteFeed:
    """Runs only while somebody listens. ``clients`` are all of the venue's: one socket may carry every product.

    Twins alone know who has asked for what, so a pair that nobody hears of is found by its events' going nowhere; it
    rests, and its book with it, until somebody is told of one again.
    """

    def __init__(self, route: str, market: Market, facts: TwinFacts, clients: Sequence[Client], seed: int) -> None:
        self.route = route
        self.pairs = market.pairs[route]
        self.failures = 0
        """Times a twin raised; a test fails on any."""
        self._market = market
        self._clients = clients
        self._rng = Random(f"feed {seed} {route}")
        self._beat_s = min(BEAT_MS, facts.book_ms) / 1e3
        self._beats_per_push = max(1, round(facts.book_ms / 1e3 / self._beat_s))
        self._beats = 0
        self._line: deque[tuple[float, list[Item]]] = deque()
        self._stepping: asyncio.TimerHandle | None = None
        self._delivering: asyncio.TimerHandle | None = None
        self._unheard: dict[SimPair, int] = dict.fromkeys(self.pairs, 0)
        self._stepped_s: dict[SimPair, float] = {}
        self._next_s = 0.0
        self._mark_s = 0.0
        self._gaps: set[SimPair] = set()
        self._wrong_checksums: set[SimPair] = set()

    def wake(self) -> None:
        """Somebody listens now."""
        if self._stepping is None:
            self._market.refresh(self.route)
            if not self._line:
                for pair in self.pairs:
                    pair.restart_feed()
            loop = asyncio.get_running_loop()
            now_s = loop.time()
            self._stepped_s = dict.fromkeys(self.pairs, now_s)
            # routes beat out of step, as unrelated venues do
            self._next_s = now_s + self._beat_s * self._rng.random()
            self._stepping = loop.call_at(self._next_s, self._step)

    def stop(self) -> None:
        for timer in (self._stepping, self._delivering):
            if timer is not None:
                timer.cancel()
        self._stepping = self._delivering = None
        self._line.clear()

    def lose(self, pairs: Iterable[SimPair]) -> None:
        """The next change of each is not delivered: a gap."""
        self._gaps.update(pairs)

    def corrupt(self, pairs: Iterable[SimPair]) -> None:
        """The next change of each carries a wrong checksum, where the venue has one."""
        self._wrong_checksums.update(pairs)

    def _step(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._clients:
            self._stepping = None
            return
        now_s = loop.time()
        self._beats += 1
        lag_ms, items = self._happenings(now_s)
        if items:
            self._enqueue(now_s + lag_ms / 1e3, items)
        self._next_s += self._beat_s
        if self._next_s < now_s - LATEST_S:
            self._next_s = now_s + self._beat_s
        self._stepping = loop.call_at(self._next_s, self._step)

    def _happenings(self, now_s: float) -> tuple[float, list[Item]]:
        """What one beat brought, and how many ms the venue needs from its engine to its gateway."""
        market = self._market
        market.advance()
        market.stepped(self.route)
        t_s = market.clock.scenario_s()
        timeline = market.clock.timeline
        condition = timeline.route(self.route, t_s)
        engine_ns = market.venue_now_ns(self.route)
        profile = self.pairs[0].profile
        lag_ms = profile.engine_lag_ms * (0.6 + 0.8 * self._rng.random()) + condition.engine_lag_ms
        gateway_ns = engine_ns + int(lag_ms * 1e6)
        push = self._beats % self._beats_per_push == 0
        marks = now_s - self._mark_s >= MARK_EVERY_S
        if marks:
            self._mark_s = now_s
        items: list[Item] = []
        for pair in self.pairs:
            dt_s = min(now_s - self._stepped_s[pair], LATEST_S)
            resting = self._unheard[pair] >= UNHEARD
            if resting and dt_s < SELDOM_S:
                continue
            self._stepped_s[pair] = now_s
            instrument = pair.instrument
            on_pair = timeline.pair(self.route, instrument.symbol, t_s)
            silent = on_pair.silent
            mid = market.prices.mid(pair.asset.pair)
            beat = pair.beat(mid, on_pair, engine_ns, dt_s, gateway_ns)
            if beat.top is not None and Channel.BBO not in silent:
                items.append(Item(pair, beat.top))
            if beat.trades and Channel.TRADES not in silent:
                items.append(Item(pair, beat.trades))
            if beat.liquidations and Channel.LIQUIDATIONS not in silent:
                items.extend(Item(pair, liquidation) for liquidation in beat.liquidations)
            if push or resting:
                self._push(items, pair, gateway_ns, Channel.BOOK in silent)
            if marks and instrument.product != "spot" and Channel.MARK not in silent:
                items.append(Item(pair, pair.mark(mid, gateway_ns)))
        return lag_ms, items

    def _push(self, items: list[Item], pair: SimPair, gateway_ns: int, silent: bool) -> None:
        change = pair.publish(gateway_ns, pair in self._wrong_checksums)
        if change is None:
            return
        self._wrong_checksums.discard(pair)
        lost = pair in self._gaps
        self._gaps.discard(pair)
        items.append(Item(pair, change, delivered=not (silent or lost)))

    def _enqueue(self, pushed_s: float, items: list[Item]) -> None:
        clock = self._market.clock
        t_s = clock.scenario_s()
        condition = clock.timeline.route(self.route, t_s)
        profile = self.pairs[0].profile
        due_s = pushed_s + feed_delay_s(profile, condition, self._rng)
        if condition.held_until_s is not None:
            due_s = max(due_s, pushed_s + (condition.held_until_s - t_s) / clock.speed)
        if self._line:
            due_s = max(due_s, self._line[-1][0])
        self._line.append((due_s, items))
        if self._delivering is None:
            self._delivering = asyncio.get_running_loop().call_at(due_s, self._deliver)

    def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        self._delivering = None
        now_s = loop.time()
        batch: list[Item] = []
        while self._line and self._line[0][0] <= now_s + 1e-3:
            batch.extend(self._line.popleft()[1])
        if self._line:
            self._delivering = loop.call_at(self._line[0][0], self._deliver)
        if batch:
            self._to_clients(batch)

    def _to_clients(self, batch: list[Item]) -> None:
        # each event is applied before the clients are told of it, so that a snapshot asked for in between fits
        frames: dict[Payload, bytes] = {}
        out: dict[Client, list[bytes]] = {}
        clients = [client for client in self._clients if not client.closing]
        for item in batch:
            if isinstance(item.what, Change):
                item.pair.feed.apply(item.what)
            if not item.delivered:
                continue
            self._unheard[item.pair] += 1
            for client in clients:
                try:
                    told = tell(client, item)
                except Exception:  # counted and shown by the control endpoint; the other clients go on
                    self.fail(client)
                    continue
                if told:
                    self._unheard[item.pair] = 0
                for payload in told:
                    if isinstance(payload, str | bytes):
                        data = frames.get(payload)
                        if data is None:
                            data = frames[payload] = payload_frame(payload)
                        out.setdefault(client, []).append(data)
                    else:
                        client.send([payload])
        for client, parts in out.items():
            client.send_bytes(b"".join(parts))

    def fail(self, client: Client) -> None:
        """A twin's bug costs one connection, is counted, and is told on stderr."""
        self.failures += 1
        traceback.print_exc(file=sys.stderr)
        client.abort()


def tell(client: Client, item: Item) -> Sequence[Out]:
    """What one client is sent of an event."""
    instrument, what = item.pair.instrument, item.what
    session = client.session
    if isinstance(what, Change):
        return session.change(instrument, what)
    if isinstance(what, Top):
        return session.top(instrument, what)
    if isinstance(what, tuple):
        return session.trades(instrument, what)
    if isinstance(what, SimLiquidation):
        return session.liquidation(instrument, what)
    return session.mark(instrument, what)
