"""The sequence rule of Kraken's websocket v2 (spot and unified): no numbers, a limited depth, a checksum."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from zlib import crc32

from feeds.model import Instrument
from feeds.venues.best_levels import BestLevels
from feeds.venues.sequence import BookSides, Unsequenced

BOOK_LEVELS = 500
"""One of 10, 25, 100, 500 and 1000. Fewer would not fill the depth bands of a pair with a tick of 0.1."""
_CHECKED_LEVELS = 10
_EXACT = 1 << 51  # ticks or lots: in larger floats two roundings can change the last digit


@cache
def _decimals(step: float) -> int:
    exponent = Decimal(repr(step)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


class KrakenV2Rule(Unsequenced):
    """Every delta applies; the checksum tells whether one was lost."""

    depth_limit: int | None = BOOK_LEVELS
    blind = True  # the checksum covers the best levels only

    def __init__(self) -> None:
        self._best = BestLevels(_CHECKED_LEVELS)

    def checksum(self, book: BookSides, instrument: Instrument) -> int | None:
        """CRC32 over asks, then bids, best first: price and size with the pair's decimals, without dot and leading
        zeros. None: a number is too large for a float to hold all of its decimals."""
        price_scale, size_scale = 10 ** _decimals(instrument.tick), 10 ** _decimals(instrument.lot)
        dearest, largest = _EXACT / price_scale, _EXACT / size_scale
        parts = []
        best, symbol = self._best, instrument.symbol
        for prices, side in ((best.asks(symbol, book.asks), book.asks), (best.bids(symbol, book.bids), book.bids)):
            for price in prices:
                size = side[price]
                if size >= largest or price >= dearest:
                    return None
                # the digits without dot and leading zeros are the whole number of steps
                parts.append(f"{round(price * price_scale)}{round(size * size_scale)}")
        return crc32("".join(parts).encode())
