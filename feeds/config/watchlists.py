"""What a user watches: symbols on routes, the route called home, and the order that advice is about.

Pure: names and patterns in, (route, symbol) pairs out. ``feeds.config.load`` reads watchlists from the user's file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from msgspec import Struct

from feeds.model import Product, Side, venue_of

DEFAULT_NAME = "default"
DEFAULT_SYMBOLS = ("BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT")
DEFAULT_ROUTES = ("*.spot", "*.linear")
DEFAULT_HOME = "binance.linear"
DEFAULT_NOTIONAL = 100_000.0
MAX_SYMBOLS = 64
MAX_NOTIONALS = 8
MAX_NOTIONAL = 1e9
"""Quote currency. More than any book holds, and small enough for exact sums of allocations (feeds.advise.split)."""
NAME_RULE = "1 to 40 letters, digits, '-' or '_'"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
# The base may hold any characters (there are coins with Chinese names); quote currencies are plain letters and digits.
# What means something to a terminal's markup, a shell or a URL is in no coin's name.
_COIN = r"[^\s/:\"'`\\\[\]{}()<>|;,=#?%]{1,30}"
_SYMBOL = re.compile(rf"(?P<base>{_COIN})/(?P<quote>[A-Z0-9]{{2,12}})(?::(?P<settle>{_COIN}))?")
_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "BTC", "ETH")


class Watchlist(Struct, frozen=True, kw_only=True):
    name: str
    symbols: tuple[str, ...]
    """ccxt's unified symbols, as the user wrote them."""
    patterns: tuple[str, ...]
    """Routes as the user wrote them: ``okx.linear``, ``okx.*``, ``*.spot``."""
    routes: tuple[str, ...]
    """What the patterns stand for, without routes that none of the symbols can be traded on."""
    home: str | None
    notionals: tuple[float, ...]
    """Order sizes in the quote currency; the first is the one shown first."""
    side: Side

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every (route, symbol) to watch, whether or not the venue lists the symbol."""
        return pairs_of(self.routes, self.symbols)

    def home_for(self, symbol: str) -> str | None:
        """The route that this symbol's alternatives are compared with: the home venue's route for its product.

        A home of ``binance.linear`` means ``binance.spot`` for a spot symbol, where that route is watched too.
        """
        if self.home is None:
            return None
        route = f"{venue_of(self.home)}.{product_of(symbol)}"
        return route if route in self.routes else None


def product_of(symbol: str) -> Product | None:
    """The product a unified symbol belongs to; None for what is not such a symbol, or has an expiry date."""
    parts = _SYMBOL.fullmatch(symbol)
    if parts is None or not symbol.isprintable():  # invisible characters would let two symbols look the same
        return None
    match parts["settle"]:
        case None:
            return "spot"
        case settle if settle == parts["quote"]:
            return "linear"
        case settle if settle == parts["base"]:
            return "inverse"
        case _:
            return None


def pairs_of(routes: Iterable[str], symbols: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(route, symbol) for every symbol of the route's product, in the order given."""
    return tuple((r, s) for r in routes for s in symbols if product_of(s) == r.partition(".")[2])


def is_name(text: str) -> bool:
    """May a watchlist be called this? (NAME_RULE)"""
    return _NAME.fullmatch(text) is not None


def expand(pattern: str, routes: Collection[str]) -> tuple[str, ...]:
    """The routes a pattern stands for, in the order of ``routes``; empty when it matches none."""
    if pattern in routes:
        return (pattern,)
    if not any(c in pattern for c in "*?"):
        return ()
    # '[' would start a set of characters in fnmatch, which no route needs
    return tuple(r for r in routes if fnmatchcase(r, pattern.replace("[", "[[]")))


def guess_symbol(text: str) -> str | None:
    """A venue's own name or a careless spelling -> the unified symbol: ``btcusdt`` -> ``BTC/USDT``."""
    upper = text.strip().upper()
    if product_of(upper) is not None:
        return upper
    flat = re.sub(r"[-_/:\s]", "", upper)
    perpetual = flat.endswith(("SWAP", "PERP"))
    if perpetual:
        flat = flat[:-4]
    for quote in _QUOTES:
        base = flat.removesuffix(quote)
        if base != flat and base:
            # "BTC/USDT:USDT" flattened ends in the quote twice
            doubled = base.removesuffix(quote)
            if doubled != base and doubled:
                return _real(f"{doubled}/{quote}:{quote}")
            return _real(f"{base}/{quote}:{quote}" if perpetual else f"{base}/{quote}")
    return None


def _real(symbol: str) -> str | None:
    return symbol if product_of(symbol) is not None else None


def default_watchlist(routes: Collection[str]) -> Watchlist:
    """BTC and ETH, spot and linear, on every venue there is: what works without any file."""
    watched = tuple(r for pattern in DEFAULT_ROUTES for r in expand(pattern, routes))
    watched = tuple(r for r in routes if r in watched)
    return Watchlist(
        name=DEFAULT_NAME,
        symbols=DEFAULT_SYMBOLS,
        patterns=DEFAULT_ROUTES,
        routes=watched,
        home=DEFAULT_HOME if DEFAULT_HOME in watched else None,
        notionals=(DEFAULT_NOTIONAL,),
        side="buy",
    )
