"""Reads one watchlist of a TOML document and checks it against what is known."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from feeds.config.checks import KeyPath, Values, hint
from feeds.config.known import Known
from feeds.config.watchlists import (
    DEFAULT_NOTIONAL,
    DEFAULT_SYMBOLS,
    MAX_NOTIONAL,
    MAX_NOTIONALS,
    MAX_SYMBOLS,
    NAME_RULE,
    Watchlist,
    expand,
    guess_symbol,
    is_name,
    pairs_of,
    product_of,
)
from feeds.model import Product

WATCHLIST_KEYS = ("symbols", "routes", "home", "notionals", "side")
MAX_PATTERNS = 200


def check_watchlist(source: str, name: str, body: Mapping[str, Any], known: Known) -> Watchlist:
    """Checks a watchlist that is not in any file yet. Raises ConfigError, which names ``source`` instead of a file."""
    reader = WatchlistReader("", Path(source), known)
    if not is_name(name):
        reader.fail((), f"{name!r} cannot be a watchlist's name, which is {NAME_RULE}")
    return reader.watchlist(name, body)


class WatchlistReader(Values):
    def __init__(self, text: str, file: Path, known: Known) -> None:
        super().__init__(text, file)
        self.known = known

    def watchlist(self, name: str, body: object) -> Watchlist:
        at = ("watchlists", name)
        values = self.table(at, body, WATCHLIST_KEYS)
        if "symbols" not in values:
            self.fail(at, 'misses the key "symbols", a list such as ["BTC/USDT", "BTC/USDT:USDT"]')
        symbols = self.words((*at, "symbols"), values["symbols"], MAX_SYMBOLS)
        products = {self.product((*at, "symbols"), symbol) for symbol in symbols}
        patterns = self.words((*at, "routes"), values.get("routes", ["*"]), MAX_PATTERNS)
        matched = {r for pattern in patterns for r in self.matches((*at, "routes"), pattern)}
        routes = tuple(r for r in self.known.all_routes if r in matched and r.partition(".")[2] in products)
        if not routes:
            self.fail(at, "none of its routes trades the kind of its symbols (spot is BTC/USDT, linear BTC/USDT:USDT)")
        self.check_listed((*at, "symbols"), routes, symbols)
        home = None
        if "home" in values:
            home = self.choice((*at, "home"), values["home"], self.known.all_routes, "route")
            if home not in matched:
                self.fail((*at, "home"), f'"{home}" is not among the routes of this watchlist{hint(home, routes)}')
        side = self.choice((*at, "side"), values.get("side", "buy"), ("buy", "sell"), "side")
        return Watchlist(
            name=name,
            symbols=symbols,
            patterns=patterns,
            routes=routes,
            home=home,
            notionals=self.notionals((*at, "notionals"), values.get("notionals", [DEFAULT_NOTIONAL])),
            side="buy" if side == "buy" else "sell",
        )

    def product(self, at: KeyPath, symbol: str) -> Product:
        product = product_of(symbol)
        if product is None:
            near = guess_symbol(symbol)
            nearest = f'; nearest is "{near}"' if near else ""
            self.fail(at, f'"{symbol}" is no symbol{nearest} (allowed: BASE/QUOTE, BASE/QUOTE:SETTLE)', symbol)
        return product

    def check_listed(self, at: KeyPath, routes: Sequence[str], symbols: Sequence[str]) -> None:
        for symbol in symbols:
            listings = [self.known.listed(route) for route, _ in pairs_of(routes, [symbol])]
            if any(names is None or symbol in names for names in listings):
                continue  # listed, or a route whose listing we have not seen may list it
            names = sorted({n for listing in listings if listing is not None for n in listing})
            near = difflib.get_close_matches(symbol, names, n=1, cutoff=0.5)
            if not near and (guess := guess_symbol(symbol)) in DEFAULT_SYMBOLS:
                near = [str(guess)]
            nearest = f'; nearest is "{near[0]}"' if near else ""
            self.fail(
                at,
                f'no route of this watchlist lists "{symbol}"{nearest} (allowed: {len(names)} listed symbols)',
                symbol,
            )

    def matches(self, at: KeyPath, pattern: str) -> tuple[str, ...]:
        found = (pattern,) if pattern in self.known.by_name else expand(pattern, self.known.routes)
        if not found:
            venues = {route.partition(".")[0] + ".*": None for route in self.known.routes}
            self.fail(
                at,
                f'unknown route "{pattern}"{hint(pattern, (*self.known.routes, *venues, *self.known.by_name))}',
                pattern,
            )
        return found

    def notionals(self, at: KeyPath, value: object) -> tuple[float, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_NOTIONALS:
            self.fail(at, f"must be a list of 1 to {MAX_NOTIONALS} numbers")
        what = f"an amount of quote currency from 1 to {MAX_NOTIONAL:.0f}"
        return tuple(self.number(at, item, 1, MAX_NOTIONAL, what) for item in value)
