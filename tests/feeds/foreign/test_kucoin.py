"""Foreign witnesses of KuCoin: ccxt.pro on both families of sockets and the official SDK hold the same books as we do.

ccxt 4.5.90 follows the classic increments with a REST book, as most programs do. On UTA it gets snapshots of 50 levels:
it does not apply increments (``handle_book_delta`` reads ``bids`` and ``asks`` where UTA writes ``b`` and ``a``).
cryptofeed 2.4.1 has classic spot only, with a REST book that needs a key and a token host that cannot be set.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import simulator
from tests.feeds.foreign.second_client import assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, Pairing, both, hold

CLASSES = [("kucoin", ("kucoin.spot",)), ("kucoinfutures", ("kucoin.linear",))]
SYMBOLS = ("BTC/USDT", "ETH/USDT")
HEARD = {"uta trade", "uta ticker", "mark-price", "funding-fee", "classic trade", "classic ticker", "classic book",
         "classic execution", "classic tickerV2", "classic instrument", "classic contract book",
         "classic contract level50"}  # fmt: skip
UTA = {"uta": True, "utaDepth": "50"}


async def test_ccxt_pro_holds_the_same_books_as_ours_on_both_families() -> None:
    async with simulator("calm", "kucoin") as at, both(at, CLASSES * 2, SYMBOLS) as beside:
        classic, uta = beside.clients[:2], beside.clients[2:]
        pairings = [
            Pairing(one.client, beside.ours, one.route, one.symbol, params=UTA if one.client in uta else None)
            for one in beside.pairings()
        ]
        btc = [
            (one.client.exchange, one.symbol) for one in pairings if one.symbol[:3] == "BTC" and one.client in classic
        ]
        perpetuals = uta[1].exchange
        once = [exchange.watch_trades(symbol) for exchange, symbol in btc]
        once += [exchange.watch_bids_asks([symbol]) for exchange, symbol in btc]
        once += [perpetuals.watch_mark_price("BTC/USDT:USDT"), perpetuals.watch_funding_rate("BTC/USDT:USDT")]
        *_, mark, funding = await hold(beside, pairings, once, updates_hz=3.0, compared_hz=0.7)
        assert mark["markPrice"] > 0
        assert funding["interval"] == "8h"


@needs("kucoin_universal_sdk")
async def test_the_official_sdk_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "kucoin") as at, both(at, CLASSES, SYMBOLS) as beside:
        theirs, words = await follow(at, "kucoin_client")
        assert (theirs["gaps"], theirs["errors"]) == (0, []), words
        assert set(theirs["seen"]) == HEARD, words
        assert len(theirs["books"]) == 4
        assert_same(beside.ours, theirs["books"], LEVELS)
        for name, book in theirs["books"].items():
            route, _, symbol = name.partition(" ")
            held = beside.ours.book(route, symbol, LEVELS, by_time=False)
            assert held is not None
            assert held[0] == book["sequence"], name
            assert book["updates"] > 10, name
