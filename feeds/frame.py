"""The frame: one immutable picture of everything known, made a few times a second.

It is the only thing a screen, log, bus or file receives. ``feeds.publish.jsonl`` writes its rows as
JSON lines, ``feeds.publish.link`` carries it between processes. Missing is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from feeds.model import SEVERITY, Cause, Product, Reason, Side, State

SCHEMA = 1
"""Version of the row formats; raised when a field changes its meaning or goes."""

Level: TypeAlias = Literal["info", "warning", "alarm"]


class Spread2(Struct, frozen=True):
    """Two percentiles of one figure over the route's window."""

    p50: float | None = None
    p99: float | None = None


class RestMs(Struct, frozen=True):
    p50: float | None = None
    p99: float | None = None
    lost: float | None = None
    """Share of probes without an answer, 0 to 1."""


class Phases(Struct, frozen=True, kw_only=True):
    """Medians of the phases of a REST round trip, ms; None where not measured."""

    resolve: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    body: float | None = None


class ChannelRow(Struct, frozen=True, kw_only=True):
    channel: str
    """``book``, or ``trades:BTC/USDT``."""
    msgs_s: float | None
    silence_ms: float | None
    limit_ms: float | None
    state: Literal["waiting", "live", "quiet", "silent", "refused"]


class RailRow(Struct, frozen=True, kw_only=True):
    """A coin's ways in and out of a venue, as it publishes them."""

    coin: str
    deposit: Literal["open", "slow", "closed", "unknown"]
    withdraw: Literal["open", "slow", "closed", "unknown"]
    closed: tuple[str, ...] = ()
    """Chains on which it cannot be withdrawn."""


class RouteRow(Struct, frozen=True, kw_only=True):
    route: str
    venue: str
    product: Product
    state: State
    cause: Cause | None
    score: int | None
    since_ns: int
    reasons: tuple[Reason, ...] = ()
    rest_ms: RestMs = RestMs()
    ws_ms: Spread2 = Spread2()
    tcp_ms: float | None = None
    feed_age_ms: Spread2 = Spread2()
    engine_lag_ms: float | None = None
    silence_ms: float | None = None
    msgs_s: float | None = None
    gaps: int = 0
    resyncs: int = 0
    reconnects: int = 0
    weight_used: float | None = None
    """Share of the venue's rate limit in use, 0 to 1."""
    offset_ms: float | None = None
    offset_err_ms: float | None = None
    # what only a screen shows
    connected: bool = False
    sockets_up: int = 0
    sockets: int = 0
    error_share: float | None = None
    """Share of probes answered with an error, 0 to 1."""
    errors: tuple[tuple[str, int], ...] = ()
    """What the error answers said and how often, most frequent first."""
    warm: Phases = Phases()
    cold: Phases = Phases()
    venue_time_ms: float | None = None
    """The venue's own share of a warm REST request: time to first byte less the kernel's round trip."""
    baseline_rest_ms: float | None = None
    baseline_age_ms: float | None = None
    rest_high_ms: float | None = None
    """From this value on, ``rest_ms.p50`` is called high for this route."""
    age_high_ms: float | None = None
    """From this value on, ``feed_age_ms.p50`` is called high for this route."""
    channels: tuple[ChannelRow, ...] = ()
    garbled: int = 0
    unknown: int = 0
    rails: tuple[RailRow, ...] | None = None
    """By watched coin; None where the venue publishes none without a key, or has not been asked yet."""
    notes: tuple[str, ...] = ()
    """Official notices, stale instruments, refused symbols: whole sentences."""


class Depth(Struct, frozen=True):
    bid: float | None
    ask: float | None


class PairRow(Struct, frozen=True, kw_only=True):
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
    tick: float | None = None
    spread_bps: float | None = None
    depth: dict[str, Depth] = {}
    """By band in bp (``"10"``, ``"25"``, ``"50"``, ``"100"``): quote currency within that distance of mid.
    A side that the book does not reach to is None."""
    normal_depth: Depth | None = None
    """The route's own normal within 10 bp."""
    normal_spread_bps: float | None = None
    thin: bool = False
    """The depth within 10 bp is low for this route, on either side."""
    wide: bool = False
    """The spread is high for this route."""
    gap_bps: float | None = None
    """Mid against the median of the other routes' mids, signed."""
    age_ms: float | None = None
    """By the venue's clock, offset corrected: now minus its last time stamp."""
    quiet_ms: float | None = None
    """By our clock: since its last message."""
    mark: float | None = None
    funding_rate: float | None = None
    next_funding_ns: int | None = None
    liquidated: float | None = None
    """Quote currency liquidated in the last minute, where the venue tells."""


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
    effective_venues: float | None
    """How many venues of equal depth would be as concentrated; 1 where one venue holds everything."""


class SymbolDepth(Struct, frozen=True, kw_only=True):
    """Depth of a watched symbol over all routes."""

    symbol: str
    listed: int
    """Routes that list the symbol."""
    bands: dict[str, BandDepth] = {}
    """By band in bp, as in ``PairRow.depth``. A band without any live book is left out."""


class Share(Struct, frozen=True, kw_only=True):
    route: str
    share: float
    cost_bps: float


class Excluded(Struct, frozen=True, kw_only=True):
    route: str
    why: str


class Without(Struct, frozen=True, kw_only=True):
    """N-1: the same order with one venue (or failure domain) taken away."""

    without: str
    cost_bps: float | None
    unallocated: float


class Cost(Struct, frozen=True, kw_only=True):
    """All-in cost of the whole order on one route, in basis points of notional."""

    route: str
    total_bps: float
    fee_bps: float
    spread_bps: float
    walk_bps: float
    """Beyond the best price."""
    latency_bps: float
    """Volatility x sqrt(feed age + round trip)."""
    risk_bps: float
    """Allowance for rejects and staleness."""
    basis_bps: float
    """Stablecoin basis where the quote currency differs from the order's."""
    gap_bps: float = 0.0
    """The route's mid against the common reference mid, as charged; part of ``total_bps`` like the rest."""
    filled: float
    """Quote currency the book could take, at most the notional."""


class AdviceRow(Struct, frozen=True, kw_only=True):
    symbol: str
    side: Side
    notional: float
    home: str | None
    home_cost_bps: float | None
    best: str | None
    best_cost_bps: float | None
    saving_bps: float | None
    """Against home; None when home cannot be priced."""
    split: tuple[Share, ...] = ()
    split_cost_bps: float | None = None
    unallocated: float = 0.0
    excluded: tuple[Excluded, ...] = ()
    flags: tuple[Excluded, ...] = ()
    """Usable routes with something to know before going there: coins that come out slowly or not at all."""
    n_minus_1: tuple[Without, ...] = ()
    hhi: float | None = None
    costs: tuple[Cost, ...] = ()
    """Every usable route, cheapest first."""
    since_ns: int | None = None
    """Since when ``best`` has been the suggestion."""
    why: str = ""
    """One clause: what speaks against home, empty when nothing does."""


class BasisRow(Struct, frozen=True, kw_only=True):
    """What one unit of a currency costs in another, from live books; comparisons across the two go through it."""

    pair: str
    """``USDC/USDT``: USDT for one USDC."""
    rate: float
    half_spread_bps: float
    routes: int
    """How many books it rests on."""


class SelfRow(Struct, frozen=True, kw_only=True):
    loop_lag_ms: Spread2 = Spread2()
    backlog: int = 0
    witness: Literal["up", "down", "unknown"] = "unknown"
    witness_ms: float | None = None
    witness_since_ns: int | None = None
    clock: str = ""
    """Clock statement: how ours compares with the venues'."""
    late: bool = False
    """Our own event loop is so late that percentiles of a few milliseconds are partly ours."""
    cpu_share: float | None = None
    rss_mb: float | None = None
    msgs_s: float | None = None


class EventRow(Struct, frozen=True, kw_only=True):
    t_ns: int
    level: Level
    code: str
    """``state``, ``gap``, ``resync``, ``reconnect``, ``status``, ``advice``, ``liquidation``, ``self``, ``market``."""
    route: str | None
    text: str
    seq: int
    """Counts up by one; a screen that attaches late knows what it has seen."""


class Order(Struct, frozen=True, kw_only=True):
    side: Side
    notional: float


NoVerdicts: TypeAlias = Literal["uplink_down", "no_routes", "uplink_doubtful", "own_lag", "warming"]
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
    t_ns: int
    number: int
    vantage: str
    watchlist: str
    watchlists: tuple[str, ...]
    simulated: str | None
    """Name of the scenario when the venues are simulated, else None."""
    started_ns: int
    symbols: tuple[str, ...]
    home: str | None
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


EVENTS_KEPT = 200


def worst_first(routes: Iterable[RouteRow], home: str | None) -> list[RouteRow]:
    """By severity, then home, then by name: a row moves only when its state changes, never because a number did."""
    return sorted(routes, key=lambda row: (-SEVERITY[row.state], row.route != home, row.route))


class History(Struct, frozen=True, kw_only=True, eq=False):
    """The last half hour at one-second steps, for a screen that attaches. All series have the same length."""

    end_ns: int
    step_s: float
    series: dict[str, list[float | None]]
    """By the names of ``points``."""


HISTORY_S = 1800


def points(frame: Frame) -> Iterator[tuple[str, float | None]]:
    """A frame's values for ``History.series``: (name, value). What is not current is None.

    ``rest:ROUTE`` (p50 ms), ``lost:ROUTE`` (share), ``age:ROUTE`` (p50 ms), ``score:ROUTE``, ``state:ROUTE``
    (SEVERITY), ``since:ROUTE`` (start of that state, s since the epoch), ``spread:ROUTE:SYMBOL`` (bp),
    ``bid10:ROUTE:SYMBOL`` and ``ask10:ROUTE:SYMBOL`` (quote currency within 10 bp), ``venues:SYMBOL`` (effective
    venues by depth within 10 bp).
    """
    for row in frame.routes:
        yield f"rest:{row.route}", row.rest_ms.p50
        yield f"lost:{row.route}", row.rest_ms.lost
        yield f"age:{row.route}", row.feed_age_ms.p50
        yield f"score:{row.route}", row.score
        yield f"state:{row.route}", SEVERITY[row.state]
        yield f"since:{row.route}", row.since_ns / 1e9
    for pair in frame.pairs:
        live = pair.state == "live"
        near = pair.depth.get("10") if live else None
        yield f"spread:{pair.route}:{pair.symbol}", pair.spread_bps if live else None
        yield f"bid10:{pair.route}:{pair.symbol}", None if near is None else near.bid
        yield f"ask10:{pair.route}:{pair.symbol}", None if near is None else near.ask
    for total in frame.depth:
        band = total.bands.get("10")
        yield f"venues:{total.symbol}", None if band is None else band.effective_venues


class UseWatchlist(Struct, frozen=True, tag=True):
    name: str


class UseHome(Struct, frozen=True, tag=True):
    route: str


class UseOrder(Struct, frozen=True, tag=True):
    side: Side
    notional: float


Command: TypeAlias = UseWatchlist | UseHome | UseOrder
"""What a screen may ask of the collector; the next frames show the result."""


class Shown(Struct, frozen=True, tag=True):
    """A frame on its way to a screen."""

    frame: Frame


class Past(Struct, frozen=True, tag=True):
    history: History


class Goodbye(Struct, frozen=True, tag=True):
    """The collector ends; ``why`` is for people."""

    why: str


Message: TypeAlias = Shown | Past | Goodbye
