"""Rows of a frame: figures put into ``feeds.frame``'s shapes, without judgement and without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from feeds.books.ladder import Ladder
from feeds.books.route_books import PairState
from feeds.clock import MS
from feeds.collector.freshness import shown_age
from feeds.collector.listing import RouteListing
from feeds.collector.normal import HIGH_FLOOR_MS, high_from, is_thin, is_wide, venue_time_ms
from feeds.config.watchlists import product_of
from feeds.frame import ChannelRow, Depth, PairRow, Percentiles, Phases, RailRow, RestMs, RouteRow
from feeds.judge.figures import PhaseMedians, RouteSignals, SymbolSignals
from feeds.measure.contract import MonitoredRoute
from feeds.model import Product, Verdict, venue_of
from feeds.transport.subscriptions import ChannelLife

BANDS_BPS = (10, 25, 50, 100)

PairKind = Literal["waiting", "live", "stale", "resyncing", "refused", "absent"]


def route_row(
    measured: MonitoredRoute,
    listing: RouteListing,
    verdict: Verdict,
    signals: RouteSignals,
    rails: tuple[RailRow, ...] | None,
) -> RouteRow:
    books = measured.books
    sockets, sockets_up = measured.sockets, measured.sockets_up
    return RouteRow(
        route=measured.route,
        venue=venue_of(measured.route),
        product=measured.product,
        state=verdict.state,
        cause=verdict.cause,
        score=verdict.score,
        since_ns=verdict.since_ns,
        reasons=verdict.reasons,
        rest_ms=RestMs(signals.rest_p50_ms, signals.rest_p99_ms, signals.rest_lost_share),
        ws_ms=Percentiles(signals.ws_p50_ms, signals.ws_p99_ms),
        tcp_ms=signals.tcp_ms,
        feed_age_ms=Percentiles(
            shown_age(signals.feed_age_p50_ms, signals.offset_err_ms),
            shown_age(signals.feed_age_p99_ms, signals.offset_err_ms),
        ),
        engine_lag_ms=signals.engine_lag_ms,
        silence_ms=signals.silence_ms,
        msgs_s=signals.msgs_s,
        gaps=books.gaps if books is not None else 0,
        resyncs=books.resyncs if books is not None else 0,
        reconnects=measured.reconnects,
        weight_used=signals.weight_share,
        offset_ms=measured.offset.offset_ms,
        offset_err_ms=measured.offset.error_ms,
        connected=sockets > 0 and sockets_up == sockets,
        sockets_up=sockets_up,
        sockets=sockets,
        error_share=signals.error_share,
        errors=signals.errors,
        warm=_phases(signals.warm),
        cold=_phases(signals.cold),
        venue_time_ms=venue_time_ms(signals.warm.first_byte_ms, signals.tcp_ms),
        baseline_rest_ms=signals.baseline_rest_ms,
        baseline_age_ms=signals.baseline_age_ms,
        rest_high_ms=high_from(signals.baseline_rest_ms, HIGH_FLOOR_MS),
        age_high_ms=high_from(signals.baseline_age_ms, HIGH_FLOOR_MS),
        channels=tuple(channel_row(life) for life in measured.channels()),
        garbled=measured.garbled,
        unknown=measured.unknown,
        rails=rails,
        notes=(*measured.notes, *listing.notes()),
    )


def _phases(medians: PhaseMedians) -> Phases:
    return Phases(
        resolve=medians.resolve_ms,
        connect=medians.connect_ms,
        tls=medians.tls_ms,
        first_byte=medians.first_byte_ms,
        body=medians.body_ms,
    )


def channel_row(life: ChannelLife) -> ChannelRow:
    state: Literal["waiting", "live", "quiet", "silent", "refused"]
    if life.refused:
        state = "refused"
    elif life.late:
        state = "silent"
    elif not life.data:
        state = "waiting"
    elif life.limit_ms is not None and life.silence_ms > life.limit_ms / 2:
        state = "quiet"
    else:
        state = "live"
    return ChannelRow(
        channel=life.key,
        msgs_s=None,
        silence_ms=life.silence_ms if life.data else None,
        limit_ms=life.limit_ms,
        state=state,
    )


def pair_kind(pair: PairState, *, connected: bool, silent: bool) -> PairKind:
    """Only ``live`` may be read as current: a synced book on a connected socket of a route that is not silent.
    ``refused``: nothing can come, because the venue refuses it or lists it as inactive."""
    if pair.hopeless is not None:
        return "refused"
    if not pair.book.synced:
        return "resyncing" if pair.synced_before else "waiting"
    return "live" if connected and not silent else "stale"


def pair_row(
    pair: PairState,
    ladder: Ladder,
    kind: PairKind,
    signals: SymbolSignals | None,
    *,
    product: Product,
    now_ns: int,
    mono_ns: int,
    offset_ns: int | None,
    offset_err_ms: float | None,
    depth: Mapping[str, Depth],
    stands_for: str | None,
) -> PairRow:
    book, instrument = pair.book, pair.book.instrument
    received_ns = max((t for t in (book.received_mono_ns, pair.quote_mono_ns) if t), default=None)
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
        gap_bps=signals.gap.gap_bps if signals is not None and signals.gap is not None else None,
        unlike=signals is not None and signals.gap is not None and signals.gap.not_same,
        age_ms=shown_age(age_ms, offset_err_ms),
        quiet_ms=None if received_ns is None else max(0.0, (mono_ns - received_ns) / MS),
        mark=mark.mark if mark else None,
        funding_rate=mark.funding_rate if mark else None,
        next_funding_ns=mark.next_funding_ns if mark else None,
        liquidated=pair.liquidated(mono_ns),
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
