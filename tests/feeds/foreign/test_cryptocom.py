"""Foreign witnesses of Crypto.com: ccxt.pro and cryptocom-exchange hold the same books as we do, from one simulator.

ccxt builds them from changes and is compared at equal ``u``. cryptocom-exchange 2.8.0 takes whole books without numbers
and is compared when the market stands still. cryptofeed 2.4.1 supports only the retired v2 protocol (``/v2/market``,
depth 150), so it cannot be a witness of v1.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.feeds.foreign.clients import Ccxt, Ours, simulator
from tests.feeds.foreign.second_client import FOLLOWED_S, assert_same, follow, needs, watched

ROUTES = ("cryptocom.spot", "cryptocom.linear")
SYMBOLS = ("BTC/USD", "ETH/USD")
LEVELS = 20
HELD_S, SETTLED_S = 4.0, 1.5


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    found: Counter[str] = Counter()
    async with simulator("calm", "cryptocom") as at:
        client, ours = Ccxt("cryptocom", ROUTES, at), Ours(at)

        async def hold(symbol: str) -> None:
            while True:
                await client.exchange.watch_order_book(symbol)  # raises when pu is not the last u

        def compare(route: str, symbol: str) -> bool:
            mine = ours.book(route, symbol, LEVELS, by_time=False)
            if mine is None or symbol not in client.exchange.orderbooks:
                return False
            theirs = client.book(symbol, LEVELS)
            if mine[0] != theirs[0]:
                return False
            assert mine == theirs, symbol
            found[symbol] += 1
            return True

        try:
            await client.exchange.load_markets()
            watched = []
            for route in ROUTES:
                instruments = client.instruments(route, SYMBOLS)
                assert len(instruments) == 2
                assert {one.contract_size for one in instruments} == {1.0}
                ours.watch(route, instruments)
                watched += [(route, one.symbol) for one in instruments]
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(hold(symbol)) for _, symbol in watched]
                ticker = group.create_task(client.exchange.watch_ticker("BTC/USD:USD"))
                trades = group.create_task(client.exchange.watch_trades("BTC/USD:USD"))
                for _ in range(int(HELD_S / 0.02)):
                    await asyncio.sleep(0.02)
                    for one in watched:
                        compare(*one)
                still = {"from_s": 0.0, "to_s": 600.0, "frozen": True, "assumed": True, "note": "everybody settles"}
                at.post("/phase", still)
                await asyncio.sleep(SETTLED_S)
                assert all(compare(*one) for one in watched), "the market stands still: both must be equally far"
                assert ticker.done()
                assert trades.done()
                for task in tasks:
                    task.cancel()
            assert min(found[symbol] for _, symbol in watched) > HELD_S * 4
            assert ours.gaps() == 0, ours.said
            assert at.failures() == 0
        finally:
            await ours.stop()
            await client.exchange.close()


@needs("cryptocom")
async def test_cryptocom_exchange_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "cryptocom") as at, watched(at, {"cryptocom": ROUTES}, SYMBOLS) as ours:
        theirs, said = await follow(at, "cryptocom_client")
        books = theirs["books"]
        assert set(books) == set(theirs["trades"]) == set(theirs["tickers"])
        assert len(books) == 4
        for held in (books, theirs["rest"]):
            assert_same(ours, held, LEVELS)
            assert {len(book[side]) for book in held.values() for side in ("bids", "asks")} == {50}
        for name, book in books.items():
            assert book["updates"] > FOLLOWED_S, f"{name}: {book['updates']} updates. {said}"
            assert theirs["trades"][name] > 1, name
            assert abs(theirs["tickers"][name] / book["bids"][0][0] - 1) < 0.01, name
        assert ours.gaps() == 0, ours.said
        assert at.failures() == 0
