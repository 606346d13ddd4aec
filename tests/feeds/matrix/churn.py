"""A market that changes at random: the twin sends each change, and our book must then hold the same levels."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from random import Random
from typing import TypeVar

from feeds.books.book import Outcome
from feeds.model import BookDelta, BookSnapshot, Channel, Event, Reply
from feeds.sim.market.listing import decimals_of
from feeds.sim.registry import TWINS
from feeds.sim.twin import BookImage, Change, Close, Out, SimInstrument, TextLevel, Twin
from feeds.venues.registry import VENUES
from tests.feeds.matrix.products import Cell, instrument_of
from tests.feeds.sim.fixed_world import MS, FixedWorld
from tests.feeds.venues.line import Line

N = TypeVar("N", int, float)
V = TypeVar("V")
MID_TICKS = 50_000
"""Mid price in ticks: five digits, since some venues allow no more."""
REACH_TICKS = 60


class Churn:
    """One pair of one cell on a ``Line``, whose market the test changes. Sizes and prices are multiples of the
    instrument's steps."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.line = line = Line(cell.venue, cell.product, book_label(cell), lambda twin: _Shown(twin, self))
        self._rng = Random(cell.route)
        self._tick, self._tick_decimals = float(line.sim.tick), decimals_of(line.sim.tick)
        self._lot, self._lot_decimals = float(line.sim.lot), decimals_of(line.sim.lot)
        self._mid = MID_TICKS
        pace_ms = max(line.twin.facts[cell.product].book_ms, cell.facts.push_ms[Channel.BOOK])
        self.step_ns = int(pace_ms * MS)
        """Time between two changes, long enough that each is sent."""
        self.bids = {self._mid - n: self._size() for n in range(1, REACH_TICKS)}
        self.asks = {self._mid + n: self._size() for n in range(1, REACH_TICKS)}

    def sync(self) -> list[Event]:
        """Subscribe, and fetch the book over REST where the rule needs that. Returns all events."""
        line = self.line
        events = [*self._hear(line.greeting), *self.send(line.ours.subscribe())]
        self.apply(events)
        if line.book.wants_snapshot:
            self.fetch()
            self.tell(self.change())
        return events

    def fetch(self) -> Outcome:
        """Gives the venue's REST book to ours, under the deltas that came over the socket."""
        line = self.line
        wanted = line.venue.snapshot_request(line.product, line.instrument)
        assert wanted is not None
        body = (wanted.body or "").encode()
        snapshot = line.venue.read_snapshot(line.product, line.instrument, line.rest(wanted.path, wanted.method, body))
        return line.book.apply(snapshot, line.world.ns)

    def change(self, wrong_checksum: bool = False) -> Change:
        """The next batch of changes: the price moves now and then, levels near it are added, removed and changed."""
        rng = self._rng
        changed: dict[str, dict[int, str]] = {"bids": {}, "asks": {}}
        if rng.random() < 0.1:
            self._mid += rng.choice((-1, 1))
            for name, side in (("bids", self.bids), ("asks", self.asks)):
                if side.pop(self._mid, None) is not None:
                    changed[name][self._mid] = "0"
            # levels too far away are removed, and the far end is filled up
            for name, side, sign in (("bids", self.bids, -1), ("asks", self.asks, 1)):
                for n in [n for n in side if abs(n - self._mid) > REACH_TICKS]:
                    del side[n]
                    changed[name][n] = "0"
                far = self._mid + sign * (REACH_TICKS - 1)
                if far not in side:
                    changed[name][far] = side[far] = self._size()
        for _ in range(rng.randrange(1, 5)):
            name, side, sign = rng.choice((("bids", self.bids, -1), ("asks", self.asks, 1)))
            n = self._mid + sign * rng.randrange(1, 30)
            if n in side and rng.random() < 0.3:
                del side[n]
                changed[name][n] = "0"
            else:
                changed[name][n] = side[n] = self._size()
        self.line.world.ns += self.step_ns
        made = self.line.world.change(self._levels(changed["bids"]), self._levels(changed["asks"]))
        return Change(
            seq=made.seq,
            bids=made.bids,
            asks=made.asks,
            engine_ns=made.engine_ns,
            gateway_ns=made.gateway_ns,
            wrong_checksum=wrong_checksum,
        )

    def tell(self, change: Change) -> list[Outcome]:
        """Outcomes of the messages that the twin makes of a change."""
        return self.apply(self._hear(self.line.theirs.change(self.line.sim, change)))

    def send(self, payloads: Sequence[str | bytes]) -> list[Event]:
        """Events of the twin's answers to these payloads."""
        return self._hear(self._asked(payloads))

    def apply(self, events: Sequence[Event]) -> list[Outcome]:
        book, ns = self.line.book, self.line.world.ns
        return [book.apply(e, ns) for e in events if isinstance(e, BookSnapshot | BookDelta)]

    def equal(self) -> bool:
        """Do both books have the same best levels (as many as the cell compares)?"""
        for ours, theirs, descending in (
            (self.line.book.bids, self.bids, True),
            (self.line.book.asks, self.asks, False),
        ):
            mine = [(self._text_price(p), s) for p, s in islice(ranked(ours, descending), self.cell.compared)]
            truth = [(self._price(n), float(s)) for n, s in islice(ranked(theirs, descending), self.cell.compared)]
            if mine != truth:
                return False
        return True

    def crossed(self) -> bool:
        book = self.line.book
        return bool(book.bids and book.asks) and max(book.bids) >= min(book.asks)

    def _asked(self, payloads: Sequence[str | bytes]) -> list[Out]:
        line = self.line
        raws = [payload if isinstance(payload, bytes) else payload.encode() for payload in payloads]
        return [out for raw in raws for out in line.theirs.receive(raw, line.world.ns)]

    def _hear(self, outs: Sequence[Out]) -> list[Event]:
        """Events of these messages. Answers to our replies come after messages that are sent already, as on a
        socket."""
        coming, events = deque(outs), list[Event]()
        while coming:
            out = coming.popleft()
            assert not isinstance(out, Close)
            raw = out if isinstance(out, bytes) else out.encode()
            for event in self.line.ours.receive(raw, self.line.world.ns):
                if isinstance(event, Reply):
                    coming += self._asked([event.payload])
                else:
                    events.append(event)
        return events

    def image(self, levels: int | None) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        """(bids, asks) as they are now, best first."""
        bids, asks = ranked(self.bids, True)[:levels], ranked(self.asks, False)[:levels]
        return self._levels(dict(bids)), self._levels(dict(asks))

    def _levels(self, side: dict[int, str]) -> tuple[TextLevel, ...]:
        return tuple((self._price(n), size) for n, size in side.items())

    def _price(self, ticks: int) -> str:
        return f"{ticks * self._tick:.{self._tick_decimals}f}"

    def _text_price(self, price: float) -> str:
        return f"{price:.{self._tick_decimals}f}"

    def _size(self) -> str:
        return f"{self._rng.randrange(1, 5_000) * self._lot:.{self._lot_decimals}f}"


class _Shown(FixedWorld):
    """Writes the book as text only when the twin reads it."""

    def __init__(self, twin: Twin, churn: Churn) -> None:
        super().__init__(twin)
        self._churn = churn

    def book(self, instrument: SimInstrument, levels: int | None = None) -> BookImage:
        bids, asks = self._churn.image(levels)
        return BookImage(seq=self.seq, bids=bids, asks=asks, engine_ns=self.ns - 3 * MS)


def ranked(levels: Mapping[N, V], descending: bool) -> list[tuple[N, V]]:
    """By price; ``descending`` for bids."""
    return sorted(levels.items(), key=lambda level: level[0], reverse=descending)


def book_label(cell: Cell) -> str:
    """Label of the socket that carries the book of the route's first instrument."""
    sim = next(one for one in TWINS[cell.venue]().instruments() if one.product == cell.product)
    instrument = instrument_of(sim, cell.facts)
    for plan in VENUES[cell.venue].plan(cell.product, [instrument]):
        if any(s.channel is Channel.BOOK for s in plan.subscriptions):
            return plan.label
    raise AssertionError(f"{cell.route}: no socket carries a book")
