"""What is measured, as the judge receives it: facts with explicit times, no judgement.

Every sample carries ``t_ns`` on our wall clock, which is for people: it may be set back and forth. ``mono_ns`` is the
same moment on the monotonic clock, which all intervals are taken from; None where nobody read it (a recording), and
then ``t_ns`` stands for it. Missing is None, never 0.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from feeds.model import Channel, Fault, StatusNotice


class ProbeSample(Struct, frozen=True, kw_only=True):
    """One REST probe. Counted from its scheduled time; a timeout is a sample at the timeout with ``lost``."""

    route: str
    t_ns: int
    """When it was scheduled to start."""
    mono_ns: int | None = None
    name: str
    cold: bool
    """On a new connection: resolve, connect and TLS were done for it."""
    total_ms: float
    """Scheduled start to last byte, or to the timeout."""
    wait_ms: float = 0.0
    """Scheduled start to real start: our own lateness, inside ``total_ms``."""
    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    """Request written to first byte of the answer."""
    body_ms: float | None = None
    tcp_rtt_ms: float | None = None
    """The kernel's smoothed round trip of that connection."""
    lost: bool = False
    failed_at: str | None = None
    """``resolve``, ``connect``, ``tls``, ``first_byte``, ``body``: where a lost probe was lost."""
    status: int | None = None
    fault: Fault | None = None
    code: str = ""
    text: str = ""
    offset_ms: float | None = None
    """Venue clock minus ours (NTP formula) of this exchange."""
    weight_share: float | None = None
    """Used weight over the venue's limit, 0 to 1."""


class FeedSample(Struct, frozen=True, kw_only=True):
    """One route's streams over the interval that ends at ``t_ns`` (statistics per burst, not per message)."""

    route: str
    t_ns: int
    mono_ns: int | None = None
    interval_ms: float
    messages: int
    bursts: int
    age_p50_ms: float | None = None
    """Receipt minus the venue's latest time stamp, corrected by the clock offset; per burst."""
    age_max_ms: float | None = None
    engine_lag_ms: float | None = None
    """Venue-internal: gateway time minus engine time, median."""
    own_lag_ms: float | None = None
    """Socket readable to handler end, p99: our own delay, never counted as the venue's."""
    silence_ms: float | None = None
    """Since any byte came on any of the route's sockets."""
    channel_silence_ms: dict[str, float] = {}
    """By ``channel`` or ``channel:symbol``: since the last data; only acknowledged or expected subscriptions."""
    quiet_limit_ms: dict[str, float] = {}
    """By the same keys: the limit in the venue's facts from which silence is worth noticing."""
    book_updates: int = 0
    trades: int = 0
    frozen_books: int = 0
    """Books whose feed is alive but whose content did not change while trades went on."""
    offset_err_ms: float | None = None
    keepalive_ok: bool | None = None
    """The last keepalive (ping) was answered in time; None: none was sent yet."""
    never_data: tuple[str, ...] = ()
    """Channels asked for and not refused, but never followed by data, past their limit."""
    unacknowledged: tuple[str, ...] = ()
    """Of ``never_data``: those that the venue has not acknowledged either."""


class LinkSample(Struct, frozen=True, kw_only=True):
    """The state of one websocket, and what has happened to it since its last sample."""

    route: str
    t_ns: int
    mono_ns: int | None = None
    label: str
    connected: bool
    planned: bool = False
    """We or the venue ended it on purpose (24 h limit, announced restart)."""
    code: int | None = None
    text: str = ""
    ws_ms: float | None = None
    tcp_rtt_ms: float | None = None
    retransmits: int | None = None
    gaps: int = 0
    resyncs: int = 0
    fault: Fault | None = None
    http_status: int | None = None
    """Of a refused handshake."""


class BookSample(Struct, frozen=True, kw_only=True):
    """What one pair's book looked like."""

    route: str
    symbol: str
    t_ns: int
    mono_ns: int | None = None
    mid: float | None
    spread_bps: float | None
    depth_bid: float | None
    """Within 10 bp of mid, quote currency."""
    depth_ask: float | None
    age_ms: float | None = None
    crossed: bool = False
    disagrees: bool = False
    """The venue's own quotes have contradicted the book in several samples in a row."""
    synced: bool = True
    expected: bool = True
    """Something can come from this pair: it is neither refused nor inactive."""


class RatesSample(Struct, frozen=True, kw_only=True):
    """What one currency costs in another, from live books: prices in different currencies are compared through it."""

    t_ns: int
    mono_ns: int | None = None
    rates: dict[str, float]
    """By pair: ``USDC/USDT`` is the price of one USDC in USDT. Only what a live book gives, both directions."""


class WatchSample(Struct, frozen=True, kw_only=True):
    """How many pairs of a route something can come from."""

    route: str
    t_ns: int
    mono_ns: int | None = None
    pairs: int
    why: str = ""
    """Where there are none: why, as a clause for the user."""
    waiting: bool = False
    """Where there are none: it is not known yet whether there will be."""


class StatusSample(Struct, frozen=True, kw_only=True):
    route: str
    t_ns: int
    mono_ns: int | None = None
    notices: tuple[StatusNotice, ...]


class SelfSample(Struct, frozen=True, kw_only=True):
    """Our own machine."""

    t_ns: int
    mono_ns: int | None = None
    loop_lag_p50_ms: float | None
    loop_lag_p99_ms: float | None
    loop_lag_max_ms: float | None = None
    clock_step_ms: float = 0.0
    """How far our wall clock was set since the last sample: positive is forward."""
    slept_ms: float = 0.0
    """For how long we did not run at all until just now: the machine slept, or the process was stopped. The monotonic
    clock may have run on meanwhile or not. The sample comes before anything that is measured afterwards."""


class WitnessSample(Struct, frozen=True, kw_only=True):
    """One probe of a neutral target; it tells whether our uplink works."""

    t_ns: int
    mono_ns: int | None = None
    target: str
    ok: bool
    ms: float | None = None


Sample: TypeAlias = (
    ProbeSample
    | FeedSample
    | LinkSample
    | BookSample
    | RatesSample
    | WatchSample
    | StatusSample
    | SelfSample
    | WitnessSample
)

CHANNEL_KEY_SEPARATOR = ":"


def channel_key(channel: Channel, symbol: str | None) -> str:
    return channel.value if symbol is None else f"{channel.value}{CHANNEL_KEY_SEPARATOR}{symbol}"


def symbol_of(key: str) -> str:
    """``trades:BTC/USDT`` -> ``BTC/USDT``; empty for a channel of all symbols."""
    return key.partition(CHANNEL_KEY_SEPARATOR)[2]
