"""Fair turns: what one socket sends keeps our loop busy for a moment, then every other socket and timer gets its turn.

A socket works for at most ``TURN_NS`` in a row. What is left waits, with its reading paused, until the others had their
turn. A socket that has used up its allowance as well is *held back*: it shares one queue with all such sockets, which
gets at most a third of the time, however many they are. Nothing is thrown away and no time stamp changes; TCP slows the
venue's sending down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

from feeds.clock import MS, SECOND

TURN_NS = 5 * MS
"""Work of one socket in a row. One message more may follow, since a message is not split."""
ALLOWANCE_NS = 200 * MS
"""Work that a socket may do without being held back: many books at once, after a connect, take less."""
SHARE = 0.25
"""Of the time: at this rate an allowance fills up again. The busiest socket of a storm needs a tenth."""
MOST_DEBT_NS = 50 * MS
"""So that a flood that has ended is forgotten soon."""
CHEAP_NS = MS // 5
"""Work in one read that is not worth counting."""
NEVER_NS = 1 << 63
_LEAST_PAUSE_NS = MS


class _Queue:
    """All sockets of one loop that wait for a turn: one turn at a time, then everybody else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._soon: deque[Callable[[], int]] = deque()
        self._held_back: deque[Callable[[], int]] = deque()
        self._soon_runs = self._held_back_runs = False

    def add(self, turn: Callable[[], int], *, held_back: bool) -> None:
        """``turn`` works, and returns how long, in ns. After one that was ``held_back``, the others of this kind wait
        twice as long as it took."""
        if held_back:
            self._held_back.append(turn)
            if not self._held_back_runs:
                self._held_back_runs = True
                self._loop.call_later(_LEAST_PAUSE_NS / SECOND, self._next_held_back)
            return
        self._soon.append(turn)
        if not self._soon_runs:
            self._soon_runs = True
            self._loop.call_soon(self._next_soon)

    def _next_soon(self) -> None:
        try:
            self._soon.popleft()()
        finally:
            self._soon_runs = bool(self._soon)
            if self._soon_runs:
                self._loop.call_soon(self._next_soon)

    def _next_held_back(self) -> None:
        took_ns = TURN_NS
        try:
            took_ns = self._held_back.popleft()()
        finally:
            self._held_back_runs = bool(self._held_back)
            if self._held_back_runs:
                self._loop.call_later(max(_LEAST_PAUSE_NS, 2 * took_ns) / SECOND, self._next_held_back)


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queue] = WeakKeyDictionary()


class Turns:
    """The turns of one socket. Times in ns, of the monotonic clock that is handed in."""

    __slots__ = (
        "_at_ns",
        "_go_on",
        "_held_back",
        "_loop",
        "_now_ns",
        "_since_ns",
        "_transport",
        "left_ns",
        "waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        now_ns: Callable[[], int],
        go_on: Callable[[int], bool],
        held_back: Callable[[int], None],
    ) -> None:
        """``go_on(until_ns)`` works on what is left until then, and says whether that was all of it. ``held_back(ns)``
        hears how long the socket had to wait for its turn, after it had used up its allowance."""
        self._loop, self._now_ns, self._go_on, self._held_back = loop, now_ns, go_on, held_back
        self._transport: asyncio.Transport | None = None
        self.left_ns = float(ALLOWANCE_NS)
        """Below 0: held back, see ``in_debt``."""
        self._at_ns = now_ns()
        self._since_ns = 0
        self.waiting = False
        """Reading is paused: bytes that come nevertheless must wait behind what is left."""

    def in_debt(self, now_ns: int) -> bool:
        """The allowance is used up. Bytes read now wait for a turn like those before. Ask where ``left_ns`` < 0."""
        self._fill(now_ns)
        return self.left_ns < 0

    def over(self, transport: asyncio.Transport, began_ns: int, ended_ns: int, *, all_done: bool) -> None:
        """A read was worked on for longer than ``CHEAP_NS``, or there is a rest of it."""
        self._spend(began_ns, ended_ns)
        if not all_done or self.left_ns < 0:
            self._wait(transport, ended_ns)

    def end(self) -> None:
        """The socket is gone."""
        self.waiting, self._transport = False, None

    def _fill(self, now_ns: int) -> None:
        self.left_ns = min(ALLOWANCE_NS, self.left_ns + (now_ns - self._at_ns) * SHARE)
        self._at_ns = now_ns

    def _spend(self, began_ns: int, ended_ns: int) -> None:
        self._fill(ended_ns)
        self.left_ns = max(-MOST_DEBT_NS, self.left_ns - (ended_ns - began_ns))

    def _wait(self, transport: asyncio.Transport, now_ns: int) -> None:
        if transport.is_closing():
            return
        self._transport, self._since_ns = transport, now_ns
        if not self.waiting:
            self.waiting = True
            with contextlib.suppress(RuntimeError):  # older loops refuse it where reading is paused already
                transport.pause_reading()
        queue = _queues.get(self._loop)
        if queue is None:
            queue = _queues[self._loop] = _Queue(self._loop)
        held_back = self.left_ns < 0
        queue.add(self._held_back_turn if held_back else self._work, held_back=held_back)

    def _held_back_turn(self) -> int:
        if self._transport is not None:
            self._held_back(self._now_ns() - self._since_ns)
        return self._work()

    def _work(self) -> int:
        began_ns = self._now_ns()
        transport = self._transport
        if transport is None or transport.is_closing():
            return 0
        try:
            all_done = self._go_on(began_ns + TURN_NS)
        except BaseException:
            transport.abort()  # a bug of ours: a socket that stays paused would look like a silent venue
            raise
        ended_ns = self._now_ns()
        self._spend(began_ns, ended_ns)
        if self._transport is None:  # it ended meanwhile
            return ended_ns - began_ns
        if all_done:
            self.waiting = False
            with contextlib.suppress(RuntimeError):
                transport.resume_reading()
        else:
            self._wait(transport, ended_ns)
        return ended_ns - began_ns
