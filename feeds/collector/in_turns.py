"""Long work in small pieces, so that the sockets are read in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Piece = TypeVar("Piece")


async def in_turns(pieces: Iterable[Piece], at_once: int = 16) -> AsyncIterator[Piece]:
    """Lets the event loop run after every ``at_once`` pieces: our own computing must not make a message late."""
    for number, piece in enumerate(pieces, 1):
        yield piece
        if number % at_once == 0:
            await asyncio.sleep(0)
