"""Which changes of a suggestion become events, and that those of the start do not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from feeds.advise.basis import NO_RATES
from feeds.advise.settings import AdviceSettings
from feeds.books.route_books import RouteBooks
from feeds.collector.advice_inputs import SETTLED_AT_MOST_NS, Advising
from feeds.collector.listing import RouteListing
from feeds.config.watchlists import Watchlist
from feeds.frame import Order
from feeds.judge.figures import RouteSignals
from feeds.model import BookSnapshot, Cause, State
from feeds.venues.sequence import Unsequenced
from tests.feeds.advise.routes import SECOND, SYMBOL, instrument, levels, verdict

HOME, CHEAP = "binance.linear", "okx.linear"
WARMING = (State.UNKNOWN, Cause.WARMING)
OK = (State.OK, None)
LIST = Watchlist(
    name="two",
    symbols=(SYMBOL,),
    patterns=(HOME, CHEAP),
    routes=(HOME, CHEAP),
    home=HOME,
    notionals=(100_000.0,),
    side="buy",
)


class Route:
    """A route with a full book, as far as advice asks."""

    def __init__(self, route: str, taker_fee: float) -> None:
        listed = instrument(route, taker_fee=taker_fee)
        self.books = RouteBooks(
            route,
            SimpleNamespace(rule=lambda product: Unsequenced()),
            "linear",
            [listed],
            resync=lambda symbol, origin: None,
            notice=lambda text, until: None,
            log_event=lambda code, text: None,
        )
        bids, asks = levels(99_999.0, -1.0, 50.0, 20), levels(100_001.0, 1.0, 50.0, 20)
        self.books.rest_book(BookSnapshot(symbol=SYMBOL, bids=list(bids.items()), asks=list(asks.items())), 1)

    def carries(self, symbol: str) -> bool:
        return True


class Session:
    def __init__(self) -> None:
        self.advising = Advising(AdviceSettings())
        self.routes = {HOME: Route(HOME, 0.001), CHEAP: Route(CHEAP, 0.0002)}
        self.session: Any = SimpleNamespace(  # as far as advice reads a session
            watchlist=LIST,
            order=Order(side="buy", notional=100_000.0),
            routes=self.routes,
            listings={route: RouteListing(LIST.symbols) for route in self.routes},
            transfers=SimpleNamespace(by_venue={}),
            pair=lambda route, symbol: self.routes[route].books.pairs[symbol],
        )
        self.second = 0

    def second_with(
        self, home: tuple[State, Cause | None], cheap: tuple[State, Cause | None]
    ) -> tuple[str | None, list[str]]:
        """(suggestion, news) of another second in which the routes were judged so."""
        self.second += 1
        judged = {HOME: verdict(HOME, *home), CHEAP: verdict(CHEAP, *cheap)}
        signals = {route: RouteSignals(route=route) for route in self.routes}
        (row,) = self.advising.advise(
            self.second * SECOND, self.second * SECOND, self.session, judged, signals, NO_RATES
        )
        return row.best, self.advising.changes()


def test_what_is_found_while_routes_warm_up_is_shown_but_is_no_news() -> None:
    session = Session()
    said = [session.second_with(WARMING, WARMING)]
    said += [session.second_with(OK, WARMING) for _ in range(5)]
    said += [session.second_with(OK, OK) for _ in range(60)]
    assert [best for best, _ in said] == [None] + [HOME] * 5 + [CHEAP] * 60, "who came first has no claim"
    assert [news for _, news in said if news] == []


def test_a_change_after_the_start_is_told_with_the_reason() -> None:
    session = Session()
    session.second_with(OK, OK)
    session.second_with(OK, OK)
    assert session.second_with(OK, (State.DOWN, None)) == (HOME, [f"buy 100,000 {SYMBOL}: {CHEAP} -> {HOME}"])
    best, news = session.second_with((State.DOWN, None), (State.DOWN, None))
    assert best is None and news[0].startswith(f"buy 100,000 {SYMBOL}: no route can be recommended now ({HOME} is out")
    assert session.second_with((State.DOWN, None), OK)[1] == [
        f"buy 100,000 {SYMBOL}: {CHEAP} can be recommended now ({HOME} is out: down for 5 s)"
    ]


def test_a_route_that_never_comes_does_not_silence_the_news_for_ever() -> None:
    session = Session()
    for _ in range(SETTLED_AT_MOST_NS // SECOND + 2):
        session.second_with(OK, WARMING)
    assert session.second_with((State.DOWN, None), WARMING)[1] != []


def test_a_route_that_warms_up_again_later_is_told_of() -> None:
    session = Session()
    session.second_with(OK, OK)
    session.second_with(OK, OK)
    assert session.second_with(OK, WARMING)[1] == [f"buy 100,000 {SYMBOL}: {CHEAP} -> {HOME}"]
