"""Foreign witnesses of Bitget: ccxt.pro on v2 and on v3, and pybotters on v2, hold the same books as we do on v3.

cryptofeed 2.4.1 has Bitget, but on v1 only (``ws.bitget.com/spot/v1/stream``), which was switched off on 2025-11-28.
"""

from __future__ import annotations

from tests.feeds.foreign.clients import Ccxt, simulator
from tests.feeds.foreign.second_client import FOLLOWED_S, assert_same, follow, needs
from tests.feeds.foreign.side_by_side import LEVELS, both, hold

ROUTES = ("bitget.spot", "bitget.linear")
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours_on_both_versions() -> None:
    seen: list[Ccxt] = []

    def unify(client: Ccxt) -> None:
        """Configures the second client for a unified trading account, so that it uses v3."""
        client.exchange.options["uta"] = bool(seen)
        seen.append(client)

    classes = [("bitget", ROUTES)] * 2
    async with simulator("calm", "bitget") as at, both(at, classes, SYMBOLS, unify) as beside:
        for route in ROUTES:
            classic, modern = (
                [(one.venue_id, one.tick, one.lot) for one in client.instruments(route, SYMBOLS)]
                for client in beside.clients
            )
            assert classic == modern
        trades = [client.exchange.watch_trades("BTC/USDT:USDT") for client in beside.clients]
        told = await hold(beside, beside.pairings(by="engine"), trades, every_s=0.01, updates_hz=4.0)
        assert all(trade[-1]["price"] > 0 for trade in told)
        sockets = [url.rpartition("/v")[2] for client in beside.clients for url in client.exchange.clients]
        assert sockets == ["2/ws/public", "3/ws/public"]


@needs("pybotters")
async def test_pybotters_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "bitget") as at, both(at, [("bitget", ROUTES)], SYMBOLS) as beside:
        said, _ = await follow(at, "bitget_client")
        assert said["errors"] == []
        assert (len(said["books"]), said["snapshots"], said["gaps"]) == (2, 2, 0)
        assert said["updates"] > FOLLOWED_S * 8
        assert said["trades"] > 4
        assert len(said["marks"]) == 1
        assert_same(beside.ours, said["books"], LEVELS)
