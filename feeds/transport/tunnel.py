"""Asks a proxy for a connection to a host: HTTP ``CONNECT`` (RFC 9110 9.3.6) and SOCKS5 (RFC 1928, RFC 1929).

Sans-I/O: a generator yields what to send and how much to read, so that the same lines serve our event loop and the
process that asks for instruments. Afterwards the socket is the connection to that host.
"""

from __future__ import annotations

import base64
import ipaddress
import socket
from collections.abc import Generator
from typing import TypeAlias

from feeds.config.proxy_url import Proxy

MAX_HEAD = 16 * 1024
HEAD_END = b"\r\n\r\n"

Talk: TypeAlias = Generator[bytes | int, bytes, None]
"""Yields bytes to send (gets nothing), or the most bytes to read (gets at least one byte, or none at the end)."""

_UNREACHED = {3: "network unreachable", 4: "host unreachable", 5: "connection refused", 6: "time ran out"}
_REFUSED = {1: "general failure", 2: "not allowed by its rules", 7: "it cannot connect", 8: "not this kind of address"}


class ProxyError(OSError):
    """The proxy does not let us through. ``behind``: it tried, and what lies behind it did not answer."""

    def __init__(self, text: str, *, behind: bool = False) -> None:
        super().__init__(text)
        self.behind = behind


def tunnel(proxy: Proxy, host: str, port: int) -> Talk:
    """The talk that opens a connection to ``host`` (a name or an address). Raises ProxyError."""
    return _connect(proxy, host, port) if proxy.kind == "http" else _socks5(proxy, host, port)


def _connect(proxy: Proxy, host: str, port: int) -> Talk:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", "User-Agent: detour"]
    if proxy.user is not None:
        login = base64.b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {login}")
    yield ("\r\n".join(lines) + "\r\n\r\n").encode("idna" if not target.isascii() else "ascii")
    head = b""
    while HEAD_END not in head:
        data = yield 1024
        if not data:
            raise ProxyError(f"the proxy {proxy} hung up")
        head += data
        if len(head) > MAX_HEAD or not b"HTTP/1.".startswith(head[:7]):
            raise ProxyError(f"the proxy {proxy} does not speak HTTP")
    version, _, rest = head.partition(b"\r\n")[0].partition(b" ")
    status = rest[:3].decode("latin-1")
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise ProxyError(f"the proxy {proxy} does not speak HTTP")
    if status == "407":
        raise ProxyError(f"the proxy {proxy} asks for a user and a password (HTTP 407)")
    if status[0] != "2":
        raise ProxyError(f"the proxy {proxy} answers HTTP {status}", behind=status in ("502", "503", "504"))
    if head.partition(HEAD_END)[2]:
        raise ProxyError(f"the proxy {proxy} sends more than it was asked for")


def _socks5(proxy: Proxy, host: str, port: int) -> Talk:
    with_login = proxy.user is not None
    yield b"\x05\x02\x00\x02" if with_login else b"\x05\x01\x00"
    version, method = yield from _exactly(proxy, 2)
    if version != 5:
        raise ProxyError(f"the proxy {proxy} does not speak SOCKS5")
    if method == 2 and with_login:
        user, password = (proxy.user or "").encode(), (proxy.password or "").encode()
        yield b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password
        if (yield from _exactly(proxy, 2))[1] != 0:
            raise ProxyError(f"the proxy {proxy} refuses the user and password")
    elif method != 0:
        raise ProxyError(f"the proxy {proxy} asks for a user and a password")
    yield b"\x05\x01\x00" + _socks_address(host) + port.to_bytes(2)
    _, reply, _, kind = yield from _exactly(proxy, 4)
    if reply != 0:
        why = _UNREACHED.get(reply) or _REFUSED.get(reply, f"reply {reply}")
        raise ProxyError(f"the proxy {proxy} says: {why}", behind=reply in _UNREACHED)
    match kind:
        case 1:
            size = 4
        case 4:
            size = 16
        case 3:
            size = (yield from _exactly(proxy, 1))[0]
        case _:
            raise ProxyError(f"the proxy {proxy} does not speak SOCKS5")
    yield from _exactly(proxy, size + 2)


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii" if host.isascii() else "idna")
        if not 0 < len(name) < 256:
            raise ProxyError("a host name of this length cannot be asked for") from None
        return b"\x03" + bytes([len(name)]) + name
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def _exactly(proxy: Proxy, size: int) -> Generator[bytes | int, bytes, bytes]:
    found = b""
    while len(found) < size:
        data = yield size - len(found)
        if not data:
            raise ProxyError(f"the proxy {proxy} hung up")
        found += data
    return found


def tunnel_blocking(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Over a blocking socket with a time limit. Raises OSError."""
    talk, got = tunnel(proxy, host, port), b""
    wanted = next(talk, None)
    while wanted is not None:
        if isinstance(wanted, bytes):
            sock.sendall(wanted)
            got = b""
        else:
            got = sock.recv(wanted)
        try:
            wanted = talk.send(got)
        except StopIteration:
            return
