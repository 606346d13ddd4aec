"""Cuts whole, unfragmented messages out of a byte stream; all other frames are left to the library.

Nearly all that venues send is one final text or binary frame (RFC 6455, 5.2). For such a message a general parser in
Python costs a tenth of all our work from socket to book, this one next to nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from feeds.transport.turns import NEVER_NS

_FINAL_BINARY = 0x82
_FINAL_DATA = (0x81, _FINAL_BINARY)


class Framing:
    """Fed with bytes as they come, it hands on every frame exactly once, whole and in order.

    It stops between two frames when its time is over, and keeps the rest until ``go_on``.
    """

    def __init__(
        self,
        message: Callable[[bytes, bool], None],
        other: Callable[[bytes], bool],
        max_message: int | None,
        now_ns: Callable[[], int],
    ) -> None:
        """``message(payload, binary)`` gets the final data frames and ``other(frame)`` all others with their headers.

        ``other`` says whether final data frames may be cut out after it: False within a fragmented message, or once
        the connection is closing; then every frame goes to ``other``. After a frame that no server may send (masked,
        longer than ``max_message``) the bytes go to ``other`` as they come, for the library to refuse them.
        """
        self.message = message
        """May be replaced."""
        self._other, self._max, self._now_ns = other, max_message, now_ns
        self._cutting = True
        self._broken = False
        self._held = bytearray()
        self._need = 0
        self._rest, self._at = b"", 0

    def feed(self, data: bytes, until_ns: int = NEVER_NS, at: int = 0) -> bool:
        """``at``: where in the data to begin. False: time was over before the last frame, call ``go_on``."""
        if self._broken:
            self._other(data[at:])
            return True
        if self._held:
            self._held += data
            if len(self._held) < self._need:
                return True
            data = bytes(self._held)
            self._held.clear()
        size = len(data)
        self._need = 0
        now_ns = self._now_ns
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
                    return True
            end = start + length
            if end > size:
                self._need = end - at
                break
            first = data[at]
            if self._cutting and first in _FINAL_DATA:
                self.message(data[start:end], first == _FINAL_BINARY)
            else:
                self._cutting = self._other(data[at:end])
            at = end
            if at < size and now_ns() >= until_ns:
                self._rest, self._at = data, at
                return False
        if at < size:
            self._held += data[at:]
        return True

    def go_on(self, until_ns: int = NEVER_NS) -> bool:
        """Hand on the frames that are left of earlier bytes; False: there are still some."""
        data, at = self._rest, self._at
        self._rest, self._at = b"", 0
        return not data or self.feed(data, until_ns, at)

    def keep(self, data: bytes) -> None:
        """Bytes whose turn has not come: for ``go_on``."""
        if self._rest:
            self._rest, self._at = self._rest[self._at :] + data, 0
        elif self._held:
            self._held += data
            if len(self._held) >= self._need:
                self._rest, self._at = bytes(self._held), 0
                self._held.clear()
        else:
            self._rest, self._at = data, 0

    def closing(self) -> None:
        """From now on every frame goes to ``other``."""
        self._cutting = False
