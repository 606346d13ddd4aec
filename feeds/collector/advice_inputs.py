"""Advice for every watched symbol, once a second: gathers what the adviser needs and notes what it suggests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from feeds.advise.adviser import Adviser
from feeds.advise.basis import Rates, converted
from feeds.advise.route_view import RouteView
from feeds.advise.settings import AdviceSettings
from feeds.advise.suggestion_changes import SuggestionChanges
from feeds.advise.volatility import Volatility
from feeds.collector.freshness import known_silent, shown_age
from feeds.collector.session import WatchSession
from feeds.consensus import reference_mid
from feeds.frame import AdviceRow, Excluded, RailRow
from feeds.judge.figures import RouteSignals
from feeds.measure.transfers import warning
from feeds.model import Cause, Verdict, quote_of, venue_of

SETTLED_AT_MOST_NS = 60_000_000_000
"""Suggestions count from this time after the start on, even where routes are still warming up."""


class Advising:
    """Advice for one watchlist, from its first second on."""

    def __init__(self, settings: AdviceSettings) -> None:
        self._adviser = Adviser(settings)
        self._volatility: dict[str, Volatility] = {}
        self._begun_ns: dict[str, int] = {}
        self._settled: set[str] = set()
        self._changes = SuggestionChanges()

    def observe(self, mono_ns: int, mids: Mapping[tuple[str, str], float]) -> None:
        """Once a second: ``mids`` by (route, symbol). A symbol's volatility is that of its routes' median mid."""
        by_symbol: dict[str, list[float]] = {}
        for (_, symbol), mid in mids.items():
            by_symbol.setdefault(symbol, []).append(mid)
        for symbol, values in by_symbol.items():
            middle = reference_mid(values)
            if middle is not None:
                self._volatility.setdefault(symbol, Volatility()).add(mono_ns, middle)

    def awoke(self) -> None:
        for volatility in self._volatility.values():
            volatility.interrupted()

    def advise(
        self,
        now_ns: int,
        mono_ns: int,
        session: WatchSession,
        verdicts: Mapping[str, Verdict],
        signals: Mapping[str, RouteSignals],
        rates: Rates,
    ) -> Iterator[AdviceRow]:
        """A row for each symbol, lazily: all of them take dozens of milliseconds where much is watched, and the caller
        lets the sockets be read in between. ``now_ns`` dates suggestions, ``mono_ns`` tells how long they last."""
        watchlist = session.watchlist
        for symbol in watchlist.symbols:
            views = {
                route: self._view(session, route, symbol, verdicts[route], signals[route], rates)
                for route, watched in watchlist.pairs
                if watched == symbol
            }
            settling = self._settling(symbol, views, mono_ns)
            home = watchlist.home_for(symbol)
            row = self._adviser.advise(session.order, symbol, views, now_ns, home=home, mono_ns=mono_ns)
            row = msgspec.structs.replace(row, flags=_flags(row, session.transfers.by_venue))
            self._changes.observe(row, silent=settling)
            yield row

    def changes(self) -> list[str]:
        """Changes of suggestions since the last call, in sentences."""
        return self._changes.take()

    def _settling(self, symbol: str, views: Mapping[str, RouteView], mono_ns: int) -> bool:
        """True while routes still warm up after the start: a change of the suggestion is not logged then.

        When they are done the adviser forgets its suggestion once, so that the route that was ready first keeps no
        advantage.
        """
        if symbol in self._settled:
            return False
        begun_ns = self._begun_ns.setdefault(symbol, mono_ns)
        if mono_ns - begun_ns < SETTLED_AT_MOST_NS and any(v.verdict.cause is Cause.WARMING for v in views.values()):
            return True
        self._settled.add(symbol)
        self._adviser.forget(symbol)
        return True

    def _view(
        self, session: WatchSession, route: str, symbol: str, verdict: Verdict, signals: RouteSignals, rates: Rates
    ) -> RouteView:
        """What the adviser must know of one route: its book in the order's currency, and how far to trust it."""
        pair = session.pair(route, symbol)
        instrument = pair.book.instrument if pair is not None else None
        ladder = pair.book.ladder() if pair is not None else None
        basis_bps: float | None = None
        if instrument is not None and ladder is not None and instrument.quote != quote_of(symbol):
            rate = rates.of(instrument.quote, quote_of(symbol))
            if rate is not None:  # without one the adviser excludes the route, and says why
                instrument = msgspec.structs.replace(instrument, quote=quote_of(symbol))
                ladder, basis_bps = converted(ladder, rate.rate), rate.half_spread_bps
        figures = signals.symbols.get(session.listings[route].actual(symbol))
        volatility = self._volatility.get(symbol)
        failures = [s for s in (signals.error_share, signals.rest_lost_share) if s is not None]
        return RouteView(
            instrument=instrument,
            ladder=ladder,
            verdict=verdict,
            feed_age_ms=shown_age(signals.feed_age_p50_ms, signals.offset_err_ms),
            rtt_ms=signals.rest_p50_ms,
            volatility_bps=volatility.bps_per_sqrt_s if volatility is not None else None,
            error_share=max(failures) if failures else None,
            fresh=session.routes[route].carries(session.listings[route].actual(symbol)) and not known_silent(verdict),
            synced=pair is not None and pair.book.synced,
            basis_bps=basis_bps,
            gap=figures.gap if figures is not None else None,
        )


def _flags(row: AdviceRow, rails: Mapping[str, tuple[RailRow, ...]]) -> tuple[Excluded, ...]:
    """Warnings about coins that come out slowly or not at all, for the routes that could be used."""
    coins = (row.symbol.partition("/")[0], quote_of(row.symbol))
    found = ((cost.route, warning(rails.get(venue_of(cost.route), ()), coins)) for cost in row.costs)
    return tuple(Excluded(route=route, why=why) for route, why in found if why is not None)
