"""Every product that can be watched and simulated, and what its published facts promise of its books."""

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
"""Files that the rows over sockets are spread over, so that xdist's workers share them."""
GONE = "ZZZ"
"""A coin that no venue lists."""


class Loss(Enum):
    """How a change that never came is noticed."""

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
        """Does a checksum still live on the wire?"""
        return not self.facts.checksum.startswith("none")

    @property
    def loss(self) -> Loss:
        if "a crossed book" in self.facts.sequence:
            return Loss.CROSSING
        if not self.facts.sequence.startswith("none"):
            return Loss.SEQUENCE
        return Loss.CHECKSUM if self.checksum else Loss.HEALED

    @property
    def numbered_together(self) -> bool:
        """One number runs through all books of a connection: a loss costs each of them."""
        return "over all" in self.facts.sequence

    @property
    def compared(self) -> int:
        """Best levels of a side that our book must share with theirs at any moment."""
        return 5 if self.loss is Loss.HEALED else 20  # whole books come fast with five levels and slowly with more


CELLS: tuple[Cell, ...] = tuple(
    Cell(name, product)
    for name, venue in VENUES.items()
    if name in TWINS
    for product in venue.products
    if product in TWINS[name]().facts
)


def share_of(number: int) -> list[Cell]:
    """Whole venues, dealt out in turn: the products of one share one simulator."""
    names = list(dict.fromkeys(cell.venue for cell in CELLS))
    return [cell for cell in CELLS if names.index(cell.venue) % SHARES == number]


def instrument_of(sim: SimInstrument, facts: ProductFacts) -> Instrument:
    """As our markets would have it."""
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
    """A market that was delisted since we read the list, named as the venue names the second of these."""
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
