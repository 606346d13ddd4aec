"""KuCoin's order books, simulated: how both kinds of websocket number and push them.

Spot numbers every price level. Here each batch of changes owns a fixed range of numbers, so the number of any book
follows from its batch. Futures number frames of one level each without a gap, so frames are counted as they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from msgspec import json

from feeds.sim.twin import Change, SimInstrument, TextLevel, World
from feeds.sim.wire.depth_window import DepthWindow
from feeds.sim.wire.formats import bare, ms

Row = dict[str, Any]

STRIDE = 64
WINDOW = 500
"""Levels on each side of ``increment@10ms``."""


class Numbers:
    """The sequence numbers of one book."""

    def __init__(self, one: SimInstrument) -> None:
        self._base = (1_600_000 + crc32(one.route.encode() + one.venue_id.encode()) % 90_000) * 1_000_000
        self._counted = one.product != "spot"
        self._seq: int | None = None
        self._last = 0
        self._before = 0

    def at(self, seq: int) -> int:
        """The number of the book after batch ``seq``. Never too high for batches that were not pushed yet."""
        if self._counted and self._seq is not None:
            return self._last + max(0, seq - self._seq)
        return self._base + STRIDE * seq

    def settle(self, seq: int) -> int:
        """As ``at``, for a book that all clients have. A batch that no client got counts as one."""
        number = self.at(seq)
        if self._seq is None or seq > self._seq:
            self._seq, self._before, self._last = seq, number, number
        return number

    def take(self, change: Change) -> tuple[int, int]:
        """(the number before this batch, its last number). The same for every caller with the same batch."""
        if self._seq is None or change.seq > self._seq:
            self._before = self.at(change.seq - 1)
            count = len(change.bids) + len(change.asks)
            self._last = self._before + count if self._counted else self._base + STRIDE * change.seq
            self._seq = change.seq
        return self._before, self._last


def texts(side: Sequence[TextLevel]) -> list[tuple[str, str]]:
    """Prices and sizes without trailing zeros."""
    return [(bare(price), bare(size)) for price, size in side]


def lots(size: str) -> int | float:
    """A size as the JSON number that futures write."""
    number = float(size)
    return int(number) if number.is_integer() else number


def obu(one: SimInstrument, depth: str, kind: str, push_ns: int, first: int, last: int, engine_ns: int,
        bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> bytes:  # fmt: skip
    """A frame of the UTA order book channel."""
    data = {
        "s": one.venue_id, "O": first, "C": last, "M": nanos(one, engine_ns), "a": texts(asks), "b": texts(bids),
    }  # fmt: skip
    return uta(f"obu.{trade_type(one)}", nanos(one, push_ns), data, dp=depth, t=kind)


def uta(topic: str, pushed: int | str, data: Row, **more: str) -> bytes:
    """UTA frames are binary frames that contain JSON."""
    return json.encode({"T": topic, **more, "P": pushed, "d": data})


def trade_type(one: SimInstrument) -> str:
    return "SPOT" if one.product == "spot" else "FUTURES"


def nanos(one: SimInstrument, time_ns: int) -> int | str:
    """Text on spot; on futures a number above 2^53 (both seen on the wire)."""
    return str(time_ns) if one.product == "spot" else time_ns


class Increments:
    """``increment@10ms`` of one book: snapshots, and changes of the best 500 levels, the same for all clients."""

    def __init__(self, one: SimInstrument, numbers: Numbers) -> None:
        self._one, self._numbers = one, numbers
        self._window: DepthWindow | None = None
        self._whole = False
        self._pushed = 0
        self._latest: tuple[int, bytes | None] = (-1, None)

    def snapshot(self, world: World) -> bytes:
        image = world.book(self._one)
        number = self._numbers.settle(image.seq)
        window = self._window
        if window is None or not self._whole or window.seq != image.seq:
            window = self._window = DepthWindow(image, WINDOW)
            self._whole, self._pushed = True, number
        now_ns = world.now_ns()
        return obu(self._one, "increment@10ms", "snapshot", now_ns, number, number, image.engine_ns,
                   window.bids(), window.asks())  # fmt: skip

    def change(self, change: Change) -> bytes | None:
        """None: the batch is known, or outside the window. A lost batch leaves a gap in ``O``."""
        if self._latest[0] == change.seq:
            return self._latest[1]
        window = self._window
        if window is None or change.seq <= window.seq:
            return None
        lost = change.seq - window.seq - 1
        before, last = self._numbers.take(change)
        if lost:
            self._pushed, self._whole = before, False
        window.apply(change)
        bids, asks = window.take_changes()
        frame = None
        if bids or asks:
            first, self._pushed = self._pushed + 1, last
            frame = obu(self._one, "increment@10ms", "delta", change.gateway_ns, first, last, change.engine_ns,
                        bids, asks)  # fmt: skip
        self._latest = (change.seq, frame)
        return frame


def spot_update(one: SimInstrument, change: Change, numbers: Numbers) -> Row:
    """``/market/level2``: every level has its own number. A number without a level has price 0."""
    before, last = numbers.take(change)
    number = before
    sides: dict[str, list[tuple[str, str, str]]] = {"asks": [], "bids": []}
    for name, side in (("asks", change.asks), ("bids", change.bids)):
        for price, size in texts(side):
            number = min(number + 1, last)
            sides[name].append((price, size, str(number)))
    if number < last:
        sides["asks"].append(("0", "0", str(last)))
    return {
        "changes": sides, "sequenceEnd": last, "sequenceStart": before + 1, "symbol": one.venue_id,
        "time": ms(change.engine_ns),
    }  # fmt: skip


def futures_updates(change: Change, numbers: Numbers) -> list[Row]:
    """``/contractMarket/level2``: one frame for each level."""
    before, _ = numbers.take(change)
    rows = [(price, "sell", size) for price, size in texts(change.asks)]
    rows += [(price, "buy", size) for price, size in texts(change.bids)]
    return [
        {"sequence": before + place, "change": ",".join(row), "timestamp": ms(change.engine_ns)}
        for place, row in enumerate(rows, 1)
    ]
