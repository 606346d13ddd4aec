"""Stablecoin basis: what one quote currency is worth in another right now, from live books, never assumed to be 1.

A route that quotes in USDC or USD stands in for the USDT symbol that is watched; its prices are converted at the rate
of the watched spot books of ``PAIRS`` (the median of the routes that are live), directly or over one other currency.
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import Struct

from feeds.books.ladder import BPS, Ladder

PAIRS = ("USDC/USDT", "USDT/USD", "USDC/USD")
CURRENCIES = ("USDT", "USDC", "USD")
"""Quote currencies that stand for a dollar, in the order in which a stand-in is looked for."""
ROUTES_PER_PAIR = 4
"""More spot routes than this add nothing to a median."""


class Rate(Struct, frozen=True, kw_only=True):
    """What one unit of a currency costs in another, from live books."""

    rate: float
    """The median of the books' mids."""
    half_spread_bps: float
    """What crossing the books on the way costs, before fees."""
    routes: int
    """How many books the rate rests on: of the weakest step."""


class Rates(Struct, frozen=True):
    """Known rates by (from, to); both directions of every pair."""

    known: Mapping[tuple[str, str], Rate]

    def of(self, source: str, target: str) -> Rate | None:
        """None while no live book gives it: then nothing may be compared across these currencies."""
        if source == target:
            return Rate(rate=1.0, half_spread_bps=0.0, routes=0)
        if (direct := self.known.get((source, target))) is not None:
            return direct
        for middle in CURRENCIES:
            first, second = self.known.get((source, middle)), self.known.get((middle, target))
            if first is not None and second is not None:
                return Rate(
                    rate=first.rate * second.rate,
                    half_spread_bps=first.half_spread_bps + second.half_spread_bps,
                    routes=min(first.routes, second.routes),
                )
        return None

    def table(self) -> dict[str, float]:
        """By pair (``USDC/USDT``): every rate between ``CURRENCIES`` that is known, directly or over a third."""
        return {
            f"{source}/{target}": rate.rate
            for source in CURRENCIES
            for target in CURRENCIES
            if source != target and (rate := self.of(source, target)) is not None
        }


NO_RATES = Rates({})


def rates_of(books: Iterable[tuple[str, float, float]]) -> Rates:
    """From (pair, best bid, best ask) of every live book of ``PAIRS``; crossed and empty ones are left out."""
    by_pair: dict[str, list[tuple[float, float]]] = {}
    for pair, bid, ask in books:
        if 0 < bid < ask:
            mid = (bid + ask) / 2
            by_pair.setdefault(pair, []).append((mid, (ask - bid) / 2 / mid * BPS))
    known: dict[tuple[str, str], Rate] = {}
    for pair, found in by_pair.items():
        base, _, quote = pair.partition("/")
        mid = statistics.median(m for m, _ in found)
        half_bps = statistics.median(h for _, h in found)
        known[base, quote] = Rate(rate=mid, half_spread_bps=half_bps, routes=len(found))
        known[quote, base] = Rate(rate=1.0 / mid, half_spread_bps=half_bps, routes=len(found))
    return Rates(known)


def stand_in(symbol: str, listed: Collection[str]) -> str | None:
    """The symbol a route lists for ``symbol``: itself, else the same base and product in another dollar currency."""
    if symbol in listed:
        return symbol
    pair, _, settle = symbol.partition(":")
    base, _, quote = pair.partition("/")
    if quote not in CURRENCIES or settle not in ("", quote):
        return None
    for other in CURRENCIES:
        candidates = [f"{base}/{other}:{other}"] if settle else [f"{base}/{other}"]
        if settle:  # dollar-quoted, settled in a stablecoin
            candidates += [f"{base}/{other}:{margin}" for margin in CURRENCIES if margin != other]
        for candidate in candidates:
            if candidate in listed:
                return candidate
    return None


def converted(ladder: Ladder, rate: float) -> Ladder:
    """The same book with its prices in another currency. Sizes are base coin and stay."""
    if rate == 1.0:
        return ladder
    return msgspec.structs.replace(
        ladder,
        bid_px=ladder.bid_px * rate,
        ask_px=ladder.ask_px * rate,
        bid_quote=ladder.bid_quote * rate,
        ask_quote=ladder.ask_quote * rate,
        bid_known=ladder.bid_known * rate,
        ask_known=ladder.ask_known * rate,
    )
