"""What a route's samples add up to: rolling figures, recent medians and baselines.

Frame figures (``RouteSignals``) and the evidence of ``feeds.health`` are read from the same ``RouteTrack``, so that
they can never disagree. Times are nanoseconds of the judge's timeline; missing is None, never 0.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable

from msgspec import Struct

from feeds.model import Fault, StatusNotice
from feeds.samples import BookSample, FeedSample, LinkSample, ProbeSample, StatusSample
from feeds.thresholds import Thresholds
from feeds.windows import Baseline, Window, median, ns, percentile

PROBES_KEPT = 240
COLD_KEPT = 24
COLD_WINDOW_S = 900.0
WS_WINDOW_S = 60.0
BOOK_RECENT_S = 4.0
LINKS_KEPT = 64
SYMBOLS_KEPT = 512
CHANNELS_KEPT = 2_048
TEXT_KEPT = 80
ANSWERED: frozenset[Fault | None] = frozenset({None, Fault.BAD_REQUEST})
"""Answers whose time counts as a round trip: a shed 503 comes back fast and says nothing about speed."""
REFUSALS: frozenset[Fault | None] = frozenset({Fault.OUR_LIMIT, Fault.GEO_BLOCK, Fault.REFUSED, Fault.MAINTENANCE})
HTTP_BANNED = 418


class PhaseMedians(Struct, frozen=True, kw_only=True):
    """Medians of the phases of a REST round trip; None where not measured."""

    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    body_ms: float | None = None


class SymbolSignals(Struct, frozen=True, kw_only=True):
    """One pair's own normal, and where it is now. Depths within 10 bp of mid, quote currency."""

    depth_bid: float | None = None
    depth_ask: float | None = None
    spread_bps: float | None = None
    normal_depth_bid: float | None = None
    normal_depth_ask: float | None = None
    normal_spread_bps: float | None = None
    gap_bps: float | None = None
    """Mid against the leave-one-out median of the other routes with the same base, signed."""
    normal_gap_bps: float | None = None


class RouteSignals(Struct, frozen=True, kw_only=True):
    """The figures of one route over the trailing window (30 s; websocket pings 60 s, cold phases 15 min)."""

    route: str
    rest_p50_ms: float | None = None
    """Warm probes from their scheduled time, without our own lateness; timeouts count at the timeout."""
    rest_p99_ms: float | None = None
    rest_lost_share: float | None = None
    error_share: float | None = None
    errors: tuple[tuple[str, int], ...] = ()
    """What error answers said and how often, most frequent first."""
    warm: PhaseMedians = PhaseMedians()
    cold: PhaseMedians = PhaseMedians()
    feed_age_p50_ms: float | None = None
    feed_age_p99_ms: float | None = None
    ws_p50_ms: float | None = None
    ws_p99_ms: float | None = None
    tcp_ms: float | None = None
    engine_lag_ms: float | None = None
    silence_ms: float | None = None
    """Since any byte on any of the route's sockets, as of the last feed sample."""
    msgs_s: float | None = None
    weight_share: float | None = None
    offset_ms: float | None = None
    offset_err_ms: float | None = None
    baseline_rest_ms: float | None = None
    baseline_age_ms: float | None = None
    baseline_tcp_ms: float | None = None
    baseline_engine_lag_ms: float | None = None
    baseline_msgs_s: float | None = None
    symbols: dict[str, SymbolSignals] = {}


class LinkTrack:
    """One websocket's life as far as health needs it."""

    __slots__ = ("connected", "fault", "gaps", "http_status", "planned", "resyncs", "since_ns", "text", "up_once")

    def __init__(self, t_ns: int) -> None:
        self.connected = False
        self.up_once = False
        self.planned = False
        self.since_ns = t_ns
        self.gaps = 0
        self.resyncs = 0
        self.text = ""
        self.fault: Fault | None = None
        self.http_status: int | None = None


class SymbolTrack:
    """One pair's book: recent values and the pair's own normal."""

    __slots__ = (
        "ask",
        "base_ask",
        "base_bid",
        "base_gap",
        "base_spread",
        "bid",
        "crossed_ns",
        "disagrees_ns",
        "gap_bps",
        "last",
        "mid",
        "mid_ns",
        "spread",
        "unsynced_ns",
    )

    def __init__(self, limits: Thresholds) -> None:
        def base() -> Baseline:
            return _baseline(limits)

        self.base_bid, self.base_ask, self.base_spread, self.base_gap = base(), base(), base(), base()
        self.bid, self.ask, self.spread = (Window(BOOK_RECENT_S) for _ in range(3))
        self.mid: float | None = None
        self.mid_ns = 0
        self.gap_bps: float | None = None
        self.crossed_ns: int | None = None
        self.disagrees_ns: int | None = None
        self.unsynced_ns: int | None = None
        self.last: BookSample | None = None

    def observe(self, sample: BookSample, t_ns: int) -> None:
        self.last = sample
        usable = sample.synced and not sample.crossed
        if usable and _finite(sample.mid) and sample.mid is not None and sample.mid > 0:
            self.mid, self.mid_ns = sample.mid, t_ns
        elif not usable:
            self.mid = None
        windows = (self.bid, sample.depth_bid), (self.ask, sample.depth_ask), (self.spread, sample.spread_bps)
        for window, value in windows:
            window.trim(t_ns)
            if usable and value is not None and _finite(value) and value >= 0:
                window.add(t_ns, value)
        self.crossed_ns = _since(self.crossed_ns, sample.crossed, t_ns)
        self.disagrees_ns = _since(self.disagrees_ns, sample.disagrees, t_ns)
        self.unsynced_ns = _since(self.unsynced_ns, not sample.synced, t_ns)

    def now(self, window: Window, now_ns: int) -> float | None:
        return median(window.since(now_ns - ns(BOOK_RECENT_S)))

    def signals(self, now_ns: int) -> SymbolSignals:
        return SymbolSignals(
            depth_bid=self.now(self.bid, now_ns),
            depth_ask=self.now(self.ask, now_ns),
            spread_bps=self.now(self.spread, now_ns),
            normal_depth_bid=self.base_bid.value,
            normal_depth_ask=self.base_ask.value,
            normal_spread_bps=self.base_spread.value,
            gap_bps=self.gap_bps,
            normal_gap_bps=self.base_gap.value,
        )


class Shot(Struct, gc=False):
    """One probe on the judge's timeline."""

    start_ns: int
    end_ns: int
    sample: ProbeSample
    round_trip_ms: float
    """Total without the lateness of its start, which is ours."""


class Refusal:
    """An unbroken run of answers that refuse us."""

    __slots__ = ("banned", "count", "fault", "from_first", "last_ns", "since_ns", "text")

    def __init__(self, fault: Fault, t_ns: int, from_first: bool) -> None:
        self.fault = fault
        self.since_ns = self.last_ns = t_ns
        self.from_first = from_first
        self.count = 0
        self.banned = False
        self.text = ""


class RouteTrack:
    """Everything measured of one route lately, bounded."""

    def __init__(self, route: str, limits: Thresholds) -> None:
        self.route = route
        self.limits = limits
        self.first_ns: int | None = None
        self.measured_ns: int | None = None
        self.contact_ns: int | None = None
        self.answered_ns: int | None = None
        """When any REST call was answered, an error included."""
        self.good_ns: int | None = None
        self.refusal: Refusal | None = None
        self.warm: deque[Shot] = deque(maxlen=PROBES_KEPT)
        self.cold: deque[Shot] = deque(maxlen=COLD_KEPT)
        self.ages = Window(limits.figures_s)
        self.age_max = Window(limits.figures_s)
        self.bursts = Window(limits.figures_s)
        self.own_lags = Window(limits.figures_s)
        self.engine_lags = Window(limits.figures_s)
        self.rates = Window(limits.figures_s)
        self.ws = Window(WS_WINDOW_S)
        self.link_kernel = Window(limits.figures_s)
        self.offsets = Window(WS_WINDOW_S)
        self.gap_counts = Window(limits.figures_s)
        self.reconnects = Window(limits.reconnects_window_s)
        self.feed: FeedSample | None = None
        self.feed_ns: int | None = None
        self.data_ns: int | None = None
        """When data last came on any channel."""
        self.weight_share: float | None = None
        self.links: dict[str, LinkTrack] = {}
        self.symbols: dict[str, SymbolTrack] = {}
        self.notices: tuple[StatusNotice, ...] = ()
        self.channel_silence_s: dict[str, float] = {}
        self.channel_peak_s: dict[str, float] = {}
        """By channel: the longest silence of all its symbols together on normal days, slowly forgotten."""
        self.base_rest, self.base_first_byte = _baseline(limits), _baseline(limits)
        self.base_age, self.base_engine_lag = _baseline(limits), _baseline(limits)
        self.base_kernel, self.base_link_kernel = _baseline(limits), _baseline(limits)
        self.base_connect = Baseline(limits.baseline_s * 6, 10.0, 1, limits.adopt_s)
        self.base_rate, self.base_offset = _baseline(limits), _baseline(limits)

    def _mark(self, t_ns: int) -> None:
        self.first_ns = t_ns if self.first_ns is None else self.first_ns
        self.measured_ns = t_ns

    def _reached(self, t_ns: int) -> None:
        self.contact_ns = t_ns if self.contact_ns is None else max(t_ns, self.contact_ns)

    def observe_probe(self, sample: ProbeSample, start_ns: int, end_ns: int) -> None:
        if not _finite(sample.total_ms) or sample.total_ms < 0:
            return
        self._mark(end_ns)
        wait_ms = sample.wait_ms if 0 <= sample.wait_ms <= sample.total_ms else 0.0
        shot = Shot(start_ns, end_ns, sample, sample.total_ms - wait_ms)
        (self.cold if sample.cold else self.warm).append(shot)
        if not sample.lost:
            self._reached(end_ns)
            if sample.fault in REFUSALS and sample.fault is not None:
                self._refused(sample, end_ns)
            self.answered_ns = end_ns
            if sample.fault in ANSWERED:
                self.good_ns, self.refusal = end_ns, None
                self._observe_offset(sample, shot)
        if sample.weight_share is not None and _finite(sample.weight_share):
            self.weight_share = sample.weight_share

    def _refused(self, sample: ProbeSample, t_ns: int) -> None:
        if self.refusal is None or sample.fault is not self.refusal.fault:
            self.refusal = Refusal(sample.fault or Fault.REFUSED, t_ns, from_first=self.good_ns is None)
        self.refusal.last_ns = t_ns
        self.refusal.count += 1
        self.refusal.banned = self.refusal.banned or sample.status == HTTP_BANNED
        self.refusal.text = error_text(sample)

    def _observe_offset(self, sample: ProbeSample, shot: Shot) -> None:
        """Only quick exchanges tell the time: in a slow one the venue's stamp may be anywhere inside."""
        usual_ms = self.base_rest.value
        quick = usual_ms is None or shot.round_trip_ms <= 1.5 * usual_ms + 2.0
        if sample.offset_ms is not None and _finite(sample.offset_ms) and quick and not sample.cold:
            self.offsets.add(shot.end_ns, sample.offset_ms)

    def observe_feed(self, sample: FeedSample, t_ns: int) -> None:
        self._mark(t_ns)
        self.feed, self.feed_ns = sample, t_ns
        if sample.messages > 0:
            self.data_ns = t_ns
            self._reached(t_ns)
        elif sample.silence_ms is not None and _finite(sample.silence_ms):
            self._reached(t_ns - ns(sample.silence_ms / 1e3))
        if sample.interval_ms > 0 and _finite(sample.interval_ms):
            self.rates.add(t_ns, sample.messages * 1e3 / sample.interval_ms)
        if sample.age_p50_ms is not None and _finite(sample.age_p50_ms):
            self.ages.add(t_ns, sample.age_p50_ms)
            worst_ms = sample.age_max_ms if _finite(sample.age_max_ms) else None
            self.age_max.add(t_ns, sample.age_p50_ms if worst_ms is None else max(worst_ms, sample.age_p50_ms))
            self.bursts.add(t_ns, max(sample.bursts, 1))
            own_ms = sample.own_lag_ms if sample.own_lag_ms is not None and _finite(sample.own_lag_ms) else 0.0
            self.own_lags.add(t_ns, own_ms)
        if sample.engine_lag_ms is not None and _finite(sample.engine_lag_ms):
            self.engine_lags.add(t_ns, sample.engine_lag_ms)

    def observe_link(self, sample: LinkSample, t_ns: int) -> None:
        self._mark(t_ns)
        link = self.links.get(sample.label)
        if link is None:
            if len(self.links) >= LINKS_KEPT:
                return
            link = self.links[sample.label] = LinkTrack(t_ns)
        if sample.connected and not link.connected:
            if link.up_once and not link.planned:
                self.reconnects.add(t_ns, 1.0)
            link.up_once, link.planned, link.since_ns = True, False, t_ns
            self._reached(t_ns)
        elif link.connected and not sample.connected:
            link.since_ns = t_ns
        if not sample.connected:
            link.planned = link.planned or sample.planned
        link.connected, link.text = sample.connected, sample.text
        link.fault, link.http_status = sample.fault, sample.http_status
        new = (sample.gaps - link.gaps if sample.gaps >= link.gaps else sample.gaps) + (
            sample.resyncs - link.resyncs if sample.resyncs >= link.resyncs else sample.resyncs
        )
        link.gaps, link.resyncs = sample.gaps, sample.resyncs
        if new > 0:
            self.gap_counts.add(t_ns, float(new))
        if sample.ws_ms is not None and _finite(sample.ws_ms):
            self.ws.add(t_ns, sample.ws_ms)
        if sample.tcp_rtt_ms is not None and _finite(sample.tcp_rtt_ms) and sample.connected:
            self.link_kernel.add(t_ns, sample.tcp_rtt_ms)

    def observe_book(self, sample: BookSample, t_ns: int) -> None:
        self._mark(t_ns)
        symbol = self.symbols.get(sample.symbol)
        if symbol is None:
            if len(self.symbols) >= SYMBOLS_KEPT:
                return
            symbol = self.symbols[sample.symbol] = SymbolTrack(self.limits)
        symbol.observe(sample, t_ns)

    def observe_status(self, sample: StatusSample, t_ns: int) -> None:
        self.notices = sample.notices

    def trim(self, now_ns: int) -> None:
        horizon = now_ns - ns(COLD_WINDOW_S)
        while self.cold and self.cold[0].end_ns <= horizon:
            self.cold.popleft()
        horizon = now_ns - ns(2 * self.limits.figures_s)
        while self.warm and self.warm[0].end_ns <= horizon:
            self.warm.popleft()
        for window in (self.ages, self.age_max, self.bursts, self.own_lags, self.engine_lags, self.rates, self.ws):
            window.trim(now_ns)
        for window in (self.link_kernel, self.offsets, self.gap_counts, self.reconnects):
            window.trim(now_ns)

    def links_up(self) -> int:
        return sum(link.connected for link in self.links.values())

    def data_silence_s(self) -> float | None:
        """How long no channel has carried data, as of the last feed sample: our own pauses do not count."""
        if self.feed is None or self.feed_ns is None or self.first_ns is None:
            return None
        since_ns = self.data_ns if self.data_ns is not None else self.first_ns
        quietest_ms = min((v for v in self.feed.channel_silence_ms.values() if _finite(v)), default=0.0)
        return max((self.feed_ns - since_ns) / 1e9, quietest_ms / 1e3)

    def signals(self, now_ns: int) -> RouteSignals:
        """The figures of the trailing window. Own-lag and line failures stay in: they happened."""
        start_ns = now_ns - ns(self.limits.figures_s)
        warm = [s for s in self.warm if s.end_ns > start_ns]
        shots = warm + [s for s in self.cold if s.end_ns > start_ns]
        good = [s for s in warm if not s.sample.lost and s.sample.fault in ANSWERED]
        trips = sorted(s.round_trip_ms for s in warm if s.sample.lost or s.sample.fault in ANSWERED)
        errors = Counter(error_text(s.sample) for s in shots if not s.sample.lost and s.sample.fault not in ANSWERED)
        maxima = sorted((v for _, v in self.age_max.items), reverse=True)
        # each maximum stands for a whole interval of bursts: skip as many as one per cent of all bursts
        rank = min(int(sum(v for _, v in self.bursts.items) * 0.01), len(maxima) - 1)
        ws = sorted(v for _, v in self.ws.items)
        kernel = [s.sample.tcp_rtt_ms for s in good if s.sample.tcp_rtt_ms is not None]
        return RouteSignals(
            route=self.route,
            rest_p50_ms=percentile(trips, 0.5),
            rest_p99_ms=percentile(trips, 0.99),
            rest_lost_share=sum(s.sample.lost for s in shots) / len(shots) if shots else None,
            error_share=errors.total() / len(shots) if shots else None,
            errors=tuple(sorted(errors.items(), key=lambda e: (-e[1], e[0]))[:8]),
            warm=_phases(good),
            cold=_phases([s for s in self.cold if not s.sample.lost and s.sample.fault in ANSWERED]),
            feed_age_p50_ms=median([v for _, v in self.ages.items]),
            feed_age_p99_ms=maxima[rank] if maxima else None,
            ws_p50_ms=percentile(ws, 0.5),
            ws_p99_ms=percentile(ws, 0.99),
            tcp_ms=median(kernel) if kernel else median([v for _, v in self.link_kernel.items]),
            engine_lag_ms=median([v for _, v in self.engine_lags.items]),
            silence_ms=self.feed.silence_ms if self.feed is not None else None,
            msgs_s=_mean_rate(self.rates),
            weight_share=self.weight_share,
            offset_ms=median([v for _, v in self.offsets.items]),
            offset_err_ms=self.feed.offset_err_ms if self.feed is not None else None,
            baseline_rest_ms=self.base_rest.value,
            baseline_age_ms=self.base_age.value,
            baseline_tcp_ms=self.base_kernel.value if kernel else self.base_link_kernel.value,
            baseline_engine_lag_ms=self.base_engine_lag.value,
            baseline_msgs_s=self.base_rate.value,
            symbols={name: symbol.signals(now_ns) for name, symbol in self.symbols.items()},
        )


def error_text(sample: ProbeSample) -> str:
    """What an error answer said, short enough to count by."""
    said = sample.text or sample.code or (sample.fault.value if sample.fault is not None else "")
    return f"{sample.status or ''} {said}".strip()[:TEXT_KEPT]


def _baseline(limits: Thresholds) -> Baseline:
    return Baseline(limits.baseline_s, limits.baseline_pace_s, limits.baseline_min_count, limits.adopt_s)


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _since(since_ns: int | None, present: bool, t_ns: int) -> int | None:
    if not present:
        return None
    return t_ns if since_ns is None else since_ns


def _present(values: Iterable[float | None]) -> list[float]:
    return [v for v in values if v is not None]


def _phases(shots: list[Shot]) -> PhaseMedians:
    return PhaseMedians(
        resolve_ms=median(_present(s.sample.resolve_ms for s in shots)),
        connect_ms=median(_present(s.sample.connect_ms for s in shots)),
        tls_ms=median(_present(s.sample.tls_ms for s in shots)),
        first_byte_ms=median(_present(s.sample.first_byte_ms for s in shots)),
        body_ms=median(_present(s.sample.body_ms for s in shots)),
    )


def _mean_rate(rates: Window) -> float | None:
    """Messages a second over the whole window: counts add up, so a mean is exact here."""
    if not rates.items:
        return None
    return sum(v for _, v in rates.items) / len(rates.items)
