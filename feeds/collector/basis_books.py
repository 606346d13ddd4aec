"""The stablecoin books that are watched beside the user's symbols, and the basis rates that they give."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from feeds.advise import basis
from feeds.collector.freshness import known_silent
from feeds.frame import BasisRow
from feeds.measure.contract import MonitoredRoute
from feeds.model import Verdict, quote_of


def needed(symbols: Sequence[str], routes: Iterable[MonitoredRoute]) -> bool:
    """Some route quotes in another dollar currency than some watched symbol."""
    quotes = {quote_of(symbol) for symbol in symbols}
    return any(set(route.facts.quotes) != {quote} for route in routes for quote in quotes)


def pairs_to_watch(routes: Iterable[MonitoredRoute], listed: Collection[str]) -> list[str]:
    """Stablecoin pairs that one more spot route should watch: those it lists and that few other routes watch."""
    all_books = [route.books for route in routes if route.books is not None]
    return [
        pair
        for pair in basis.PAIRS
        if pair in listed and sum(pair in books.pairs for books in all_books) < basis.ROUTES_PER_PAIR
    ]


def rates(routes: Mapping[str, MonitoredRoute], verdicts: Mapping[str, Verdict]) -> basis.Rates:
    """From the stablecoin books that are live now."""
    books = []
    for name, route in routes.items():
        if route.books is None or known_silent(verdicts.get(name)):
            continue
        for pair in basis.PAIRS:
            state = route.books.pairs.get(pair)
            if state is not None and route.carries(pair):
                ladder = state.book.ladder()
                if ladder.best_bid is not None and ladder.best_ask is not None:
                    books.append((pair, ladder.best_bid, ladder.best_ask))
    return basis.rates_of(books)


def rows(known: basis.Rates) -> tuple[BasisRow, ...]:
    return tuple(
        BasisRow(pair=f"{a}/{b}", rate=r.rate, half_spread_bps=r.half_spread_bps, routes=r.routes)
        for (a, b), r in known.known.items()
        if f"{a}/{b}" in basis.PAIRS
    )
