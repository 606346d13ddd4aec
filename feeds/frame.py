"""The frame: one immutable picture of everything known, made a few times a second.

It is the only thing a screen, log, bus or file receives. ``feeds.publish.jsonl`` writes its rows as JSON lines,
``feeds.publish.link`` carries it between processes. Missing is None, never 0. Times (``*_ns``) are nanoseconds since
the epoch on our clock.

**Windows.** Books (``PairRow``) are read when the frame is made. Figures of routes and advice are made once a second,
over the trailing window that each field names. Baselines and ``normal_*`` are the route's own normal: the median of
what was not abnormal over about 10 minutes; None until there is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.model import SEVERITY, Cause, Product, Reason, Side, State

EVENTS_KEPT = 200
SCHEMA = 1
"""Version of the row formats; raised when a field changes its meaning or goes."""

Level: TypeAlias = Literal["info", "warning", "alarm"]


class Percentiles(Struct, frozen=True):
    """Two percentiles of one figure, in the unit and over the window that the field names."""

    p50: float | None = None
    p99: float | None = None


class RestMs(Struct, frozen=True):
    """Round trips of REST probes on kept-alive connections in the last 30 s, ms, from their scheduled time and without
    our own lateness. A lost probe counts at its timeout. ``rest_p50_ms`` in a reason is another figure: the median of
    the last probes, over a shorter window."""

    p50: float | None = None
    p99: float | None = None
    lost: float | None = None
    """Share of probes without an answer, cold ones included, 0 to 1."""


class Phases(Struct, frozen=True, kw_only=True):
    """Medians of the phases of a REST round trip, ms; None where not measured."""

    resolve: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    body: float | None = None


class ChannelRow(Struct, frozen=True, kw_only=True):
    """One subscription of a route, as of the last second."""

    channel: str
    """``book``, or ``trades:BTC/USDT``."""
    msgs_s: float | None
    """Messages a second; None where they are not counted by channel."""
    silence_ms: float | None
    """Since the last data."""
    limit_ms: float | None
    """Silence that the venue's facts call worth noticing; None: any silence is usual."""
    state: Literal["waiting", "live", "quiet", "silent", "refused"]


class RailRow(Struct, frozen=True, kw_only=True):
    """A coin's ways in and out of a venue, as it publishes them."""

    coin: str
    deposit: Literal["open", "slow", "closed", "unknown"]
    withdraw: Literal["open", "slow", "closed", "unknown"]
    closed: tuple[str, ...] = ()
    """Chains on which it cannot be withdrawn."""


class RouteRow(Struct, frozen=True, kw_only=True):
    """One route: its verdict, and the figures of the last 30 s unless a field says otherwise."""

    route: str
    venue: str
    product: Product
    state: State
    cause: Cause | None
    score: int | None
    """0 clear to 100 closed; None while nothing is known."""
    since_ns: int
    """Since when the route is in this state."""
    reasons: tuple[Reason, ...] = ()
    rest_ms: RestMs = RestMs()
    ws_ms: Percentiles = Percentiles()
    """Websocket ping to pong, ms, last 60 s."""
    tcp_ms: float | None = None
    """The kernel's smoothed round trip (``TCP_INFO``), median of the last 30 s: of the probes' connections, else of the
    websockets'."""
    feed_age_ms: Percentiles = Percentiles()
    """Receipt minus the venue's latest time stamp, corrected by the clock offset, ms, per burst, last 30 s. Below zero
    by no more than the offset's error is shown as 0."""
    engine_lag_ms: float | None = None
    """Venue-internal: its gateway's time minus its engine's time, median of the last 30 s."""
    silence_ms: float | None = None
    """Since any byte came on any socket of the route."""
    msgs_s: float | None = None
    """Messages a second, mean of the last 30 s."""
    gaps: int = 0
    """Breaks in a book's sequence since the watchlist was chosen."""
    resyncs: int = 0
    """Books rebuilt since then."""
    reconnects: int = 0
    """Websocket connections that were made again since then."""
    weight_used: float | None = None
    """Share of the venue's rate limit in use, 0 to 1, by its last answer."""
    offset_ms: float | None = None
    """Venue's clock minus ours, from the exchange with the smallest error in the last 10 minutes."""
    offset_err_ms: float | None = None
    """The most that ``offset_ms`` can be wrong by."""
    # what only a screen shows
    connected: bool = False
    sockets_up: int = 0
    sockets: int = 0
    error_share: float | None = None
    """Share of probes answered with an error in the last 30 s, cold ones included, 0 to 1."""
    errors: tuple[tuple[str, int], ...] = ()
    """What the error answers said and how often, most frequent first."""
    warm: Phases = Phases()
    """Of probes on kept-alive connections, last 30 s."""
    cold: Phases = Phases()
    """Of probes on new connections, last 15 minutes."""
    venue_time_ms: float | None = None
    """The venue's own share of a warm REST request: time to first byte less the kernel's round trip."""
    baseline_rest_ms: float | None = None
    baseline_age_ms: float | None = None
    """What is normal for this route's round trip and feed age."""
    rest_high_ms: float | None = None
    """From this value on, ``rest_ms.p50`` is called high for this route."""
    age_high_ms: float | None = None
    """From this value on, ``feed_age_ms.p50`` is called high for this route."""
    channels: tuple[ChannelRow, ...] = ()
    garbled: int = 0
    """Messages that did not decode, since the watchlist was chosen."""
    unknown: int = 0
    """Messages of a type we do not know, since then."""
    rails: tuple[RailRow, ...] | None = None
    """By watched coin; None where the venue publishes none without a key, or has not been asked yet."""
    notes: tuple[str, ...] = ()
    """Official notices, stale instruments, refused symbols: whole sentences."""


class Depth(Struct, frozen=True):
    """Quote currency on either side; None where it is not known."""

    bid: float | None
    ask: float | None


class PairRow(Struct, frozen=True, kw_only=True):
    """A symbol on a route: its book at the moment of the frame."""

    route: str
    symbol: str
    """As the route lists it."""
    stands_for: str | None = None
    """The watched symbol, where the route lists it only in another dollar currency."""
    base: str
    quote: str
    product: Product
    state: Literal["waiting", "live", "stale", "resyncing", "refused", "absent"]
    """``absent``: the venue does not list it. Only ``live`` figures are current."""
    bid: float | None = None
    ask: float | None = None
    """Best prices, quote currency."""
    tick: float | None = None
    spread_bps: float | None = None
    """Ask minus bid, of mid."""
    depth: dict[str, Depth] = {}
    """By band in bp (``"10"``, ``"25"``, ``"50"``, ``"100"``): quote currency within that distance of mid.
    A side that the book does not reach to is None."""
    normal_depth: Depth | None = None
    """The route's own normal within 10 bp of mid."""
    normal_spread_bps: float | None = None
    thin: bool = False
    """The depth within 10 bp is low for this route, on either side."""
    wide: bool = False
    """The spread is high for this route."""
    gap_bps: float | None = None
    """Mid against the median of the other routes' mids, signed (``feeds.consensus``), as of the judge's last step, at
    most a second ago. The reason of a price verdict and the advice show the same figure."""
    unlike: bool = False
    """Its mid is so far from the others' that it may be another coin of the same name: not compared with them."""
    age_ms: float | None = None
    """By the venue's clock, offset corrected: now minus its last time stamp."""
    quiet_ms: float | None = None
    """By our clock: since its last message."""
    mark: float | None = None
    """Mark price of a perpetual, quote currency."""
    funding_rate: float | None = None
    """Fraction of the position's value for each funding interval."""
    next_funding_ns: int | None = None
    liquidated: float | None = None
    """Quote currency liquidated in the last minute; None where the venue has reported none yet."""


class BandDepth(Struct, frozen=True, kw_only=True):
    """The live books of one symbol added up, within one distance of mid. Quote currency."""

    bid: float
    ask: float
    books: int
    """How many books are in the sum: live ones that reach that far on both sides."""
    largest: str
    """The venue that holds most."""
    bid_without: float
    """The sum without ``largest``."""
    ask_without: float
    hhi: float | None
    """Herfindahl-Hirschman index of the depth by venue, bid and ask together: 1 / n to 1."""
    effective_venues: float | None
    """1 / ``hhi``: how many venues of equal depth would be as concentrated; 1 where one venue holds everything."""


class SymbolDepth(Struct, frozen=True, kw_only=True):
    """Depth of a watched symbol over all routes."""

    symbol: str
    listed: int
    """Routes that list the symbol."""
    bands: dict[str, BandDepth] = {}
    """By band in bp, as in ``PairRow.depth``. A band without any live book is left out."""


class Share(Struct, frozen=True, kw_only=True):
    """A part of a split order."""

    route: str
    share: float
    """Of the whole order, 0 to 1."""
    cost_bps: float
    """All-in average cost of this part."""


class Excluded(Struct, frozen=True, kw_only=True):
    """A route, and one clause about it."""

    route: str
    why: str


class Without(Struct, frozen=True, kw_only=True):
    """N-1: the same order with one venue (or failure domain) taken away."""

    without: str
    cost_bps: float | None
    """Average over what can be placed; None when nothing can."""
    unallocated: float
    """Quote currency."""


class Cost(Struct, frozen=True, kw_only=True):
    """All-in cost of the whole order on one route, in basis points of notional."""

    route: str
    total_bps: float
    fee_bps: float
    """The user's own taker fee, else the venue's default tier."""
    spread_bps: float
    """From the route's mid to its best price."""
    walk_bps: float
    """From the best price to the average price of the order: what the book's depth costs."""
    latency_bps: float
    """Volatility x sqrt(feed age + round trip): one standard deviation of the price until the order arrives."""
    risk_bps: float
    """Allowance for refused requests, stale data and congestion."""
    basis_bps: float
    """Stablecoin basis where the quote currency differs from the order's."""
    price_bps: float = 0.0
    """The route's mid against the reference mid of all usable routes, as charged (``feeds.consensus`` says how this
    differs from ``PairRow.gap_bps``)."""
    filled: float
    """Quote currency the book could take, at most the notional."""


class AdviceRow(Struct, frozen=True, kw_only=True):
    """Where to trade an order of one symbol now; made once a second. Costs are all-in, bp of the amount."""

    symbol: str
    side: Side
    notional: float
    """Quote currency."""
    home: str | None
    home_cost_bps: float | None
    """None when home cannot take the whole order, or must not be used."""
    best: str | None
    """The suggested route: it changes only when another is cheaper by a margin for a while. None: no single route can
    be suggested."""
    best_cost_bps: float | None
    saving_bps: float | None
    """Home's cost minus the suggestion's; None when home cannot be priced."""
    split: tuple[Share, ...] = ()
    """The cheapest division of the order, the largest part first."""
    split_cost_bps: float | None = None
    """Average over what the split places."""
    unallocated: float = 0.0
    """Quote currency the split cannot place."""
    excluded: tuple[Excluded, ...] = ()
    """Routes that must not be used, and why."""
    flags: tuple[Excluded, ...] = ()
    """Usable routes with something to know before going there: coins that come out slowly or not at all."""
    n_minus_1: tuple[Without, ...] = ()
    hhi: float | None = None
    """Herfindahl-Hirschman index of the split by venue: 1 / n to 1."""
    effective_venues: float | None = None
    """1 / ``hhi``: how many equal venues would be as concentrated."""
    costs: tuple[Cost, ...] = ()
    """Every usable route: those that take the whole order first, then cheapest first."""
    since_ns: int | None = None
    """Since when ``best`` has been the suggestion."""
    why: str = ""
    """One clause: what speaks against home, empty when nothing does."""


class BasisRow(Struct, frozen=True, kw_only=True):
    """What one unit of a currency costs in another, from live books; prices in the two are compared through it."""

    pair: str
    """``USDC/USDT``: USDT for one USDC."""
    rate: float
    """The median of the books' mids."""
    half_spread_bps: float
    """The median of their half spreads: what crossing costs, before fees."""
    routes: int
    """How many books it rests on."""


class SelfRow(Struct, frozen=True, kw_only=True):
    """Our own side: this process, its line and its clock."""

    loop_lag_ms: Percentiles = Percentiles()
    """How late our event loop runs what is due, ms, last 30 s."""
    witness: Literal["up", "down", "unknown"] = "unknown"
    """Whether a neutral target answers. Where venues answer and it does not, our line works nevertheless."""
    witness_ms: float | None = None
    """Median over the targets of their last round trips."""
    witness_since_ns: int | None = None
    """Since when it answers, or does not."""
    uplink: Literal["up", "down", "unknown"] = "unknown"
    """Our line: down where no venue can be reached by a fault of ours."""
    uplink_since_ns: int | None = None
    clock: str = ""
    """Clock statement: how ours compares with the venues'."""
    late: bool = False
    """Our own event loop is so late that percentiles of a few milliseconds are partly ours."""
    cpu_share: float | None = None
    """Of one core, over the last second."""
    rss_mb: float | None = None
    """Resident memory now, millions of bytes."""
    msgs_s: float | None = None
    """Of all routes together, mean of the last 30 s."""


class EventRow(Struct, frozen=True, kw_only=True):
    """Something that happened, as a line of the log."""

    t_ns: int
    level: Level
    code: str
    """``state``, ``gap``, ``resync``, ``reconnect``, ``status``, ``advice``, ``liquidation``, ``self``, ``clock`` or
    ``market``."""
    route: str | None
    text: str
    seq: int
    """Counts up by one; a screen that attaches late knows what it has seen."""


class Order(Struct, frozen=True, kw_only=True):
    """What advice is given for."""

    side: Side
    notional: float
    """Quote currency."""


OwnTrouble: TypeAlias = Literal["own_lag", "own_clock", "own_pause", "unwatched"]
NoVerdicts: TypeAlias = Literal["uplink_down", "no_routes", "uplink_doubtful", "untrusted", "warming"] | OwnTrouble
"""Why no venue can be judged now."""


class Summary(Struct, frozen=True, kw_only=True):
    """All routes together."""

    worst_first: tuple[str, ...] = ()
    """Route names: by severity, then home, then by name."""
    clear: int = 0
    """Routes whose state is ``ok``."""
    slow: int = 0
    """``suspect`` or ``congested``."""
    closed: int = 0
    """``stalled``, ``down``, ``halted`` or ``blocked``."""
    unknown: int = 0
    no_verdicts: NoVerdicts | None = None
    """None: at least one route is judged."""
    no_verdicts_since_ns: int | None = None


class Frame(Struct, frozen=True, kw_only=True, eq=False):
    """Everything known at ``t_ns``."""

    t_ns: int
    mono_ns: int | None = None
    """The same moment on a clock that nobody sets and that counts sleeps: schedules go by it. None: not known (a frame
    of a recording), and then ``t_ns`` stands for it."""
    number: int
    """Counts up by one from the collector's start."""
    vantage: str
    """The place we measure from: a name the user gives this machine."""
    watchlist: str
    """The name of the one that is measured."""
    watchlists: tuple[str, ...]
    simulated: str | None
    """Name of the scenario when the venues are simulated, else None."""
    started_ns: int
    """When the collector started."""
    symbols: tuple[str, ...]
    """As the watchlist names them."""
    home: str | None
    """The route the user trades on by default; others are compared with it."""
    order: Order
    routes: tuple[RouteRow, ...]
    pairs: tuple[PairRow, ...]
    summary: Summary = Summary()
    depth: tuple[SymbolDepth, ...] = ()
    """By watched symbol."""
    advice: tuple[AdviceRow, ...]
    basis: tuple[BasisRow, ...] = ()
    own: SelfRow
    events: tuple[EventRow, ...]
    """The newest, oldest first; at most ``EVENTS_KEPT``."""

    @property
    def steady_ns(self) -> int:
        """When it was made, on a clock that nobody sets."""
        return self.t_ns if self.mono_ns is None else self.mono_ns


def worst_first(routes: Iterable[RouteRow], home: str | None) -> list[RouteRow]:
    """By severity, then home, then by name: a row moves only when its state changes, never because a number did."""
    return sorted(routes, key=lambda row: (-SEVERITY[row.state], row.route != home, row.route))
