"""Encodes an event once for all clients that want it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class EncodeOnce(Generic[Made]):
    """Remembers the encoding of the latest event of each key (for example an instrument and a channel).

    The sessions of a twin share one. All clients get the same event object one after the other, so the latest is
    enough.
    """

    def __init__(self) -> None:
        self._latest: dict[Hashable, tuple[object, Made]] = {}

    def get(self, key: Hashable, event: object, make: Callable[[], Made]) -> Made:
        """The encoding of this ``event`` object (compared by identity) under ``key``; calls ``make`` only the first
        time."""
        known = self._latest.get(key)
        if known is not None and known[0] is event:
            return known[1]
        made = make()
        self._latest[key] = (event, made)
        return made
