"""The foreign witness: ccxt.pro's own clients must hold the same books as ours, from the same simulator.

If a foreign client cannot follow, the bug is ours, in a twin or in a decoder. **This test takes a minute on purpose**:
all clients hold their books for ``HELD_S`` at the same time. ``DETOUR_FOREIGN_S=5`` in the environment makes it
shorter. A venue whose clients need more than a line here has its own ``test_<venue>.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

from feeds.venues.registry import VENUES
from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.side_by_side import LEVELS, Both, Pairing, both, hold

HELD_S = float(os.environ.get("DETOUR_FOREIGN_S", "60"))
CLASSES = [
    ("binance", ("binance.spot",)),
    ("binanceusdm", ("binance.linear",)),
    ("okx", ("okx.spot", "okx.linear")),
    ("bybit", ("bybit.spot", "bybit.linear")),
]
INVERSE = [("binancecoinm", ("binance.inverse",)), ("okx", ("okx.inverse",)), ("bybit", ("bybit.inverse",))]
"""Those of Deribit are in ``test_deribit``."""
DOLLARS = {"binance.inverse": (100.0, 10.0), "okx.inverse": (100.0, 10.0), "bybit.inverse": (1.0, 1.0)}
"""Dollars of one contract, of Bitcoin and of Ether."""


def pairings(beside: Both) -> list[Pairing]:
    """ccxt keeps no sequence number of Bybit's books, and subscribes to 50 levels unless told otherwise."""
    return [
        Pairing(
            one.client, beside.ours, one.route, one.symbol,
            by="gateway" if one.client.name == "bybit" else "number",
            depth=1000 if one.client.name == "bybit" else None,
        )
        for one in beside.pairings()
    ]  # fmt: skip


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    routes = {route for _, of_class in CLASSES for route in of_class}
    assert routes == {
        f"{v.name}.{p}"
        for v in VENUES.values()
        for p in ("spot", "linear")
        if p in v.products and not Path(__file__).with_name(f"test_{v.name}.py").exists()
    }
    async with simulator() as at, both(at, CLASSES, ("BTC/USDT", "ETH/USDT")) as beside:
        paired = pairings(beside)
        trades = [p.client.exchange.watch_trades(p.symbol) for p in paired if p.symbol.startswith("BTC")]
        told = await hold(
            beside, paired, trades, followed_s=HELD_S, settled_s=15.0, every_s=0.05, updates_hz=3.0, compared_hz=0.5
        )
        assert all(trade[-1]["price"] > 0 for trade in told)
        for one in paired:
            assert [len(side) for side in one.client.book(one.symbol, LEVELS)[1:]] == [LEVELS, LEVELS], one.name


async def test_ccxt_pro_holds_the_same_inverse_books_as_ours() -> None:
    async with simulator("calm", "binance", "okx", "bybit") as at, both(at, INVERSE, ("BTC/USD", "ETH/USD")) as beside:
        for route, instruments in beside.instruments.items():
            assert {(one.symbol, one.contract_size, one.inverse) for one in instruments} == {
                ("BTC/USD:BTC", DOLLARS[route][0], True),
                ("ETH/USD:ETH", DOLLARS[route][1], True),
            }
        await hold(beside, pairings(beside), followed_s=3.0, compared_hz=1.0)
