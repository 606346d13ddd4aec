"""The picture: what a watchlist under measurement looks like now, as rows of a frame. Reads, judges nothing."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from feeds.advise import basis
from feeds.books.ladder import Ladder
from feeds.books.route_books import PairState
from feeds.collector import normal, row_figures
from feeds.collector.process_usage import Usage, rss_mb
from feeds.collector.session import WatchSession
from feeds.frame import BasisRow, PairRow, RouteRow, SelfRow, Spread2
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import MonitoredRoute
from feeds.model import venue_of


def route_row(watched: WatchSession, route: str) -> RouteRow:
    watch = watched.routes[route]
    board = watch.board
    notes = [*watch.notes, *([watch.market_note] if watch.market_note else [])]
    if watch.listed is None:
        notes.append("Instruments are not known yet: the venue is being asked.")
    return row_figures.route_row(
        route,
        watch.product,
        watched.verdicts[route],
        watched.signals[route],
        channels=watch.channel_rows(),
        sockets_up=watch.sockets_up,
        sockets=watch.sockets,
        gaps=board.gaps if board is not None else 0,
        resyncs=board.resyncs if board is not None else 0,
        reconnects=watch.reconnects,
        garbled=watch.garbled,
        unknown=watch.unknown,
        offset_ms=watch.offset.offset_ms,
        offset_err_ms=watch.offset.error_ms,
        rails=watched.rails.get(venue_of(route)),
        notes=tuple(notes),
    )


def own_row(watched: WatchSession, usage: Usage, offsets: Collection[OffsetEstimator]) -> SelfRow:
    own = watched.judge.own()
    rates = [s.msgs_s for s in watched.signals.values() if s.msgs_s is not None]
    return SelfRow(
        loop_lag_ms=Spread2(own.loop_lag_p50_ms, own.loop_lag_p99_ms),
        backlog=own.backlog,
        witness=own.witness,
        witness_ms=own.witness_ms,
        witness_since_ns=own.witness_since_ns,
        clock=clock_statement(own.clock, offsets),
        late=normal.is_own_late(own.loop_lag_p99_ms),
        cpu_share=usage.cpu_share(),
        rss_mb=rss_mb(),
        msgs_s=sum(rates) if rates else None,
    )


def clock_statement(stepped: str, offsets: Iterable[OffsetEstimator]) -> str:
    """How our clock compares with the venues', by their median: one venue's wrong clock does not count."""
    best = [(o.offset_ms, o.error_ms) for o in offsets]
    known = [(offset, error) for offset, error in best if offset is not None and error is not None]
    if not known:
        return "not yet compared with any venue's"
    offset = statistics.median(o for o, _ in known)
    error = min(e for _, e in known)
    step = "; it stepped lately" if stepped == "stepped" else ""
    if abs(offset) <= error:
        return f"agrees with {len(known)} routes within {error:.1f} ms{step}"
    word = "behind" if offset > 0 else "ahead of"
    return f"{abs(offset):.1f} ms {word} the median of {len(known)} routes, ± {error:.1f} ms{step}"


Taken: TypeAlias = tuple[PairState, Ladder]
"""A pair and what its book was when it was looked at."""


def ladders(watched: WatchSession) -> Iterator[tuple[tuple[str, str], Taken]]:
    """By (route, watched symbol), one at a time: deriving them is most of what a frame costs."""
    for route, symbol in watched.watchlist.pairs:
        watch = watched.routes[route]
        pair = watch.board.pairs.get(watch.actual(symbol)) if watch.board is not None else None
        if pair is not None:
            yield (route, symbol), (pair, pair.book.ladder())


def pair_rows(
    watched: WatchSession, taken: Mapping[tuple[str, str], Taken], now_ns: Callable[[], int]
) -> Iterator[PairRow]:
    """One at a time, of the ladders ``taken``; a row's ages are those of the moment in which it is made."""
    by_symbol: dict[str, dict[str, float]] = {}
    for (route, symbol), (pair, ladder) in taken.items():
        if row_figures.known_silent(watched.verdicts.get(route)):
            continue
        rate = watched.rates.of(basis.quote_of(pair.book.instrument.symbol), basis.quote_of(symbol))
        if ladder.mid is not None and rate is not None:
            by_symbol.setdefault(symbol, {})[route] = ladder.mid * rate.rate
    gaps = {symbol: row_figures.gaps_bps(mids) for symbol, mids in by_symbol.items()}
    for route, symbol in watched.watchlist.pairs:
        watch, gap_bps = watched.routes[route], gaps.get(symbol, {}).get(route)
        yield _pair_row(watched, watch, symbol, taken.get((route, symbol)), gap_bps, now_ns())


def _pair_row(
    watched: WatchSession, watch: MonitoredRoute, wanted: str, taken: Taken | None, gap_bps: float | None, now_ns: int
) -> PairRow:
    symbol = watch.actual(wanted)
    if taken is None:
        known = watch.listed is not None and symbol not in watch.listed
        return row_figures.unlisted_row(watch.route, symbol, "absent" if known else "waiting")
    pair, ladder = taken
    symbol = pair.book.instrument.symbol
    key = (watch.route, symbol)
    kept = watched.depths.get(key)
    if kept is None or kept[0] is not ladder:
        kept = watched.depths[key] = (ladder, row_figures.bands(ladder))
    signals = watched.signals.get(watch.route)
    kind = row_figures.pair_kind(
        pair,
        connected=watch.carries(symbol),
        known_silent=row_figures.known_silent(watched.verdicts.get(watch.route)),
        ever=symbol in watch.ever_synced,
    )
    return row_figures.pair_row(
        pair.book.instrument,
        watch.product,
        pair,
        kind,
        ladder,
        signals.symbols.get(symbol) if signals is not None else None,
        now_ns=now_ns,
        offset_ns=watch.offset.fine_offset_ns,
        offset_err_ms=watch.offset.error_ms,
        gap_bps=gap_bps,
        depth=kept[1],
        stands_for=wanted if wanted != symbol else None,
    )


def rates(watched: WatchSession) -> basis.Rates:
    books = []
    for route, watch in watched.routes.items():
        if watch.board is None or row_figures.known_silent(watched.verdicts.get(route)):
            continue
        for pair in basis.PAIRS:
            state = watch.board.pairs.get(pair)
            if state is not None and watch.carries(pair):
                ladder = state.book.ladder()
                if ladder.best_bid is not None and ladder.best_ask is not None:
                    books.append((pair, ladder.best_bid, ladder.best_ask))
    return basis.rates_of(books)


def basis_pairs(watched: WatchSession, listed: Collection[str]) -> list[str]:
    """Stablecoin pairs of a spot route, as long as few others watch the same."""
    pairs = []
    for pair in basis.PAIRS:
        others = sum(1 for w in watched.routes.values() if w.board is not None and pair in w.board.pairs)
        if pair in listed and others < basis.ROUTES_PER_PAIR:
            pairs.append(pair)
    return pairs


def basis_rows(watched: WatchSession) -> tuple[BasisRow, ...]:
    return tuple(
        BasisRow(pair=f"{a}/{b}", rate=r.rate, half_spread_bps=r.half_spread_bps, routes=r.routes)
        for (a, b), r in watched.rates.known.items()
        if f"{a}/{b}" in basis.PAIRS
    )
