"""One simulated order book: whole numbers of ticks and lots, so that every text on the wire is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, exp, floor
from random import Random

from feeds.sim.listing import decimals_of
from feeds.sim.twin import SimInstrument, TextLevel

FINE_LEVELS = 24
"""Levels at the finest step next to the touch; each further ring of half as many has twice the step of the last."""
REACH = 0.12
"""How far from the touch the book goes, as a fraction of the price."""
RELAY_STEPS = 6
"""The grid is laid anew when the touch has moved by this many fine steps."""
_SIZES = Random("sizes")
NOISE: tuple[float, ...] = tuple(exp(_SIZES.gauss(0.0, 0.6)) for _ in range(1024))
"""Lognormal factors of level sizes; drawing from a table costs a tenth of drawing anew."""


class Texts:
    """Whole numbers of a decimal step as exact decimal text, e.g. 1216000 steps of 0.10 as 121600.00."""

    def __init__(self, step: str) -> None:
        self.decimals = decimals_of(step)
        self.scale = 10**self.decimals
        self.units = round(float(step) * self.scale)
        self.step = self.units / self.scale

    def of(self, count: int) -> str:
        if not self.decimals:
            return str(count * self.units)
        whole, fraction = divmod(count * self.units, self.scale)
        return f"{whole}.{fraction:0{self.decimals}d}"


class Ladder:
    """Both sides as price in ticks -> size in lots; an absent price is empty. Nothing in it is ever crossed.

    ``density(distance_bps)`` says how many lots one basis point holds at a distance from mid; the ladder multiplies it
    by its own spacing and by noise.
    """

    def __init__(self, instrument: SimInstrument, fine_bps: float, mid: float, rng: Random) -> None:
        self.price = Texts(instrument.tick)
        self.size = Texts(instrument.lot)
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.grid = max(1, round(mid * fine_bps / 1e4 / self.price.step))
        self.touched_bids: set[int] = set()
        self.touched_asks: set[int] = set()
        self._rng = rng
        self._laid_bids: list[int] = []
        self._laid_asks: list[int] = []
        self._touch = (0, 0)

    def follow(self, mid: float, half_spread_bps: float, density: Callable[[float], float], anew: bool = False) -> None:
        """Moves the touch to ``mid`` -+ the half spread. ``anew`` draws every size again (depth has changed)."""
        grid, step = self.grid, self.price.step
        bid = floor(mid * (1.0 - half_spread_bps / 1e4) / step / grid) * grid
        ask = max(ceil(mid * (1.0 + half_spread_bps / 1e4) / step / grid) * grid, bid + grid)
        if (bid, ask) == self._touch and not anew:
            return
        self._touch = (bid, ask)
        self._side(self.bids, self.asks, self.touched_bids, self._laid_bids, bid, -1, mid, density, anew)
        self._side(self.asks, self.bids, self.touched_asks, self._laid_asks, ask, 1, mid, density, anew)

    def churn(self, count: int, mid: float, density: Callable[[float], float]) -> None:
        """Draws ``count`` level sizes again, near the touch more often than far from it."""
        random = self._rng.random
        for _ in range(count):
            if random() < 0.5:
                book, touched, laid = self.bids, self.touched_bids, self._laid_bids
            else:
                book, touched, laid = self.asks, self.touched_asks, self._laid_asks
            if laid:
                dice = random()
                index = int(dice * dice * dice * len(laid))
                if laid[index] in book:
                    self._draw(book, touched, laid[index], self._spacing(index), mid, density)

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
        """Levels touched since the last call, best first, with their present sizes; "0" where one is gone."""
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
        laid: list[int],
        best: int,
        away: int,
        mid: float,
        density: Callable[[float], float],
        anew: bool,
    ) -> None:
        # whatever of the other side stands at or through the new best has traded away; finding the extreme of a dict
        # first costs a quarter of looking at every price
        if other and (best - (min(other) if away < 0 else max(other))) * away <= 0:
            gone = self.touched_asks if away < 0 else self.touched_bids
            for price in [price for price in other if (best - price) * away <= 0]:
                del other[price]
                gone.add(price)
        if book and ((max(book) if away < 0 else min(book)) - best) * away < 0:
            for price in [price for price in book if (price - best) * away < 0]:
                del book[price]
                touched.add(price)
        first = laid[0] if laid else None
        if anew or first is None or abs(best - first) > RELAY_STEPS * self.grid:
            self._lay(book, touched, laid, best, away, mid, density, anew)
            return
        price, last = best, first + away * RELAY_STEPS * self.grid
        while (last - price) * away > 0:
            if price not in book:
                self._draw(book, touched, price, self.grid, mid, density)
            price += away * self.grid

    def _lay(
        self,
        book: dict[int, int],
        touched: set[int],
        laid: list[int],
        best: int,
        away: int,
        mid: float,
        density: Callable[[float], float],
        anew: bool,
    ) -> None:
        laid[:] = [price for price in positions(best, self.grid, away, int(best * REACH)) if price > 0]
        wanted = set(laid)
        for price in [price for price in book if price not in wanted]:
            del book[price]
            touched.add(price)
        for index, price in enumerate(laid):
            if anew or price not in book:
                self._draw(book, touched, price, self._spacing(index), mid, density)

    def _draw(
        self,
        book: dict[int, int],
        touched: set[int],
        price: int,
        spacing: int,
        mid: float,
        density: Callable[[float], float],
    ) -> None:
        per_tick_bps = self.price.step / mid * 1e4
        distance_bps = abs(price * self.price.step / mid - 1.0) * 1e4
        lots = int(density(distance_bps) * spacing * per_tick_bps * NOISE[self._rng.getrandbits(10)] + 0.5)
        if lots > 0:
            book[price] = lots
        elif book.pop(price, None) is None:
            return
        touched.add(price)

    def _spacing(self, index: int) -> int:
        """Ticks between a laid level and the next."""
        if index < FINE_LEVELS:
            return self.grid
        return self.grid << (1 + (index - FINE_LEVELS) // (FINE_LEVELS // 2))


def positions(best: int, grid: int, away: int, reach: int) -> Iterator[int]:
    """Prices in ticks of a side whose touch is ``best``, best first, ``away`` (-1 bids, 1 asks) from it.

    Beyond the finest ring every level is a multiple of its ring's step, so that the grid stands still in price while
    the touch moves, as real books do.
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
