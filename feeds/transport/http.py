"""A small HTTP/1.1 client that times every phase of a request, over warm and cold connections.

Resolve, connect (TCP; both in ``dialling``), TLS, request written to first byte, body: each measured by itself, the
first byte inside the protocol's callback so that no task switch of ours is counted. No redirects, no compression: what
is measured is the road to this host. Everything the server sends is bounded in size and in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import SplitResult, urlsplit

import h11
from msgspec import Struct

from feeds.clock import MS, Clock
from feeds.model import Fault
from feeds.plain_text import plain
from feeds.transport.dialling import Dialler, Phase, Steps
from feeds.transport.tcp_info import tcp_info
from feeds.transport.trust import certificate_error, why_untrusted
from feeds.transport.turns import CHEAP_NS, NEVER_NS, TURN_NS, Turns
from feeds.venues.base import Answer, RestRequest

MAX_BODY = 16 * 1024 * 1024
"""Bytes; the largest real answer, a venue's list of all instruments, has about a third of it."""
MAX_HEAD = 64 * 1024
MAX_INFORMATIONAL = 16
"""Answers 1xx before the real one; servers send none or one."""
MAX_IDLE = 2
"""Warm connections kept."""


class Timing(Steps, kw_only=True):
    """Phases of one exchange, ms; None where a phase was not needed or not reached."""

    cold: bool = False
    """A connection was opened for it."""
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    body_ms: float | None = None
    tcp_rtt_ms: float | None = None
    """The kernel's smoothed round trip when the exchange ended; None through a proxy, where it would end there."""
    sent_ns: int | None = None
    """Our wall clock when the request was written."""
    ended_mono_ns: int | None = None
    """Monotonic clock at the last byte."""
    retried: bool = False
    """A kept-alive connection turned out to be closed, and a new one was opened."""


class Exchange(Struct, frozen=True):
    answer: Answer
    timing: Timing


class HttpError(Exception):
    """No complete answer. ``phase`` is where it was lost, ``timing`` what had been measured by then."""

    def __init__(
        self, phase: Phase, why: str, timing: Timing, *, timed_out: bool = False, fault: Fault | None = None
    ) -> None:
        why = plain(why)  # it may quote the server, or a certificate
        super().__init__(plain(f"{phase}: {why}"))
        self.phase, self.why, self.timing, self.timed_out, self.fault = phase, why, timing, timed_out, fault


class _StaleError(Exception):
    """The server had closed a kept-alive connection before it saw our request."""


class _HttpConnection(asyncio.Protocol):
    """One TCP connection with h11 on it. Answers are read in the callback; a future ends the exchange."""

    def __init__(self, clock: Clock, max_body: int, proxied: bool) -> None:
        self._clock, self._max_body, self._proxied = clock, max_body, proxied
        self._h11 = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.used = False
        self._done: asyncio.Future[Answer] | None = None
        self._turns: Turns | None = None
        self._informational = 0
        self._status, self._headers, self._body = 0, dict[str, str](), bytearray()
        self._written_ns = 0
        self.first_ns: int | None = None
        self.last_ns: int | None = None
        self.sent_ns: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._turns is None:  # called again once there is TLS
            loop, now_ns = asyncio.get_running_loop(), self._clock.monotonic_ns
            self._turns = Turns(loop, now_ns, self._go_on, lambda waited_ns: None)

    @property
    def reusable(self) -> bool:
        return not self.closed and self._h11.our_state is h11.IDLE and self._h11.their_state is h11.IDLE

    def send(self, target: str, request: RestRequest, host: str) -> asyncio.Future[Answer]:
        """Write the request. Raises h11.LocalProtocolError for one that cannot be written."""
        assert self.transport is not None
        body = b"" if request.body is None else request.body.encode()
        headers = {"host": host, "user-agent": "detour", "accept": "application/json", "accept-encoding": "identity"}
        if request.body is not None:
            headers |= {"content-type": "application/json", "content-length": str(len(body))}
        headers |= {name.lower(): value for name, value in request.headers.items()}
        out = self._h11.send(h11.Request(method=request.method, target=target, headers=list(headers.items()))) or b""
        if body:
            out += self._h11.send(h11.Data(data=body)) or b""
        out += self._h11.send(h11.EndOfMessage()) or b""
        self.first_ns = self.last_ns = None
        self._body = bytearray()
        self._informational = 0
        self._done = asyncio.get_running_loop().create_future()
        self.sent_ns = self._clock.time_ns()
        self._written_ns = self._clock.monotonic_ns()
        self.transport.write(out)
        return self._done

    def data_received(self, data: bytes) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._done is None or self._done.done():
            self.abort()  # bytes nobody asked for: answers may no longer match requests on this connection
            return
        if self.first_ns is None:
            self.first_ns = now_ns
        self.last_ns = now_ns
        assert self.transport is not None and self._turns is not None
        try:
            self._h11.receive_data(data)
        except h11.RemoteProtocolError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))
            return
        turns, all_done = self._turns, False
        if not (turns.waiting or (turns.left_ns < 0 and turns.in_debt(now_ns))):
            all_done = self._go_on(now_ns + TURN_NS)
        ended_ns = self._clock.monotonic_ns()
        if not all_done or ended_ns - now_ns > CHEAP_NS:
            turns.over(self.transport, now_ns, ended_ns, all_done=all_done)

    def _go_on(self, until_ns: int) -> bool:
        """Read what has come until then. True: that was all of it."""
        try:
            return self._read(until_ns)
        except h11.RemoteProtocolError as error:
            self._fail(ConnectionError(f"not HTTP: {error}"))
            return True

    def _read(self, until_ns: int) -> bool:
        assert self._done is not None
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Response):
                self._status = event.status_code
                self._headers = {n.decode("latin-1"): v.decode("latin-1") for n, v in event.headers}
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > self._max_body:
                    self._fail(ConnectionError(f"body larger than {self._max_body} bytes"))
                    return True
            elif isinstance(event, h11.EndOfMessage):
                self._answered()
                return True
            elif isinstance(event, h11.InformationalResponse):
                self._informational += 1
                if self._informational > MAX_INFORMATIONAL:
                    self._fail(ConnectionError("interim answers without end"))
                    return True
            else:
                return True
            if self._clock.monotonic_ns() >= until_ns:
                return False

    def _answered(self) -> None:
        """The answer is complete."""
        answer = Answer(status=self._status, headers=self._headers, body=bytes(self._body))
        self._body = bytearray()
        self.used = True
        # Bytes after the end would be taken for the next request's answer.
        in_step = not self._h11.trailing_data[0]
        if in_step and self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        else:
            self.abort()
        if self._done is not None and not self._done.done():
            self._done.set_result(answer)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
        self.abort()

    def eof_received(self) -> None:
        # A body without a length ends here; anything else is cut short.
        try:
            self._h11.receive_data(b"")
            if self._done is not None and not self._done.done() and self.first_ns is not None:
                self._read(NEVER_NS)  # what came before was read already
        except h11.RemoteProtocolError as error:
            self._fail(ConnectionError(f"cut short: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self._turns is not None:
            self._turns.end()
        if self._done is not None and not self._done.done():
            if self.used and self.first_ns is None:
                self._done.set_exception(_StaleError())
            else:
                self._done.set_exception(exc or ConnectionError("the server hung up"))

    def abort(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()

    def note(self, timing: Timing) -> None:
        """Write what was measured of this exchange into ``timing``."""
        timing.sent_ns = self.sent_ns
        if self.first_ns is not None and self.last_ns is not None:
            timing.first_byte_ms = (self.first_ns - self._written_ns) / MS
            timing.body_ms = (self.last_ns - self.first_ns) / MS
            timing.ended_mono_ns = self.last_ns
        info = None if self.transport is None or self._proxied else tcp_info(self.transport.get_extra_info("socket"))
        timing.tcp_rtt_ms = None if info is None or self.closed else info.srtt_ms


class HttpClient:
    """One base URL. Requests run side by side, each on a connection of its own; idle ones are kept warm."""

    def __init__(
        self,
        base_url: str,
        clock: Clock,
        *,
        dialler: Dialler | None = None,
        max_body: int = MAX_BODY,
        keep: int = MAX_IDLE,
    ) -> None:
        """Raises ValueError for a URL that is not http(s)."""
        url: SplitResult = urlsplit(base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"not an http(s) URL: {base_url!r}")
        self._host, self._port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        self._netloc, self._prefix = url.netloc.rpartition("@")[2], url.path.rstrip("/")
        self._secure, self._dialler = url.scheme == "https", dialler or Dialler(clock)
        self._clock, self._max_body, self._keep = clock, max_body, keep
        self._idle: deque[_HttpConnection] = deque()
        self._shut = False

    async def exchange(self, request: RestRequest, *, timeout_s: float = 5.0, cold: bool = False) -> Exchange:
        """Ask, and wait for the whole answer. ``cold`` opens a new connection for it. Raises HttpError."""
        timing = Timing()
        deadline = asyncio.get_running_loop().time() + timeout_s
        connection = None if cold else self._warm()
        if connection is not None:
            try:
                return await self._ask(connection, request, timing, deadline)
            except _StaleError:
                timing = Timing(retried=True)  # the server never saw it (RFC 9110 9.2.2), so it may be sent again
        connection = await self._open(timing, deadline, fresh=cold)
        try:
            return await self._ask(connection, request, timing, deadline)
        except _StaleError:
            raise HttpError("first_byte", "the server hung up", timing) from None

    def close(self) -> None:
        """Drop the idle connections, and keep none from now on."""
        self._shut = True
        while self._idle:
            self._idle.pop().abort()

    def _warm(self) -> _HttpConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.abort()
        return None

    async def _ask(
        self, connection: _HttpConnection, request: RestRequest, timing: Timing, deadline: float
    ) -> Exchange:
        try:
            async with asyncio.timeout_at(deadline):
                answer = await connection.send(self._prefix + request.path, request, self._netloc)
        except (h11.LocalProtocolError, UnicodeError) as error:
            connection.abort()
            raise HttpError("first_byte", f"cannot be sent: {error}", timing) from error
        except (TimeoutError, OSError) as error:
            connection.note(timing)
            connection.abort()
            phase: Phase = "first_byte" if connection.first_ns is None else "body"
            if phase == "first_byte":
                timing.body_ms = None
            raise _failure(phase, error, timing) from error
        except BaseException:
            connection.abort()  # cancelled in the middle: the next answer would not match its request
            raise
        connection.note(timing)
        if self._shut or not connection.reusable or len(self._idle) >= self._keep:
            connection.abort()
        else:
            self._idle.append(connection)
        return Exchange(answer, timing)

    async def _open(self, timing: Timing, deadline: float, *, fresh: bool) -> _HttpConnection:
        timing.cold = True
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(deadline):
                sock = await self._dialler.open(self._host, self._port, timing, secure=self._secure, fresh=fresh)
                make: Callable[[], _HttpConnection] = functools.partial(
                    _HttpConnection, self._clock, self._max_body, timing.proxied
                )
                try:
                    _, connection = await loop.create_connection(make, sock=sock)
                except BaseException:
                    with contextlib.suppress(OSError):  # cancelled halfway, uvloop has closed it already
                        sock.close()
                    raise
                if self._secure:
                    await self._secured(connection, timing)
        except (TimeoutError, OSError, UnicodeError) as error:
            raise _failure(timing.phase, error, timing) from error
        return connection

    async def _secured(self, connection: _HttpConnection, timing: Timing) -> None:
        timing.phase = "tls"
        started = self._clock.monotonic_ns()
        assert connection.transport is not None
        plain = connection.transport
        try:
            secured = await asyncio.get_running_loop().start_tls(
                plain, connection, self._dialler.tls, server_hostname=self._host
            )
        except BaseException:
            plain.abort()
            raise
        if secured is None:
            raise ConnectionError("the server hung up")
        connection.transport = secured
        timing.tls_ms = (self._clock.monotonic_ns() - started) / MS


def _failure(phase: Phase, error: Exception, timing: Timing) -> HttpError:
    if (untrusted := certificate_error(error)) is not None:
        return HttpError("certificate", why_untrusted(untrusted), timing, fault=Fault.CERTIFICATE)
    # A kernel's own connect timeout is a TimeoutError with an errno; ours has none. Both are timeouts.
    timed_out = isinstance(error, TimeoutError)
    why = "timed out" if timed_out else (str(error) or type(error).__name__)
    return HttpError(phase, why, timing, timed_out=timed_out)
