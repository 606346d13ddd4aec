"""The figures of a route that the board and the log show, over 30 s. Missing is None, never 0.

The judge decides on shorter windows, or it would be late. Its signals have names of their own: see ``signals``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from feeds.consensus import Gap
from feeds.judge.book_history import BookHistory
from feeds.judge.rest_history import TimedProbe, error_text
from feeds.judge.rolling import ns
from feeds.judge.route_history import RouteHistory
from feeds.quantiles import median, percentile

ERRORS_SHOWN = 8


class PhaseMedians(Struct, frozen=True, kw_only=True):
    """Medians of the phases of a REST round trip; None where not measured."""

    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    body_ms: float | None = None


class SymbolSignals(Struct, frozen=True, kw_only=True):
    """One pair's depth and spread, medians of 4 s, and their baselines. Depths within 10 bp of mid, quote currency."""

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


def route_signals(history: RouteHistory, now_ns: int) -> RouteSignals:
    """The figures of the 30 s up to ``now_ns``. What our own lag and line did to them stays in: it happened."""
    rest, feed, links = history.rest, history.feed, history.links
    start_ns = now_ns - ns(history.limits.figures_s)
    warm = rest.warm_since(start_ns)
    probes = warm + rest.cold_since(start_ns)
    good = [p for p in warm if p.answered]
    trips = sorted(p.round_trip_ms for p in warm if p.sample.lost or p.answered)
    errors = Counter(error_text(p.sample) for p in probes if not p.sample.lost and not p.answered)
    pings = links.pings_ms()
    kernel = [p.sample.tcp_rtt_ms for p in good if p.sample.tcp_rtt_ms is not None]
    return RouteSignals(
        route=history.route,
        rest_p50_ms=percentile(trips, 0.5),
        rest_p99_ms=percentile(trips, 0.99),
        rest_lost_share=sum(p.sample.lost for p in probes) / len(probes) if probes else None,
        error_share=errors.total() / len(probes) if probes else None,
        errors=tuple(sorted(errors.items(), key=lambda e: (-e[1], e[0]))[:ERRORS_SHOWN]),
        warm=_phases(good),
        cold=_phases([p for p in rest.cold() if p.answered]),
        feed_age_p50_ms=feed.age_p50_ms(),
        feed_age_p99_ms=feed.age_p99_ms(),
        ws_p50_ms=percentile(pings, 0.5),
        ws_p99_ms=percentile(pings, 0.99),
        tcp_ms=median(kernel) if kernel else links.figures_kernel_ms(),
        engine_lag_ms=feed.engine_lag_ms(),
        silence_ms=feed.last.silence_ms if feed.last is not None else None,
        msgs_s=feed.msgs_s(),
        weight_share=rest.weight_share,
        offset_ms=history.offset.best_ms(),
        offset_err_ms=feed.last.offset_err_ms if feed.last is not None else None,
        baseline_rest_ms=rest.base_round_trip.value,
        baseline_age_ms=feed.base_age.value,
        baseline_tcp_ms=rest.base_kernel.value if kernel else links.base_kernel.value,
        baseline_engine_lag_ms=feed.base_engine_lag.value,
        baseline_msgs_s=feed.base_rate.value,
        symbols={name: symbol_signals(symbol, now_ns) for name, symbol in history.symbols.items()},
    )


def symbol_signals(symbol: BookHistory, now_ns: int) -> SymbolSignals:
    """One pair now and its baselines."""
    depth_bid, depth_ask, spread_bps = symbol.recent(now_ns)
    return SymbolSignals(
        depth_bid=depth_bid,
        depth_ask=depth_ask,
        spread_bps=spread_bps,
        normal_depth_bid=symbol.base_bid.value,
        normal_depth_ask=symbol.base_ask.value,
        normal_spread_bps=symbol.base_spread.value,
        gap=symbol.gap,
        normal_gap_bps=symbol.base_gap.value,
    )


def _present(values: Iterable[float | None]) -> list[float]:
    return [v for v in values if v is not None]


def _phases(probes: list[TimedProbe]) -> PhaseMedians:
    return PhaseMedians(
        resolve_ms=median(_present(p.sample.resolve_ms for p in probes)),
        connect_ms=median(_present(p.sample.connect_ms for p in probes)),
        tls_ms=median(_present(p.sample.tls_ms for p in probes)),
        first_byte_ms=median(_present(p.sample.first_byte_ms for p in probes)),
        body_ms=median(_present(p.sample.body_ms for p in probes)),
    )
