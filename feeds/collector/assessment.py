"""What is worked out once a second: samples are taken, routes judged, routes advised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from msgspec import Struct

from feeds.advise import basis
from feeds.collector import basis_books
from feeds.collector.advice_inputs import Advising
from feeds.collector.event_log import EventLog
from feeds.collector.in_turns import in_turns
from feeds.collector.rows import route_row
from feeds.collector.session import WatchSession
from feeds.collector.watched import watch_sample
from feeds.frame import AdviceRow, RouteRow
from feeds.judge.figures import RouteSignals
from feeds.judge.judge import Judge
from feeds.model import Verdict, venue_of
from feeds.samples import RatesSample


class Assessment(Struct, frozen=True, kw_only=True):
    """The results of the last full second; empty before the first."""

    verdicts: Mapping[str, Verdict] = {}
    signals: Mapping[str, RouteSignals] = {}
    rates: basis.Rates = basis.NO_RATES
    routes: tuple[RouteRow, ...] = ()
    advice: tuple[AdviceRow, ...] = ()


class Assessor:
    """Judge and adviser of one session. State changes and new suggestions become events."""

    def __init__(self, session: WatchSession, judge: Judge, advising: Advising, events: EventLog) -> None:
        self._session, self._judge, self._advising, self._events = session, judge, advising, events
        self.latest = Assessment()

    def awoke(self) -> None:
        """We slept: how prices moved meanwhile is not known."""
        self._advising.awoke()

    async def second(self, now_ns: int, mono_ns: int) -> None:
        """``now_ns`` dates what is shown, intervals are taken from ``mono_ns``. The sockets are read in between: see
        ``in_turns``."""
        session = self._session
        rates = basis_books.rates(session.routes, self.latest.verdicts)
        self._judge.observe(RatesSample(t_ns=now_ns, mono_ns=mono_ns, rates=rates.table()))
        for name, route in session.routes.items():
            route.sample()
            self._judge.observe(watch_sample(route, session.listings[name], now_ns, mono_ns))
            await asyncio.sleep(0)
        verdicts = dict(self._judge.verdicts(now_ns, mono_ns))
        for name, verdict in verdicts.items():
            self._events.state_change(now_ns, self.latest.verdicts.get(name), verdict)
        signals = {name: self._judge.signals(name) for name in session.routes}
        rows = tuple(self._route_row(name, verdicts[name], signals[name]) for name in session.routes)
        mids = {
            (key[0], pair.book.instrument.symbol): ladder.mid
            async for key, (pair, ladder) in in_turns(session.books())
            if ladder.mid is not None
        }
        self._advising.observe(mono_ns, mids)
        advice = self._advising.advise(now_ns, mono_ns, session, verdicts, signals, rates)
        advice_rows = tuple([row async for row in in_turns(advice, at_once=1)])
        for text in self._advising.changes():
            self._events.add(now_ns, "info", "advice", None, text)
        self.latest = Assessment(verdicts=verdicts, signals=signals, rates=rates, routes=rows, advice=advice_rows)

    def _route_row(self, name: str, verdict: Verdict, signals: RouteSignals) -> RouteRow:
        session = self._session
        transfers = session.transfers.by_venue.get(venue_of(name))
        return route_row(session.routes[name], session.listings[name], verdict, signals, transfers)
