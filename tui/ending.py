"""The screen is told to end by a signal, or its terminal has gone: within two seconds, in order where possible."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

ORDERLY_S = 1.5
"""A terminal that takes nothing (it has gone, or its output is held) would hold the orderly end for ever."""
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_STDIN, _STDERR = 0, 2
_LEAVE = b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
"""Mouse, paste and focus reports off, lines wrapped, keys as before, the usual screen, the cursor."""


class Ending:
    """``leave`` closes the app as the user's ``q`` does."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self._leave = leave
        self._attributes = _attributes()
        self._last_resort: threading.Timer | None = None

    def listen(self) -> None:
        """On the running loop."""
        loop = asyncio.get_running_loop()
        for name in SIGNALS:
            number = getattr(signal, name, None)
            if number is not None:
                with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows
                    loop.add_signal_handler(number, self.now)

    def look(self) -> None:
        """Whether the terminal is still there: not everybody who loses one is sent a signal."""
        if self._attributes is not None and _attributes() is None:
            self.now()

    def now(self) -> None:
        if self._last_resort is None:
            self._last_resort = threading.Timer(ORDERLY_S, self._end_at_once)
            self._last_resort.daemon = True
            self._last_resort.start()
            self._leave()

    def done(self) -> None:
        """The app has closed."""
        if self._last_resort is not None:
            self._last_resort.cancel()

    def _end_at_once(self) -> None:
        """Our children end when we do: their standard input closes."""
        with contextlib.suppress(Exception):
            if self._attributes is not None:
                import termios

                termios.tcflush(_STDERR, termios.TCOFLUSH)
                termios.tcsetattr(_STDIN, termios.TCSANOW, self._attributes)
            os.set_blocking(_STDERR, False)
            os.write(_STDERR, _LEAVE)
            os.set_blocking(_STDERR, True)  # the shell has the same terminal
        os._exit(1)


def _attributes() -> list[Any] | None:
    """Of the terminal on stdin; None where there is none."""
    if sys.platform == "win32":
        return None
    import termios

    try:
        return termios.tcgetattr(_STDIN)
    except (OSError, termios.error):
        return None
