"""Where the screen gets its frames from: a collector over a link, or a script in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from feeds.link_messages import Command, Message


class FrameSource(Protocol):
    """One collector. A slow screen skips frames and gets the latest; it never delays the collector."""

    def messages(self) -> AsyncIterator[Message]:
        """``Past`` once, then a ``Shown`` a frame, ``Goodbye`` when the collector ends or its link broke.

        After a broken link it may begin again with ``Past``. The iterator may raise OSError when the link
        breaks; the screen then says that there is no news.
        """

    async def send(self, command: Command) -> None:
        """Ask the collector for something; the next frames show the result. Raises OSError when the link is broken."""
