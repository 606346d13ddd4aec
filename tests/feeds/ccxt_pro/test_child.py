"""The process beside the collector, on an exchange that does what we say instead of ccxt's."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import ccxt
import pytest

from feeds.ccxt_pro.child import Watching, exchange_of, listen, send, unsubscribe
from feeds.ccxt_pro.messages import BookNow, ChildCommand, Follow, Job, Lost, Probed, Refused, TradeNow, Unframer, frame
from feeds.ccxt_pro.outbox import Outbox
from feeds.ccxt_pro.probing import Probing, fault_of
from feeds.model import Fault
from feeds.transport.backoff import Backoff
from tests.feeds.loopback import Samples

BOOK = {"bids": [[1.0, 1.0]], "asks": [[2.0, 1.0]], "nonce": 1, "timestamp": None}
GOOD, BAD, CUT, ODD, WRONG = "BTC/USDT", "NOPE/USDT", "CUT/USDT", "ODD/USDT", "WRONG/USDT"


class Exchange:
    """Of ccxt's interface what the child uses."""

    def __init__(self, **has: bool) -> None:
        self.has = {"fetchTime": True, "watchTrades": True, **has}
        self.rateLimit = 50
        self.session = SimpleNamespace(trace_configs=[])
        self.markets: dict[str, object] = {}
        self.loads = 0
        self.on_load: list[Exception] = []
        self.time: Callable[[], Awaitable[object]] | None = None
        self.levels: list[int | None] = []
        self.on_rest_response: Any = None
        self._pushes: dict[str, asyncio.Event] = {}

    async def load_markets(self) -> None:
        self.loads += 1
        if self.on_load:
            raise self.on_load.pop(0)

    def set_markets(self, markets: dict[str, object]) -> None:
        self.markets = markets

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        match symbol:
            case "NOPE/USDT":
                raise ccxt.BadSymbol("no such market")
            case "CUT/USDT":
                raise ccxt.NetworkError("connection closed by remote server, closing code 1006")
            case "ODD/USDT":
                raise KeyError("result")
            case "WRONG/USDT":
                raise ccxt.ChecksumError("nonce")
        await asyncio.sleep(0.001)
        return BOOK

    async def watch_trades(self, symbol: str) -> list[dict[str, Any]]:
        await asyncio.sleep(0.001)
        good = {"price": 1.5, "amount": 2.0, "side": "sell", "timestamp": 1_700_000_000_000}
        return [good, {**good, "side": None}, {**good, "price": None}]

    async def fetch_time(self) -> object:
        assert self.time is not None
        return await self.time()

    async def fetch_order_book(self, symbol: str, levels: int | None) -> dict[str, Any]:
        self.levels.append(levels)
        if levels is not None:
            raise ccxt.BadRequest("levels must be 5 or 50")
        return BOOK


async def watched(exchange: Exchange, *symbols: str) -> list[Any]:
    """What the child says within a moment."""
    outbox = Outbox()
    watching = Watching(exchange, Probing(Exchange(), outbox.add), outbox, own_stamp=False)
    task = asyncio.create_task(watching.run(symbols))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return outbox.take()


async def test_a_bad_symbol_harms_no_neighbour() -> None:
    said = await watched(Exchange(), GOOD, BAD)
    assert Refused(symbol=BAD, trades=False, text="BadSymbol: no such market") in said
    (book,) = [word for word in said if isinstance(word, BookNow)]
    assert book.symbol == GOOD and book.updates > 5
    trades = [word for word in said if isinstance(word, TradeNow) and word.symbol == GOOD]
    assert trades and all((t.price, t.size, t.side) == (1.5, 2.0, "sell") for t in trades)


async def test_only_a_failing_connection_is_told_as_one() -> None:
    said = await watched(Exchange(), CUT, ODD, WRONG)
    lost = {word.symbol: word for word in said if isinstance(word, Lost)}
    assert set(lost) == {CUT, WRONG}
    assert "1006" in lost[CUT].text and not lost[CUT].gap and lost[WRONG].gap
    assert [word.symbol for word in said if isinstance(word, Refused)] == [ODD], "ccxt tripped: no word on the venue"


async def test_markets_that_cannot_be_loaded_are_asked_for_again() -> None:
    exchange = Exchange()
    exchange.on_load = [ccxt.RequestTimeout("okx GET")]
    said = await watched(exchange, GOOD)
    assert said == [Lost(symbol=None, text="RequestTimeout: okx GET")]
    exchange.on_load = [ccxt.OnMaintenance("until noon")]
    (lost,) = await watched(exchange, GOOD)
    assert lost.fault is Fault.MAINTENANCE


class Dropping(Exchange):
    """As ccxt does when one market's book fails: the futures of its neighbours are cancelled, not failed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[str, int] = {}

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        count = self.asked[symbol] = self.asked.get(symbol, 0) + 1
        if symbol == CUT and count % 2 == 0:
            dropped = asyncio.get_running_loop().create_future()
            dropped.cancel()
            await dropped
        return await super().watch_order_book(GOOD)


async def test_what_ccxt_cancels_is_lost_and_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.ccxt_pro.child.Backoff", lambda base_s: Backoff(base_s=0.001))
    exchange = Dropping()
    said = await watched(exchange, GOOD, CUT)
    lost = [word for word in said if isinstance(word, Lost)]
    assert {word.symbol for word in lost} == {CUT} and "closed" in lost[0].text and not lost[0].gap
    assert exchange.asked[CUT] > 4, "its task goes on"
    assert {word.symbol for word in said if isinstance(word, BookNow)} >= {GOOD}


class Mute(Exchange):
    """Answers for some books only, or not any more; holds subscriptions as ccxt's clients do."""

    def __init__(self, first: int = 0) -> None:
        super().__init__()
        self.markets = {CUT: {"id": "CUTUSDT"}, GOOD: {"id": "BTCUSDT"}}
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        self.client = SimpleNamespace(
            subscriptions={"orderbook:CUT/USDT": True, "cutusdt@depth": True, "orderbook:BTC/USDT": True},
            futures={"orderbook:CUT/USDT": waiting, "orderbook:BTC/USDT": asyncio.get_running_loop().create_future()},
        )
        self.clients = {"ws://x": self.client}
        self.asked, self._first = 0, first

    async def watch_order_book(self, symbol: str) -> dict[str, Any]:
        if symbol == CUT:
            self.asked += 1
            if self.asked > self._first:
                await asyncio.Event().wait()
        return await super().watch_order_book(GOOD)


@pytest.mark.parametrize("first", [0, 3])
async def test_a_book_that_never_comes_or_stops_is_said_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setattr("feeds.ccxt_pro.child.FIRST_BOOK_S", 0.01)
    monkeypatch.setattr("feeds.ccxt_pro.child.NEXT_BOOK_S", 0.02)
    monkeypatch.setattr("feeds.ccxt_pro.child.Backoff", lambda base_s: Backoff(base_s=0.001))
    exchange = Mute(first)
    said = await watched(exchange, GOOD, CUT)
    lost = [word for word in said if isinstance(word, Lost) and word.symbol == CUT]
    assert lost[0].text.startswith("no book within 0.0")
    assert exchange.asked > first + 1
    assert not [key for key in exchange.client.subscriptions if "cut" in key.lower()]


async def test_what_ccxt_has_subscribed_to_of_one_market_is_forgotten() -> None:
    exchange = Mute()
    unsubscribe(exchange, CUT)
    # otherwise ccxt would send nothing, and wait for the same answer
    assert set(exchange.client.subscriptions) == set(exchange.client.futures) == {"orderbook:BTC/USDT"}


async def probed(exchange: Exchange, symbol: str | None = None, times: int = 1) -> list[Probed]:
    found = Samples[Probed]()
    probing = Probing(exchange, found.append)
    probing.every_s = 0.01
    task = asyncio.create_task(probing.run(symbol))
    await found.until(times)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return found


def answering(exchange: Exchange, status: int, then: object) -> Callable[[], Awaitable[object]]:
    async def answer() -> object:
        exchange.on_rest_response(status, "", "", "GET", {}, "", None, None)
        if isinstance(then, Exception):
            raise then
        return then

    return answer


async def test_a_round_trip_is_timed_and_brings_the_venues_clock() -> None:
    exchange = Exchange()
    exchange.time = answering(exchange, 200, 1_700_000_000_123)
    probe = (await probed(exchange))[0]
    assert (probe.name, probe.status, probe.server_ms, probe.lost) == ("time", 200, 1_700_000_000_123, False)
    assert probe.fault is None and probe.rtt_ns is not None and 0 <= probe.wait_ms <= probe.total_ms + 1


async def test_an_error_answer_is_no_lost_one_and_a_lost_one_no_error() -> None:
    exchange = Exchange()
    exchange.time = answering(exchange, 503, ccxt.ExchangeNotAvailable("busy" * 1000))
    probe = (await probed(exchange))[0]
    assert (probe.lost, probe.status, probe.fault) == (False, 503, Fault.OVERLOAD) and len(probe.text) <= 160

    async def nobody() -> object:
        raise ccxt.ExchangeNotAvailable("okx GET") from OSError("refused")

    exchange.time = nobody
    probe = (await probed(exchange))[0]
    assert probe.text == "ExchangeNotAvailable: refused"
    assert (probe.lost, probe.status, probe.fault, probe.server_ms) == (True, None, None, None)


async def test_time_in_which_our_own_process_stood_still_is_not_the_venues() -> None:
    exchange = Exchange()

    async def blocked() -> object:
        time.sleep(0.15)  # noqa: ASYNC251  # stands still on purpose
        exchange.on_rest_response(200, "", "", "GET", {}, "", None, None)
        return 1_700_000_000_000

    exchange.time = blocked
    probe = (await probed(exchange))[0]
    assert probe.total_ms > 140 and probe.total_ms - probe.wait_ms < 60


async def test_a_venue_that_tells_no_time_is_asked_for_a_book_of_a_size_it_takes() -> None:
    exchange = Exchange(fetchTime=False)
    first, second = (await probed(exchange, GOOD, 2))[:2]
    assert exchange.levels[:2] == [20, None]
    assert (first.name, first.server_ms, second.server_ms) == ("book", None, None)


@pytest.mark.parametrize(
    ("error", "status", "fault"),
    [
        (ccxt.RateLimitExceeded("x"), 200, Fault.OUR_LIMIT),
        (ccxt.ExchangeError("x"), 429, Fault.OUR_LIMIT),
        (ccxt.ExchangeNotAvailable("x"), 451, Fault.GEO_BLOCK),
        (ccxt.OnMaintenance("x"), None, Fault.MAINTENANCE),
        (ccxt.AuthenticationError("x"), 200, Fault.REFUSED),
        (KeyError("x"), 200, Fault.UNKNOWN),
    ],
)
def test_what_an_error_means(error: Exception, status: int | None, fault: Fault) -> None:
    assert fault_of(error, status) is fault


def test_every_url_goes_where_the_job_says() -> None:
    exchange = exchange_of(Job(ccxt_id="phemex", product="spot", rest="http://127.0.0.1:1", ws="ws://127.0.0.1:2"))
    api = dict(exchange.urls["api"])
    assert api.pop("ws").startswith("ws://127.0.0.1:2")
    assert api and all(url.startswith("http://127.0.0.1:1") for url in api.values())
    published = exchange_of(Job(ccxt_id="phemex", product="spot")).urls["api"]
    assert published["ws"].startswith("wss://")


def test_commands_are_read_until_the_pipe_ends_or_talks_nonsense() -> None:
    command = Follow(("A/B",))
    for data in (frame(command), frame(command) + b"\x00\x00\x00\x01\xff" + frame(command)):
        received: list[ChildCommand | None] = []
        listen(io.BufferedReader(io.BytesIO(data)), received.append)
        assert received == [command, None]


async def test_what_is_said_is_written_in_frames() -> None:
    outbox, sink, written = Outbox(), io.BytesIO(), threading.Event()
    sink.flush = written.set  # type: ignore[method-assign]  # tells us
    outbox.add(Lost(symbol=None, text="cut"))
    task = asyncio.create_task(send(outbox, sink))
    assert await asyncio.to_thread(written.wait, 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(list(Unframer().feed(sink.getvalue()))) == 1
