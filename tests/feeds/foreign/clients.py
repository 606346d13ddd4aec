"""Foreign clients against the simulator: ccxt.pro's exchanges redirected to loopback, and our own books beside them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import ccxt.pro
from msgspec import Struct

from feeds.clock import SystemClock
from feeds.instruments.fetch import convert, redirect
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.measure.route import RouteMonitor
from feeds.model import Instrument, product_in, venue_of
from feeds.transport.dialling import Dialler
from feeds.transport.rate_limit import ConnectLimits
from feeds.venues.registry import VENUES

REPOSITORY = Path(__file__).resolve().parents[3]
READY_S = 30.0
Side = list[tuple[float, float]]


class Simulator(Struct, frozen=True):
    endpoints: dict[str, dict[str, str]]
    """By route: ``rest`` and ``ws`` base URLs."""
    control: str
    token: str = ""

    def post(self, path: str, body: object) -> None:
        """Raises when the simulator refuses."""
        request = Request(self.control + path, json.dumps(body).encode(), self._named)
        with urlopen(request, timeout=10) as answer:
            assert json.load(answer) == {"ok": True}

    @property
    def _named(self) -> dict[str, str]:
        return {"content-type": "application/json", "authorization": f"Bearer {self.token}"}

    def failures(self) -> int:
        """How often a twin raised."""
        with urlopen(Request(self.control + "/state", headers=self._named), timeout=10) as answer:
            return int(json.load(answer)["failures"])


@contextlib.asynccontextmanager
async def simulator(scenario: str = "calm", *venues: str) -> AsyncIterator[Simulator]:
    """A simulator in a process of its own on free ports; ends with the block, also when we are killed.

    ``venues``: only these.
    """
    only = ("--venues", ",".join(venues)) if venues else ()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "feeds.sim", "--scenario", scenario, "--with-parent", *only,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S))
        yield Simulator(ready["endpoints"], ready["control"], ready["control_token"])
    finally:
        process.stdin.close()
        await process.wait()


class Ccxt:
    """One ccxt.pro exchange, every one of its URLs pointed at the simulator."""

    def __init__(self, name: str, routes: Sequence[str], at: Simulator) -> None:
        self.name, self.routes = name, tuple(routes)
        self.exchange: Any = getattr(ccxt.pro, name)()
        api = self.exchange.urls["api"]
        hosts = at.endpoints[routes[0]]
        websockets = redirect(api.pop("ws"), hosts["ws"])
        self.exchange.urls["api"] = {**api_of(redirect(api, hosts["rest"])), "ws": websockets}
        if name == "binance":
            # off binance.com it cannot tell a spot socket from a futures one, and BTCUSDT is both
            self.exchange.options["fetchMarkets"] = {"types": ["spot"]}

    def instruments(self, route: str, symbols: Sequence[str]) -> list[Instrument]:
        """Ours, from the markets that ccxt has read; only ``symbols`` (without settlement) of them."""
        markets, mode = self.exchange.markets.values(), self.exchange.precisionMode
        in_contracts = VENUES[venue_of(route)].products[product_in(route)].sizes_in_contracts
        found, skipped = convert(markets, route, mode, 0.001, sizes_in_contracts=in_contracts)
        assert not skipped
        return [one for one in found if one.symbol.partition(":")[0] in symbols]

    def book(self, symbol: str, levels: int) -> tuple[object, Side, Side]:
        """(sequence number, or push time in ms where ccxt keeps none; best bids; best asks)."""
        book = self.exchange.orderbooks[symbol]
        bids, asks = ([(float(p), float(s)) for p, s, *_ in book[side][:levels]] for side in ("bids", "asks"))
        return book["nonce"] or book["timestamp"], bids, asks


def api_of(urls: object) -> dict[str, Any]:
    """ccxt's ``urls["api"]`` when it is a table, as it is for every exchange we use."""
    assert isinstance(urls, dict)
    return urls


class Ours:
    """Our own measuring of some routes, as the collector does it, without health and frames."""

    def __init__(self, at: Simulator) -> None:
        self._at = at
        self._clock, self._limits = SystemClock(), ConnectLimits()
        self.said: list[str] = []
        self.watches: dict[str, RouteMonitor] = {}

    def watch(self, route: str, instruments: Sequence[Instrument]) -> None:
        venue, hosts = VENUES[venue_of(route)], self._at.endpoints[route]
        product = product_in(route)
        watch = RouteMonitor(
            route,
            venue,
            product,
            Hosts(hosts["rest"], hosts["ws"]),
            Meters(self._clock, lambda sample: None, self._say),
            offset=OffsetEstimator(),
            limits=self._limits,
            dialler=Dialler(SystemClock()),
        )
        self.watches[route] = watch
        watch.start()
        watch.watch(instruments)

    def book(self, route: str, symbol: str, levels: int, by_time: bool) -> tuple[object, Side, Side] | None:
        """As ``Ccxt.book``, None while the book is not synced."""
        books = self.watches[route].books
        assert books is not None
        book = books.pairs[symbol].book
        if not book.synced:
            return None
        key = book.gateway_ns // 1_000_000 if by_time and book.gateway_ns is not None else book.seq
        return key, sorted(book.bids.items(), reverse=True)[:levels], sorted(book.asks.items())[:levels]

    def gaps(self) -> int:
        return sum(watch.books.gaps for watch in self.watches.values() if watch.books is not None)

    async def stop(self) -> None:
        for watch in self.watches.values():
            await watch.stop()

    def _say(self, code: str, route: str | None, words: str) -> None:
        self.said.append(f"{code} {route}: {words}")
