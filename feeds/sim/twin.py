"""What a simulated venue is: the contract of every file in ``feeds/sim/venues``.

A twin is sans-I/O like the venue it imitates, and must be written from the protocol sheet and third-party clients,
never from our decoder, so that the two can disagree. It turns the simulated market into the venue's wire format and
the client's frames into answers. The server around it does sockets, time, pacing and faults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from feeds.model import Product, Side, StatusNotice

Payload: TypeAlias = str | bytes
TextLevel: TypeAlias = tuple[str, str]
"""(price, size) as decimal text at the instrument's tick and lot; size "0" removes."""


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
    """Decimal text, e.g. ``0.10``; its decimals are those of prices on the wire."""
    lot: str
    """Decimal text; its decimals are those of sizes on the wire, in the venue's size unit."""
    min_size: str
    contract_size: str = "1"
    inverse: bool = False
    taker_fee: str
    maker_fee: str


class Change(Struct, frozen=True, kw_only=True):
    """One batch of level changes of one book. ``seq`` counts up by one a batch, per instrument."""

    seq: int
    bids: tuple[TextLevel, ...]
    asks: tuple[TextLevel, ...]
    engine_ns: int
    """Venue clock: when the matching engine made it."""
    gateway_ns: int
    """Venue clock: when it was pushed."""
    wrong_checksum: bool = False


class Top(Struct, frozen=True, kw_only=True):
    """Best prices, after every change of them."""

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
    """Of the liquidation order: ``sell`` closes a long."""
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
        """Coins whose withdrawals are closed now."""


class Request(Struct, frozen=True, kw_only=True):
    product: Product
    """Whose port it came in on; every port of a venue serves all of the venue's paths."""
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
    """A session that writes differently for some headers of the client's handshake; told of them before ``opened``."""

    def handshake(self, headers: Mapping[str, str]) -> None:
        """Names are lower case."""


class Twin(Protocol):
    name: str
    facts: Mapping[Product, TwinFacts]
    ws_paths: Mapping[Product, str]
    """The path of a product's main public socket, for the ready line and for other people's clients."""

    def instruments(self) -> Sequence[SimInstrument]:
        """BTC, ETH and a few more in every product the venue has (see ``feeds.sim.listing``)."""

    def rest(self, request: Request, world: World) -> Response | None:
        """None: no such path (the server answers 404 as the venue would). Never sees keys; public paths only."""

    def error(self, kind: str, status: int) -> Response:
        """The venue's own body for a fault the scenario asks for: ``overload``, ``limit``, ``ban``, ``geo``,
        ``maintenance``, ``timeout``."""

    def open(self, product: Product, path: str, query: Mapping[str, str], world: World) -> TwinSession | None:
        """None: the venue has no such websocket path."""
