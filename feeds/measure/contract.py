"""The contract of a route under measurement, and what such a route is given to work with.

Two classes fulfil it: ``feeds.measure.route.RouteMonitor`` (our own sockets) and ``feeds.ccxt_pro.route.CcxtProRoute``
(ccxt.pro in a child process). Rows, advice, status and transfers know a route by this contract only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from feeds.books.route_books import RouteBooks
from feeds.clock import Clock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.model import Instrument, Product, Rail, StatusNotice
from feeds.samples import Sample
from feeds.transport.subscriptions import ChannelLife
from feeds.venues.base import Answer, RestRequest


class Hosts(Struct, frozen=True):
    """Where a route is measured: the published hosts, or those the user or the simulator put in their place."""

    rest: str
    ws: str
    """Base URL without the path that the venue's plan appends."""


class Meters(Struct, frozen=True):
    """The clock a route measures with, and where its results go."""

    clock: Clock
    emit: Callable[[Sample], None]
    log_event: Callable[[str, str | None, str], None]
    """(code, route, text) for the event log."""


class PublishedFacts(Protocol):
    """What rows need of ``feeds.venues.base.ProductFacts``; a generic venue publishes less than that."""

    @property
    def rest(self) -> str: ...
    @property
    def quotes(self) -> tuple[str, ...]: ...


class VenueRequests(Protocol):
    """The part of ``feeds.venues.base.Venue`` for official status and transfers."""

    @property
    def name(self) -> str: ...
    def status_request(self, product: Product) -> RestRequest | None: ...
    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]: ...
    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]: ...
    def read_transfers(self, answer: Answer) -> Sequence[Rail]: ...


class MonitoredRoute(Protocol):
    """One route under measurement. Nothing in it is set from outside."""

    @property
    def route(self) -> str: ...
    @property
    def product(self) -> Product: ...
    @property
    def venue(self) -> VenueRequests: ...
    @property
    def facts(self) -> PublishedFacts: ...
    @property
    def hosts(self) -> Hosts: ...
    @property
    def books(self) -> RouteBooks | None:
        """None until ``watch`` was called."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Whole sentences for the user about how the route is measured, e.g. that its feed has ended."""

    @property
    def offset(self) -> OffsetEstimator: ...
    @property
    def sockets(self) -> int:
        """How many sockets the route is to have."""

    @property
    def sockets_up(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def garbled(self) -> int:
        """Messages that could not be decoded."""

    @property
    def unknown(self) -> int:
        """Messages of a type, or about a symbol, that we do not know."""

    def start(self) -> None:
        """Begin to probe: the line to the venue is measured before its instruments are known."""

    def watch(self, instruments: Sequence[Instrument]) -> None:
        """Watch these instruments from now on. Called again when what the venue lists has changed."""

    async def stop(self) -> None: ...

    async def request(self, request: RestRequest) -> Answer:
        """A REST request within the route's budget. Raises HttpError."""

    def sample(self) -> None:
        """Emit what was measured since the last call. Called about once a second."""

    def channels(self) -> tuple[ChannelLife, ...]:
        """Every subscription as it is now."""

    def carries(self, symbol: str) -> bool:
        """Whether this symbol's book comes in now: its socket is connected."""
