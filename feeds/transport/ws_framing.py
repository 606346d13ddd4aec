"""Cuts whole, unfragmented messages out of a byte stream; all other frames are left to the library.

Nearly all that venues send is one final text or binary frame (RFC 6455, 5.2). For such a message a general parser in
Python costs a tenth of all our work from socket to book, this one next to nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

_FINAL_BINARY = 0x82
_FINAL_DATA = (0x81, _FINAL_BINARY)


class Framing:
    """Fed with bytes as they come, it hands on every frame exactly once, whole and in order."""

    def __init__(
        self, message: Callable[[bytes, bool], None], other: Callable[[bytes], bool], max_message: int | None
    ) -> None:
        """``message(payload, binary)`` gets the final data frames and ``other(frame)`` all others with their headers.

        ``other`` says whether final data frames may be cut out after it: False within a fragmented message, or once
        the connection is closing; then every frame goes to ``other``. After a frame that no server may send (masked,
        longer than ``max_message``) the bytes go to ``other`` as they come, for the library to refuse them.
        """
        self._message, self._other, self._max = message, other, max_message
        self._cutting = True
        self._broken = False
        self._held = bytearray()
        self._need = 0

    def feed(self, data: bytes) -> None:
        if self._broken:
            self._other(data)
            return
        if self._held:
            self._held += data
            if len(self._held) < self._need:
                return
            data = self._take()
        at, size = 0, len(data)
        self._need = 0
        while size - at >= 2:
            length = data[at + 1]
            start = at + 2
            if length > 125:
                start = at + (4 if length == 126 else 10)
                if size < start and length < 128:
                    break
                broken = length > 127
                length = int.from_bytes(data[at + 2 : start])
                if broken or (self._max is not None and length > self._max):
                    self._broken = True
                    self._other(data[at:])
                    return
            end = start + length
            if end > size:
                self._need = end - at
                break
            first = data[at]
            if self._cutting and first in _FINAL_DATA:
                self._message(data[start:end], first == _FINAL_BINARY)
            else:
                self._cutting = self._other(data[at:end])
            at = end
        if at < size:
            self._held += data[at:]

    def release(self) -> bytes:
        """What is held of an unfinished frame; from now on bytes go to ``other`` as they come."""
        self._broken = True
        return self._take()

    def _take(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held
