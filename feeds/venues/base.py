"""What a venue is: the contract that every file in this folder fulfils.

A venue does no I/O, reads no clock and keeps no state outside a ``Session``. It holds facts (hosts, limits, keepalive,
fees) and pure functions: which sockets to open and what to send, bytes -> events, which event follows which, which
REST paths probe it and how an answer is read. ``Session.receive`` never raises on network input: garbage becomes
``Garbled``, an unknown message ``Unknown``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Protocol, TypeAlias

from msgspec import Meta, Struct

from feeds.model import (
    BookDelta,
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Instrument,
    LevelRow,
    Product,
    Rail,
    StatusNotice,
)

Payload: TypeAlias = str | bytes

Price: TypeAlias = Annotated[float, Meta(gt=0, lt=1e18)]
"""For typed decoding; with ``strict=False`` decimal text is read too. msgspec refuses NaN, infinities and negatives
while it decodes, so that no loop of ours has to look at every level again."""
Size: TypeAlias = Annotated[float, Meta(ge=0, lt=1e18)]
Millis: TypeAlias = Annotated[int, Meta(ge=0, lt=1 << 43)]
"""A venue's time stamp, ms since the epoch; bounded so that nanoseconds of it fit 64 bits. 0 means not sent."""


class Level(LevelRow, array_like=True, gc=False):
    """[price, size, ...]: what follows is left unread."""

    price: Price
    size: Size


class RateLimit(Struct, frozen=True):
    """``weight`` units per ``window_s`` seconds and IP, as the venue publishes it."""

    weight: float
    window_s: float


class ProductFacts(Struct, frozen=True, kw_only=True):
    """What is published about one product of a venue. Sources stand beside the numbers in the venue's file."""

    rest: str
    """Base URL without a trailing slash."""
    ws: str
    """Base URL of the websocket host, without the path that ``Venue.plan`` appends."""
    taker_fee: float
    """Default tier, a fraction; the user's own fee or ccxt's replaces it."""
    rest_limit: RateLimit
    quotes: tuple[str, ...] = ("USDT",)
    """Dollar currencies its main markets are quoted in; another than the watched one is compared through the basis."""
    push_ms: Mapping[Channel, float]
    """Published push interval by channel (0: real time). Its keys are the channels the product has."""
    quiet_s: Mapping[Channel, float]
    """How long a channel of an active symbol may stay silent before that is worth noticing."""
    sequence: str
    """The sequence rule in a few words, for ``detour venues``."""
    checksum: str = "none"
    clocks: str = ""
    """Which of the venue's time stamps its book messages carry, e.g. ``engine T, gateway E``."""
    tells_time: bool = True
    """False: no answer tells the venue's own time closer than to a second, so that no age can be told."""
    checked: str
    """Date (YYYY-MM) at which the protocol sheet behind this file was last checked."""
    ws_ping_s: float | None = 10.0
    """Interval of our websocket PING frames (round trip); None where the venue forbids or ignores them."""
    app_ping_s: float | None = None
    """Interval of the venue's application-level ping, where it wants one."""
    server_ping: str = ""
    """What the venue itself pings with, in a few words."""
    lifetime_s: float | None = None
    """After how long the venue cuts every connection."""
    idle_cut_s: float | None = None
    """After how long without any message the socket counts as dead."""
    connects: RateLimit = RateLimit(30, 60.0)
    """New connections allowed per IP."""
    sends: RateLimit = RateLimit(5, 1.0)
    """Messages we may send per connection."""
    max_streams: int = 200
    """Subscriptions per socket."""
    compression: str = "none"
    sizes_in_contracts: bool = True
    """False: sizes on the wire are base coin (inverse: quote currency), whatever contract size the venue lists."""


class Subscription(Struct, frozen=True):
    channel: Channel
    symbol: str | None
    """None: a channel that covers the whole product."""


class RestRequest(Struct, frozen=True, kw_only=True):
    path: str
    """With query, starting with a slash; joined to the product's ``rest`` base."""
    host: str | None = None
    """Base URL of another published host that serves the path; None: the product's own. Who has the product's base
    replaced (an endpoint of the user's, the simulator) is asked there for this too. Read by ``Requester`` only."""
    method: str = "GET"
    body: str | None = None
    headers: Mapping[str, str] = {}
    weight: float = 1.0
    """Cost in units of ``ProductFacts.rest_limit``."""


class Answer(Struct, frozen=True, kw_only=True):
    """A complete HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Listing(Struct, frozen=True, kw_only=True):
    """Where a venue lists its instruments over a websocket, having no REST for it."""

    url: str
    ask: Payload
    """What to send once it is open."""


class SocketPlan(Struct, frozen=True, kw_only=True):
    """One websocket to open."""

    product: Product
    label: str
    """Which of the route's sockets this is, e.g. ``public``, ``market``; stable across reconnects."""
    path: str
    """Appended to the endpoint's ws base; ignored when ``handshake`` is answered with a whole URL."""
    subscriptions: tuple[Subscription, ...]
    handshake: RestRequest | None = None
    """To be asked before every dial; ``Venue.dial_url`` turns its answer into the URL."""
    headers: Mapping[str, str] = {}
    """Of the websocket's own handshake, beside the usual ones."""


class Session(Protocol):
    """Protocol state of one connection; made anew for every connection."""

    def subscribe(self) -> Sequence[Payload]:
        """What to send when the socket has opened."""

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        """What to send to get a fresh snapshot of one channel (unsubscribe, subscribe)."""

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        """One frame's payload (text frames as UTF-8 bytes) -> events, in order. Never raises.

        ``received_ns`` is our monotonic clock: sessions take intervals from it, such as when to ask again."""

    def ping(self, token: int) -> Payload | None:
        """The venue's application-level ping, None where it has none."""


class Step(IntEnum):
    """What a sequence rule says of a delta."""

    APPLY = 0
    SKIP = 1
    GAP = 2


class BookSides(Protocol):
    """The part of a book that a checksum reads: price -> size."""

    @property
    def bids(self) -> Mapping[float, float]: ...
    @property
    def asks(self) -> Mapping[float, float]: ...


class SequenceRule(Protocol):
    """Which delta follows which. A snapshot always replaces the book."""

    rest_snapshot: bool
    """The snapshot comes over REST, and deltas are buffered until it is there."""
    depth_limit: int | None
    """Cut each side to this many levels after every update (levels pushed out get no delete message)."""

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        """Is this delta the one that continues the snapshot? SKIP: older. GAP: the snapshot is too old."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        """Does this delta follow the one applied last?"""

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        """The venue's checksum of our book, None where the venue has none that lives."""


class Probe(Struct, frozen=True, kw_only=True):
    """A cheap REST call that is measured."""

    name: str
    """``time``, ``book``: what it asks."""
    request: RestRequest
    gives_time: bool = False


class ProbeReading(Struct, frozen=True, kw_only=True):
    """What an answer to a probe says."""

    fault: Fault | None = None
    """None: a good answer."""
    code: str = ""
    text: str = ""
    server_ns: int | None = None
    """The venue's clock in the answer."""
    server_resolution_ns: int = 1_000_000
    weight_used: float | None = None
    """Of ``rest_limit.weight``, where a header tells."""
    retry_after_s: float | None = None


class VenueError(ValueError):
    """A REST body that cannot be read; the text says what was wrong. Translated once, at the caller."""


class Venue(Protocol):
    name: str
    """Our word for it: ``binance``."""
    title: str
    ccxt: Mapping[Product, str]
    """ccxt's class by product: ``{"linear": "binanceusdm"}``."""
    products: Mapping[Product, ProductFacts]

    def feed_note(self, product: Product) -> str:
        """For the user, where the venue ended a feed on an announced day: first one short sentence that says so, then
        what is read instead. Empty: nothing has ended. When it changes, so may everything else here, ``products``
        included, and the route is watched anew."""

    def listing(self, product: Product) -> Listing | None:
        """None: ccxt asks over REST."""

    def read_listing(self, product: Product, raw: bytes) -> Sequence[Instrument] | None:
        """Instruments in one message of ``listing``; None: another message. Raises VenueError."""

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """Which sockets to open for these instruments, within the venue's limits per socket."""

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session: ...

    def rule(self, product: Product) -> SequenceRule: ...

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Cheapest first; at least one gives the venue's time, unless only its pongs do."""

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """Never raises: an unreadable body is ``Fault.UNKNOWN``."""

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """The whole book over REST: to sync with (``rest_snapshot``) or to compare with."""

    def deep_snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """A dearer request for more levels than ``snapshot_request`` brings, where the venue has one: it widens the
        range in which a book is completely known. Read by ``read_snapshot`` too."""

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """Raises VenueError."""

    def status_request(self, product: Product) -> RestRequest | None:
        """The venue's official status, None where it publishes none."""

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        """Empty when nothing is announced. Raises VenueError."""

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """What to ask (of the spot product's host) for the state of these coins' deposits and withdrawals; empty where
        the venue publishes none without a key."""

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        """Every chain of every coin in the answer, also of coins nobody asked for. Raises VenueError."""

    def dial_url(self, plan: SocketPlan, base: str, answer: Answer | None) -> str:
        """The URL to open; ``answer`` is that of ``plan.handshake``. Raises VenueError."""

    def read_close(self, code: int) -> Fault | None:
        """What a close code of the venue's own says; ``OUR_LIMIT``: we asked too much or read too slowly.
        None: nothing beyond a lost connection."""


class VenueDefaults:
    """What most venues need not say. A venue replaces single methods; nothing here names a venue."""

    def feed_note(self, product: Product) -> str:
        return ""

    def listing(self, product: Product) -> Listing | None:
        return None

    def read_listing(self, product: Product, raw: bytes) -> Sequence[Instrument] | None:
        return None

    def status_request(self, product: Product) -> RestRequest | None:
        return None

    def deep_snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        return None

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        return ()

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        return ()

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        return ()

    def dial_url(self, plan: SocketPlan, base: str, answer: Answer | None) -> str:
        return base + plan.path

    def read_close(self, code: int) -> Fault | None:
        return None


_APPLY, _SKIP, _GAP = Step.APPLY, Step.SKIP, Step.GAP  # to look a member up costs more than the rest of a rule


class RuleDefaults(ABC):
    """What most sequence rules share."""

    rest_snapshot = False
    depth_limit: int | None = None

    def first(self, snapshot_seq: int | None, delta: BookDelta) -> Step:
        return self.following(snapshot_seq, delta)

    @abstractmethod
    def following(self, last_seq: int | None, delta: BookDelta) -> Step: ...

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        return None


class PrevEquals(RuleDefaults):
    """``prev_seq`` must equal the last one applied; an unchanged sequence is a heartbeat that changes nothing."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY if delta.prev_seq == last_seq else _GAP


class Contiguous(RuleDefaults):
    """``first_seq`` must be one more than the last applied; what is older is skipped."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        if last_seq is None or delta.first_seq is None or delta.last_seq is None:
            return _GAP
        if delta.last_seq <= last_seq:
            return _SKIP
        return _APPLY if delta.first_seq <= last_seq + 1 else _GAP


class Unsequenced(RuleDefaults):
    """The venue numbers nothing: every delta applies."""

    def following(self, last_seq: int | None, delta: BookDelta) -> Step:
        return _APPLY


def header_float(answer: Answer, name: str) -> float | None:
    """A numeric header, None where it is absent or not a number."""
    try:
        value = float(answer.headers[name])
    except (KeyError, ValueError):
        return None
    return value if value == value and abs(value) != float("inf") else None


def share_used(answer: Answer, limit_name: str, left_name: str) -> float | None:
    """Which share of a limit is used, 0 to 1, where two headers give the limit and what is left of it, else None."""
    limit, left = header_float(answer, limit_name), header_float(answer, left_name)
    return (limit - left) / limit if limit and left is not None and 0 <= left <= limit else None


def http_fault(answer: Answer, overload: Sequence[int] = (500, 502, 503, 504, 520, 521, 522, 524)) -> Fault | None:
    """What the HTTP status alone says; a venue's own code table is asked first."""
    match answer.status:
        case 200 | 201 | 204:
            return None
        case 418 | 429:
            return Fault.OUR_LIMIT
        case 451:
            return Fault.GEO_BLOCK
        case 401 | 403:
            return Fault.REFUSED
        case status if status in overload:
            return Fault.OVERLOAD
        case status if 400 <= status < 500:
            return Fault.BAD_REQUEST
        case _:
            return Fault.UNKNOWN


def by_venue_id(instruments: Sequence[Instrument]) -> dict[str, Instrument]:
    """Instruments by every name the venue may use for them."""
    return {name: i for i in instruments for name in (i.venue_id, *i.aliases)}
