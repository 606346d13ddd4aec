"""Foreign witnesses of MEXC: ccxt.pro and typed-mexc 2.3.0 hold the same books as we do, from the same simulator.

Not used: pymexc 1.3.1 (its newest; imports a module that its package does not contain), cryptofeed 2.4.1 (has no MEXC).
"""

from __future__ import annotations

from tests.feeds.foreign.clients import Ccxt, simulator
from tests.feeds.foreign.second_client import FOLLOWED_S, assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, Pairing, both, hold

ROUTES = ("mexc.spot", "mexc.linear")
CLASSES = [("mexc", ROUTES)]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "mexc") as at:
        spot, linear = (at.endpoints[route]["ws"] for route in ROUTES)

        def prepare(client: Ccxt) -> None:
            client.exchange.urls["api"]["ws"] = {"spot": f"{spot}/ws", "swap": f"{linear}/edge"}
            client.exchange.options["watchOrderBook"]["snapshotDelay"] = (
                3  # updates that it waits for before it requests the book
            )
            client.exchange.enableRateLimit = False  # after the list of contracts it would wait for five seconds

        async with both(at, CLASSES, SYMBOLS, prepare) as beside:
            pairings = [
                Pairing(
                    one.client, beside.ours, one.route, one.symbol,
                    by="gateway",  # it does not keep the last version of spot books
                    params={"frequency": "10ms"} if one.route == "mexc.spot" else {},
                )
                for one in beside.pairings()
            ]  # fmt: skip
            trades = [beside.exchange.watch_trades(one.symbol) for one in pairings]
            told = await hold(beside, pairings, trades, every_s=0.005, updates_hz=2.0)
            assert all(trade[-1]["price"] > 0 for trade in told)


@needs("typed_mexc")
async def test_typed_mexc_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "mexc") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "mexc_client")
        seen = theirs["seen"]
        assert theirs["gaps"] == 0, words
        assert (seen.pop("symbols"), seen.pop("contracts")) == (7, 5)
        assert min(seen.values()) > 0, seen
        assert len(seen) == 14
        assert_same(beside.ours, theirs["books"], LEVELS)
        for name, book in theirs["books"].items():
            route, _, symbol = name.partition(" ")
            held = beside.ours.book(route, symbol, LEVELS, by_time=False)
            assert held is not None
            assert held[0] == book["version"], name
            assert book["updates"] > FOLLOWED_S * 2
