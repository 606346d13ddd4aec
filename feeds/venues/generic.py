"""Any other exchange: what is known of it before ccxt.pro has been asked, which is its name and little else.

A generic route is written as a whole (``phemex.spot``); patterns never mean one, since each costs a process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from feeds.model import Product, Rail, StatusNotice, route_of
from feeds.venues.base import Answer, RestRequest
from feeds.venues.ccxt_names import PRODUCTS
from feeds.venues.sequence import SequenceRule, Unsequenced


class GenericFacts(Struct, frozen=True, kw_only=True):
    """Empty hosts are those that ccxt knows."""

    rest: str = ""
    ws: str = ""
    taker_fee: float = 0.001
    """Where ccxt's own table has none either: the dearest that is usual, never free."""
    quotes: tuple[str, ...] = ("USDT", "USDC", "USD")
    """Not known, so the basis between all of them is watched."""
    sizes_in_contracts: bool = True


class GenericVenue:
    """ccxt applies the venue's sequence rule; what it hands over are whole books, which replace each other."""

    def __init__(self, name: str, ccxt_id: str, products: Collection[Product]) -> None:
        self.name = self.title = name
        self.ccxt_id = ccxt_id
        self.ccxt: Mapping[Product, str] = dict.fromkeys(products, ccxt_id)
        self.products: Mapping[Product, GenericFacts] = dict.fromkeys(products, GenericFacts())

    def rule(self, product: Product) -> SequenceRule:
        return Unsequenced()

    def status_request(self, product: Product) -> RestRequest | None:
        return None

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        return ()

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        return ()

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        return ()


def generic(name: str) -> GenericVenue:
    """Raises KeyError for a name that ccxt.pro has no order books of."""
    return GenericVenue(name, name, PRODUCTS[name])


def generic_routes(native: Collection[str]) -> tuple[str, ...]:
    """Every route of exchanges that are none of the ``native`` venues."""
    return tuple(route_of(n, product) for n, products in PRODUCTS.items() if n not in native for product in products)
