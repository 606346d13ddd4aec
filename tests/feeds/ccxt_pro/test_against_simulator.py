"""The whole generic road on the simulator: an exchange that we watch natively too, through ccxt.pro beside it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from feeds import child_process
from feeds.books.route_books import RouteBooks
from feeds.ccxt_pro.route import CcxtProRoute
from feeds.clock import SystemClock
from feeds.measure.clock_offset import OffsetEstimator
from feeds.measure.contract import Hosts, Meters
from feeds.model import Product
from feeds.samples import BookSample, FeedSample, ProbeSample, Sample
from feeds.venues.generic import GenericVenue
from tests.feeds.foreign.clients import Ccxt, Ours, simulator

SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEVELS = 20
SPOT: tuple[Product, ...] = ("spot",)


async def until(wanted: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not wanted():  # noqa: ASYNC110  # another process decides when; there is nothing to await
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what) from None


def equally_far(books: RouteBooks, ours: Ours, compared: dict[str, int]) -> bool:
    """Counts in ``compared`` how often a book had come as far as ours, and was the same; True after ten times each."""
    for symbol in SYMBOLS:
        book = books.pairs[symbol].book
        native = ours.book("okx.spot", symbol, LEVELS, by_time=False)
        if native is not None and book.synced and native[0] == book.seq:
            compared[symbol] += 1
            bids, asks = sorted(book.bids.items(), reverse=True), sorted(book.asks.items())
            assert (bids[:LEVELS], asks[:LEVELS]) == native[1:], symbol
    return min(compared.values()) >= 10


async def test_books_equal_ours_probes_arrive_and_a_killed_process_is_replaced() -> None:
    async with simulator("calm", "okx") as at:
        client = Ccxt("okx", ("okx.spot",), at)
        ours = Ours(at)
        samples: list[Sample] = []
        said: list[str] = []
        hosts = at.endpoints["okx.spot"]
        watch = CcxtProRoute(
            "okxg.spot",
            GenericVenue("okxg", "okx", SPOT),
            "spot",
            Hosts(hosts["rest"], hosts["ws"]),
            Meters(SystemClock(), samples.append, lambda code, route, text: said.append(f"{code}: {text}")),
            offset=OffsetEstimator(),
        )
        try:
            await client.exchange.load_markets()
            instruments = client.instruments("okx.spot", SYMBOLS)
            await client.exchange.close()
            ours.watch("okx.spot", instruments)
            bad = msgspec.structs.replace(instruments[0], symbol="NOPE/USDT", venue_id="NOPE-USDT")
            watch.start()
            watch.watch([*instruments, bad])
            books = watch.books
            assert books is not None
            await until(lambda: all(watch.carries(s) for s in SYMBOLS), f"no books: {said}")
            assert not watch.carries("NOPE/USDT") and any("NOPE/USDT" in text for text in said)

            compared: dict[str, int] = dict.fromkeys(SYMBOLS, 0)
            await until(lambda: equally_far(books, ours, compared), f"never equally far: {compared}")
            await until(lambda: sum(isinstance(s, ProbeSample) for s in samples) >= 2, "no probes")
            await until(lambda: any(pair.trades for pair in books.pairs.values()), "no trades")
            probe = [s for s in samples if isinstance(s, ProbeSample)][-1]
            assert probe.status == 200 and not probe.lost and 0 < probe.total_ms < 5000 and not probe.cold
            watch.sample()
            feed = next(s for s in samples if isinstance(s, FeedSample))
            assert feed.messages > 0 and feed.age_p50_ms is not None
            assert {s.symbol for s in samples if isinstance(s, BookSample) and s.synced} == set(SYMBOLS)

            pipe = watch._child._pipe
            assert pipe is not None
            os.kill(pipe.pid, signal.SIGKILL)
            await until(lambda: watch.sockets_up == 0, "a killed process is still shown as connected")
            assert not any(watch.carries(symbol) for symbol in SYMBOLS)
            assert not any(pair.book.synced for pair in books.pairs.values())
            await until(lambda: all(watch.carries(s) for s in SYMBOLS), f"it did not come back: {said}")
            assert sum(text.startswith("self: our process for ccxt is lost") for text in said) == 1
        finally:
            await watch.stop()
            await ours.stop()
        assert at.failures() == 0


SISTERS = {"okxus.spot": "okx.spot", "binanceusdm.linear": "binance.linear", "binancecoinm.inverse": "binance.inverse"}
"""Exchanges that ccxt knows and we do not, and whose simulated twin plays them."""
WATCHED = {"spot": "BTC/USDT", "linear": "BTC/USDT:USDT", "inverse": "BTC/USD:BTC"}


async def test_routes_named_in_a_watchlist_are_measured_like_any_other(tmp_path: Path) -> None:
    """All three products through ccxt.pro, beside our own measuring of the same simulated venues."""
    async with simulator("calm", "okx", "binance") as at:
        lines = [
            "[watchlists.default]",
            f"symbols = {json.dumps(list(WATCHED.values()))}",
            f"routes = {json.dumps([*SISTERS, *SISTERS.values()])}",
            'home = "okxus.spot"',
        ]
        for route, native in SISTERS.items():
            hosts = at.endpoints[native]
            for name in (route, native):
                lines += [f'[endpoints."{name}"]', *(f'{kind} = "{hosts[kind]}"' for kind in ("rest", "ws"))]
        lines += ["[witness]", f'targets = ["{at.endpoints["okx.spot"]["rest"].removeprefix("http://")}"]']
        (tmp_path / "config.toml").write_text("\n".join(lines))
        child = await child_process.start(
            "tui.commands.main",
            ["log", "--config", str(tmp_path / "config.toml"), "--out", "-", "--for", "16s"],
            environment={"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")},
        )
        code, out, err = await child.outcome(60)
    assert code == 0, err.decode()
    rows = [json.loads(line) for line in out.decode().splitlines()]
    events = [row for row in rows if row["kind"] == "event"]
    assert not [row for row in events if row["level"] not in ("info",)], events
    last = {row["route"]: row for row in rows if row["kind"] == "pair"}
    for name, native in SISTERS.items():
        theirs, ours = last[name], last[native]
        assert theirs["symbol"] == WATCHED[name.partition(".")[2]]
        assert theirs["state"] == "live" and theirs["bid"] < theirs["ask"] and theirs["spread_bps"] > 0
        for side in ("bid", "ask"):  # in quote currency, whatever a contract is worth; a few changes apart at the most
            assert 0.7 < theirs["depth"]["50"][side] / ours["depth"]["50"][side] < 1.4, (name, side)
        route = [row for row in rows if row["kind"] == "route" and row["route"] == name][-1]
        assert route["rest_ms"]["p50"] > 0 and route["msgs_s"] > 0 and route["feed_age_ms"]["p50"] is not None
        assert route["tcp_ms"] is None and route["ws_ms"] == {"p50": None, "p99": None}
        assert route["engine_lag_ms"] is None
    advice = next(row for row in reversed(rows) if row["kind"] == "advice" and row["symbol"] == "BTC/USDT")
    assert advice["home"] == "okxus.spot"
