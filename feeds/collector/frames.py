"""Makes frames: what is known at one moment, from the session's books and the last second's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from feeds.books.ladder import Ladder
from feeds.clock import Clock
from feeds.collector import basis_books
from feeds.collector.assessment import Assessment
from feeds.collector.event_log import EventLog
from feeds.collector.freshness import known_silent
from feeds.collector.in_turns import in_turns
from feeds.collector.rows import bands, pair_kind, pair_row, unlisted_row
from feeds.collector.session import BookView, WatchSession
from feeds.collector.summary import depth_totals, summary
from feeds.frame import Depth, Frame, PairRow, SelfRow


class FrameMaker:
    """Numbers its frames. Keeps the depth of every book until the book changes: computing it is dear."""

    def __init__(self, clock: Clock, *, vantage: str, watchlists: Sequence[str], scenario: str | None) -> None:
        """``scenario``: its name where the venues are simulated."""
        self._clock = clock
        self._vantage, self._watchlists, self._scenario = vantage, tuple(watchlists), scenario
        self._started_ns = clock.time_ns()
        self._number = 0
        self._gap_ns = 0
        """Wall clock minus monotonic clock, when the present frame was begun."""
        self._session: WatchSession | None = None
        self._depths: dict[tuple[str, str], tuple[Ladder, dict[str, Depth]]] = {}

    async def make(
        self, session: WatchSession, assessment: Assessment, own: SelfRow, events: EventLog, *, stood_ns: int = 0
    ) -> Frame:
        """The sockets are read in between: see ``in_turns``. ``stood_ns``: for how long the monotonic clock has stood
        still in sleeps."""
        if session is not self._session:
            self._session, self._depths = session, {}
        # the ages of all pairs go by one reading of the wall clock: it may be set in the midst of them
        self._gap_ns = self._clock.time_ns() - self._clock.monotonic_ns()
        books = dict([found async for found in in_turns(session.books())])
        pairs = [row async for row in in_turns(self._pair_rows(session, assessment, books))]
        depth = [total async for total in in_turns(depth_totals(session.watchlist.symbols, pairs), at_once=1)]
        self._number += 1
        return Frame(
            t_ns=self._clock.time_ns(),
            mono_ns=self._clock.monotonic_ns() + stood_ns,
            number=self._number,
            vantage=self._vantage,
            watchlist=session.watchlist.name,
            watchlists=self._watchlists,
            simulated=self._scenario,
            started_ns=self._started_ns,
            symbols=session.watchlist.symbols,
            home=session.watchlist.home,
            order=session.order,
            routes=assessment.routes,
            pairs=tuple(pairs),
            summary=summary(assessment.routes, session.watchlist.home, own),
            depth=tuple(depth),
            advice=assessment.advice,
            basis=basis_books.rows(assessment.rates),
            own=own,
            events=events.rows(),
        )

    def _pair_rows(
        self, session: WatchSession, assessment: Assessment, books: Mapping[tuple[str, str], BookView]
    ) -> Iterator[PairRow]:
        """One at a time; a row's ages are those of the moment in which it is made."""
        for route, symbol in session.watchlist.pairs:
            view = books.get((route, symbol))
            if view is None:
                listing = session.listings[route]
                own_symbol = listing.actual(symbol)
                yield unlisted_row(route, own_symbol, "absent" if listing.absent(own_symbol) else "waiting")
            else:
                yield self._pair_row(session, assessment, route, symbol, view)

    def _pair_row(
        self,
        session: WatchSession,
        assessment: Assessment,
        route: str,
        symbol: str,
        view: BookView,
    ) -> PairRow:
        pair, ladder = view
        measured, instrument = session.routes[route], pair.book.instrument
        signals = assessment.signals.get(route)
        mono_ns = self._clock.monotonic_ns()
        return pair_row(
            pair,
            ladder,
            pair_kind(
                pair,
                connected=measured.carries(instrument.symbol),
                silent=known_silent(assessment.verdicts.get(route)),
            ),
            signals.symbols.get(instrument.symbol) if signals is not None else None,
            product=measured.product,
            now_ns=mono_ns + self._gap_ns,
            mono_ns=mono_ns,
            offset_ns=measured.offset.fine_offset_ns,
            offset_err_ms=measured.offset.error_ms,
            depth=self._depth((route, instrument.symbol), ladder),
            stands_for=symbol if symbol != instrument.symbol else None,
        )

    def _depth(self, key: tuple[str, str], ladder: Ladder) -> dict[str, Depth]:
        kept = self._depths.get(key)
        if kept is None or kept[0] is not ladder:
            kept = self._depths[key] = (ladder, bands(ladder))
        return kept[1]
