"""Any other exchange, read through ccxt.pro: its name, products and defaults.

The config must name such a route in full (``phemex.spot``). Patterns never match one, since each runs in its own
process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from feeds.model import Product, Rail, StatusNotice, route_of
from feeds.venues.base import Answer, RestRequest
from feeds.venues.ccxt_names import PRODUCTS
from feeds.venues.sequence import SequenceRule, Unsequenced


class GenericFacts(Struct, frozen=True, kw_only=True):
    """An empty host means the one that ccxt knows."""

    rest: str = ""
    ws: str = ""
    taker_fee: float = 0.001
    """Used where ccxt has no fee either: the highest of the usual fees."""
    quotes: tuple[str, ...] = ("USDT", "USDC", "USD")
    """Not known, so the basis between all of these is measured."""
    sizes_in_contracts: bool = True


class GenericVenue:
    """ccxt applies the venue's sequence rule and gives whole books, each of which replaces the last."""

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
    """Raises KeyError for an exchange whose order books ccxt.pro cannot watch."""
    return GenericVenue(name, name, PRODUCTS[name])


def generic_routes(native: Collection[str]) -> tuple[str, ...]:
    """All routes of exchanges that are not ``native`` venues."""
    return tuple(route_of(n, product) for n, products in PRODUCTS.items() if n not in native for product in products)
