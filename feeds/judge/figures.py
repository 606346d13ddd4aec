"""The rolling figures of a route: what a frame shows and what verdicts are made from, so that the two never disagree.

Missing is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from feeds.consensus import Gap
from feeds.judge.book_history import BookHistory
from feeds.judge.rolling import Window, ns
from feeds.judge.route_history import ANSWERED, RouteHistory, Shot, error_text
from feeds.quantiles import median, percentile


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
    gap: Gap | None = None
    """Mid against the other routes' (``feeds.consensus``), as of the judge's last step."""
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


def route_signals(track: RouteHistory, now_ns: int) -> RouteSignals:
    """The figures of the trailing window. Own-lag and line failures stay in: they happened."""
    start_ns = now_ns - ns(track.limits.figures_s)
    warm = [s for s in track.warm if s.end_ns > start_ns]
    shots = warm + [s for s in track.cold if s.end_ns > start_ns]
    good = [s for s in warm if not s.sample.lost and s.sample.fault in ANSWERED]
    trips = sorted(s.round_trip_ms for s in warm if s.sample.lost or s.sample.fault in ANSWERED)
    errors = Counter(error_text(s.sample) for s in shots if not s.sample.lost and s.sample.fault not in ANSWERED)
    maxima = sorted((v for _, v in track.age_max.items), reverse=True)
    # each maximum stands for a whole interval of bursts: skip as many as one per cent of all bursts
    rank = min(int(sum(v for _, v in track.bursts.items) * 0.01), len(maxima) - 1)
    ws = sorted(v for _, v in track.ws.items)
    kernel = [s.sample.tcp_rtt_ms for s in good if s.sample.tcp_rtt_ms is not None]
    return RouteSignals(
        route=track.route,
        rest_p50_ms=percentile(trips, 0.5),
        rest_p99_ms=percentile(trips, 0.99),
        rest_lost_share=sum(s.sample.lost for s in shots) / len(shots) if shots else None,
        error_share=errors.total() / len(shots) if shots else None,
        errors=tuple(sorted(errors.items(), key=lambda e: (-e[1], e[0]))[:8]),
        warm=_phases(good),
        cold=_phases([s for s in track.cold if not s.sample.lost and s.sample.fault in ANSWERED]),
        feed_age_p50_ms=median([v for _, v in track.ages.items]),
        feed_age_p99_ms=maxima[rank] if maxima else None,
        ws_p50_ms=percentile(ws, 0.5),
        ws_p99_ms=percentile(ws, 0.99),
        tcp_ms=median(kernel) if kernel else median([v for _, v in track.link_kernel.items]),
        engine_lag_ms=median([v for _, v in track.engine_lags.items]),
        silence_ms=track.feed.silence_ms if track.feed is not None else None,
        msgs_s=_mean_rate(track.rates),
        weight_share=track.weight_share,
        offset_ms=min(((e, o) for _, o, e in track.offsets), default=(0.0, None))[1],
        offset_err_ms=track.feed.offset_err_ms if track.feed is not None else None,
        baseline_rest_ms=track.base_rest.value,
        baseline_age_ms=track.base_age.value,
        baseline_tcp_ms=track.base_kernel.value if kernel else track.base_link_kernel.value,
        baseline_engine_lag_ms=track.base_engine_lag.value,
        baseline_msgs_s=track.base_rate.value,
        symbols={name: symbol_signals(symbol, now_ns) for name, symbol in track.symbols.items()},
    )


def symbol_signals(symbol: BookHistory, now_ns: int) -> SymbolSignals:
    """One pair now and in its normal."""
    return SymbolSignals(
        depth_bid=symbol.now(symbol.bid, now_ns),
        depth_ask=symbol.now(symbol.ask, now_ns),
        spread_bps=symbol.now(symbol.spread, now_ns),
        normal_depth_bid=symbol.base_bid.value,
        normal_depth_ask=symbol.base_ask.value,
        normal_spread_bps=symbol.base_spread.value,
        gap=symbol.gap,
        normal_gap_bps=symbol.base_gap.value,
    )


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
