"""What the benchmark replays: one book per instrument, and batches of level changes of a fixed size.

The frames themselves are made by the venues' simulated twins, so that no venue needs code of its own here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from feeds.model import Product, StatusNotice
from feeds.sim.market.ladder import DecimalStep
from feeds.sim.market.listing import asset_of
from feeds.sim.market.pair import FeedBook
from feeds.sim.twin import BookImage, Change, SimInstrument, SimMark, SimTrade, TextLevel, Twin

WHOLE, NARROW = 380, 48
"""Levels a side. A book must fit into everybody's window, or a client with a narrower one is sent smaller frames: 400
is the least of our own channels, 50 of those that ccxt.pro subscribes to by itself."""
_BOTH: Mapping[str, int] = {
    **dict.fromkeys(("binance", "okx", "bitget", "mexc", "deribit", "kraken", "coinbase"), WHOLE),
    "htx": 140,  # 150 for both
    "bitfinex": 96,  # 100 at most for ccxt.pro, which refuses the 250 that we take
}


def depth_of(venue: str) -> int:
    """Levels a side of a book that fits into the windows of our own channel and of ccxt.pro's. Real books are deeper;
    the cost of a level depends on how many a client holds."""
    return _BOTH.get(venue, NARROW)


STEP_NS = 10_000_000_000
"""Between two batches, on the venue's clock: longer than any push interval, so that every batch is a message."""
REMOVED_SHARE = 0.05
LEAST_SIZE = 0.001
"""Or a lot where that is more. Smaller numbers get an exponent, which clients write in different ways."""
SIZES = 5_000
"""The largest size is so many times the smallest."""
FUNDING_S = 3_600


class Marks:
    """Two prices inside the spread. The last batch of a round is a bid at one of them, in turn, so that a client that
    sees it as its best bid has applied all of the round; the next round's first batch takes it away."""

    def __init__(self) -> None:
        self.standing: int | None = None
        self._turn = 0

    def next(self) -> int:
        self._turn = 1 - self._turn
        self.standing = self._turn
        return self._turn


class BenchBook:
    """One instrument's book and its batches; equal seeds give equal batches."""

    def __init__(self, instrument: SimInstrument, seed: str, depth: int = WHOLE) -> None:
        self.price, self.size = DecimalStep(instrument.tick), DecimalStep(instrument.lot)
        self._depth = depth
        self._least_lots = max(1, round(LEAST_SIZE / self.size.step))
        self._mid = round(asset_of(instrument.base, instrument.quote).price / self.price.step)
        self._rng = Random(f"bench {seed} {instrument.route} {instrument.symbol}")
        self._gone: tuple[set[int], set[int]] = set(), set()
        self._marks = Marks()
        self.feed = FeedBook()
        sides = [[self._level(sign, offset) for offset in range(1, depth + 1)] for sign in (-1, 1)]
        self.feed.replace(BookImage(seq=self.feed.seq, bids=tuple(sides[0]), asks=tuple(sides[1]), engine_ns=STEP_NS))

    def change(self, levels: int, engine_ns: int) -> Change:
        """The next batch: ``levels`` levels of each side; 0 ends a round with a mark and nothing else."""
        bids = self._side(-1, levels)
        asks = self._side(1, levels)
        if self._marks.standing is not None:
            bids.append((self.price.of(self._mid + self._marks.standing), "0"))
            self._marks.standing = None
        if not levels:
            bids.append((self.price.of(self._mid + self._marks.next()), self.size.of(self._least_lots * SIZES)))
        change = Change(
            seq=self.feed.seq + 1,
            bids=tuple(bids),
            asks=tuple(asks),
            engine_ns=engine_ns,
            gateway_ns=engine_ns + 2_000_000,
        )
        self.feed.apply(change)
        return change

    @property
    def mark_px(self) -> float | None:
        """The best bid of a client that has applied the round's last batch."""
        standing = self._marks.standing
        return None if standing is None else float(self.price.of(self._mid + standing))

    def _side(self, sign: int, levels: int) -> list[TextLevel]:
        gone = self._gone[sign > 0]
        made: list[TextLevel] = []
        for offset in self._rng.sample(range(1, self._depth + 1), levels):
            if offset not in gone and self._rng.random() < REMOVED_SHARE:
                gone.add(offset)
                made.append((self._price(sign, offset), "0"))
            else:
                gone.discard(offset)
                made.append(self._level(sign, offset))
        return made

    def _level(self, sign: int, offset: int) -> TextLevel:
        return self._price(sign, offset), self.size.of(self._rng.randint(self._least_lots, self._least_lots * SIZES))

    def _price(self, sign: int, offset: int) -> str:
        # two ticks between bids and asks stay free for the marks
        return self.price.of(self._mid - offset if sign < 0 else self._mid + 1 + offset)


class BenchWorld:
    """The ``World`` around one twin. Its clock is ours until batches move it on."""

    def __init__(self, twin: Twin, clock_ns: Callable[[], int], seed: str, depth: int = WHOLE) -> None:
        self._listed = twin.instruments()
        self._clock_ns, self._seed, self._depth = clock_ns, seed, depth
        self._ahead_ns = 0
        self._books: dict[str, BenchBook] = {}

    def on(self, instrument: SimInstrument) -> BenchBook:
        key = f"{instrument.route} {instrument.venue_id}"
        if key not in self._books:
            self._books[key] = BenchBook(instrument, self._seed, self._depth)
        return self._books[key]

    def change(self, instrument: SimInstrument, levels: int) -> Change:
        self._ahead_ns += STEP_NS
        return self.on(instrument).change(levels, self.now_ns())

    def now_ns(self) -> int:
        return self._clock_ns() + self._ahead_ns

    def instruments(self, venue: str, product: Product | None = None) -> Sequence[SimInstrument]:
        return [one for one in self._listed if product in (None, one.product)]

    def find(self, venue: str, venue_id: str, product: Product | None = None) -> SimInstrument | None:
        return next((one for one in self.instruments(venue, product) if one.venue_id == venue_id), None)

    def book(self, instrument: SimInstrument, levels: int | None = None) -> BookImage:
        return self.on(instrument).feed.image(levels)

    def mark(self, instrument: SimInstrument) -> SimMark:
        price, now_ns = self.last_trade(instrument).price, self.now_ns()
        return SimMark(
            mark=price,
            index=price,
            funding_rate="0.0001",
            next_funding_ns=now_ns + FUNDING_S * STEP_NS,
            interval_h=8,
            gateway_ns=now_ns,
        )

    def last_trade(self, instrument: SimInstrument) -> SimTrade:
        price, size = self.on(instrument).feed.image(1).bids[0]
        now_ns = self.now_ns()
        return SimTrade(price=price, size=size, side="buy", trade_id=7, engine_ns=now_ns, gateway_ns=now_ns)

    def no_withdraw(self, venue: str) -> frozenset[str]:
        return frozenset()

    def notices(self, venue: str) -> Sequence[StatusNotice]:
        return ()
