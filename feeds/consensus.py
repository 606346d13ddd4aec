"""The consensus price: how far each route's mid lies from those of the other routes. Pure. One definition for all.

**Comparable** are two books when all of this holds:

- the same base coin and the same kind of contract: spot with spot, perpetual with perpetual. A perpetual stands apart
  from spot by its funding basis, in a crash by several per cent, and that is no route's error;
- different routes: a route does not vouch for itself;
- one currency: the other's mid is converted into the book's own quote currency at the live rate. Where no live book
  gives that rate, the other book is left out. No rate is ever assumed to be 1;
- fresh: the caller passes only mids of synced, uncrossed books that are at most ``FRESH_S`` old. A mid whose feed is
  known to be late is compared with the others, but is no yardstick for them;
- less than ``UNLIKE_RATIO`` apart. A ratio beyond any move means two coins of one name (NEIRO is one coin here and
  another one there), or a price that is simply wrong. Neither has a distance worth a figure.

Two figures come from it, and they have two names:

- the **gap** (``Gap``): one mid against the median of the *other* routes' mids (leave-one-out). It says how odd a
  price is. The judge computes it once a step; the board, a verdict's reason and the advice show that very figure;
- the **reference mid** (``reference_mid``): the median over *all* routes an order may use. Costs are measured against
  it, because costs on several routes can only be compared and added up against one price: with a price of its own for
  each route, a difference between two routes would be counted on both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.model import quote_of
from feeds.quantiles import median

FRESH_S = 5.0
"""A mid older than this is not compared."""
FEWEST_OTHERS = 2
"""With fewer other books nobody can tell which of the prices is wrong."""
UNLIKE_RATIO = 3.0
"""Two mids further apart than this factor are not compared. In the worst crash on record (10 October 2025) liquid coins
fell to a third on some venues for moments; two coins of one name are hundreds of times apart."""
NOT_SAME = "not the same coin, or one price is wrong: not compared"

Market: TypeAlias = tuple[str, Literal["spot", "perpetual"]]
"""Base coin and kind of contract: what is comparable."""
RateTable: TypeAlias = Mapping[str, float]
"""By pair: ``USDC/USDT`` is the price of one USDC in USDT. Both directions of every known pair."""


class RouteMid(Struct, frozen=True, kw_only=True):
    """The mid of one book, in its own quote currency."""

    route: str
    symbol: str
    """As the route lists it."""
    mid: float
    """Greater than 0."""
    on_time: bool = True
    """False: its feed is late, so the mid is no yardstick for others."""


class Gap(Struct, frozen=True, kw_only=True):
    """How far one book's mid lies from the median of the other routes' mids."""

    gap_bps: float | None
    """Signed: above zero is dearer than the others. None: no other mid is near enough to be compared."""
    apart_bps: float
    """How far the others lie apart: their median absolute deviation from their own median."""
    others: int
    """How many books of other routes it is compared with."""
    on_time: bool
    unlike: int = 0
    """How many books of other routes are ``UNLIKE_RATIO`` or more away, and not compared."""

    @property
    def judgeable(self) -> bool:
        """Whether an odd price may be held against the route."""
        return self.on_time and self.others >= FEWEST_OTHERS

    @property
    def not_same(self) -> bool:
        """Whether its price belongs to no majority: perhaps another coin. Of two that are unlike, neither does."""
        return self.unlike > self.others


def market_of(symbol: str) -> Market:
    """``BTC/USDC:USDC`` -> ``("BTC", "perpetual")``; the quote currency does not matter."""
    return symbol.partition("/")[0], "perpetual" if ":" in symbol else "spot"


def gaps(mids: Iterable[RouteMid], rates: RateTable) -> dict[tuple[str, str], Gap]:
    """By (route, symbol). A book that nothing can be compared with has no entry."""
    by_market: dict[Market, list[RouteMid]] = {}
    for book in mids:
        by_market.setdefault(market_of(book.symbol), []).append(book)
    found: dict[tuple[str, str], Gap] = {}
    for books in by_market.values():
        yardsticks: dict[str, list[tuple[str, float]]] = {}
        for book in books:
            currency = quote_of(book.symbol)
            if currency not in yardsticks:
                yardsticks[currency] = _converted(books, currency, rates)
            others = [mid for route, mid in yardsticks[currency] if route != book.route]
            gap = _gap(book, others)
            if gap is not None:
                found[book.route, book.symbol] = gap
    return found


def alike(one: float, other: float) -> bool:
    """Whether two mids may be prices of one coin."""
    return max(one, other) < UNLIKE_RATIO * min(one, other)


def reference_mid(mids: Iterable[float]) -> float | None:
    """The median of mids in one currency; None of nothing."""
    return median(list(mids))


def _converted(books: Sequence[RouteMid], currency: str, rates: RateTable) -> list[tuple[str, float]]:
    """(route, mid in ``currency``) of the books that are on time and for which a rate is known."""
    found = []
    for book in books:
        own = quote_of(book.symbol)
        rate = 1.0 if own == currency else rates.get(f"{own}/{currency}")
        if book.on_time and rate is not None:
            found.append((book.route, book.mid * rate))
    return found


def _gap(book: RouteMid, every: Sequence[float]) -> Gap | None:
    others = [mid for mid in every if alike(mid, book.mid)]
    unlike = len(every) - len(others)
    middle = median(others)
    if middle is None or middle <= 0:
        return Gap(gap_bps=None, apart_bps=0.0, others=0, on_time=book.on_time, unlike=unlike) if unlike else None
    return Gap(
        gap_bps=(book.mid / middle - 1) * 1e4,
        apart_bps=(median([abs(mid / middle - 1) for mid in others]) or 0.0) * 1e4,
        others=len(others),
        on_time=book.on_time,
        unlike=unlike,
    )
