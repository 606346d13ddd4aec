"""One gap: the board's row, the verdict's reason and the advice show the same figure, across quote currencies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from feeds.advise.basis import rates_of
from feeds.advise.settings import AdviceSettings
from feeds.books.route_books import RouteBooks
from feeds.collector.advice_inputs import Advising
from feeds.collector.rows import bands, pair_row
from feeds.config.watchlists import Watchlist
from feeds.frame import AdviceRow, Order, PairRow
from feeds.judge.judge import Judge
from feeds.measure.book_checks import book_sample
from feeds.model import BookSnapshot, Cause, State, quote_of
from feeds.samples import BookSample, RatesSample
from feeds.venues.sequence import Unsequenced
from tests.feeds.advise.routes import SECOND, SYMBOL, instrument, levels
from tests.feeds.judge.series import START_NS, World, calm

ODD = "gate.linear"
LISTED = {
    "binance.linear": "BTC/USDT:USDT",
    "okx.linear": "BTC/USDT:USDT",
    "bybit.linear": "BTC/USDC:USDC",
    "deribit.linear": "BTC/USD:USD",
    ODD: "BTC/USDT:USDT",
}
RATES = rates_of([("USDC/USDT", 0.9990, 0.9992), ("USDT/USD", 0.9985, 0.9987)])
LIST = Watchlist(
    name="five",
    symbols=(SYMBOL,),
    patterns=tuple(LISTED),
    routes=tuple(LISTED),
    home=ODD,
    notionals=(100_000.0,),
    side="buy",
)


class Route:
    """A route with one book, in the currency it lists the symbol in."""

    def __init__(self, route: str, symbol: str) -> None:
        self.route, self.symbol = route, symbol
        currency = quote_of(symbol)
        listed = instrument(route, symbol=symbol, quote=currency, settle=currency)
        self.books = RouteBooks(
            route,
            SimpleNamespace(rule=lambda product: Unsequenced()),
            "linear",
            [listed],
            resync=lambda symbol, origin: None,
            notice=lambda text, until: None,
            log_event=lambda code, text: None,
        )

    def price(self, usdt: float) -> None:
        rate = RATES.of("USDT", quote_of(self.symbol))
        assert rate is not None
        mid = usdt * rate.rate
        bids, asks = levels(mid - 1.0, -1.0, 50.0, 20), levels(mid + 1.0, 1.0, 50.0, 20)
        self.books.rest_book(BookSnapshot(symbol=self.symbol, bids=list(bids.items()), asks=list(asks.items())), 1)

    def carries(self, symbol: str) -> bool:
        return True


class Day:
    """Five routes in three currencies through judge, board and advice; one price becomes odd."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {route: Route(route, symbol) for route, symbol in LISTED.items()}
        self.judge = Judge(tuple(LISTED))
        self.advising = Advising(AdviceSettings())
        self.session: Any = SimpleNamespace(  # as far as advice reads a session
            watchlist=LIST,
            order=Order(side="buy", notional=100_000.0),
            routes=self.routes,
            listings={route: SimpleNamespace(actual=lambda _, own=own: own) for route, own in LISTED.items()},
            transfers=SimpleNamespace(by_venue={}),
            pair=lambda route, _: self.routes[route].books.pairs[LISTED[route]],
        )
        # everything but books: those come from the routes above
        self.rest = [s for s in World(calm, routes=tuple(LISTED)).samples(200) if not isinstance(s, BookSample)]
        self.second = 0

    def passes(self, seconds: int, odd_bps: float) -> tuple[dict[str, PairRow], AdviceRow]:
        for _ in range(seconds):
            self.second += 1
            now_ns = START_NS + self.second * SECOND
            while self.rest and self.rest[0].t_ns < now_ns:
                self.judge.observe(self.rest.pop(0))
            self.judge.observe(RatesSample(t_ns=now_ns, rates=RATES.table()))
            for route, watch in self.routes.items():
                watch.price(100_000.0 * (1 + (odd_bps / 1e4 if route == ODD else 0.0)))
                self.judge.observe(book_sample(route, watch.books.pairs[watch.symbol], now_ns, now_ns))
            verdicts = self.judge.verdicts(now_ns + SECOND // 2)
        self.verdicts = verdicts
        signals = {route: self.judge.signals(route) for route in self.routes}
        (advice,) = self.advising.advise(now_ns, now_ns, self.session, verdicts, signals, RATES)
        rows = {}
        for route, watch in self.routes.items():
            pair = watch.books.pairs[watch.symbol]
            ladder = pair.book.ladder()
            rows[route] = pair_row(
                pair,
                ladder,
                "live",
                signals[route].symbols[watch.symbol],
                product="linear",
                now_ns=now_ns,
                mono_ns=now_ns,
                offset_ns=0,
                offset_err_ms=None,
                depth=bands(ladder),
                stands_for=SYMBOL,
            )
        return rows, advice


def test_board_reason_and_advice_show_the_same_gap() -> None:
    day = Day()
    rows, advice = day.passes(90, 0.0)
    assert all(row.gap_bps == pytest.approx(0.0, abs=1e-6) for row in rows.values()), "whatever the currency"
    assert not advice.excluded and {v.state for v in day.verdicts.values()} == {State.OK}

    rows, advice = day.passes(1, 80.0)
    (out,) = advice.excluded
    assert (out.route, out.why) == (ODD, f"its price is {rows[ODD].gap_bps:.0f} bp above the others")
    assert rows[ODD].gap_bps == pytest.approx(80.0)

    rows, advice = day.passes(20, 80.0)
    verdict = day.verdicts[ODD]
    (reason,) = (r for r in verdict.reasons if r.signal.startswith("gap_bps."))
    assert (verdict.state, verdict.cause) == (State.SUSPECT, Cause.PRICE)
    assert reason.value == rows[ODD].gap_bps
    assert "mid +80 bp from 4 other books" in reason.text
    (out,) = advice.excluded
    assert out.route == ODD and out.why.endswith(reason.text)
    assert all(row.gap_bps == pytest.approx(0.0, abs=1e-6) for route, row in rows.items() if route != ODD)
