"""``python -m feeds.instruments.fetch``: asks venues for their instruments through ccxt, fills the cache, ends.

A process of its own, because loading ccxt costs half a second and 100 MB. It reads a ``cache.Job``, one line, on stdin
and sends one ``cache.Outcome`` a route on stdout, with the instruments, as soon as that route's file is written (or
cannot be). It ends when its stdin ends: with the collector, however that ends.
Public endpoints only: no keys, no currencies, only the kind of market that the route is.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from feeds.config.paths import write_atomically
from feeds.instruments import ws_listing
from feeds.instruments.bounded_http import BoundedSession
from feeds.instruments.cache import (
    CACHE_SCHEMA,
    MAX_INSTRUMENTS,
    ROUTE_S,
    Job,
    Outcome,
    Stored,
    cache_path,
    is_sound,
    message,
)
from feeds.instruments.causes import words_of
from feeds.instruments.needs import spare
from feeds.instruments.turns import in_turns
from feeds.model import Instrument, Product, product_in, venue_of
from feeds.transport.proxies import DIRECT, Proxies, read_proxies
from feeds.transport.trust import certificate_error, why_untrusted
from feeds.venues.base import ProductFacts, Venue
from feeds.venues.ccxt_names import PRODUCTS
from feeds.venues.generic import GenericFacts, generic

REQUEST_TIMEOUT_MS = 10_000
AT_ONCE = 16
MEMORY_BYTES = 3 << 30
"""Of address space: an endless answer fails in this process, and in no other."""

_DECIMAL_PLACES, _SIGNIFICANT_DIGITS, _TICK_SIZE = 2, 3, 4  # ccxt.base.decimal_to_precision


def convert(
    markets: Iterable[Mapping[str, Any]],
    route: str,
    precision_mode: int,
    taker_fee: float,
    *,
    sizes_in_contracts: bool = True,
) -> tuple[list[Instrument], int]:
    """ccxt's markets -> the route's instruments and how many had to be skipped; markets of other products are not ours.

    ``taker_fee`` (a fraction) is our dated and sourced fact for the route. It stands where the venue lists no fees: a
    fee that is the same on every market comes from a table inside ccxt, which may be old (Bybit's linear fee is 0.0006
    in ccxt 4.5.90 and 0.00055 as published). Other numbers were decimal text at the venue, so a tick of ``0.1`` is
    exactly ``float("0.1")``. Without ``sizes_in_contracts`` the venue's sizes are not in contracts: the size is 1.
    """
    product = product_in(route)
    found: dict[str, Instrument] = {}
    skipped = 0
    for market in markets:
        if not _is_product(market, product):
            continue
        instrument = _instrument(market, route, precision_mode, taker_fee)
        if instrument is None or len(found) >= MAX_INSTRUMENTS:
            skipped += 1
        else:
            found[instrument.symbol] = instrument
    listed_fees = len({instrument.taker_fee for instrument in found.values()}) > 1
    if not listed_fees:
        found = {name: msgspec.structs.replace(i, taker_fee=taker_fee) for name, i in found.items()}
    if not sizes_in_contracts:
        found = {name: msgspec.structs.replace(i, contract_size=1.0) for name, i in found.items()}
    return list(found.values()), skipped


def _is_product(market: Mapping[str, Any], product: Product) -> bool:
    if product == "spot":
        return market.get("spot") is True
    return market.get("swap") is True and market.get(product) is True


def _instrument(market: Mapping[str, Any], route: str, mode: int, taker_fee: float) -> Instrument | None:
    precision = market.get("precision") or {}
    limits = market.get("limits") or {}
    tick, lot = _step(precision.get("price"), mode), _step(precision.get("amount"), mode)
    if mode == _SIGNIFICANT_DIGITS:  # only prices (Bitfinex): the step grows with the price
        tick, lot = _limit(limits, "price"), _step(precision.get("amount"), _DECIMAL_PLACES)
    contract_size = 1.0 if market.get("spot") else _number(market.get("contractSize"))
    texts = [market.get(key) for key in ("symbol", "id", "base", "quote")]
    if tick is None or lot is None or contract_size is None or not all(isinstance(t, str) and t for t in texts):
        return None
    symbol, venue_id, base, quote = (str(text) for text in texts)
    if market.get("swap") and market.get("baseName"):
        venue_id = str(market["baseName"])  # Hyperliquid: ccxt's id is an index, channels go by coin
    own_fee = _number(market.get("taker"))
    settle = market.get("settle")
    instrument = Instrument(
        route=route,
        symbol=symbol,
        venue_id=venue_id,
        base=base,
        quote=quote,
        settle=settle if isinstance(settle, str) else None,
        tick=tick,
        lot=lot,
        min_size=_limit(limits, "amount"),
        min_notional=_limit(limits, "cost"),
        contract_size=contract_size,
        inverse=market.get("inverse") is True,
        taker_fee=taker_fee if own_fee is None else own_fee,
        active=market.get("active") is not False,
    )
    return instrument if is_sound(instrument) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _limit(limits: Mapping[str, Any], name: str) -> float | None:
    value = _number((limits.get(name) or {}).get("min"))
    return None if value is None or value <= 0 else value


def _step(value: object, mode: int) -> float | None:
    """A price or size step from ccxt's precision; None for significant digits, which are no step."""
    number = _number(value)
    if number is None:
        return None
    if mode == _TICK_SIZE:
        return number
    # by way of text: 2 places must be exactly the float 0.01, which 10 ** -2.0 need not be
    return float(f"1e{-int(number)}") if mode == _DECIMAL_PLACES and abs(number) <= 30 else None


def redirect(urls: object, base: str) -> object:
    """ccxt's ``urls["api"]``, nested as it is, with scheme and host of every URL replaced by ``base``; paths stay."""
    if isinstance(urls, str):
        # a template such as https://api.{hostname} is split like any other host
        parts = urlsplit(urls)
        return base.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")
    if isinstance(urls, dict):
        return {key: redirect(value, base) for key, value in urls.items()}
    return urls


def narrow(options: dict[str, Any], product: Product) -> None:
    """Make ccxt ask for one kind of market only, where the exchange knows kinds."""
    kinds = options.get("fetchMarkets")
    known = kinds.get("types") if isinstance(kinds, dict) else kinds
    if not isinstance(known, list | dict):
        return
    wanted = product if product in known else "swap" if product != "spot" and "swap" in known else None
    if wanted is not None:
        # HTX and MEXC have a table of switches where others have a list
        only: object = {wanted: known[wanted]} if isinstance(known, dict) else [wanted]
        options["fetchMarkets"] = {**kinds, "types": only} if isinstance(kinds, dict) else only


def table_fee(fees: object, product: Product, otherwise: float) -> float:
    """The taker fee in ccxt's ``fees`` table, a fraction: for exchanges whose fees we have not looked up."""
    kinds = (
        [fees.get(kind) for kind in (product, "trading" if product == "spot" else "swap", "trading")]
        if isinstance(fees, dict)
        else []
    )
    found = (_number(kind.get("taker")) for kind in kinds if isinstance(kind, dict))
    return next((fee for fee in found if fee is not None and 0 <= fee <= 0.05), otherwise)


def fetch(
    ccxt_id: str,
    route: str,
    facts: ProductFacts | GenericFacts,
    base: str | None,
    end_s: float | None = None,
    proxies: Proxies = DIRECT,
) -> tuple[list[Instrument], int]:
    """Ask one venue, blocking, until ``end_s`` (``time.monotonic``) at most. Raises whatever ccxt raises."""
    import ccxt  # here only: see the module's docstring

    from feeds.instruments.road import lay  # loads what ccxt loads

    product = product_in(route)
    session = BoundedSession(time.monotonic() + ROUTE_S if end_s is None else end_s)
    exchange = getattr(ccxt, ccxt_id)({"enableRateLimit": True, "timeout": REQUEST_TIMEOUT_MS, "session": session})
    lay(exchange, proxies, venue_of(route))
    exchange.has["fetchCurrencies"] = False  # needs a key at some venues, and we do not use it
    narrow(exchange.options, product)
    spare(exchange, product, session)
    if base is not None:
        exchange.urls["api"] = redirect(exchange.urls["api"], base)
    try:
        markets = exchange.load_markets().values()
        mode, in_contracts, fee = exchange.precisionMode, facts.sizes_in_contracts, facts.taker_fee
        if isinstance(facts, GenericFacts):
            fee = table_fee(exchange.fees, product, fee)
        return convert(markets, route, mode, fee, sizes_in_contracts=in_contracts)
    finally:
        session.close()


def store(
    job: Job,
    route: str,
    ccxt_id: str,
    facts: ProductFacts | GenericFacts,
    venue: Venue | None = None,
    end_s: float | None = None,
) -> Outcome:
    """Fetch one route and write its cache file; an empty listing is a failure and leaves the old file.

    A file that cannot be written is none: the instruments are in the outcome. ``venue`` may list over a websocket; a
    route whose base URL is replaced is asked over REST all the same.
    """
    product, proxies = product_in(route), read_proxies(job.proxies)
    listing = None if venue is None or route in job.rest else venue.listing(product)
    try:
        if venue is not None and listing is not None:
            chosen = proxies.of(venue.name, urlsplit(listing.url).hostname or "", secure=True)
            proxy = None if chosen is None else chosen[0]
            listed = ws_listing.ask(listing, functools.partial(venue.read_listing, product), proxy=proxy)
            sound = [one for one in listed[:MAX_INSTRUMENTS] if is_sound(one)]
            instruments, skipped = sound, len(listed) - len(sound)
        else:
            instruments, skipped = fetch(ccxt_id, route, facts, job.rest.get(route), end_s, proxies)
        if not instruments:
            return Outcome(route=route, error="the venue lists nothing")
        stored = Stored(
            schema=CACHE_SCHEMA,
            route=route,
            fetched_ns=time.time_ns(),
            instruments=tuple(instruments),
            skipped=skipped,
        )
        return Outcome(route=route, stored=stored, not_kept=_keep(job, stored))
    except Exception as error:  # any failure of one venue is reported for that venue and stops no other
        untrusted = certificate_error(error)
        return Outcome(route=route, error=words_of(error) if untrusted is None else why_untrusted(untrusted))


def _keep(job: Job, stored: Stored) -> str:
    """Why it could not be written to the cache; empty when it was."""
    try:
        write_atomically(cache_path(Path(job.cache_dir), job.label, stored.route), msgspec.json.encode(stored))
    except OSError as error:
        return error.strerror or words_of(error)
    return ""


def ask(job: Job, say: Callable[[Outcome], None]) -> None:
    """Ask for all routes of the job; ``say`` gets one outcome for each, whatever hangs."""
    from feeds.venues.registry import VENUES

    work: dict[str, Callable[[float], Outcome]] = {}
    for route in job.routes:
        name, _, product = route.partition(".")
        native = VENUES.get(name)
        venue: Any = native or (generic(name) if name in PRODUCTS else None)
        if venue is None or product not in venue.products or product not in venue.ccxt:
            say(Outcome(route=route, error="no such route"))
            continue
        work[route] = functools.partial(store, job, route, venue.ccxt[product], venue.products[product], native)

    def each(route: str, outcome: Outcome | None) -> None:
        say(outcome or Outcome(route=route, error=f"no whole answer within {job.route_s:g} s"))

    in_turns(work, each, at_once=AT_ONCE, each_s=job.route_s, all_s=job.all_s)


def main() -> int:
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between our messages
    _limit_memory()
    job = msgspec.json.decode(_first_line(0), type=Job)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(outcome: Outcome) -> None:
        sink.write(message(outcome))
        sink.flush()

    with contextlib.suppress(BrokenPipeError):  # nobody reads any more
        ask(job, say)
    os._exit(0)  # threads that hang would keep the process alive


def _first_line(handle: int) -> bytes:
    """Not through ``sys.stdin``, which would read on, and whose lock a waiting thread would hold."""
    line = b""
    while not line.endswith(b"\n") and (data := os.read(handle, 65536)):
        line += data
    return line


def _end_with_parent() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os._exit(1)


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    with contextlib.suppress(ValueError, OSError):  # the user may have set a lower limit already
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    sys.exit(main())
