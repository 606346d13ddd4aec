"""What a venue is: the contract that every file in this folder fulfils.

A venue does no I/O, reads no clock and keeps no state outside a ``Session``. It holds facts (hosts, limits, keepalive,
fees) and pure functions: which sockets to open and what to send, bytes -> events, which event follows which, which
REST paths probe it and how an answer is read. ``Session.receive`` never raises on network input: garbage becomes
``Garbled``, an unknown message ``Unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from msgspec import Struct

from feeds.model import (
    BookSnapshot,
    Channel,
    Event,
    Fault,
    Instrument,
    Product,
    Rail,
    StatusNotice,
)
from feeds.venues.sequence import (
    SequenceRule,
)

Payload: TypeAlias = str | bytes


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
        """One frame's payload (text frames as UTF-8 bytes) -> events, in order. Never raises."""

    def ping(self, token: int) -> Payload | None:
        """The venue's application-level ping, None where it has none."""


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


def by_venue_id(instruments: Sequence[Instrument]) -> dict[str, Instrument]:
    """Instruments by every name the venue may use for them."""
    return {name: i for i in instruments for name in (i.venue_id, *i.aliases)}
