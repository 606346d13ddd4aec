"""Rows of a frame from what is known: pure formatting of figures into ``feeds.frame``, no judgement and no I/O."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Literal

from feeds.books.ladder import Ladder
from feeds.books.route_books import PairState
from feeds.collector.normal import HIGH_FLOOR_MS, high_from, is_thin, is_wide, venue_time_ms
from feeds.config.watchlists import product_of
from feeds.frame import ChannelRow, Depth, PairRow, Phases, RailRow, RestMs, RouteRow, Spread2
from feeds.judge.figures import PhaseMedians, RouteSignals, SymbolSignals
from feeds.model import Instrument, Product, State, Verdict, venue_of

BANDS_BPS = (10, 25, 50, 100)
MS = 1e6

PairKind = Literal["waiting", "live", "stale", "resyncing", "refused", "absent"]


def route_row(
    route: str,
    product: Product,
    verdict: Verdict,
    signals: RouteSignals,
    *,
    channels: tuple[ChannelRow, ...],
    sockets_up: int,
    sockets: int,
    gaps: int,
    resyncs: int,
    reconnects: int,
    garbled: int,
    unknown: int,
    offset_ms: float | None,
    offset_err_ms: float | None,
    rails: tuple[RailRow, ...] | None,
    notes: tuple[str, ...],
) -> RouteRow:
    return RouteRow(
        route=route,
        venue=venue_of(route),
        product=product,
        state=verdict.state,
        cause=verdict.cause,
        score=verdict.score,
        since_ns=verdict.since_ns,
        reasons=verdict.reasons,
        rest_ms=RestMs(signals.rest_p50_ms, signals.rest_p99_ms, signals.rest_lost_share),
        ws_ms=Spread2(signals.ws_p50_ms, signals.ws_p99_ms),
        tcp_ms=signals.tcp_ms,
        feed_age_ms=Spread2(
            shown_age(signals.feed_age_p50_ms, signals.offset_err_ms),
            shown_age(signals.feed_age_p99_ms, signals.offset_err_ms),
        ),
        engine_lag_ms=signals.engine_lag_ms,
        silence_ms=signals.silence_ms,
        msgs_s=signals.msgs_s,
        gaps=gaps,
        resyncs=resyncs,
        reconnects=reconnects,
        weight_used=signals.weight_share,
        offset_ms=offset_ms,
        offset_err_ms=offset_err_ms,
        connected=sockets > 0 and sockets_up == sockets,
        sockets_up=sockets_up,
        sockets=sockets,
        error_share=signals.error_share,
        errors=signals.errors,
        warm=_phases(signals.warm),
        cold=_phases(signals.cold),
        baseline_rest_ms=signals.baseline_rest_ms,
        baseline_age_ms=signals.baseline_age_ms,
        venue_time_ms=venue_time_ms(signals.warm.first_byte_ms, signals.tcp_ms),
        rest_high_ms=high_from(signals.baseline_rest_ms, HIGH_FLOOR_MS),
        age_high_ms=high_from(signals.baseline_age_ms, HIGH_FLOOR_MS),
        channels=channels,
        garbled=garbled,
        unknown=unknown,
        rails=rails,
        notes=notes,
    )


def shown_age(age_ms: float | None, error_ms: float | None) -> float | None:
    """An age below zero by no more than the clock offset's error is zero within what can be known; a larger one stays
    negative, since hiding it would hide a wrong clock."""
    if age_ms is None or age_ms >= 0:
        return age_ms
    return 0.0 if error_ms is not None and -age_ms <= error_ms else age_ms


def _phases(medians: PhaseMedians) -> Phases:
    return Phases(
        resolve=medians.resolve_ms,
        connect=medians.connect_ms,
        tls=medians.tls_ms,
        first_byte=medians.first_byte_ms,
        body=medians.body_ms,
    )


def pair_kind(pair: PairState, *, connected: bool, known_silent: bool, ever: bool) -> PairKind:
    """Only ``live`` may be read as current: a synced book on a connected socket of a route that is not silent."""
    if pair.refused is not None and not pair.book.synced:
        return "refused"
    if not pair.book.synced:
        return "resyncing" if ever else "waiting"
    return "live" if connected and not known_silent else "stale"


def pair_row(
    instrument: Instrument,
    product: Product,
    pair: PairState,
    kind: PairKind,
    ladder: Ladder,
    signals: SymbolSignals | None,
    *,
    now_ns: int,
    offset_ns: int | None,
    offset_err_ms: float | None,
    gap_bps: float | None,
    depth: Mapping[str, Depth],
    stands_for: str | None,
) -> PairRow:
    book = pair.book
    received = max((t for t in (book.received_ns, pair.quote_ns) if t), default=None)
    stamp = _latest_stamp(pair)
    age_ms = None if stamp is None or offset_ns is None else (now_ns + offset_ns - stamp) / MS
    mark = pair.mark
    known = signals is not None and (signals.normal_depth_bid is not None or signals.normal_depth_ask is not None)
    normal = Depth(signals.normal_depth_bid, signals.normal_depth_ask) if signals and known else None
    normal_spread_bps = signals.normal_spread_bps if signals else None
    return PairRow(
        route=instrument.route,
        symbol=instrument.symbol,
        stands_for=stands_for,
        base=instrument.base,
        quote=instrument.quote,
        product=product,
        state=kind,
        bid=ladder.best_bid,
        ask=ladder.best_ask,
        tick=instrument.tick,
        spread_bps=ladder.spread_bps,
        depth=dict(depth),
        normal_depth=normal,
        normal_spread_bps=normal_spread_bps,
        thin=kind == "live" and is_thin(depth.get("10"), normal),
        wide=kind == "live" and is_wide(ladder.spread_bps, normal_spread_bps),
        gap_bps=gap_bps,
        age_ms=shown_age(age_ms, offset_err_ms),
        quiet_ms=None if received is None else max(0.0, (now_ns - received) / MS),
        mark=mark.mark if mark else None,
        funding_rate=mark.funding_rate if mark else None,
        next_funding_ns=mark.next_funding_ns if mark else None,
        liquidated=pair.liquidated(now_ns),
    )


def unlisted_row(route: str, symbol: str, kind: Literal["absent", "waiting"]) -> PairRow:
    """A watched symbol without an instrument: the venue does not list it, or has not been asked yet."""
    base, _, rest = symbol.partition("/")
    return PairRow(
        route=route,
        symbol=symbol,
        base=base,
        quote=rest.partition(":")[0],
        product=product_of(symbol) or "spot",
        state=kind,
    )


def _latest_stamp(pair: PairState) -> int | None:
    """The venue's clock on the newest thing said about this pair."""
    stamps = [pair.book.gateway_ns or pair.book.engine_ns]
    if pair.quote is not None:
        stamps.append(pair.quote.gateway_ns or pair.quote.engine_ns)
    return max((s for s in stamps if s is not None), default=None)


def bands(ladder: Ladder) -> dict[str, Depth]:
    return {str(band): Depth(*ladder.depth(band)) for band in BANDS_BPS}


def gaps_bps(mids: Mapping[str, float]) -> dict[str, float | None]:
    """Each route's mid against the median of the *other* routes' mids, signed bp; None where there is no other."""
    result: dict[str, float | None] = {}
    for route, mid in mids.items():
        others = [m for r, m in mids.items() if r != route]
        result[route] = (mid / statistics.median(others) - 1.0) * 10_000.0 if others else None
    return result


def known_silent(verdict: Verdict | None) -> bool:
    """Health says that nothing new comes: figures of this route are history."""
    return verdict is not None and verdict.state in (State.STALLED, State.DOWN)
