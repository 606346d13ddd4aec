"""A watchlist under measurement: all that begins when it is chosen and ends when another is."""

from __future__ import annotations

from msgspec import Struct

from feeds.advise import basis
from feeds.books.ladder import Ladder
from feeds.collector.advice_inputs import Advising
from feeds.config.watchlists import Watchlist
from feeds.frame import AdviceRow, Depth, Order, RailRow, RouteRow
from feeds.instruments.loader import InstrumentLoader
from feeds.judge.figures import RouteSignals
from feeds.judge.judge import Judge
from feeds.measure.contract import MonitoredRoute
from feeds.measure.transfers import RailsWatch
from feeds.measure.venue_status import StatusWatch
from feeds.model import Verdict


class WatchSession(Struct, kw_only=True):
    """The watchlist under measurement, with all that ends when another is chosen."""

    watchlist: Watchlist
    routes: dict[str, MonitoredRoute]
    judge: Judge
    advising: Advising
    instruments: InstrumentLoader
    tasks: list[StatusWatch | RailsWatch]
    rails: dict[str, tuple[RailRow, ...]]
    """By venue."""
    across: bool
    """Some routes quote in another dollar currency than the watched symbols: the basis between them is watched."""
    home: str | None
    order: Order
    rates: basis.Rates = basis.NO_RATES
    verdicts: dict[str, Verdict] = {}
    signals: dict[str, RouteSignals] = {}
    rows: tuple[RouteRow, ...] = ()
    advice: tuple[AdviceRow, ...] = ()
    depths: dict[tuple[str, str], tuple[Ladder, dict[str, Depth]]] = {}
