"""The vocabulary: instruments, what venues emit, states, causes, verdicts.

Times are integer nanoseconds since the epoch unless a name says otherwise. ``*_ns`` fields that a venue sends are on
the *venue's* clock; ``received_ns`` is on ours. Missing is ``None``, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

Product: TypeAlias = Literal["spot", "linear", "inverse"]
PRODUCTS: Mapping[str, Product] = {"spot": "spot", "linear": "linear", "inverse": "inverse"}
"""By the word that stands in a route."""
Side: TypeAlias = Literal["buy", "sell"]


Levels: TypeAlias = Sequence[tuple[float, float]]
"""(price, size) pairs as the venue sent them; size is absolute and in the venue's own unit, 0 removes the level."""


class LevelRow(Struct, gc=False, eq=False):
    """A level as it was decoded; unpacks, indexes and compares as the pair (price, size), so it may stand in ``Levels``
    (``typing.cast`` says so to a type checker), where all of one side are of one type.

    For rows that hold more than the pair: making a tuple of each would cost an eighth of all our work on a message. A
    subclass declares where ``price`` and ``size`` stand in the venue's row, and their bounds.
    """

    if TYPE_CHECKING:
        price: float
        size: float

    def __iter__(self) -> Iterator[float]:
        yield self.price
        yield self.size

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> float:
        return (self.price, self.size)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LevelRow | tuple) and (self.price, self.size) == tuple(other)

    def __hash__(self) -> int:
        return hash((self.price, self.size))


class Channel(StrEnum):
    BOOK = "book"
    BBO = "bbo"
    TRADES = "trades"
    LIQUIDATIONS = "liquidations"
    MARK = "mark"
    STATUS = "status"


class State(StrEnum):
    """A route's health, as DESIGN.md words it; order of severity is ``SEVERITY``."""

    UNKNOWN = "unknown"
    OK = "ok"
    SUSPECT = "suspect"
    CONGESTED = "congested"
    STALLED = "stalled"
    DOWN = "down"
    HALTED = "halted"
    BLOCKED = "blocked"


SEVERITY: dict[State, int] = {
    State.OK: 0,
    State.UNKNOWN: 1,
    State.SUSPECT: 2,
    State.CONGESTED: 3,
    State.STALLED: 4,
    State.HALTED: 5,
    State.BLOCKED: 6,
    State.DOWN: 7,
}

USABLE: frozenset[State] = frozenset({State.OK, State.SUSPECT, State.CONGESTED})
"""States in which an order may still be sent; the rest are listed in advice as excluded, with the reason."""


class Cause(StrEnum):
    SELF = "self"
    UPLINK = "uplink"
    PATH = "path"
    GATEWAY = "gateway"
    FEED = "feed"
    ENGINE = "engine"
    BOOK = "book"
    LIQUIDITY = "liquidity"
    PRICE = "price"
    SHARED = "shared"
    MARKET = "market"
    PLANNED = "planned"
    WARMING = "warming"


class Evidence(StrEnum):
    """The classes of evidence. Two of them together make more than ``suspect``."""

    FEED = "feed"
    REST = "rest"
    KERNEL = "kernel"
    BOOK = "book"
    PRICE = "price"
    PEERS = "peers"
    STATUS = "status"
    OWN = "own"


class Reason(Struct, frozen=True, kw_only=True):
    """One measured reason of a verdict, with all figures that are needed to check it."""

    signal: str
    """Name with unit, e.g. ``rest_rtt_last5_ms``, ``channel_silence_ms.trades``: see ``judge.signals``."""
    evidence: Evidence
    value: float | None
    baseline: float | None = None
    ratio: float | None = None
    since_ns: int
    points: int = 0
    """What this reason adds to the route's score."""
    text: str = ""
    """One plain clause, e.g. ``feed age, last 5 s: 842 ms, baseline 24``."""


class Verdict(Struct, frozen=True, kw_only=True):
    route: str
    state: State
    cause: Cause | None
    score: int | None
    """0 clear to 100 closed; None while nothing is known."""
    since_ns: int
    reasons: tuple[Reason, ...] = ()


class Instrument(Struct, frozen=True, kw_only=True):
    """A symbol on a route. Sizes of its book are contracts of ``contract_size``."""

    route: str
    symbol: str
    """ccxt's unified symbol, e.g. ``BTC/USDT:USDT``."""
    venue_id: str
    base: str
    quote: str
    settle: str | None = None
    tick: float
    lot: float
    """Size step, in the venue's size unit."""
    min_size: float | None = None
    min_notional: float | None = None
    contract_size: float = 1.0
    """Base coin per size unit; for inverse: quote currency per size unit."""
    inverse: bool = False
    taker_fee: float
    """Fraction of notional: 0.0005 is 5 bp."""
    active: bool = True
    aliases: tuple[str, ...] = ()
    """Other names the venue uses for it on some channels (REST against websocket)."""


def route_of(venue: str, product: Product) -> str:
    return f"{venue}.{product}"


def venue_of(route: str) -> str:
    return route.partition(".")[0]


def product_in(route: str) -> Product:
    """Raises KeyError for what is no route."""
    return PRODUCTS[route.partition(".")[2]]


def quote_of(symbol: str) -> str:
    """The quote currency of a unified symbol: ``BTC/USDC:USDC`` -> ``USDC``."""
    return symbol.partition("/")[2].partition(":")[0]


# What a venue's session emits. Not frozen: creation is on the hot path. gc=False: they hold no cycles.


class BookSnapshot(Struct, gc=False, kw_only=True):
    symbol: str
    bids: Levels
    asks: Levels
    seq: int | None = None
    engine_ns: int | None = None
    gateway_ns: int | None = None
    checksum: int | None = None
    levels_limit: int | None = None
    """At most this many levels a side were asked for or are sent: a side with fewer is whole. None: nobody knows, so
    nothing beyond a side's worst price counts as known."""


class BookDelta(Struct, gc=False, kw_only=True):
    symbol: str
    bids: Levels
    asks: Levels
    first_seq: int | None = None
    last_seq: int | None = None
    prev_seq: int | None = None
    engine_ns: int | None = None
    """When the matching engine made it."""
    gateway_ns: int | None = None
    """When the venue's push system made or sent it."""
    checksum: int | None = None


class Quote(Struct, gc=False, kw_only=True):
    """Best bid and ask from a channel of its own."""

    symbol: str
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    seq: int | None = None
    engine_ns: int | None = None
    gateway_ns: int | None = None


class Trade(Struct, gc=False, kw_only=True):
    symbol: str
    price: float
    size: float
    side: Side
    """The taker's side."""
    trade_id: str | None = None
    engine_ns: int | None = None
    gateway_ns: int | None = None


class Liquidation(Struct, gc=False, kw_only=True):
    symbol: str
    price: float
    size: float
    side: Side
    """Side of the liquidation order: ``sell`` closes a long."""
    engine_ns: int | None = None
    gateway_ns: int | None = None


class Mark(Struct, gc=False, kw_only=True):
    """Mark price and funding; a field that this message does not carry is None and means unchanged."""

    symbol: str
    mark: float | None = None
    index: float | None = None
    funding_rate: float | None = None
    """Fraction per funding interval."""
    next_funding_ns: int | None = None
    interval_h: float | None = None
    gateway_ns: int | None = None


class Ack(Struct, gc=False, kw_only=True):
    """The venue accepted a subscription, which does not prove that data will come. None: all that were asked for."""

    channel: Channel | None = None
    symbol: str | None = None


class Fault(StrEnum):
    """What an error answer means (see each venue's table of codes)."""

    OVERLOAD = "overload"
    OUR_LIMIT = "our_limit"
    GEO_BLOCK = "geo_block"
    REFUSED = "refused"
    MAINTENANCE = "maintenance"
    BAD_REQUEST = "bad_request"
    CERTIFICATE = "certificate"
    """No answer at all: the certificate does not verify here. The road's or ours, never the venue's gateway."""
    UNKNOWN = "unknown"


class Refusal(Struct, gc=False, kw_only=True):
    """The venue refused a subscription or complained on the socket."""

    channel: Channel | None = None
    symbol: str | None = None
    fault: Fault = Fault.UNKNOWN
    code: str = ""
    text: str = ""


class Pong(Struct, gc=False, kw_only=True):
    """Answer to our application-level ping. ``token`` is what we sent, None where the venue does not echo it."""

    token: int | None = None
    server_in_ns: int | None = None
    server_out_ns: int | None = None


class Reply(Struct, gc=False, kw_only=True):
    """Must be sent to the venue at once: the answer to its ping or test request."""

    payload: str | bytes


class Heartbeat(Struct, gc=False, kw_only=True):
    """The venue says, without data, that one channel or the whole socket is alive."""

    channel: Channel | None = None
    symbol: str | None = None
    gateway_ns: int | None = None


class Notice(Struct, gc=False, kw_only=True):
    """A message of the venue about itself: maintenance, a disconnect to come."""

    text: str
    reconnect_within_s: float | None = None


class StatusNotice(Struct, frozen=True, kw_only=True):
    """One row of a venue's official status."""

    state: Literal["normal", "scheduled", "ongoing", "incident", "completed"]
    text: str
    products: tuple[Product, ...] = ()
    """Empty: all of the venue."""
    begin_ns: int | None = None
    end_ns: int | None = None
    market_data: bool = True
    """False where the notice does not concern trading or market data at all (bots, withdrawals)."""


class Rail(Struct, frozen=True, kw_only=True):
    """Deposits and withdrawals of a coin over one chain, as the venue publishes them. None: it does not say."""

    coin: str
    chain: str
    deposit: bool | None
    withdraw: bool | None
    slow: bool = False
    """Open, but announced as delayed or congested."""


class Unknown(Struct, gc=False, kw_only=True):
    """A well-formed message of a type we do not know; counted, never fatal."""

    what: str


class Garbled(Struct, gc=False, kw_only=True):
    """Bytes that do not decode; counted, never fatal."""

    what: str


Event: TypeAlias = (
    BookSnapshot
    | BookDelta
    | Quote
    | Trade
    | Liquidation
    | Mark
    | Ack
    | Refusal
    | Pong
    | Reply
    | Heartbeat
    | Notice
    | Unknown
    | Garbled
)
