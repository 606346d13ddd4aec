"""A successor replaces a connection that must end: no message is lost, and none is handed over twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from feeds.clock import SECOND, Clock
from feeds.model import BookDelta, BookSnapshot, Event, Liquidation, Trade
from feeds.transport.connection import Connection, Emit
from feeds.transport.stream_stats import StreamStats

MAX_HELD = 50_000
"""Messages of a successor kept until it takes over. With more than these it takes over at once."""
MAX_HELD_BYTES = 64 * 1024 * 1024
CATCH_UP_S = 1.0
"""Once the successor has data: how long the predecessor may take to reach the point where its books begin."""
OVERLAP_S = 5.0
"""For how long after a handover trades that the predecessor has delivered already are left out."""


class Handover:
    """What the successor receives is held until it can replace the other connection without a gap.

    Books keep their sequence rules across the change. Where the successor begins with a delta and not with a snapshot,
    the predecessor stays in use until it has delivered everything before that delta. Trades and liquidations would come
    twice: those that the predecessor delivers meanwhile are counted, and as many of the successor's are left out.
    """

    def __init__(self, old: Connection, emit: Emit) -> None:
        self._old, self._emit = old, emit
        self._wanted = old.channels.alive()
        self._held: list[tuple[Sequence[Event], int, int]] = []
        self._delivered: Counter[tuple[object, ...]] = Counter()
        self._overlap_until_ns = 0
        self._begins: dict[str, int | None] = {}
        """By symbol: the sequence number that the predecessor must have delivered before the successor's first delta.
        None: any."""
        self._reached: dict[str, int] = {}
        self._complete = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        old.emit = self.from_old

    def from_old(self, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        """The predecessor's events, while both are open."""
        for event in events:
            if isinstance(event, BookDelta | BookSnapshot):
                last_seq = event.last_seq if isinstance(event, BookDelta) else event.seq
                if last_seq is not None:
                    self._reached[event.symbol] = last_seq
            elif isinstance(event, Trade | Liquidation) and len(self._delivered) < MAX_HELD:
                self._delivered[_identity(event)] += 1
        self._emit(events, wall_ns, mono_ns)
        if self._complete and self._caught_up():
            self._set_ready()

    def from_new(self, events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
        """The successor's events, until it takes over."""
        self._held.append((events, wall_ns, mono_ns))
        for event in events:
            if isinstance(event, BookSnapshot):
                self._begins.setdefault(event.symbol, None)
            elif isinstance(event, BookDelta) and event.symbol not in self._begins:
                before = None if event.first_seq is None else event.first_seq - 1
                self._begins[event.symbol] = before if event.prev_seq is None else event.prev_seq
        if len(self._held) >= MAX_HELD:
            self._set_ready()

    def check(self, connection: Connection) -> None:
        """After each burst of the successor: does it carry all that the predecessor carries?"""
        if connection.stats.bytes > MAX_HELD_BYTES:
            self._set_ready()
        elif not self._complete and not connection.channels.missing(self._wanted):
            self._complete = True
            if self._caught_up():
                self._set_ready()
            else:
                asyncio.get_running_loop().call_later(CATCH_UP_S, self._set_ready)

    def _caught_up(self) -> bool:
        return all(before is None or self._reached.get(s, -1) >= before for s, before in self._begins.items())

    def _set_ready(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def take_over(self, connection: Connection, stats: StreamStats, clock: Clock) -> None:
        """Mute the predecessor; the successor is the stream's connection from now on."""
        self._old.mute()
        connection.on_data = None
        connection.stats = stats
        self._overlap_until_ns = clock.monotonic_ns() + int(OVERLAP_S * SECOND)

    def flush(self, connection: Connection, clock: Clock) -> None:
        """Hand over what was held, then let the successor deliver directly."""
        held, self._held = self._held, []

        def fresh(events: Sequence[Event], wall_ns: int, mono_ns: int) -> None:
            if clock.monotonic_ns() > self._overlap_until_ns or not self._delivered:
                connection.emit = self._emit
            self._emit(self._new(events), wall_ns, mono_ns)

        connection.emit = fresh
        for events, wall_ns, mono_ns in held:
            try:
                self._emit(self._new(events), wall_ns, mono_ns)
            except Exception:  # our own fault, counted as ours; the other messages go on
                connection.bug("a held message")

    def _new(self, events: Sequence[Event]) -> Sequence[Event]:
        kept: list[Event] = []
        for event in events:
            if isinstance(event, Trade | Liquidation):
                identity = _identity(event)
                if self._delivered[identity] > 0:
                    self._delivered[identity] -= 1
                    continue
            kept.append(event)
        return kept


def _identity(event: Trade | Liquidation) -> tuple[object, ...]:
    if isinstance(event, Trade) and event.trade_id is not None:
        return (event.symbol, event.trade_id)
    return (type(event), event.symbol, event.engine_ns, event.price, event.size, event.side)
