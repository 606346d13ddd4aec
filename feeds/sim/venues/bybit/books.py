"""Bybit's order book topics, simulated: the same messages, with the same numbers, on every connection.

``u`` counts the messages of a topic. 50 levels are pushed with every change inside the window; deeper books are
pushed at a fixed pace with all changes since the last push. A change that a fault keeps from all clients leaves a gap
in ``u``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from feeds.sim.twin import Change, SimInstrument, TextLevel, World
from feeds.sim.venues.bybit import rest
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import S, ms, text

PUSH_NS: Mapping[str, int] = {"50": 0, "200": S // 10, "1000": S // 5}
"""Shortest time between two messages of a topic, by depth."""
KEPT = 16
"""Messages kept for connections that have not had them yet. Each connection catches up at the next change or tick."""


class DepthTopic:
    """``orderbook.{depth}.{symbol}`` of one category."""

    def __init__(self, instrument: SimInstrument, depth: str) -> None:
        self.number = 0
        """``u`` of the last message; it grows by one a message."""
        self._one, self._depth, self._every_ns = instrument, int(depth), PUSH_NS[depth]
        self._topic = f"orderbook.{depth}.{instrument.venue_id}"
        self._messages: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._window: DepthWindow | None = None
        self._whole = False
        self._u = 0
        self._held = False
        self._pushed_seq = 0
        self._slot = 0
        self._engine_ns = 0

    def snapshot(self, world: World) -> str:
        """The first message of a subscription. The messages after ``number`` continue from it."""
        image = world.book(self._one)
        window = self._window
        if window is None or not self._whole or window.seq != image.seq:
            # nobody listened, or a change was lost for every client
            window = self._window = DepthWindow(image, self._depth)
            self._u = max(self._u, rest.update_id(self._one, image.seq))
            self._whole, self._held = True, False
            self._pushed_seq, self._engine_ns = image.seq, image.engine_ns
            self._slot = self._slot_of(world.now_ns())
        return self._message("snapshot", window.bids(), window.asks(), world.now_ns())

    def change(self, change: Change) -> None:
        """Ignores a change that it already has, so every connection may pass the same one."""
        window = self._window
        if window is None or change.seq <= window.seq:
            return
        lost = change.seq - window.seq - 1
        if lost:
            self._u += lost
            self._whole = False
        window.apply(change)
        self._held, self._engine_ns = True, change.engine_ns
        slot = self._slot_of(change.gateway_ns)
        if not self._every_ns or slot > self._slot:
            self._slot = slot
            self.push(change.gateway_ns)

    def push(self, push_ns: int) -> None:
        """One message of all changes since the last one. Nothing when they lie outside the window."""
        window = self._window
        if window is None or not self._held:
            return
        self._held = False
        bids, asks = window.take_changes()
        self._pushed_seq = window.seq
        if bids or asks:
            self._u += 1
            self.number += 1
            self._messages.append((self.number, self._message("delta", bids, asks, push_ns)))

    def after(self, number: int) -> Iterator[str]:
        """The messages after ``number``, for a connection that has had those up to it."""
        return (message for at, message in self._messages if at > number)

    def _slot_of(self, time_ns: int) -> int:
        """Pushes lie on a time grid of the venue's clock."""
        return time_ns // self._every_ns if self._every_ns else 0

    def _message(self, kind: str, bids: Sequence[TextLevel], asks: Sequence[TextLevel], push_ns: int) -> str:
        one = self._one
        data = {
            "s": one.venue_id, "b": rest.levels(one, bids), "a": rest.levels(one, asks), "u": self._u,
            "seq": rest.cross_seq(one, self._pushed_seq),
        }  # fmt: skip
        head = rest.head(one.product == "spot", self._topic, kind, push_ns)
        return text(head | {"data": data, "cts": ms(self._engine_ns)})
