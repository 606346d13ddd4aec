"""How depth is divided: live books only, by venue, under the symbol that is watched."""

from __future__ import annotations

import pytest

from feeds.collector.depth_concentration import depth_concentration
from feeds.frame import Depth
from tests.feeds.frames import pair_row

SYMBOL = "BTC/USDT:USDT"
EVEN = {"10": Depth(1e6, 1e6), "25": Depth(3e6, None)}


def test_live_books_count_by_venue_and_band() -> None:
    pairs = [
        pair_row("okx.linear", depth=EVEN),
        pair_row("bybit.linear", depth=EVEN, symbol="BTC/USDC:USDC", stands_for=SYMBOL),
        pair_row("gate.linear", depth=EVEN, state="stale"),
        pair_row("kraken.linear", depth=EVEN, symbol="ETH/USDT:USDT"),
    ]
    (row,) = depth_concentration([SYMBOL], pairs)
    assert row.symbol == SYMBOL and set(row.bands) == {"10"}, "a side that is not known is no depth"
    assert row.bands["10"].hhi == pytest.approx(0.5) and row.bands["10"].effective_venues == pytest.approx(2.0)


def test_routes_of_one_venue_count_together() -> None:
    pairs = [pair_row("okx.linear", depth=EVEN), pair_row("okx.inverse", depth=EVEN)]
    assert depth_concentration([SYMBOL], pairs)[0].bands["10"].effective_venues == 1.0


def test_without_a_live_book_there_is_a_row_and_no_figure() -> None:
    assert depth_concentration([SYMBOL], [])[0].bands == {}
