"""One simulated order book in whole ticks and lots, so that every decimal text on the wire is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from math import ceil, exp, floor
from random import Random

from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import SimInstrument, TextLevel

FINE_LEVELS = 24
"""Levels with the finest step, next to the best price. Further rings have half as many levels and twice the step."""
REACH = 0.12
"""How far the book reaches from the best price, as a fraction of the price."""
REGRID_STEPS = 6
REGRID_BPS = 6.0
"""The grid of levels is placed again when the best price has moved by both."""
_SIZES = Random("sizes")
NOISE: tuple[float, ...] = tuple(exp(_SIZES.gauss(0.0, 0.6)) for _ in range(1024))
"""Lognormal factors of level sizes. Reading a table costs a tenth of drawing new numbers."""


class DecimalStep:
    """Writes whole numbers of a decimal step as exact text, e.g. 1216000 steps of 0.10 as 121600.00."""

    def __init__(self, step: str) -> None:
        self.decimals = decimals_of(step)
        self.scale = 10**self.decimals
        self.units = round(float(step) * self.scale)
        self.step = self.units / self.scale

    def of(self, count: int) -> str:
        digits = str(count * self.units)
        if not self.decimals:
            return digits
        if len(digits) <= self.decimals:
            digits = digits.zfill(self.decimals + 1)
        return f"{digits[: -self.decimals]}.{digits[-self.decimals :]}"


class Ladder:
    """Both sides as price in ticks -> size in lots. It is never crossed.

    Sizes come from a table of expected lots by rank (the best price is rank 0), made by ``set_expected_sizes``.
    """

    def __init__(self, instrument: SimInstrument, fine_bps: float, mid: float, rng: Random) -> None:
        self.price = DecimalStep(instrument.tick)
        self.size = DecimalStep(instrument.lot)
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.grid = max(1, round(mid * fine_bps / 1e4 / self.price.step))
        self.touched_bids: set[int] = set()
        self.touched_asks: set[int] = set()
        self._rng = rng
        self._expected: list[float] = []
        self._grid_bids: list[int] = []
        self._grid_asks: list[int] = []
        self._touch = (0, 0)
        self._regrid_ticks = REGRID_STEPS * self.grid

    def set_expected_sizes(self, mid: float, half_spread_bps: float, lots_per_bp: Callable[[float], float]) -> None:
        """Sets the expected lots of each rank. ``lots_per_bp``: density of the book at a distance in bp."""
        tick_bps = self.price.step / mid * 1e4
        best = round(mid / self.price.step)
        self._expected = []
        for rank, price in enumerate(positions(best, self.grid, 1, int(best * REACH) + 1)):
            distance_bps = half_spread_bps + (price - best) * tick_bps
            self._expected.append(lots_per_bp(distance_bps) * spacing(rank, self.grid) * tick_bps)
        self._regrid_ticks = max(REGRID_STEPS * self.grid, int(REGRID_BPS / tick_bps))

    def move_to(self, mid: float, half_spread_bps: float, redraw: bool = False) -> None:
        """Moves the best prices to ``mid`` -+ the half spread.

        ``redraw``: new sizes everywhere, since depth has changed.
        """
        grid, step = self.grid, self.price.step
        bid = floor(mid * (1.0 - half_spread_bps / 1e4) / step / grid) * grid
        ask = max(ceil(mid * (1.0 + half_spread_bps / 1e4) / step / grid) * grid, bid + grid)
        if (bid, ask) == self._touch and not redraw:
            return
        self._touch = (bid, ask)
        self._side(self.bids, self.asks, self.touched_bids, self._grid_bids, bid, -1, redraw)
        self._side(self.asks, self.bids, self.touched_asks, self._grid_asks, ask, 1, redraw)

    def churn(self, count: int) -> None:
        """Draws ``count`` level sizes again, more often near the best price than far from it."""
        random = self._rng.random
        for _ in range(count):
            if random() < 0.5:
                book, touched, grid_prices = self.bids, self.touched_bids, self._grid_bids
            else:
                book, touched, grid_prices = self.asks, self.touched_asks, self._grid_asks
            dice = random()
            rank = int(dice * dice * dice * len(grid_prices))
            if rank < len(grid_prices) and grid_prices[rank] in book:
                self._draw(book, touched, grid_prices[rank], rank)

    def best_bid(self) -> int | None:
        return max(self.bids) if self.bids else None

    def best_ask(self) -> int | None:
        return min(self.asks) if self.asks else None

    def level(self, price: int, size: int) -> TextLevel:
        return self.price.of(price), self.size.of(size) if size else "0"

    def image(self, levels: int | None) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        """Both sides best first, at most ``levels`` of each."""
        bids = sorted(self.bids.items(), reverse=True)[:levels]
        asks = sorted(self.asks.items())[:levels]
        return tuple(self.level(*level) for level in bids), tuple(self.level(*level) for level in asks)

    def take_changes(self) -> tuple[tuple[TextLevel, ...], tuple[TextLevel, ...]]:
        """Levels that changed since the last call, best first, with their sizes now. "0": the level is gone."""
        bids = tuple(self.level(price, self.bids.get(price, 0)) for price in sorted(self.touched_bids, reverse=True))
        asks = tuple(self.level(price, self.asks.get(price, 0)) for price in sorted(self.touched_asks))
        self.touched_bids.clear()
        self.touched_asks.clear()
        return bids, asks

    def _side(
        self,
        book: dict[int, int],
        other: dict[int, int],
        touched: set[int],
        grid_prices: list[int],
        best: int,
        away: int,
        redraw: bool,
    ) -> None:
        # levels of the other side at or beyond the new best price have traded away; comparing the extreme first costs a
        # quarter of looking at every price
        if other and (best - (min(other) if away < 0 else max(other))) * away <= 0:
            gone = self.touched_asks if away < 0 else self.touched_bids
            for price in [price for price in other if (best - price) * away <= 0]:
                del other[price]
                gone.add(price)
        if book and ((max(book) if away < 0 else min(book)) - best) * away < 0:
            for price in [price for price in book if (price - best) * away < 0]:
                del book[price]
                touched.add(price)
        if redraw or not grid_prices or abs(best - grid_prices[0]) > self._regrid_ticks:
            self._place_grid(book, touched, grid_prices, best, away, redraw)
            return
        price, last, rank = best, grid_prices[0] + away * (self._regrid_ticks + self.grid), 0
        while (last - price) * away > 0:
            if price not in book:
                self._draw(book, touched, price, min(rank, FINE_LEVELS - 1))
            price += away * self.grid
            rank += 1

    def _place_grid(
        self, book: dict[int, int], touched: set[int], grid_prices: list[int], best: int, away: int, redraw: bool
    ) -> None:
        grid_prices[:] = [price for price in positions(best, self.grid, away, int(best * REACH)) if price > 0]
        for price in book.keys() - set(grid_prices):
            del book[price]
            touched.add(price)
        for rank, (price, usual) in enumerate(zip_longest(grid_prices, self._expected[: len(grid_prices)])):
            # a level that was far and is near now (or the reverse) must not keep its old size
            if redraw or usual is None or not 0.2 * usual <= book.get(price, 0) <= 5.0 * usual + 1:
                self._draw(book, touched, price, rank)

    def _draw(self, book: dict[int, int], touched: set[int], price: int, rank: int) -> None:
        usual = self._expected[min(rank, len(self._expected) - 1)]
        lots = int(usual * NOISE[self._rng.getrandbits(10)] + 0.5)
        if lots > 0:
            book[price] = lots
        elif book.pop(price, None) is None:
            return
        touched.add(price)


def spacing(rank: int, grid: int) -> int:
    """Ticks between the level of a rank and the next."""
    if rank < FINE_LEVELS:
        return grid
    return grid << (1 + (rank - FINE_LEVELS) // (FINE_LEVELS // 2))


def positions(best: int, grid: int, away: int, reach: int) -> Iterator[int]:
    """Prices of a side in ticks, starting at ``best`` and moving ``away`` (-1 bids, 1 asks).

    Beyond the finest ring every price is a multiple of its ring's step, so these levels stay where they are while the
    best price moves, as in real books.
    """
    price = best
    for _ in range(FINE_LEVELS):
        yield price
        price += away * grid
    step = grid
    while abs(price - best) < reach:
        step *= 2
        price = -(-price // step) * step if away > 0 else price // step * step
        for _ in range(FINE_LEVELS // 2):
            yield price
            price += away * step
