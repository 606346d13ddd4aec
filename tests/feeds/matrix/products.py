"""Every product that can be watched and simulated, and what its facts tell about its books."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from msgspec import Struct

from feeds.model import Instrument, Product, route_of
from feeds.sim.registry import TWINS
from feeds.sim.twin import SimInstrument
from feeds.venues.base import ProductFacts
from feeds.venues.registry import VENUES

SHARES = 3
"""Number of files that the tests over sockets are divided into, so that xdist's workers share them."""
GONE = "ZZZ"
"""A coin that no venue lists."""


class Loss(Enum):
    """How a lost change is noticed."""

    SEQUENCE = "by the next one's number"
    CHECKSUM = "once the venue's checksum covers it"
    CROSSING = "once a price that is gone crosses the book"
    HEALED = "not at all: every message is a whole book"


class Cell(Struct, frozen=True):
    """One product of one venue."""

    venue: str
    product: Product

    @property
    def route(self) -> str:
        return route_of(self.venue, self.product)

    @property
    def facts(self) -> ProductFacts:
        return VENUES[self.venue].products[self.product]

    @property
    def checksum(self) -> bool:
        """Does the venue send checksums?"""
        return not self.facts.checksum.startswith("none")

    @property
    def loss(self) -> Loss:
        if "a crossed book" in self.facts.sequence:
            return Loss.CROSSING
        if not self.facts.sequence.startswith("none"):
            return Loss.SEQUENCE
        return Loss.CHECKSUM if self.checksum else Loss.HEALED

    @property
    def blind(self) -> bool:
        """Is a lost message not told by the next one's number?"""
        return VENUES[self.venue].rule(self.product).blind

    @property
    def asked_by_watchdog(self) -> bool:
        """Does the first book come once, over the socket, without a request that its session repeats by itself?"""
        by_itself = self.loss is Loss.HEALED or self.route == "htx.spot"
        return not by_itself and not VENUES[self.venue].rule(self.product).rest_snapshot

    @property
    def numbered_together(self) -> bool:
        """One counter numbers all books of a connection, so a loss restarts each of them."""
        return "over all" in self.facts.sequence

    @property
    def compared(self) -> int:
        """Best levels per side that our book must have in common with the twin's at any time."""
        return 5 if self.loss is Loss.HEALED else 20  # books of five levels come fast, those with more come slowly


CELLS: tuple[Cell, ...] = tuple(
    Cell(name, product)
    for name, venue in VENUES.items()
    if name in TWINS
    for product in venue.products
    if product in TWINS[name]().facts
)


def share_of(number: int) -> list[Cell]:
    """Cells of one file: venues are divided in turn, so that all products of a venue share one simulator."""
    names = list(dict.fromkeys(cell.venue for cell in CELLS))
    return [cell for cell in CELLS if names.index(cell.venue) % SHARES == number]


def instrument_of(sim: SimInstrument, facts: ProductFacts) -> Instrument:
    """The instrument as the list of instruments would have it."""
    return Instrument(
        route=sim.route,
        symbol=sim.symbol,
        venue_id=sim.venue_id,
        base=sim.base,
        quote=sim.quote,
        settle=sim.symbol.partition(":")[2] or None,
        tick=float(sim.tick),
        lot=float(sim.lot),
        contract_size=float(sim.contract_size) if facts.sizes_in_contracts else 1.0,
        inverse=sim.inverse,
        taker_fee=float(sim.taker_fee),
    )


def gone_beside(good: Sequence[Instrument]) -> Instrument:
    """A market delisted since the list was read, with a name like that of the second instrument."""
    like = good[1]
    name = like.venue_id.replace(like.base, GONE).replace(like.base.lower(), GONE.lower())
    assert name != like.venue_id
    return Instrument(
        route=like.route,
        symbol=like.symbol.replace(like.base, GONE),
        venue_id=name,
        base=GONE,
        quote=like.quote,
        settle=like.settle if like.settle != like.base else GONE,
        tick=like.tick,
        lot=like.lot,
        contract_size=like.contract_size,
        inverse=like.inverse,
        taker_fee=like.taker_fee,
    )
