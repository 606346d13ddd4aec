"""Foreign witnesses of Deribit: ccxt.pro and cryptofeed 2.4.1 hold the same books as we do, from the same simulator.

ccxt keeps the engine's time of Deribit's books and no sequence number; cryptofeed checks the chain of change ids
itself. ccxt subscribes to many symbols in one request: one request each, all at once, costs more credits than Deribit
allows.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import follow, needs
from tests.feeds.foreign.side_by_side import Both, both, held, hold

ROUTES = ("deribit.spot", "deribit.linear", "deribit.inverse")
CLASSES = [("deribit", ROUTES)]
SYMBOLS = ("BTC/USDC", "ETH/USDC", "BTC/USD", "ETH/USD")


def check_contracts(beside: Both) -> None:
    for route, instruments in beside.instruments.items():
        assert {(one.contract_size, one.inverse) for one in instruments} == {(1.0, route == "deribit.inverse")}


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "deribit") as at, both(at, CLASSES, SYMBOLS) as beside:
        check_contracts(beside)
        pairings, exchange = {one.symbol: one for one in beside.pairings(by="engine")}, beside.exchange
        symbols = list(pairings)

        async def follow_all() -> None:
            while True:
                book = await exchange.watch_order_book_for_symbols(symbols)
                pairings[book["symbol"]].updates += 1

        once = [exchange.watch_trades_for_symbols(symbols), exchange.watch_bids_asks(symbols)]
        once += [exchange.watch_ticker("BTC/USD:BTC")]
        *_, ticker = await hold(beside, list(pairings.values()), once, updates_hz=4.0, following=[follow_all])
        assert ticker["markPrice"] > 0


@needs("cryptofeed")
async def test_cryptofeed_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "deribit") as at, both(at, CLASSES, SYMBOLS) as beside:
        check_contracts(beside)
        theirs, words = await follow(at, "deribit_client")
        assert len(theirs["books"]) == 5, words
        assert "Missing sequence" not in words
        assert "Error message" not in words
        assert min(theirs["seen"].get(kind, 0) for kind in ("trades", "ticker", "l1_book", "funding")) > 0
        for name, book in theirs["books"].items():
            route, _, symbol = name.partition(" ")
            mine = held(beside.ours, route, symbol, "engine", 100)
            assert book["updates"] > 10, name
            assert mine == (book["time_ms"], *([tuple(level) for level in book[side]] for side in ("bids", "asks")))
