"""``python -m feeds.ccxt_pro.child``: watches one exchange through ccxt.pro and sends what comes to the collector.

A process of its own, for three reasons: ccxt takes a second and 100 MB to load, its clients take five times as long a
message as ours, and what blocks them must not delay other routes' time stamps. It ends when its standard input ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from io import BufferedReader
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import ccxt.pro
import msgspec

from feeds.ccxt_pro.messages import (
    Beat,
    ChildCommand,
    Follow,
    Job,
    Lost,
    Refused,
    TradeNow,
    Unframer,
    frame,
    read_command,
)
from feeds.ccxt_pro.outbox import Outbox, book_now
from feeds.ccxt_pro.probing import Probing, error_text, fault_of
from feeds.clock import SystemClock
from feeds.instruments.fetch import narrow, redirect
from feeds.instruments.road import lay_async
from feeds.measure.loop_lag import LoopLag
from feeds.model import Fault
from feeds.transport.backoff import Backoff
from feeds.transport.proxies import read_proxies
from feeds.transport.trust import certificate_error
from feeds.venues.ccxt_names import LOCAL_CLOCK

FLUSH_S = 0.05
BEAT_S = 1.0
HOPELESS_S = 600.0
"""Wait before asking again for what was refused."""
FIRST_BOOK_S = 30.0
"""A first book that has not come by then is asked for again; longer each time, up to ``NEXT_BOOK_S``."""
NEXT_BOOK_S = 120.0
"""A book that has not changed for so long may have stopped: it is asked for anew. Where it is only quiet, that costs
one more whole book."""
MEMORY_BYTES = 3 << 30
"""Limit of address space: a venue that sends without end stops this process only."""
_CONNECTION = (ccxt.NetworkError, OSError, TimeoutError)
"""Errors of the connection. Any other error says nothing about it: it may be a bug in ccxt."""
_HOPELESS = (ccxt.BadSymbol, ccxt.NotSupported, ccxt.AuthenticationError, ccxt.ArgumentsRequired, ccxt.BadRequest)


def exchange_of(job: Job) -> Any:
    """A ccxt.pro exchange at the job's hosts. Raises AttributeError for a name that ccxt does not know."""
    exchange = getattr(ccxt.pro, job.ccxt_id)({"enableRateLimit": True, "newUpdates": True})
    exchange.has["fetchCurrencies"] = False  # needs a key at some venues, and nothing here reads it
    narrow(exchange.options, job.product)
    api = exchange.urls.get("api")
    sockets = api.pop("ws", None) if isinstance(api, dict) else None
    if job.rest:
        api = redirect(api, job.rest)
    if sockets is not None and isinstance(api, dict):
        api["ws"] = redirect(sockets, job.ws) if job.ws else sockets
    exchange.urls["api"] = api
    lay_async(exchange, read_proxies(job.proxies), job.venue, host_in(api))
    return exchange


def host_in(urls: object) -> str:
    """The host of the first URL in ccxt's table of them; empty where there is none."""
    if isinstance(urls, str):
        return urlsplit(urls).hostname or ""
    found = (host_in(value) for value in urls.values()) if isinstance(urls, dict) else iter(())
    return next((host for host in found if host), "")


class SilentError(TimeoutError):
    """What was asked for does not come."""


def unsubscribe(exchange: Any, symbol: str) -> None:
    """Let ccxt forget that it has subscribed to anything of this market: only then does it send the request again.

    ccxt goes by names such as ``orderbook:BTC/USDT`` or ``btcusdt@depth``.
    """
    market = (exchange.markets or {}).get(symbol)
    names = {symbol.lower(), str(market["id"]).lower() if isinstance(market, dict) and market.get("id") else ""} - {""}
    for client in tuple((getattr(exchange, "clients", None) or {}).values()):
        for key in [key for key in client.subscriptions if any(name in str(key).lower() for name in names)]:
            del client.subscriptions[key]
        for key in [key for key, future in client.futures.items() if future.cancelled()]:
            del client.futures[key]  # ccxt would wait on it for ever


class Watching:
    """One exchange: each symbol's book and trades have their own task, so that one failing symbol harms no other."""

    def __init__(self, exchange: Any, probing: Probing, outbox: Outbox, *, own_stamp: bool) -> None:
        self._exchange, self._probing, self._outbox, self._own_stamp = exchange, probing, outbox, own_stamp
        self._silences: dict[str, int | None] = {}
        """By symbol: how often in a row its book was asked for and did not come; None: it has come."""

    async def run(self, symbols: Sequence[str]) -> None:
        backoff = Backoff(base_s=1.0)
        while True:
            try:
                await self._exchange.load_markets()
                break
            except Exception as error:  # of any kind: it is tried again
                if isinstance(error, _CONNECTION):
                    self._outbox.add(_lost(None, error))
                else:
                    for symbol in symbols:
                        self._outbox.add(Refused(symbol=symbol, trades=False, text=error_text(error)))
                await asyncio.sleep(backoff.delay_s())
        async with asyncio.TaskGroup() as group:
            if not self._probing.asks_time and symbols:
                self._probing.borrow(self._exchange)
                group.create_task(self._probing.run(symbols[0]))
            for symbol in symbols:
                group.create_task(self._repeat(symbol, False, self._book))
                if self._exchange.has.get("watchTrades"):
                    group.create_task(self._repeat(symbol, True, self._trades))

    async def _repeat(self, symbol: str, trades: bool, once: Callable[[str], Awaitable[None]]) -> None:
        """Until our own task is cancelled. What ccxt cancels is lost, and asked for again like all else."""
        backoff = Backoff(base_s=1.0)
        task = asyncio.current_task()
        while True:
            try:
                await once(symbol)
                backoff.forgive()
                await asyncio.sleep(0)  # otherwise data that is already there would be taken without a pause
            except asyncio.CancelledError:
                # ccxt cancels what waits on a connection that it closes, when the book of another market has failed
                if task is None or task.cancelling():
                    raise
                self._failed(symbol, trades, ccxt.NetworkError("ccxt has closed the connection that it came by"))
                await asyncio.sleep(backoff.delay_s())
            except Exception as error:  # of any kind: it concerns this symbol only, and is tried again
                self._failed(symbol, trades, error)
                await asyncio.sleep(HOPELESS_S if isinstance(error, _HOPELESS) else backoff.delay_s())

    def _failed(self, symbol: str, trades: bool, error: Exception) -> None:
        if not trades:
            self._outbox.forget(symbol)
        if isinstance(error, _CONNECTION):
            if not trades:  # both use one connection; its loss is reported once
                self._outbox.add(_lost(symbol, error))
        else:
            self._outbox.add(Refused(symbol=symbol, trades=trades, text=error_text(error)))

    async def _book(self, symbol: str) -> None:
        silences = self._silences.get(symbol, 0)
        patience_s = NEXT_BOOK_S if silences is None else min(FIRST_BOOK_S * 2.0**silences, NEXT_BOOK_S)
        try:
            async with asyncio.timeout(patience_s) as patience:
                book = await self._exchange.watch_order_book(symbol)
        except TimeoutError:
            if not patience.expired():
                raise
            self._silences[symbol] = min(30, 1 if silences is None else silences + 1)
            unsubscribe(self._exchange, symbol)
            raise SilentError(f"no book within {patience_s:g} s") from None
        self._silences[symbol] = None
        self._outbox.book(book_now(symbol, book, time.time_ns(), time.monotonic_ns(), own_stamp=self._own_stamp))

    async def _trades(self, symbol: str) -> None:
        found = await self._exchange.watch_trades(symbol)
        now_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        for trade in found[-100:]:
            price, size, stamp = trade.get("price"), trade.get("amount"), trade.get("timestamp")
            if price and size and trade.get("side") in ("buy", "sell"):
                self._outbox.trade(
                    TradeNow(
                        symbol=symbol,
                        price=float(price),
                        size=float(size),
                        side=trade["side"],
                        venue_ms=int(stamp) if stamp is not None and 0 < stamp < 1 << 43 else None,
                        received_ns=now_ns,
                        received_mono_ns=mono_ns,
                    )
                )


def _lost(symbol: str | None, error: Exception) -> Lost:
    if certificate_error(error) is not None:
        return Lost(symbol=symbol, text=error_text(error), fault=Fault.CERTIFICATE)
    if isinstance(error, SilentError):
        return Lost(symbol=symbol, text=str(error))
    known = isinstance(error, ccxt.DDoSProtection | ccxt.RateLimitExceeded | ccxt.OnMaintenance)
    return Lost(
        symbol=symbol,
        text=error_text(error),
        fault=fault_of(error, None) if known else None,
        gap=isinstance(error, ccxt.InvalidNonce),
    )


async def beat(outbox: Outbox) -> None:
    lag = LoopLag(SystemClock(), window_s=3.0)
    lag.start()
    while True:
        outbox.add(Beat(lag_ms=lag.read().p99_ms))
        await asyncio.sleep(BEAT_S)


async def send(outbox: Outbox, sink: BinaryIO) -> None:
    """Until cancelled, or until nobody reads any more. A slow reader gets only the newest books."""
    while True:
        taken = outbox.take()
        if taken:
            data = b"".join(frame(message) for message in taken)
            await asyncio.to_thread(_write, sink, data)
        await asyncio.sleep(FLUSH_S)


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(data)
    sink.flush()


async def serve(sink: BinaryIO, commands: asyncio.Queue[ChildCommand | None]) -> None:
    """Carries out commands, until None comes."""
    outbox = Outbox()
    tasks = [asyncio.create_task(beat(outbox)), asyncio.create_task(send(outbox, sink))]
    exchanges: list[Any] = []
    watching: Watching | None = None
    probing: Probing | None = None
    reading = asyncio.create_task(commands.get())
    try:
        while True:
            done, _ = await asyncio.wait([reading, *tasks], return_when=asyncio.FIRST_COMPLETED)
            if reading not in done:
                await next(iter(done))  # an exception or a broken pipe ends us: the collector starts another
                return
            command = reading.result()
            if command is None:
                return
            if isinstance(command, Job) and watching is None:
                exchanges += [exchange_of(command), exchange_of(command)]
                probing = Probing(exchanges[1], outbox.add)
                watching = Watching(exchanges[0], probing, outbox, own_stamp=command.ccxt_id in LOCAL_CLOCK)
                if probing.asks_time:
                    tasks.append(asyncio.create_task(probing.run(None)))
            elif isinstance(command, Follow) and watching is not None:
                tasks.append(asyncio.create_task(watching.run(command.symbols)))
            reading = asyncio.create_task(commands.get())
    finally:
        for task in (reading, *tasks):
            task.cancel()
        with contextlib.suppress(TimeoutError):  # the venue may not answer the close
            async with asyncio.timeout(1.0):
                await asyncio.gather(reading, *tasks, return_exceptions=True)
                await asyncio.gather(*(exchange.close() for exchange in exchanges), return_exceptions=True)


def listen(source: BufferedReader, put: Callable[[ChildCommand | None], None]) -> None:
    """Reads commands until the pipe ends, then puts None. Blocks, so it runs in a thread."""
    unframer = Unframer()
    # a broken pipe, or bytes that are no command, count as the end
    with contextlib.suppress(OSError, ValueError, msgspec.DecodeError):
        while data := source.read1(65536):
            for body in unframer.feed(data):
                put(read_command(body))
    put(None)


async def _main(sink: BinaryIO) -> None:
    commands: asyncio.Queue[ChildCommand | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(command: ChildCommand | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended before the pipe
            loop.call_soon_threadsafe(commands.put_nowait, command)

    threading.Thread(target=listen, args=(os.fdopen(0, "rb", closefd=False), put), daemon=True).start()
    await serve(sink, commands)


def main() -> int:
    # what a library prints must not get between our messages
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):  # a lower limit that the user has set stays
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    with contextlib.suppress(BrokenPipeError):
        asyncio.run(_main(sink))
    os._exit(0)  # threads that wait on pipes would keep the process alive


if __name__ == "__main__":
    sys.exit(main())
