"""The contract of a simulated venue (a twin), which every folder in ``feeds/sim/venues`` keeps.

A twin is written from the protocol sheet and third-party clients, never from our decoder, so that the two can disagree.
It turns the simulated market into the venue's wire format, and the client's messages into answers. It has no sockets
and no clock: the server around it (``feeds.sim.serving``) has them, and makes the faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from feeds.model import Product, Side, StatusNotice

Payload: TypeAlias = str | bytes
TextLevel: TypeAlias = tuple[str, str]
"""(price, size) as decimal text with the instrument's tick and lot. Size "0" removes the level."""


class SimInstrument(Struct, frozen=True, kw_only=True):
    """What a simulated venue lists."""

    route: str
    product: Product
    symbol: str
    """ccxt's unified symbol."""
    venue_id: str
    base: str
    quote: str
    tick: str
    """Decimal text, e.g. ``0.10``. Prices on the wire have as many decimals."""
    lot: str
    """Decimal text, in the venue's size unit. Sizes on the wire have as many decimals."""
    min_size: str
    contract_size: str = "1"
    inverse: bool = False
    taker_fee: str
    maker_fee: str


class Change(Struct, frozen=True, kw_only=True):
    """One batch of level changes of one book. ``seq`` grows by one with each batch of an instrument."""

    seq: int
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]
    engine_ns: int
    """Venue clock: when the matching engine made it."""
    gateway_ns: int
    """Venue clock: when it was pushed."""
    wrong_checksum: bool = False


class Top(Struct, frozen=True, kw_only=True):
    """Best prices, made whenever they change."""

    seq: int
    bid: TextLevel
    ask: TextLevel
    engine_ns: int
    gateway_ns: int


class SimTrade(Struct, frozen=True, kw_only=True):
    price: str
    size: str
    side: Side
    trade_id: int
    engine_ns: int
    gateway_ns: int


class SimLiquidation(Struct, frozen=True, kw_only=True):
    price: str
    size: str
    side: Side
    """Side of the liquidation order: ``sell`` closes a long."""
    engine_ns: int
    gateway_ns: int


class SimMark(Struct, frozen=True, kw_only=True):
    mark: str
    index: str
    funding_rate: str
    next_funding_ns: int
    interval_h: int
    gateway_ns: int


class BookImage(Struct, frozen=True, kw_only=True):
    """A whole book, best first."""

    seq: int
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]
    engine_ns: int


class World(Protocol):
    """What a twin may ask of the market around it. Times are on the venue's clock."""

    def now_ns(self) -> int: ...
    def instruments(self, venue: str, product: Product | None = None) -> Sequence[SimInstrument]: ...
    def find(self, venue: str, venue_id: str, product: Product | None = None) -> SimInstrument | None: ...
    def book(self, instrument: SimInstrument, levels: int | None = None) -> BookImage: ...
    def mark(self, instrument: SimInstrument) -> SimMark: ...
    def last_trade(self, instrument: SimInstrument) -> SimTrade: ...
    def notices(self, venue: str) -> Sequence[StatusNotice]: ...
    def no_withdraw(self, venue: str) -> frozenset[str]:
        """Coins that cannot be withdrawn now."""


class Request(Struct, frozen=True, kw_only=True):
    product: Product
    """The product whose port received it. Every port of a venue serves all of the venue's paths."""
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Response(Struct, frozen=True, kw_only=True):
    body: Payload
    status: int = 200
    headers: Mapping[str, str] = {}


ABNORMAL = 1006
"""A close code that is never sent (RFC 6455, 7.4.1). ``Close(ABNORMAL)`` drops the connection without a close frame."""


class Close(Struct, frozen=True):
    """The server must close this socket."""

    code: int
    reason: str = ""


Out: TypeAlias = Payload | Close


class TwinFacts(Struct, frozen=True, kw_only=True):
    book_ms: float
    """Push interval of the main book channel."""
    control_ping_s: float | None = None
    """The server sends PING control frames this often."""
    tick_s: float = 1.0
    """How often ``TwinSession.tick`` is called."""


class TwinSession(Protocol):
    """One client's connection. Every method returns the frames (or the Close) to send, in order.

    A session names this class as its base and writes only what its venue does: the rest sends nothing.
    """

    def opened(self, now_ns: int) -> Sequence[Out]:
        """The handshake is done; what the venue sends first."""
        return ()

    def receive(self, raw: bytes, now_ns: int) -> Sequence[Out]:
        """Answers to one message of the client."""
        return ()

    def tick(self, now_ns: int) -> Sequence[Out]:
        """Called every ``TwinFacts.tick_s``: server-side pings, heartbeats, cutting idle clients."""
        return ()

    def change(self, instrument: SimInstrument, change: Change) -> Sequence[Out]:
        return ()

    def top(self, instrument: SimInstrument, top: Top) -> Sequence[Out]:
        return ()

    def trades(self, instrument: SimInstrument, trades: Sequence[SimTrade]) -> Sequence[Out]:
        return ()

    def liquidation(self, instrument: SimInstrument, liquidation: SimLiquidation) -> Sequence[Out]:
        return ()

    def mark(self, instrument: SimInstrument, mark: SimMark) -> Sequence[Out]:
        return ()

    def farewell(self, planned: bool) -> Sequence[Out]:
        """What the venue sends before it cuts this connection, planned (the 24 h cut) or after a failure.

        Here: it drops the line without a notice and without a close frame, as most venues do.
        """
        return (Close(ABNORMAL),)


@runtime_checkable
class ReadsHeaders(Protocol):
    """A session that depends on headers of the client's handshake. ``handshake`` is called before ``opened``."""

    def handshake(self, headers: Mapping[str, str]) -> None:
        """Names are lower case."""


class Twin(Protocol):
    name: str
    facts: Mapping[Product, TwinFacts]
    ws_paths: Mapping[Product, str]
    """Path of a product's main public websocket, for the ready line and for third-party clients."""

    def instruments(self) -> Sequence[SimInstrument]:
        """BTC, ETH and a few more in every product of the venue (see ``feeds.sim.market.listing``)."""

    def rest(self, request: Request, world: World) -> Response | None:
        """The answer to one call of a public path. None: no such path (the server answers 404)."""

    def error(self, kind: str, status: int) -> Response:
        """The venue's own body for a fault the scenario asks for: ``overload``, ``limit``, ``ban``, ``geo``,
        ``maintenance``, ``timeout``."""

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        """None: the venue has no such websocket path."""
