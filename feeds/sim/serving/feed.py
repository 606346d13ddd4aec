"""One route's feed: updates its pairs step by step and sends the events to every client, in order and on time."""

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

STEP_MS = 50.0
"""Best prices and trades are updated this often, or with each push of the book where that is faster."""
MARK_EVERY_S = 1.0
UNUSED_EVENTS = 24
"""After so many events that no client wanted, a pair is updated only every ``UNUSED_STEP_S`` until a client
wants one."""
UNUSED_STEP_S = 0.5
LATEST_S = 1.0
"""Steps that are later than this are skipped: the machine was busy."""

MarketEvent: TypeAlias = Change | Top | tuple[SimTrade, ...] | SimLiquidation | SimMark


class Item(Struct, frozen=True):
    pair: SimPair
    event: MarketEvent
    delivered: bool = True
    """False: a fault loses it (silence, a gap). The feed's own book still gets it."""


class RouteFeed:
    """Runs only while a client is connected. ``clients`` are all of the venue's: one websocket may carry every product.

    Only twins know what clients have subscribed to. A pair without subscribers is recognized by events that produce no
    frame; it is then updated seldom, until an event produces one again.
    """

    def __init__(self, route: str, market: Market, facts: TwinFacts, clients: Sequence[Client], seed: int) -> None:
        self.route = route
        self.pairs = market.pairs[route]
        self.failures = 0
        """How often a twin raised an exception; a test fails on any."""
        self._market = market
        self._clients = clients
        self._rng = Random(f"feed {seed} {route}")
        self._interval_s = min(STEP_MS, facts.book_ms) / 1e3
        self._steps_per_push = max(1, round(facts.book_ms / 1e3 / self._interval_s))
        self._steps = 0
        self._queue: deque[tuple[float, list[Item]]] = deque()
        self._stepping: asyncio.TimerHandle | None = None
        self._delivering: asyncio.TimerHandle | None = None
        self._unused_events: dict[SimPair, int] = dict.fromkeys(self.pairs, 0)
        self._stepped_s: dict[SimPair, float] = {}
        self._next_s = 0.0
        self._mark_s = 0.0
        self._gaps: set[SimPair] = set()
        self._wrong_checksums: set[SimPair] = set()

    def wake(self) -> None:
        """Starts the feed: a client is connected."""
        if self._stepping is None:
            self._market.refresh(self.route)
            if not self._queue:
                for pair in self.pairs:
                    pair.restart_feed()
            loop = asyncio.get_running_loop()
            now_s = loop.time()
            self._stepped_s = dict.fromkeys(self.pairs, now_s)
            # routes start at random moments, so they do not step together
            self._next_s = now_s + self._interval_s * self._rng.random()
            self._stepping = loop.call_at(self._next_s, self._step)

    def stop(self) -> None:
        for timer in (self._stepping, self._delivering):
            if timer is not None:
                timer.cancel()
        self._stepping = self._delivering = None
        self._queue.clear()

    def lose(self, pairs: Iterable[SimPair]) -> None:
        """The next change of each pair is not delivered: a gap."""
        self._gaps.update(pairs)

    def corrupt(self, pairs: Iterable[SimPair]) -> None:
        """The next change of each pair has a wrong checksum, where the venue has checksums."""
        self._wrong_checksums.update(pairs)

    def _step(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._clients:
            self._stepping = None
            return
        now_s = loop.time()
        self._steps += 1
        lag_ms, items = self._next_events(now_s)
        if items:
            self._enqueue(now_s + lag_ms / 1e3, items)
        self._next_s += self._interval_s
        if self._next_s < now_s - LATEST_S:
            self._next_s = now_s + self._interval_s
        self._stepping = loop.call_at(self._next_s, self._step)

    def _next_events(self, now_s: float) -> tuple[float, list[Item]]:
        """The venue's time from engine to gateway in ms, and the events of one step."""
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
        push = self._steps % self._steps_per_push == 0
        marks = now_s - self._mark_s >= MARK_EVERY_S
        if marks:
            self._mark_s = now_s
        items: list[Item] = []
        for pair in self.pairs:
            dt_s = min(now_s - self._stepped_s[pair], LATEST_S)
            resting = self._unused_events[pair] >= UNUSED_EVENTS
            if resting and dt_s < UNUSED_STEP_S:
                continue
            self._stepped_s[pair] = now_s
            instrument = pair.instrument
            on_pair = timeline.pair(self.route, instrument.symbol, t_s)
            silent = on_pair.silent
            mid = market.prices.mid(pair.asset.pair)
            step = pair.step(mid, on_pair, engine_ns, dt_s, gateway_ns)
            if step.top is not None and Channel.BBO not in silent:
                items.append(Item(pair, step.top))
            if step.trades and Channel.TRADES not in silent:
                items.append(Item(pair, step.trades))
            if step.liquidations and Channel.LIQUIDATIONS not in silent:
                items.extend(Item(pair, liquidation) for liquidation in step.liquidations)
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
        if self._queue:
            due_s = max(due_s, self._queue[-1][0])
        self._queue.append((due_s, items))
        if self._delivering is None:
            self._delivering = asyncio.get_running_loop().call_at(due_s, self._deliver)

    def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        self._delivering = None
        now_s = loop.time()
        batch: list[Item] = []
        while self._queue and self._queue[0][0] <= now_s + 1e-3:
            batch.extend(self._queue.popleft()[1])
        if self._queue:
            self._delivering = loop.call_at(self._queue[0][0], self._deliver)
        if batch:
            self._to_clients(batch)

    def _to_clients(self, batch: list[Item]) -> None:
        # the feed's book gets each event before the clients do, so that a snapshot requested in between fits
        frames: dict[Payload, bytes] = {}
        out: dict[Client, list[bytes]] = {}
        clients = [client for client in self._clients if not client.closing]
        for item in batch:
            if isinstance(item.event, Change):
                item.pair.feed.apply(item.event)
            if not item.delivered:
                continue
            self._unused_events[item.pair] += 1
            for client in clients:
                try:
                    frames_of_event = frames_for(client, item)
                except Exception:  # counted and shown by the control endpoint; other clients are not affected
                    self.fail(client)
                    continue
                if frames_of_event:
                    self._unused_events[item.pair] = 0
                for payload in frames_of_event:
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
        """A bug of a twin: closes this connection, counts it, and prints it to stderr."""
        self.failures += 1
        traceback.print_exc(file=sys.stderr)
        client.abort()


def frames_for(client: Client, item: Item) -> Sequence[Out]:
    """The frames that one client gets for an event."""
    instrument, event = item.pair.instrument, item.event
    session = client.session
    if isinstance(event, Change):
        return session.change(instrument, event)
    if isinstance(event, Top):
        return session.top(instrument, event)
    if isinstance(event, tuple):
        return session.trades(instrument, event)
    if isinstance(event, SimLiquidation):
        return session.liquidation(instrument, event)
    return session.mark(instrument, event)
