"""What is derived from a book: sides sorted in base coin, best prices, spread, depth in a band, the walk of an order.

Pure and vectorised. Everything respects the range in which the book is known: what may be missing is None, never small.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from feeds.model import Instrument, Side

Floats: TypeAlias = NDArray[np.float64]

BPS = 10_000.0
UNBOUNDED_BID = 0.0
"""``bid_known`` of a side of which every level is known."""
UNBOUNDED_ASK = float("inf")
_EDGE = 1e-12
"""Relative slack at a band's edge, so that a level exactly on it is inside in spite of rounding."""


class Fill(Struct, frozen=True, kw_only=True):
    """An order walked into one side of the book. Prices in quote currency; all amounts positive."""

    average_px: float
    """``filled_quote / filled_base``, before fees."""
    best_px: float
    worst_px: float
    """The last price it would touch."""
    filled_quote: float
    """At most the notional asked for; less where the known book ends first."""
    filled_base: float


class Ladder(Struct, frozen=True, kw_only=True, eq=False):
    """A book at one moment, sorted best first. Arrays are read-only float64, sizes in base coin.

    ``bid_known`` and ``ask_known`` bound the prices between which no level of the venue is missing here.
    """

    bid_px: Floats
    bid_sz: Floats
    ask_px: Floats
    ask_sz: Floats
    bid_quote: Floats
    """Running sum of price x size in quote currency, best first."""
    ask_quote: Floats
    bid_known: float = UNBOUNDED_BID
    ask_known: float = UNBOUNDED_ASK

    @property
    def best_bid(self) -> float | None:
        """None for an empty side, and where a better level may exist that we were never sent."""
        if not len(self.bid_px) or self.bid_px[0] < self.bid_known:
            return None
        return float(self.bid_px[0])

    @property
    def best_ask(self) -> float | None:
        """None for an empty side, and where a better level may exist that we were never sent."""
        if not len(self.ask_px) or self.ask_px[0] > self.ask_known:
            return None
        return float(self.ask_px[0])

    @property
    def mid(self) -> float | None:
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (bid + ask) / 2

    @property
    def spread_bps(self) -> float | None:
        """(ask - bid) / mid in basis points; negative when crossed."""
        bid, ask = self.best_bid, self.best_ask
        return None if bid is None or ask is None else (ask - bid) / ((ask + bid) / 2) * BPS

    @property
    def crossed(self) -> bool:
        """Best bid at or above best ask: no matching engine leaves that, so the book is wrong."""
        bid, ask = self.best_bid, self.best_ask
        return bid is not None and ask is not None and bid >= ask

    @property
    def reach_bps(self) -> tuple[float, float] | None:
        """How far from mid (bid side, ask side; basis points) the book is completely known; None without a mid."""
        mid = self.mid
        return None if mid is None else ((mid - self.bid_known) / mid * BPS, (self.ask_known - mid) / mid * BPS)

    def depth(self, band_bps: float) -> tuple[float | None, float | None]:
        """(bid, ask) resting within ``band_bps`` of mid, edges included, in quote currency.

        None for a side whose known range ends inside the band, and for both sides of a crossed book or one without
        a mid.
        """
        mid = self.mid
        if mid is None or self.crossed:
            return None, None
        floor = mid * (1 - band_bps / BPS)
        ceiling = mid * (1 + band_bps / BPS)
        bids = int(np.searchsorted(-self.bid_px, -floor * (1 - _EDGE), side="right"))
        asks = int(np.searchsorted(self.ask_px, ceiling * (1 + _EDGE), side="right"))
        return (
            None if floor * (1 + _EDGE) < self.bid_known else _running(self.bid_quote, bids),
            None if ceiling * (1 - _EDGE) > self.ask_known else _running(self.ask_quote, asks),
        )

    def walk(self, side: Side, notional: float) -> Fill | None:
        """Fill ``notional`` (quote currency) against the book: ``buy`` takes asks, ``sell`` takes bids.

        The last level is taken in part. The walk ends where the known range ends. None when nothing can be filled.
        """
        if side == "buy":
            px, size, running = self.ask_px, self.ask_sz, self.ask_quote
            known = int(np.searchsorted(px, self.ask_known, side="right"))
        else:
            px, size, running = self.bid_px, self.bid_sz, self.bid_quote
            known = int(np.searchsorted(-px, -self.bid_known, side="right"))
        if not known or not notional > 0:
            return None
        last = int(np.searchsorted(running[:known], notional, side="left"))
        if last >= known:
            last = known - 1
            filled_quote = float(running[last])
            filled_base = float(size[:known].sum())
        else:
            before = _running(running, last)
            filled_quote = float(notional)
            filled_base = float(size[:last].sum()) + (filled_quote - before) / float(px[last])
        best_px, worst_px = float(px[0]), float(px[last])
        low, high = min(best_px, worst_px), max(best_px, worst_px)
        return Fill(
            average_px=min(max(filled_quote / filled_base, low), high),
            best_px=best_px,
            worst_px=worst_px,
            filled_quote=filled_quote,
            filled_base=filled_base,
        )


def derive(
    bids: Mapping[float, float],
    asks: Mapping[float, float],
    instrument: Instrument,
    bid_known: float = UNBOUNDED_BID,
    ask_known: float = UNBOUNDED_ASK,
) -> Ladder:
    """Sort a book (price -> size in the venue's unit) and convert its sizes.

    Base coin is size x contract_size, and for inverse contracts, whose size counts quote currency,
    size x contract_size / price.
    """
    bid_px, bid_sz, bid_quote = _side(bids, instrument, best_is_high=True)
    ask_px, ask_sz, ask_quote = _side(asks, instrument, best_is_high=False)
    return Ladder(
        bid_px=bid_px,
        bid_sz=bid_sz,
        ask_px=ask_px,
        ask_sz=ask_sz,
        bid_quote=bid_quote,
        ask_quote=ask_quote,
        bid_known=bid_known,
        ask_known=ask_known,
    )


def _side(
    levels: Mapping[float, float], instrument: Instrument, *, best_is_high: bool
) -> tuple[Floats, Floats, Floats]:
    px = np.fromiter(levels.keys(), np.float64, len(levels))
    order = np.argsort(px)
    if best_is_high:
        order = order[::-1]
    px = px[order]
    size = np.fromiter(levels.values(), np.float64, len(levels))[order] * instrument.contract_size
    if instrument.inverse:
        with np.errstate(over="ignore"):  # a hostile price near zero is for health to doubt, not for us to die of
            quote, base = size, size / px
    else:
        quote, base = size * px, size
    running = np.cumsum(quote)
    for array in (px, base, running):
        array.flags.writeable = False
    return px, base, running


def _running(running: Floats, count: int) -> float:
    return float(running[count - 1]) if count else 0.0
