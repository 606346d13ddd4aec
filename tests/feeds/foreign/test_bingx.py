"""Foreign witnesses of BingX: ccxt.pro and bingx-python hold the same books as ours, from the same simulator.

ccxt.pro takes whole books of 100 levels, ours are built from changes. bingx-python is used over REST only: the
websocket of its release 2.1.7 does not decompress messages, does not answer ``Ping`` and omits ``reqType``, all of
which the venue requires (introduction of "Websocket Market Data"). Of the others cryptofeed 2.4.1 and pybotters 1.11.2
do not know the venue, bingx-py 1.0.2 and typed-bingx 0.1.0 have no public websocket, and aiotrade-sdk 0.32 wants Python
3.12.
"""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from typing import Any

from tests.feeds.foreign.clients import REPOSITORY, Simulator, simulator
from tests.feeds.foreign.second_client import PYTHON, READY_S, assert_same, needs
from tests.feeds.foreign.side_by_side import LEVELS, Pairing, both, hold

SPOT, LINEAR = "bingx.spot", "bingx.linear"
CLASSES = [("bingx", (SPOT, LINEAR))]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


async def test_ccxt_pro_holds_the_same_books_as_ours() -> None:
    async with simulator("calm", "bingx") as at, both(at, CLASSES, SYMBOLS) as beside:
        steps = {one.symbol: (one.tick, one.lot, one.contract_size) for one in beside.instruments[LINEAR]}
        assert steps == {"BTC/USDT:USDT": (0.1, 0.0001, 1.0), "ETH/USDT:USDT": (0.01, 0.01, 1.0)}
        exchange = beside.exchange
        pairings = [  # ccxt keeps no number of perpetuals
            Pairing(one.client, beside.ours, one.route, one.symbol, by="number" if one.route == SPOT else "engine")
            for one in beside.pairings()
        ]
        trades = [exchange.watch_trades(one.symbol) for one in pairings]
        tickers = [exchange.watch_ticker(one.symbol) for one in pairings]
        told = await hold(
            beside, pairings, [*trades, *tickers], followed_s=2.0, every_s=0.005, updates_hz=0.0, compared_hz=8.0
        )
        assert all(trade[-1]["price"] > 0 for trade in told[: len(trades)])
        assert all(ticker["bid"] < ticker["ask"] for ticker in told[len(trades) :])
        assert sorted(url.rpartition("/")[2] for url in exchange.clients) == ["market", "swap-market"]
        rate = await exchange.fetch_funding_rate("BTC/USDT:USDT")
        assert (rate["fundingRate"], rate["interval"]) == (0.0001, "8h")


@needs("bingx")
async def test_bingx_python_reads_the_books_that_ours_became() -> None:
    async with simulator("calm", "bingx") as at, both(at, CLASSES, SYMBOLS) as beside:
        await asyncio.sleep(2.0)
        await beside.rest(1.2)
        theirs = await read_with_theirs(at)
        assert len(theirs["books"]) == 4
        assert_same(beside.ours, theirs["books"], LEVELS)
        assert set(theirs["listed"]) >= {"BTC-USDT", "ETH-USDT", "BTC-USDC"}
        assert all(price > 0 for price in theirs["prices"].values())


async def read_with_theirs(at: Simulator) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-m", "tests.witness.bingx_client", json.dumps(at.endpoints), "--levels", str(LEVELS),
        cwd=REPOSITORY, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    try:
        out, said = await asyncio.wait_for(process.communicate(), READY_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said.decode()
    found: dict[str, Any] = json.loads(out)
    return found
