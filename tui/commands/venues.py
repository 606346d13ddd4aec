"""``detour venues``: what each venue offers and what can be measured there, from the facts that the code runs on."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from feeds.config.checks import ConfigError
from feeds.config.load import load_config
from feeds.model import Channel, Product
from feeds.venues import failure_domains
from feeds.venues.base import ProductFacts, RateLimit, Venue
from feeds.venues.ccxt_names import PRODUCTS
from feeds.venues.registry import VENUES

Row = dict[str, Any]

_CHANNELS = {
    Channel.BOOK: "book",
    Channel.BBO: "bbo",
    Channel.TRADES: "trades",
    Channel.LIQUIDATIONS: "liq",
    Channel.MARK: "mark",
    Channel.STATUS: "status",
}
_COLUMNS = (
    ("route", "route"),
    ("channels", "channels (push ms)"),
    ("sequence", "sequence"),
    ("checksum", "checksum"),
    ("clocks", "clocks on books"),
    ("measures", "measured"),
    ("limit", "REST limit"),
    ("fee", "taker"),
    ("domain", "domain"),
    ("checked", "checked"),
)
_WIDEST = 44


def run(options: argparse.Namespace) -> int:
    """A table on stdout, or JSON lines with ``--json``."""
    try:
        own = load_config(getattr(options, "config", None)).domains
    except ConfigError as error:
        print(f"detour: {error}", file=sys.stderr)
        return 2
    rows = list(rows_of(VENUES.values(), own))
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print("\n".join(table(rows)))
        print(further(VENUES))
    return 0


def rows_of(venues: Iterable[Venue], own: Mapping[str, tuple[str, ...]]) -> Iterator[Row]:
    for venue in venues:
        for product, facts in venue.products.items():
            yield _row(venue, product, facts, failure_domains.of_venue(venue.name, own))


def _row(venue: Venue, product: Product, facts: ProductFacts, in_domains: Sequence[str]) -> Row:
    return {
        "route": f"{venue.name}.{product}",
        "channels": " ".join(
            f"{_CHANNELS[channel]}" + (f" {push_ms:g}" if push_ms else "") for channel, push_ms in facts.push_ms.items()
        ),
        "sequence": facts.sequence,
        "checksum": facts.checksum,
        "clocks": facts.clocks or "none",
        "measures": _measures(venue, product, facts),
        "limit": _limit(facts.rest_limit),
        "fee": f"{facts.taker_fee * 10_000:g} bp",
        "domain": " ".join(in_domains) or "unknown",
        "checked": facts.checked,
    }


def _measures(venue: Venue, product: Product, facts: ProductFacts) -> str:
    what = ["REST phases", "kernel rtt"]
    if facts.ws_ping_s is not None or facts.app_ping_s is not None:
        what.append("ws rtt")
    what += ["age"] if facts.clocks and facts.tells_time else []
    on_books = facts.clocks.partition(";")[0]
    what += ["engine lag"] if "engine" in on_books and "gateway" in on_books else []
    what += ["status"] if venue.status_request(product) is not None else []
    return ", ".join(what)


def _limit(limit: RateLimit) -> str:
    return f"{limit.weight:g} / {limit.window_s:g} s"


def further(native: Collection[str]) -> str:
    """Which other exchanges may be named in a watchlist."""
    names = [name for name in PRODUCTS if name not in native]
    return (
        f"Further exchanges, through ccxt.pro, each product by its whole name in a watchlist ({names[0]}.spot; engine "
        f"time, websocket and kernel round trips unknown): {', '.join(names)}"
    )


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Left-aligned columns; long texts are folded, so that nothing is cut."""
    cells = [[_fold(str(row[key])) for key, _ in _COLUMNS] for row in rows]
    titles = [[title] for _, title in _COLUMNS]
    widths = [max(len(part) for line in [titles, *cells] for part in line[n]) for n in range(len(_COLUMNS))]
    for line in [titles, *cells]:
        for depth in range(max(len(cell) for cell in line)):
            parts = [cell[depth] if depth < len(cell) else "" for cell in line]
            yield "  ".join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()


def _fold(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDEST:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return lines
