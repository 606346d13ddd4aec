"""The kernel's figures of a TCP connection: the network's round trip, without the venue's own time.

Linux: ``getsockopt(IPPROTO_TCP, TCP_INFO)``, struct ``tcp_info`` of include/uapi/linux/tcp.h, times in microseconds.
The struct only ever grows at its end, so a shorter answer of an older kernel is read as far as it goes.
macOS: ``TCP_CONNECTION_INFO`` (0x106), struct ``tcp_connection_info`` of XNU's bsd/netinet/tcp.h, 112 bytes, times in
milliseconds. Other systems give None, and ``statement()`` says so.

``srtt`` keeps the value of the handshake until we send something: websocket pings and requests refresh it.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Protocol

from msgspec import Struct

_LINUX_TCP_INFO = 11
_LINUX_SIZE = 240
_DARWIN_TCP_CONNECTION_INFO = 0x106
_DARWIN_SIZE = 112


class TcpInfo(Struct, frozen=True, kw_only=True):
    """Figures of one connection; a figure that this kernel does not give is None."""

    srtt_ms: float
    """Smoothed round trip."""
    rttvar_ms: float
    retransmits: int
    """Segments of ours sent again over the connection's life."""
    min_rtt_ms: float | None = None
    backoff: int | None = None
    """Doublings of the retransmit timer right now: above 0 our last segments stay unanswered."""
    received_out_of_order: int | None = None
    """Segments that came out of order: a hint at loss on the way to us."""


class HasSockOpt(Protocol):
    """A socket, or what an event loop shows of one."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def parse_linux(raw: bytes) -> TcpInfo | None:
    """``struct tcp_info``; None when too short to hold what every kernel since 2.6 gives (104 bytes)."""
    if len(raw) < 104:
        return None
    rtt_us, rttvar_us = struct.unpack_from("=II", raw, 68)
    (retransmits,) = struct.unpack_from("=I", raw, 100)
    min_rtt_us = struct.unpack_from("=I", raw, 148)[0] if len(raw) >= 152 else None
    # The kernel's "not measured yet" is all ones.
    min_rtt_ms = None if min_rtt_us is None or min_rtt_us in (0, 0xFFFFFFFF) else min_rtt_us / 1e3
    return TcpInfo(
        srtt_ms=rtt_us / 1e3,
        rttvar_ms=rttvar_us / 1e3,
        retransmits=retransmits,
        min_rtt_ms=min_rtt_ms,
        backoff=raw[4],
        received_out_of_order=struct.unpack_from("=I", raw, 224)[0] if len(raw) >= 228 else None,
    )


def parse_darwin(raw: bytes) -> TcpInfo | None:
    """``struct tcp_connection_info``; None when shorter than the struct."""
    if len(raw) < _DARWIN_SIZE:
        return None
    srtt_ms, rttvar_ms = struct.unpack_from("=II", raw, 44)
    (retransmits,) = struct.unpack_from("=Q", raw, 104)
    return TcpInfo(srtt_ms=float(srtt_ms), rttvar_ms=float(rttvar_ms), retransmits=retransmits)


def tcp_info(sock: HasSockOpt | None, platform: str = sys.platform) -> TcpInfo | None:
    """The kernel's figures; None where the system has none, or the socket is gone, or it is no TCP socket."""
    if sock is None:
        return None
    try:
        if platform == "linux":
            return parse_linux(sock.getsockopt(socket.IPPROTO_TCP, _LINUX_TCP_INFO, _LINUX_SIZE))
        if platform == "darwin":
            return parse_darwin(sock.getsockopt(socket.IPPROTO_TCP, _DARWIN_TCP_CONNECTION_INFO, _DARWIN_SIZE))
    except (OSError, ValueError):  # uvloop says ValueError of a transport that has just closed
        return None
    return None


def statement(platform: str = sys.platform) -> str:
    """For people: where the network round trip comes from on this system, or that it is missing."""
    match platform:
        case "linux":
            return "network round trip from the kernel (TCP_INFO)"
        case "darwin":
            return "network round trip from the kernel (TCP_CONNECTION_INFO, whole milliseconds)"
        case _:
            return f"no network round trip from the kernel on {platform}: road and venue cannot be told apart by it"
