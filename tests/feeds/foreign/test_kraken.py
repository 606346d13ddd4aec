"""Foreign witnesses of Kraken: ccxt.pro, python-kraken-sdk (spot, with every checksum) and cryptofeed (perpetuals).

ccxt 4.5.90 keeps no numbers of Kraken's books and cannot check the checksum (its option splits numbers as if they were
text). cryptofeed 2.4.1 has only version 1 of spot's websocket, which is not simulated.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import Ccxt, simulator
from tests.feeds.foreign.second_client import assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, Pairing, both, hold

CLASSES = [("kraken", ("kraken.spot",)), ("krakenfutures", ("kraken.linear",))]
SYMBOLS = ("BTC/USD", "ETH/USD")


def hurry(client: Ccxt) -> None:
    client.exchange.enableRateLimit = False  # one subscription a second


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "kraken") as at, both(at, CLASSES, SYMBOLS, hurry) as beside:
        pairings = [
            Pairing(
                one.client, beside.ours, one.route, one.symbol,
                by="engine",
                depth=100 if one.route == "kraken.spot" else None,
                # on perpetuals many messages have the same time; on spot each has its own
                many_at_a_time=one.route == "kraken.linear",
            )
            for one in beside.pairings()
        ]  # fmt: skip
        trades = [one.client.exchange.watch_trades(one.symbol) for one in pairings]
        tickers = [one.client.exchange.watch_ticker(one.symbol) for one in pairings]
        told = await hold(beside, pairings, [*trades, *tickers], updates_hz=6.0, compared_hz=2.0)
        assert all(trade[-1]["price"] > 0 for trade in told[: len(trades)])
        assert all(ticker["bid"] < ticker["ask"] for ticker in told[len(trades) :])


@needs("cryptofeed")
async def test_the_sdk_and_cryptofeed_hold_the_same_books_as_ours() -> None:
    async with simulator("calm", "kraken") as at, both(at, CLASSES, SYMBOLS, hurry) as beside:
        theirs, words = await follow(at, "kraken_client")
        assert theirs["bad"] == 0, f"checksums differ: {words}"
        assert len(theirs["books"]) == 4
        assert min(theirs["seen"][kind] for kind in ("trades", "ticker", "funding")) > 0
        assert_same(beside.ours, theirs["books"], LEVELS)
        assert min(book["updates"] for book in theirs["books"].values()) > 20
