"""Websocket frames as a server writes them (RFC 6455).

Server frames are not masked (5.1), so one encoded frame can be sent to every client.
"""

from __future__ import annotations

import struct

from feeds.sim.twin import Payload

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def frame(opcode: int, body: bytes) -> bytes:
    """One final, unmasked websocket frame."""
    length = len(body)
    if length < 126:
        return struct.pack("!BB", 0x80 | opcode, length) + body
    if length < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, length) + body
    return struct.pack("!BBQ", 0x80 | opcode, 127, length) + body


def payload_frame(payload: Payload) -> bytes:
    if isinstance(payload, str):
        return frame(TEXT, payload.encode())
    return frame(BINARY, payload)


def close_frame(code: int, reason: str) -> bytes:
    # a control frame carries at most 125 bytes
    return frame(CLOSE, struct.pack("!H", code) + reason.encode()[:123])
