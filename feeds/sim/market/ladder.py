"""One simulated order book: whole numbers of ticks and lots, so that every text on the wire is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from math import ceil, exp, floor
from random import Random

from feeds.sim.market.listing import decimals_of
from feeds.sim.twin import SimInstrument, TextLevel

FINE_LEVELS = 24
"""Levels at the finest step next to the touch; each further ring of half as many has twice the step of the last."""
REACH = 0.12
"""How far from the touch the book goes, as a fraction of the price."""
RELAY_STEPS = 6
RELAY_BPS = 6.0
"""The grid is laid anew when the touch has moved by both."""
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
        digits = str(count * self.units)
        if not self.decimals:
            return digits
        if len(digits) <= self.decimals:
            digits = digits.zfill(self.decimals + 1)
        return f"{digits[: -self.decimals]}.{digits[-self.decimals :]}"


class Ladder:
    """Both sides as price in ticks -> size in lots; an absent price is empty. Nothing in it is ever crossed.

    Sizes come from a table of expected lots by rank (the touch is rank 0), which ``expect`` makes.
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
        self._expected: list[float] = []
        self._laid_bids: list[int] = []
        self._laid_asks: list[int] = []
        self._touch = (0, 0)
        self._relay = RELAY_STEPS * self.grid

    def expect(self, mid: float, half_spread_bps: float, lots_per_bp: Callable[[float], float]) -> None:
        """Sets how many lots a level of each rank holds; ``lots_per_bp`` is the book's density at a distance in bp."""
        tick_bps = self.price.step / mid * 1e4
        best = round(mid / self.price.step)
        self._expected = []
        for rank, price in enumerate(positions(best, self.grid, 1, int(best * REACH) + 1)):
            distance_bps = half_spread_bps + (price - best) * tick_bps
            self._expected.append(lots_per_bp(distance_bps) * spacing(rank, self.grid) * tick_bps)
        self._relay = max(RELAY_STEPS * self.grid, int(RELAY_BPS / tick_bps))

    def follow(self, mid: float, half_spread_bps: float, anew: bool = False) -> None:
        """Moves the touch to ``mid`` -+ the half spread. ``anew`` draws every size again (depth has changed)."""
        grid, step = self.grid, self.price.step
        bid = floor(mid * (1.0 - half_spread_bps / 1e4) / step / grid) * grid
        ask = max(ceil(mid * (1.0 + half_spread_bps / 1e4) / step / grid) * grid, bid + grid)
        if (bid, ask) == self._touch and not anew:
            return
        self._touch = (bid, ask)
        self._side(self.bids, self.asks, self.touched_bids, self._laid_bids, bid, -1, anew)
        self._side(self.asks, self.bids, self.touched_asks, self._laid_asks, ask, 1, anew)

    def churn(self, count: int) -> None:
        """Draws ``count`` level sizes again, near the touch more often than far from it."""
        random = self._rng.random
        for _ in range(count):
            if random() < 0.5:
                book, touched, laid = self.bids, self.touched_bids, self._laid_bids
            else:
                book, touched, laid = self.asks, self.touched_asks, self._laid_asks
            dice = random()
            rank = int(dice * dice * dice * len(laid))
            if rank < len(laid) and laid[rank] in book:
                self._draw(book, touched, laid[rank], rank)

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
        if anew or not laid or abs(best - laid[0]) > self._relay:
            self._lay(book, touched, laid, best, away, anew)
            return
        price, last, rank = best, laid[0] + away * (self._relay + self.grid), 0
        while (last - price) * away > 0:
            if price not in book:
                self._draw(book, touched, price, min(rank, FINE_LEVELS - 1))
            price += away * self.grid
            rank += 1

    def _lay(self, book: dict[int, int], touched: set[int], laid: list[int], best: int, away: int, anew: bool) -> None:
        laid[:] = [price for price in positions(best, self.grid, away, int(best * REACH)) if price > 0]
        for price in book.keys() - set(laid):
            del book[price]
            touched.add(price)
        for rank, (price, usual) in enumerate(zip_longest(laid, self._expected[: len(laid)])):
            # a level that was far and is near now (or the reverse) must not keep its old size
            if anew or usual is None or not 0.2 * usual <= book.get(price, 0) <= 5.0 * usual + 1:
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
