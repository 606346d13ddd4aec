"""Counters of a stream, over all its connections."""

from __future__ import annotations

from collections import deque

from msgspec import Struct, field

SAMPLES_KEPT = 4096
"""Samples of one kind kept until they are taken; older ones go first."""


class StreamStats(Struct, kw_only=True):
    """Counters since the stream's start. ``*_ns`` are on the monotonic clock; None: never."""

    messages: int = 0
    bytes: int = 0
    bursts: int = 0
    """Reads of the socket that held at least one complete message."""
    garbled: int = 0
    unknown: int = 0
    binary: int = 0
    handler_errors: int = 0
    """Exceptions in our own handlers: bugs of ours, logged."""
    reconnects: int = 0
    """Connections opened to replace one that was lost."""
    handovers: int = 0
    """Connections replaced by appointment, without a gap."""
    refused: int = 0
    """Dials that led to no websocket."""
    resubscribed: int = 0
    pongs_lost: int = 0
    last_data_ns: int | None = None
    last_any_ns: int | None = None
    ws_ms: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    """Round trips of pings since the last ``take_ws_ms``."""
    clocks: deque[tuple[int, int, int]] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    """Of pongs that tell the venue's time: (our wall clock at the ping, round trip, that time), ns."""
    own_lag_ns: deque[int] = field(default_factory=lambda: deque(maxlen=SAMPLES_KEPT))
    """Socket readable to handler end, one a burst, since the last ``take_own_lag_ns``."""
    held_back_ns: int = 0
    """How long bytes have waited for their turn since the last ``take_held_back_ns``, because the venue sends more than
    a socket's share of our time."""

    def take_ws_ms(self) -> list[float]:
        """The round trips since the last call."""
        taken = list(self.ws_ms)
        self.ws_ms.clear()
        return taken

    def take_clocks(self) -> list[tuple[int, int, int]]:
        """The clock comparisons since the last call."""
        taken = list(self.clocks)
        self.clocks.clear()
        return taken

    def take_own_lag_ns(self) -> list[int]:
        """Own lag of the bursts since the last call."""
        taken = list(self.own_lag_ns)
        self.own_lag_ns.clear()
        return taken

    def take_held_back_ns(self) -> int:
        """How long bytes have waited since the last call, because the venue floods this socket."""
        taken, self.held_back_ns = self.held_back_ns, 0
        return taken
