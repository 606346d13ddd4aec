"""How long the venue's REST takes, timed around ccxt's call in the child: one figure, no phases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import ccxt

from feeds.ccxt_pro.messages import TEXT_CHARS, Probed
from feeds.model import Fault
from feeds.venues.answers import http_fault
from feeds.venues.base import Answer

TIMEOUT_S = 5.0
LEAST_EVERY_S = 2.0
SHARE = 0.1
"""Of the request rate that ccxt's table allows."""
BOOK_LEVELS = 20
TICK_S = 0.02
_FAULTS: tuple[tuple[type[Exception], Fault], ...] = (
    (ccxt.OnMaintenance, Fault.MAINTENANCE),
    (ccxt.RateLimitExceeded, Fault.OUR_LIMIT),
    (ccxt.DDoSProtection, Fault.OUR_LIMIT),
    (ccxt.AuthenticationError, Fault.REFUSED),
    (ccxt.ExchangeNotAvailable, Fault.OVERLOAD),
    (ccxt.BadRequest, Fault.BAD_REQUEST),
)


def fault_of(error: Exception, status: int | None) -> Fault:
    """What an error means: the HTTP status decides where it says something, else the class of ccxt's exception."""
    by_status = None if status is None else http_fault(Answer(status=status, headers={}, body=b""))
    if by_status is not None and by_status is not Fault.UNKNOWN:
        return by_status
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), Fault.UNKNOWN)


def error_text(error: BaseException) -> str:
    """An error's own text on one short line. It may hold a whole HTML page."""
    return " ".join(f"{type(error).__name__}: {error}"[: 4 * TEXT_CHARS].split())[:TEXT_CHARS]


class LoopBlocks:
    """The longest block of our own event loop during one call. It is subtracted from the venue's time."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._due_s = 0.0
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> LoopBlocks:
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._measure()

    def _arm(self) -> None:
        self._due_s = time.monotonic() + TICK_S
        self._handle = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _measure(self) -> None:
        self.longest_s = max(self.longest_s, time.monotonic() - self._due_s)

    def _tick(self) -> None:
        self._measure()
        self._arm()


class Probing:
    """Asks on a fixed schedule, with its own ccxt exchange, so that probes never wait behind other requests."""

    def __init__(self, exchange: Any, emit: Callable[[Probed], None]) -> None:
        """``exchange``: a ccxt.pro exchange that is not opened yet and that nobody else uses."""
        self._exchange, self._emit = exchange, emit
        self._status: int | None = None
        self._connected = False
        self._levels: int | None = BOOK_LEVELS
        exchange.enableRateLimit = False
        exchange.timeout = int(TIMEOUT_S * 1000)
        exchange.on_rest_response = self._answered
        self.every_s = max(LEAST_EVERY_S, exchange.rateLimit / 1000 / SHARE)

    def _answered(self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *_: Any) -> str:
        self._status = code
        return body.strip()

    @property
    def asks_time(self) -> bool:
        return self._exchange.has.get("fetchTime") is True

    def borrow(self, exchange: Any) -> None:
        """Take another instance's markets instead of asking the venue for them once more."""
        self._exchange.set_markets(exchange.markets)

    async def run(self, symbol: str | None) -> None:
        """Until cancelled. Where the venue tells no time, the book of ``symbol`` is asked for instead; the exchange's
        markets must be loaded then."""
        if self._exchange.session is None:
            self._exchange.open()
            session: Any = self._exchange.session  # for mypy it is still None here
            session.trace_configs.append(self._trace())
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            await self._once(due_s, symbol)
            due_s = max(due_s + self.every_s, loop.time())

    def _trace(self) -> aiohttp.TraceConfig:
        trace = aiohttp.TraceConfig()

        async def connected(*_: Any) -> None:
            self._connected = True

        trace.on_connection_create_end.append(connected)
        trace.freeze()
        return trace

    async def _once(self, due_s: float, symbol: str | None) -> None:
        loop = asyncio.get_running_loop()
        start_s, start_ns = loop.time(), time.time_ns()
        late_s = max(0.0, start_s - due_s)
        self._status, self._connected = None, False
        server_ms: int | None = None
        error: Exception | None = None
        with LoopBlocks() as blocks:
            sent = time.monotonic_ns()
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    server_ms = await self._ask(symbol)
            except Exception as failure:  # any error is a result of the probe, and none may end the schedule
                error = failure
            rtt_ns = time.monotonic_ns() - sent
        lost = error is not None and self._status is None
        timed_out = isinstance(error, TimeoutError | ccxt.RequestTimeout)
        own_s = min(blocks.longest_s, rtt_ns / 1e9)
        self._emit(
            Probed(
                name="time" if self.asks_time else "book",
                scheduled_ns=start_ns - int(late_s * 1e9),
                scheduled_mono_ns=sent - int(late_s * 1e9),
                total_ms=late_s * 1e3 + (max(rtt_ns / 1e6, TIMEOUT_S * 1e3) if lost and timed_out else rtt_ns / 1e6),
                wait_ms=(late_s + own_s) * 1e3,
                cold=self._connected,
                lost=lost,
                status=self._status,
                fault=None if error is None or lost else fault_of(error, self._status),
                text="" if error is None else error_text(error),
                sent_ns=start_ns,
                sent_mono_ns=sent,
                rtt_ns=rtt_ns,
                server_ms=server_ms,
            )
        )

    async def _ask(self, symbol: str | None) -> int | None:
        """The venue's time in ms, None where it does not tell it."""
        if self.asks_time:
            time_ms = await self._exchange.fetch_time()
            return time_ms if type(time_ms) is int and 0 < time_ms < 1 << 43 else None
        try:
            await self._exchange.fetch_order_book(symbol, self._levels)
        except (ccxt.BadRequest, ccxt.NotSupported):
            self._levels = None  # a venue that takes only its own numbers of levels
            raise
        return None
