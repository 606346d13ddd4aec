"""The contract of a venue: every folder beside this file fulfils it.

A folder has the same files for every venue: ``venue.py`` (facts and the ``Venue``), ``session.py`` (bytes -> events)
and ``wire.py`` (messages as typed structs, decoders, error codes); ``rule.py`` where the sequence rule is long. A venue
that speaks several protocols names them first (``futures_session.py``).

A venue does no I/O and keeps no state outside a ``Session``. Where it needs the time of day, a clock is handed to it.
It holds facts (hosts, limits, keepalive, fees) and pure functions: which sockets to open and what to send, bytes ->
events, which update follows which, which REST requests probe it and how their answers are read. ``Session.receive``
never raises on network input: what cannot be read becomes ``Garbled``, an unknown message ``Unknown``.

Beside it: ``sequence.py`` (sequence rules), ``sockets.py`` (subscriptions over sockets), ``answers.py`` and
``reading.py`` (reading HTTP answers, numbers and times), ``retry.py`` (repeating refused subscriptions),
``best_levels.py`` (for checksums), ``registry.py`` (all venues).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import force_setattr

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
from feeds.plain_text import CODE_CHARS, plain
from feeds.venues.sequence import (
    SequenceRule,
)

Payload: TypeAlias = str | bytes


class RateLimit(Struct, frozen=True):
    """At most ``weight`` units in ``window_s`` seconds per IP, as the venue publishes it."""

    weight: float
    window_s: float


class ProductFacts(Struct, frozen=True, kw_only=True):
    """Published facts about one product of a venue. Sources stand beside the numbers in the venue's ``venue.py``."""

    rest: str
    """Base URL without a trailing slash."""
    ws: str
    """Base URL of the websocket host, without the path that ``Venue.plan`` appends."""
    taker_fee: float
    """A fraction, of the default tier. The user's own fee or ccxt's replaces it."""
    rest_limit: RateLimit
    quotes: tuple[str, ...] = ("USDT",)
    """Dollar currencies that its main markets are quoted in. Prices in another one than the user's are compared through
    the basis between the two."""
    push_ms: Mapping[Channel, float]
    """Published push interval of each channel (0: real time). The keys are the channels that the product has."""
    quiet_s: Mapping[Channel, float]
    """How long a channel of an active symbol may stay silent before that counts as evidence."""
    sequence: str
    """The sequence rule in a few words, for ``detour venues``."""
    checksum: str = "none"
    clocks: str = ""
    """Which of the venue's time stamps its book messages carry, e.g. ``engine T, gateway E``."""
    tells_time: bool = True
    """False: no answer tells the venue's time more exactly than to a second, so the age of data cannot be measured."""
    checked: str
    """Month (YYYY-MM) in which these facts were last checked against the venue's documents."""
    ws_ping_s: float | None = 10.0
    """Interval of our websocket PING frames (they measure round trips). None: the venue forbids or ignores them."""
    app_ping_s: float | None = None
    """Interval of our application-level pings (``Session.ping``). None: the venue wants none."""
    server_ping: str = ""
    """The venue's own pings, in a few words."""
    lifetime_s: float | None = None
    """Age at which the venue closes every connection. None: it does not."""
    idle_cut_s: float | None = None
    """A socket without any message for so long counts as dead. None: no such limit."""
    connects: RateLimit = RateLimit(30, 60.0)
    """New connections allowed per IP."""
    sends: RateLimit = RateLimit(5, 1.0)
    """Messages that we may send on one connection."""
    max_streams: int = 200
    """The most subscriptions that ``Venue.plan`` puts on one socket."""
    compression: str = "none"
    sizes_in_contracts: bool = True
    """False: sizes in messages are base coin (inverse: quote currency), whatever contract size the venue lists."""


class Subscription(Struct, frozen=True):
    channel: Channel
    symbol: str | None
    """None: a channel that covers the whole product."""


_IN_PATHS = "".join(c for c in map(chr, range(0x21, 0x7F)) if c not in "#<>\\^`|")
"""Printable ASCII that may be sent as it is: separators, ``%``, and quotes and braces, which venues take."""


class RestRequest(Struct, frozen=True, kw_only=True):
    path: str
    """Starts with a slash and includes the query. Appended to the product's ``rest`` base URL. What may not stand in a
    URL (coins with Chinese names exist) is percent-encoded here, for all venues; a ``%`` stays as it is."""
    host: str | None = None
    """Base URL of another published host that serves the path. None: the product's own. Where the product's base URL is
    replaced (by the user's config or the simulator), this request goes there too. Read by ``Requester`` only."""
    method: str = "GET"
    body: str | None = None
    headers: Mapping[str, str] = {}
    weight: float = 1.0
    """Cost in units of ``ProductFacts.rest_limit``."""

    def __post_init__(self) -> None:
        force_setattr(self, "path", quote(self.path, safe=_IN_PATHS, errors="replace"))


class Answer(Struct, frozen=True, kw_only=True):
    """A complete HTTP answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Listing(Struct, frozen=True, kw_only=True):
    """How to get the list of instruments over a websocket, from a venue that has no REST for it."""

    url: str
    ask: Payload
    """What to send when the socket is open."""


class SocketPlan(Struct, frozen=True, kw_only=True):
    """One websocket to open."""

    product: Product
    label: str
    """Name of this socket within the route, e.g. ``public``, ``market-2``. The same after a reconnect."""
    path: str
    """Appended to the base URL of the websocket host. Not used where the answer to ``handshake`` holds a whole URL."""
    subscriptions: tuple[Subscription, ...]
    handshake: RestRequest | None = None
    """A REST request to make before every connect. ``Venue.dial_url`` turns its answer into the URL."""
    headers: Mapping[str, str] = {}
    """HTTP headers of the websocket's opening request, beside the usual ones."""


class Session(Protocol):
    """Protocol state of one connection. Every connection gets a new one."""

    def subscribe(self) -> Sequence[Payload]:
        """What to send when the socket has opened."""

    def resubscribe(self, channel: Channel, symbol: str) -> Sequence[Payload]:
        """What to send to get a fresh snapshot of one channel (unsubscribe, subscribe)."""

    def receive(self, raw: bytes, received_ns: int) -> Sequence[Event]:
        """Payload of one websocket message (text as UTF-8 bytes) -> events, in order. Never raises.

        ``received_ns`` is our monotonic clock: sessions take intervals from it, such as when to ask again.
        """

    def ping(self, token: int) -> Payload | None:
        """The venue's application-level ping. None: it has none."""


class Probe(Struct, frozen=True, kw_only=True):
    """A cheap REST request whose answer time is measured."""

    name: str
    """What it asks for: ``time`` or ``book``."""
    request: RestRequest
    gives_time: bool = False
    """The answer tells when it was made. A book's own time stamp does not count: it is older."""


class ProbeReading(Struct, frozen=True, kw_only=True):
    """The content of an answer to a probe."""

    fault: Fault | None = None
    """None: a good answer."""
    code: str = ""
    text: str = ""
    server_ns: int | None = None
    """When the venue made the answer, ns since the epoch. Our clock is held against it, whatever ``Probe.gives_time``
    says."""
    server_resolution_ns: int = 1_000_000
    weight_used: float | None = None
    """Used part of ``rest_limit.weight``, where a header tells it."""
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        force_setattr(self, "code", plain(self.code, CODE_CHARS))
        force_setattr(self, "text", plain(self.text))


class VenueError(ValueError):
    """A REST answer that cannot be used. The text says why."""

    def __init__(self, text: str) -> None:
        super().__init__(plain(text))  # it may quote the answer


class Venue(Protocol):
    name: str
    """Our name for it, as in routes: ``binance``."""
    title: str
    ccxt: Mapping[Product, str]
    """ccxt's class of each product: ``{"linear": "binanceusdm"}``. It lists the instruments: a product without
    one has none, even where ``listing`` gives a websocket."""
    products: Mapping[Product, ProductFacts]

    def feed_note(self, product: Product) -> str:
        """A note for the user when the venue has ended a feed: a short sentence that says so, then what is read
        instead. Empty: no feed has ended. When the note changes, everything else here may have changed, ``products``
        included, and the route is started anew."""

    def listing(self, product: Product) -> Listing | None:
        """How to list instruments over a websocket. None: ccxt lists them over REST.

        Asked at the published host only: where that is replaced (by the user's config or the simulator), ccxt is asked.
        """

    def read_listing(self, product: Product, raw: bytes) -> Sequence[Instrument] | None:
        """The instruments in one message of ``listing``'s socket. None: it is another message. Raises VenueError."""

    def plan(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[SocketPlan]:
        """The sockets to open for these instruments, within the venue's limits per socket."""

    def session(self, plan: SocketPlan, instruments: Sequence[Instrument]) -> Session: ...

    def rule(self, product: Product) -> SequenceRule: ...

    def probes(self, product: Product, instruments: Sequence[Instrument]) -> Sequence[Probe]:
        """Cheapest first. At least one gives the venue's time, unless only its pongs do."""

    def read_probe(self, product: Product, probe: Probe, answer: Answer) -> ProbeReading:
        """Never raises: an unreadable body is ``Fault.UNKNOWN``."""

    def snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """A book over REST: to build the book on (``SequenceRule.rest_snapshot``) or to compare with. None: no such
        request."""

    def deep_snapshot_request(self, product: Product, instrument: Instrument) -> RestRequest | None:
        """A request with more levels than ``snapshot_request`` for more weight, so that a wider range of the book is
        known. None: the venue has none. ``read_snapshot`` reads its answer too."""

    def read_snapshot(self, product: Product, instrument: Instrument, answer: Answer) -> BookSnapshot:
        """The book in an answer to either request. Raises VenueError."""

    def status_request(self, product: Product) -> RestRequest | None:
        """A request for the venue's official status. None: it publishes none."""

    def read_status(self, product: Product, answer: Answer) -> Sequence[StatusNotice]:
        """Announced maintenance and incidents; empty when there are none. Raises VenueError."""

    def transfer_requests(self, coins: Sequence[str]) -> Sequence[RestRequest]:
        """Requests (to the spot product's host) for the state of deposits and withdrawals of these coins. Empty: the
        venue publishes it only to clients with a key."""

    def read_transfers(self, answer: Answer) -> Sequence[Rail]:
        """Every chain of every coin in the answer, also of coins that were not asked for. Raises VenueError."""

    def dial_url(self, plan: SocketPlan, base: str, answer: Answer | None) -> str:
        """The URL to open. ``answer`` is the answer to ``plan.handshake``. Raises VenueError."""

    def read_close(self, code: int) -> Fault | None:
        """The fault that a close code of the venue tells. ``OUR_LIMIT``: we sent too much or read too slowly. None:
        nothing but a lost connection."""


class VenueDefaults:
    """Answers that are right for most venues. A venue overrides single methods; nothing here names a venue."""

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
    """Instruments by every name that the venue may use for them."""
    return {name: i for i in instruments for name in (i.venue_id, *i.aliases)}
