"""Opens TCP connections, for REST, websockets and witnesses alike: resolve, then happy eyeballs (RFC 8305), or a proxy.

Addresses are connected to without another lookup: uvloop's ``sock_connect`` would look up even a numeric address.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import sys
from collections import deque
from collections.abc import Sequence
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from feeds.clock import MS, Clock
from feeds.config.proxy_url import Proxy
from feeds.transport.proxies import DIRECT, Proxies
from feeds.transport.resolver import Address, Resolver, system_resolver
from feeds.transport.trust import trust
from feeds.transport.tunnel import ProxyError, tunnel

Phase: TypeAlias = Literal["resolve", "connect", "proxy", "tls", "certificate", "handshake", "first_byte", "body"]
"""Where something was lost. ``proxy``: our own proxy was not reached, or let us not through. ``certificate``: TLS
worked, but the certificate does not verify. ``handshake``: the websocket's own."""

STAGGER_S = 0.25
"""Head start of one address before the next is tried beside it (RFC 8305 section 5)."""
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR}


class Steps(Struct, kw_only=True):
    """How far a dial has come, and how long each step took, ms; None where a step was not needed or not reached."""

    phase: Phase = "resolve"
    """What is under way."""
    resolve_ms: float | None = None
    connect_ms: float | None = None
    proxied: bool = False
    """Through a proxy: then resolving and connecting are between us and the proxy, and not given."""


class Dialler:
    """Opens connections to the hosts of one venue. Cheap: the resolver is shared."""

    def __init__(
        self,
        clock: Clock,
        *,
        venue: str = "",
        proxies: Proxies = DIRECT,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``tls``: None verifies against ``trust()``."""
        self._clock, self._venue, self._proxies, self._tls = clock, venue, proxies, tls
        self._resolver = resolver or system_resolver()

    @property
    def tls(self) -> ssl.SSLContext:
        return self._tls or trust()

    async def open(
        self, host: str, port: int, steps: Steps, *, secure: bool = False, fresh: bool = False
    ) -> socket.socket:
        """A connected socket: to ``host``, or through a proxy to it. Raises OSError.

        ``steps`` is written to as it goes on, also when it fails or is cancelled. ``fresh``: look the name up anew.
        ``secure``: TLS or not follows on it, for the choice of a proxy. The caller sets a time limit.
        """
        chosen = self._proxies.of(self._venue, host, secure=secure)
        if chosen is not None:
            return await self._through(chosen[0], host, port, steps)
        started_ns = self._clock.monotonic_ns()
        found = await self._resolver.resolve(host, port, fresh=fresh)
        if not found.old:
            steps.resolve_ms = (self._clock.monotonic_ns() - started_ns) / MS
        steps.phase = "connect"
        sock, connect_ns = await self._connect(host, found.addresses)
        steps.connect_ms = connect_ns / MS
        return sock

    def notes(self, *urls: str) -> tuple[str, ...]:
        """Whole sentences for the user about the road to these base URLs; empty when there is nothing to say."""
        notes: dict[str, None] = {}
        for url in urls:
            parts = urlsplit(url)
            host = parts.hostname or ""
            chosen = self._proxies.of(self._venue, host, secure=parts.scheme in ("https", "wss"))
            if chosen is not None:
                proxy, where = chosen
                notes[
                    f"Through the proxy {proxy} ({where}): round trips include it, and the kernel's, which would end "
                    "there, are not shown."
                ] = None
            elif trouble := self._resolver.trouble(host):
                notes[f"{host} cannot be looked up ({trouble}); its last known addresses are used, if any."] = None
        return tuple(notes)

    async def _connect(self, host: str, addresses: Sequence[Address]) -> tuple[socket.socket, int]:
        sock, connect_ns = await connect_any(order(addresses, self._resolver.family(host)), self._clock)
        self._resolver.reached(host, sock.family)
        return sock, connect_ns

    async def _through(self, proxy: Proxy, host: str, port: int, steps: Steps) -> socket.socket:
        steps.proxied = True
        if proxy.kind == "socks5" and not proxy.names:
            host = str((await self._resolver.resolve(host, port)).addresses[0][4][0])
        steps.phase = "proxy"
        found = await self._resolver.resolve(proxy.host, proxy.port)
        sock, _ = await self._connect(proxy.host, found.addresses)
        try:
            await _talk(sock, proxy, host, port)
        except BaseException as error:
            sock.close()
            if isinstance(error, ProxyError) and error.behind:
                steps.phase = "connect"
            raise
        return sock


def order(found: Sequence[Address], family: int | None) -> list[Address]:
    """Families in turn (RFC 8305 section 4), beginning with the one that worked last; at most four addresses."""
    if not found:
        return []
    first = family if family is not None else found[0][0]
    ours = deque(a for a in found if a[0] == first)
    others = deque(a for a in found if a[0] != first)
    mixed: list[Address] = []
    while (ours or others) and len(mixed) < 4:
        for queue in (ours, others):
            if queue:
                mixed.append(queue.popleft())
    return mixed[:4]


async def connect_any(addresses: Sequence[Address], clock: Clock) -> tuple[socket.socket, int]:
    """The first of the addresses that answers, and how long *its own* TCP handshake took (ns).

    A dead IPv6 road at home costs a head start, and is not counted as the venue's connect time. Raises OSError.
    """
    waiting = deque(addresses)
    tries: dict[asyncio.Task[tuple[socket.socket, int]], None] = {}
    last: OSError = OSError("no address")
    try:
        while waiting or tries:
            if waiting:
                tries[asyncio.ensure_future(_connect(waiting.popleft(), clock))] = None
            done, _ = await asyncio.wait(
                tries, timeout=STAGGER_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                del tries[task]
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                last = error
    finally:
        for task in tries:
            task.cancel()
            task.add_done_callback(_discard)
    raise last


def _discard(task: asyncio.Task[tuple[socket.socket, int]]) -> None:
    """A slower try that got through after all is closed."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].close()


async def _connect(address: Address, clock: Clock) -> tuple[socket.socket, int]:
    family, kind, proto, _, target = address
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started_ns = clock.monotonic_ns()
        return sock, await _handshake(sock, target, clock) - started_ns
    except BaseException:
        sock.close()
        raise


async def _handshake(sock: socket.socket, target: tuple[object, ...], clock: Clock) -> int:
    """TCP's. Returns the monotonic time when it was done, ns. Raises OSError."""
    loop = asyncio.get_running_loop()
    if sys.platform == "win32" and isinstance(loop, asyncio.ProactorEventLoop):
        await loop.sock_connect(sock, target)  # it has no ``add_writer``; and it looks nothing up
        return clock.monotonic_ns()
    code = sock.connect_ex(target)
    if code and code not in _UNDER_WAY:
        raise OSError(code, os.strerror(code))
    if code:
        await _writable(sock)
        done_ns = clock.monotonic_ns()
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        return done_ns
    return clock.monotonic_ns()


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    handle = sock.fileno()
    loop.add_writer(handle, _done, ready)
    try:
        await ready
    finally:
        loop.remove_writer(handle)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _talk(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy for a connection to ``host``. Raises OSError."""
    loop = asyncio.get_running_loop()
    talk, got = tunnel(proxy, host, port), b""
    try:
        wanted = next(talk)
        while True:
            if isinstance(wanted, bytes):
                await loop.sock_sendall(sock, wanted)
                got = b""
            else:
                got = await loop.sock_recv(sock, wanted)
            wanted = talk.send(got)
    except StopIteration:
        return
